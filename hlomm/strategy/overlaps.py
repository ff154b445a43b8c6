"""What a strategy holds that settles together with the contract it looks at: a bet is sized beside it, never alone.

Several strikes and buckets of one underlying and one expiry win and lose together, and so do several trades in one
contract. Each decision tells what is held of its contract; the next one on the same settlement price finds it here.
"""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.ids import MarketId
from hlomm.domain.units import SCALE
from hlomm.domain.view import MarketView
from hlomm.pricing import terminal
from hlomm.pricing.expected import Contract, Outlook, contract_of
from hlomm.pricing.joint import Instrument, Offer, beside, states_of
from hlomm.pricing.kelly import Bet, BetSide

HELD_MAX: Final = 256
"""Contracts remembered; the oldest makes room."""

_Key = tuple[str, int | None]


@attrs.frozen
class _Held:
    key: _Key
    contract: Contract
    net: float
    """Contracts, YES less NO."""


@attrs.define(eq=False)
class Overlaps:
    """Holdings by contract, grouped by what settles them."""

    _held: dict[MarketId, _Held] = attrs.field(factory=dict)

    def see(self, view: MarketView) -> None:
        """Take in what is held of a contract."""
        contract, market_id = contract_of(view.market), view.market.id
        self._held.pop(market_id, None)
        if contract is None or not view.net:
            return
        self._held[market_id] = _Held(_key(view), contract, view.net / SCALE)
        if len(self._held) > HELD_MAX:
            del self._held[next(iter(self._held))]

    def forget(self, market: MarketId) -> None:
        self._held.pop(market, None)

    def bet(
        self,
        view: MarketView,
        spot: float,
        outlook: Outlook,
        direction: int,
        px: float,
        costs: float,
        *,
        equity: float,
        fraction: float,
    ) -> tuple[Bet, int]:
        """Full-Kelly bet at a price (YES space) beside what is held, and how many holdings it stands beside.

        `costs` of a contract come on top of its price (QUANT 5.2).

        Holdings count as if they were the fraction of a full bet, so that the fraction of what comes out brings all of
        it to that fraction: alone in one contract it is the fraction of Kelly less what is held.
        """
        contract = contract_of(view.market)
        side, cost = (BetSide.YES, px + costs) if direction > 0 else (BetSide.NO, 1.0 - px + costs)
        if contract is None or not (equity > 0.0 and fraction > 0.0 and 0.0 < cost < 1.0):
            return Bet(BetSide.NONE, None, 0.0, 0.0, 0.0), 0
        held = [one for one in self._held.values() if one.key == _key(view)]
        offers = [Offer(floor=c.floor, ceiling=c.ceiling) for c in (contract, *(one.contract for one in held))]
        states, prices = states_of(offers, lambda bound: terminal.odds(spot, bound, outlook.v).p_yes)
        wealth = [1.0] * len(states)
        for one, offer in zip(held, offers[1:], strict=True):
            pays = [float(offer.pays(price)) for price in prices]
            fair = sum(p * paid for p, paid in zip(states, pays, strict=True))
            weight = one.net / (equity * fraction)
            wealth = [w + weight * (paid - fair) for w, paid in zip(wealth, pays, strict=True)]
        payoff = tuple(float(offers[0].pays(price) is (direction > 0)) for price in prices)
        contracts = beside(states, wealth, Instrument(cost, payoff))
        return Bet(side, cost, contracts, contracts * cost, 0.0), len(held)


def _key(view: MarketView) -> _Key:
    """What one settlement price decides."""
    return view.market.underlying, view.market.expiry_ns
