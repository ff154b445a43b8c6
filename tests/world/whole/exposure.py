"""What an account could lose, by the exchange's own orders and tokens."""

from __future__ import annotations

import attrs

from hlomm.domain.ids import is_ours
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, direction
from hlomm.sim.accounts import Account
from hlomm.sim.coins import OUTCOME_GRID
from hlomm.sim.exchange import Exchange


@attrs.frozen(kw_only=True)
class Exposure:
    """The limits: contracts, cash, cash (all in 1e-8)."""

    position: int
    gross: int
    stranded: int


@attrs.frozen(kw_only=True)
class Measured:
    reach: dict[int, tuple[int, int]]
    """Per outcome with an order of ours: net contracts if everything on one side fills; a side without orders is 0."""
    locked: int
    """Cost of tokens beyond complete sets."""
    buying: int
    """Collateral of resting purchases of ours."""


def measure(exchange: Exchange, account: Account) -> Measured:
    up: dict[int, int] = {}
    down: dict[int, int] = {}
    buying = 0
    for order in exchange.open_orders(account):
        outcome = order.target.outcome
        if outcome is None or not is_ours(order.cloid):
            continue
        towards = up if direction(order.target.leg, order.side) > 0 else down
        towards[outcome] = towards.get(outcome, 0) + order.lots * OUTCOME_GRID.lot
        if order.side is Side.BUY:
            buying += order.cost
    reach = {outcome: _reach(account, outcome, up, down) for outcome in up.keys() | down.keys()}
    locked = sum(_locked(account, outcome) for outcome in {outcome for outcome, _ in account.tokens})
    return Measured(reach=reach, locked=locked, buying=buying)


def _reach(account: Account, outcome: int, up: dict[int, int], down: dict[int, int]) -> tuple[int, int]:
    yes, no = (account.held(outcome, leg).total * OUTCOME_GRID.lot for leg in (Leg.YES, Leg.NO))
    lowest = yes - no - down[outcome] if outcome in down else 0
    return lowest, yes - no + up[outcome] if outcome in up else 0


def _locked(account: Account, outcome: int) -> int:
    held = [account.held(outcome, leg) for leg in (Leg.YES, Leg.NO)]
    pairs = min(one.total for one in held)
    return sum(one.entry * (one.total - pairs) // one.total for one in held if one.total > pairs)
