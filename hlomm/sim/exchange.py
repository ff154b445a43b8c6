"""The exchange: accounts, markets and the operations on them. Pure and synchronous.

Time is set from outside before each block; the market simulation and the wire both act through these methods, so a
background maker and a signed order take the same path. Operations return what the venue would answer; events of the
block pile up on the tape.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE
from hlomm.sim import refusals
from hlomm.sim.accounts import Account
from hlomm.sim.coins import OUTCOME_GRID, SET_CASH
from hlomm.sim.config import RulesConfig
from hlomm.sim.deadman import DeadMan
from hlomm.sim.events import FillDir, FillRow, OutcomeCreated, OutcomeSettled
from hlomm.sim.fees import outcome_fee
from hlomm.sim.ledger import Ledger, Reduction
from hlomm.sim.market import Market
from hlomm.sim.orders import NewOrder, Order, Placed, Refused, Target
from hlomm.sim.outcome_market import OutcomeMarket, OutcomeSpec
from hlomm.sim.perp_market import PerpMarket
from hlomm.sim.refusals import Refusal, Status, WholeActionRefused
from hlomm.sim.tape import Tape

SETTLED_KEPT: Final = 2000
_VOLUME_PER_OPEN_ORDER: Final = 5_000_000 * SCALE
_OPEN_ORDERS_MAX: Final = 5000


@attrs.frozen(kw_only=True)
class Settled:
    """What `settledOutcome` still knows about a finished contract. `fraction` in 1e-8."""

    spec: OutcomeSpec
    fraction: int
    details: str


class Exchange:
    """One venue. `now_ns` of the tape is the block being executed."""

    def __init__(self, rules: RulesConfig) -> None:
        self.rules = rules
        self.ledger = Ledger()
        self.tape = Tape()
        self.accounts: dict[str, Account] = {}
        self.outcomes: dict[int, OutcomeMarket] = {}
        self.settled: dict[int, Settled] = {}
        self.perp = PerpMarket(rules, self.ledger, self.tape)
        self._dead_man = DeadMan(rules)

    # -- accounts and listing

    def open_account(self, address: str, name: str, *, spot: int, perp: int, background: bool = False) -> Account:
        """Create a funded account; amounts are cash in 1e-8."""
        assert address not in self.accounts, "an address has one account"
        account = self.accounts[address] = Account(address=address, name=name, background=background)
        self.ledger.deposit(account, spot=spot, perp=perp)
        return account

    def list_outcome(self, spec: OutcomeSpec) -> OutcomeMarket:
        """Start trading a contract."""
        assert spec.outcome not in self.outcomes
        assert spec.outcome not in self.settled, "outcome numbers are never reused"
        market = self.outcomes[spec.outcome] = OutcomeMarket(spec, self.rules, self.ledger, self.tape)
        self.tape.events.append(OutcomeCreated(spec.outcome))
        return market

    def market_of(self, target: Target) -> Market | None:
        """The book a target trades in, None if it does not trade (any more)."""
        return self.perp if target.outcome is None else self.outcomes.get(target.outcome)

    def open_orders(self, account: Account) -> Iterable[Order]:
        return self.tape.blotter_of(account).open.values()

    # -- orders

    def place(self, account: Account, new: NewOrder) -> Placed:
        market = self.market_of(new.target)
        if market is None:
            return Refused(self.gone(new.target))
        if self._open_orders_full(account):
            return Refused(refusals.TOO_MANY_OPEN)
        return market.place(account, new)

    def gone(self, target: Target) -> Refusal:
        """Why a target cannot be traded."""
        return refusals.OUTCOME_SETTLED if target.outcome in self.settled else refusals.UNKNOWN_ASSET

    def cancel(self, account: Account, target: Target, oid: int | None) -> bool:
        """Cancel by order id; False if it is not open on that asset."""
        order = None if oid is None else self.tape.blotter_of(account).open.get(oid)
        if order is None or order.target != target:
            return False
        self._cancel(order, Status.CANCELED)
        return True

    def oid_of(self, account: Account, key: int | str) -> int | None:
        """Order id behind an order id or client id that is open, None otherwise."""
        blotter = self.tape.blotter_of(account)
        if isinstance(key, int):
            return key if key in blotter.open else None
        order = blotter.by_cloid(key)
        return None if order is None else order.oid

    def modify(self, account: Account, key: int | str, new: NewOrder, *, always_place: bool) -> Placed:
        """Cancel an order and place another under the same client id.

        Without `always_place` the new one must be post-only (a GTC is made so) and the old one must be open.
        """
        oid = self.oid_of(account, key)
        old = None if oid is None else self.tape.blotter_of(account).open.get(oid)
        if old is None and not always_place:
            return Refused(refusals.MODIFY_DEAD)
        if not always_place:
            if new.tif is Tif.IOC:
                return Refused(refusals.MODIFY_NOT_POST_ONLY)
            new = attrs.evolve(new, tif=Tif.ALO)
        if old is not None:
            if new.cloid is None:
                new = attrs.evolve(new, cloid=old.cloid)
            if self.rules.modify_refused_keeps_old and self._would_cross(new):
                return self.place(account, new)
            self._cancel(old, Status.CANCELED)
        return self.place(account, new)

    def cancel_all(self, account: Account, status: Status) -> int:
        """Cancel every open order of an account; returns how many there were."""
        orders = list(self.open_orders(account))
        for order in orders:
            self._cancel(order, status)
        return len(orders)

    def _cancel(self, order: Order, status: Status) -> None:
        market = self.market_of(order.target)
        assert market is not None, "an open order has a market"
        market.cancel(order, status)

    def _would_cross(self, new: NewOrder) -> bool:
        market = self.market_of(new.target)
        if market is None or new.tif is not Tif.ALO:
            return False
        probe = Order.accept(new, Account("", ""), 0, 0)
        return market.book.crosses(probe.book_side, probe.book_ticks)

    def _open_orders_full(self, account: Account) -> bool:
        extra = account.volume // _VOLUME_PER_OPEN_ORDER
        limit = min(self.rules.open_orders + extra, max(self.rules.open_orders, _OPEN_ORDERS_MAX))
        return len(self.tape.blotter_of(account).open) >= limit

    # -- the venue's dead man

    def schedule_cancel(self, account: Account, time_ms: int | None) -> None:
        """Arm, move or remove the scheduled cancel; WholeActionRefused as `DeadMan.arm`."""
        self._dead_man.arm(account, time_ms, self.tape.now_ms)

    def run_schedules(self) -> None:
        """Carry out the scheduled cancels that are due in this block."""
        for address in self._dead_man.due(self.tape.now_ms):
            self.cancel_all(self.accounts[address], Status.SCHEDULED)

    # -- sets

    def split(self, account: Account, outcome: int, lots: int) -> None:
        """Quote into pairs; WholeActionRefused without collateral."""
        market = self._live(outcome)
        if account.quote_free < lots * SET_CASH:
            raise WholeActionRefused(refusals.OUTCOME_QUOTE)
        starts = self._starts(account, outcome)
        self.ledger.split(account, outcome, lots)
        self._report_pair(account, market, lots, starts, FillDir.SPLIT, None)

    def merge(self, account: Account, outcome: int, lots: int | None) -> None:
        """Pairs into quote; None takes as many as are free. WholeActionRefused without tokens."""
        market = self._live(outcome)
        free = min(account.held(outcome, leg).free for leg in Leg)
        count = free if lots is None else lots
        if count > free or count == 0:
            raise WholeActionRefused(refusals.OUTCOME_TOKENS)
        starts = self._starts(account, outcome)
        reductions = self.ledger.merge(account, outcome, count)
        self._report_pair(account, market, count, starts, FillDir.MERGE, reductions)

    def _live(self, outcome: int) -> OutcomeMarket:
        market = self.outcomes.get(outcome)
        if market is None:
            known = outcome in self.settled
            raise WholeActionRefused(refusals.OUTCOME_SETTLED.text if known else refusals.OUTCOME_UNKNOWN)
        return market

    def _starts(self, account: Account, outcome: int) -> tuple[int, int]:
        return account.held(outcome, Leg.YES).total, account.held(outcome, Leg.NO).total

    def _report_pair(
        self,
        account: Account,
        market: OutcomeMarket,
        lots: int,
        starts: tuple[int, int],
        direction: FillDir,
        reductions: tuple[Reduction, Reduction] | None,
    ) -> None:
        oid = self.tape.next_oid()
        side = Side.BUY if reductions is None else Side.SELL
        for leg in Leg:
            gain = 0 if reductions is None else reductions[leg].gain
            target = Target(market.number, leg)
            row = self._synthetic(target, direction, side, px=SCALE // 2, lots=lots, start=starts[leg], gain=gain)
            self.tape.fill(account, attrs.evolve(row, oid=oid))
        self.tape.balance(account)

    def _synthetic(
        self, target: Target, direction: FillDir, side: Side, *, px: int, lots: int, start: int, gain: int, fee: int = 0
    ) -> FillRow:
        """The fill by which the venue reports tokens that moved without a trade."""
        return FillRow(
            target=target,
            px=px,
            lots=lots,
            side=side,
            time_ms=self.tape.now_ms,
            start_lots=start,
            dir=direction,
            closed_pnl=gain,
            hash=self.tape.hash,
            oid=self.tape.next_oid(),
            crossed=True,
            fee=fee,
            tid=self.tape.next_tid(),
            cloid=None,
        )

    # -- settlement

    def settle(self, outcome: int, fraction: int, details: str) -> None:
        """End a contract: cancel its orders, pay YES `fraction` and NO the rest (1e-8), delete its market data."""
        assert 0 <= fraction <= SCALE
        market = self.outcomes[outcome]
        self.tape.next_action()
        for side in Side:
            for order in market.book.orders(side):
                market.cancel(order, Status.OUTCOME_SETTLED)
        for account in self.accounts.values():
            for leg in Leg:
                if (outcome, leg) in account.tokens:
                    self._redeem(account, outcome, leg, fraction if leg is Leg.YES else SCALE - fraction)
        self.ledger.close(outcome)
        del self.outcomes[outcome]
        self.tape.dirty.pop(outcome, None)
        self.settled[outcome] = Settled(spec=market.spec, fraction=fraction, details=details)
        if len(self.settled) > SETTLED_KEPT:
            del self.settled[next(iter(self.settled))]
        self.tape.events.append(OutcomeSettled(outcome))

    def _redeem(self, account: Account, outcome: int, leg: Leg, fraction: int) -> None:
        lots, reduction = self.ledger.redeem(account, outcome, leg, fraction)
        if lots == 0:
            return
        payout = lots * OUTCOME_GRID.lot * fraction // SCALE
        fee = outcome_fee(self.rules, payout, maker=False)
        if fee:
            self.ledger.spot_fee(account, fee)
        account.volume += payout
        target, gain = Target(outcome, leg), reduction.gain
        row = self._synthetic(
            target, FillDir.SETTLEMENT, Side.SELL, px=fraction, lots=lots, start=lots, gain=gain, fee=fee
        )
        self.tape.fill(account, row)
        self.tape.balance(account)

    # -- truth

    def audit(self) -> list[str]:
        """Every invariant that does not hold; empty when all is well."""
        faults = self.ledger.audit(self.accounts.values())
        for account in self.accounts.values():
            quote, tokens, perp = 0, dict.fromkeys(account.tokens, 0), 0
            for order in self.open_orders(account):
                if order.target.outcome is None:
                    perp += order.cost
                elif order.side is Side.BUY:
                    quote += order.cost
                else:
                    tokens[(order.target.outcome, order.target.leg)] += order.lots
            if quote != account.quote_hold:
                faults.append(f"{account.name}: hold {account.quote_hold}, open buys need {quote}")
            if perp != self.perp.held.get(account.address, 0):
                faults.append(f"{account.name}: perp orders {perp}, counted {self.perp.held.get(account.address, 0)}")
            for key, lots in tokens.items():
                if lots != account.tokens[key].hold:
                    faults.append(f"{account.name}: token {key} hold {account.tokens[key].hold}, offered {lots}")
        return faults
