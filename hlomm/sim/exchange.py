"""The exchange: accounts, markets and the operations on them. Pure and synchronous.

Time is set from outside before each block; the market simulation and the wire both act through these methods, so a
background maker and a signed order take the same path. Operations return what the venue would answer; events of the
block pile up on the tape.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE
from hlomm.sim import refusals
from hlomm.sim.accounts import Account
from hlomm.sim.board import Board, QuestionSpec
from hlomm.sim.config import RulesConfig
from hlomm.sim.deadman import DeadMan
from hlomm.sim.events import OutcomeCreated, QuestionUpdated
from hlomm.sim.funding import Funding
from hlomm.sim.liquidation import Liquidator
from hlomm.sim.market import Market
from hlomm.sim.orders import NewOrder, Order, Placed, Refused, Target
from hlomm.sim.outcome_market import OutcomeMarket, OutcomeSpec
from hlomm.sim.perp_market import PerpMarket
from hlomm.sim.refusals import Refusal, Status
from hlomm.sim.sets import Sets
from hlomm.sim.settlement import Settlement

_VOLUME_PER_OPEN_ORDER: Final = 5_000_000 * SCALE
_OPEN_ORDERS_MAX: Final = 5000


class Exchange(Board):
    """One venue. `now_ns` of the tape is the block being executed."""

    def __init__(self, rules: RulesConfig) -> None:
        super().__init__(rules)
        self.perp = PerpMarket(rules, self.ledger, self.tape)
        self._sets = Sets(self)
        self._settlement = Settlement(self)
        self.funding = Funding(self, self.perp)
        self._liquidator = Liquidator(self, self.perp)
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

    def list_question(self, spec: QuestionSpec, outcomes: Iterable[OutcomeSpec]) -> None:
        """Start trading a question: its fallback and its named outcomes, which must all be given."""
        assert spec.question not in self.questions
        assert spec.question not in self.settled_questions, "question numbers are never reused"
        for outcome in outcomes:
            assert outcome.question == spec.question
            self.list_outcome(outcome)
        assert all(outcome in self.outcomes for outcome in spec.live)
        self.ledger.open_question(spec.question, spec.live)
        self.questions[spec.question] = spec
        self.tape.events.append(QuestionUpdated(spec.question))

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
        """Carry out what is due in this block: scheduled cancels, funding, and liquidations at the current mark."""
        for address in self._dead_man.due(self.tape.now_ms):
            self.cancel_all(self.accounts[address], Status.SCHEDULED)
        self.funding.on_block()
        self._liquidator.run()

    # -- sets and settlement: see `Sets` and `Settlement` for what is refused

    def split(self, account: Account, outcome: int, lots: int) -> None:
        self._sets.split(account, outcome, lots)

    def merge(self, account: Account, outcome: int, lots: int | None) -> None:
        self._sets.merge(account, outcome, lots)

    def negate(self, account: Account, question: int, outcome: int, lots: int) -> None:
        self._sets.negate(account, question, outcome, lots)

    def merge_question(self, account: Account, question: int, lots: int | None) -> None:
        self._sets.merge_question(account, question, lots)

    def settle(self, outcome: int, fraction: int, details: str) -> None:
        """End a contract: cancel its orders, pay YES `fraction` and NO the rest (1e-8), delete its market data."""
        self._settlement.settle(outcome, fraction, details)

    def settle_question(self, question: int, winner: int, details: str) -> None:
        """End a question with YES for one of its outcomes."""
        self._settlement.settle_question(question, winner, details)

    def eliminate(self, outcome: int, details: str) -> None:
        """Settle one named outcome of a question as NO before the others."""
        self._settlement.eliminate(outcome, details)

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
