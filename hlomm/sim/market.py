"""The matching loop that outcome and perp books share.

A market checks an order, matches it at the makers' prices, cancels the resting order when both sides belong to one
account, and rests or drops what is left. Where the money goes is the subclass's business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from hlomm.domain.orders import Side, Tif
from hlomm.sim import refusals
from hlomm.sim.accounts import Account
from hlomm.sim.book import Book
from hlomm.sim.coins import Grid, wire
from hlomm.sim.config import RulesConfig
from hlomm.sim.ledger import Ledger
from hlomm.sim.orders import Filled, NewOrder, Order, Placed, Refused, Resting
from hlomm.sim.refusals import Refusal, Status
from hlomm.sim.tape import Tape


class Market(ABC):
    """One book and the rules of its contracts."""

    grid: Grid
    outcome: int | None
    """Number of the outcome; None for the perp."""

    def __init__(self, rules: RulesConfig, ledger: Ledger, tape: Tape) -> None:
        self.rules = rules
        self.ledger = ledger
        self.tape = tape
        self.book = Book()
        self.last_ticks: int | None = None
        """Price of the last trade, in YES space."""

    # -- what differs between contracts

    @abstractmethod
    def refusal_of(self, account: Account, new: NewOrder) -> Refusal | None:
        """Why the order cannot be taken: zero balance, then minimum, then funding."""

    @abstractmethod
    def reserve(self, order: Order, lots: int) -> None:
        """Commit what that many lots of the order may need."""

    @abstractmethod
    def release(self, order: Order, lots: int) -> None:
        """Undo `reserve` for that many lots."""

    @abstractmethod
    def exchange_value(self, taker: Order, maker: Order, lots: int) -> None:
        """Move money and contracts at the maker's price and report both fills."""

    def fillable(self, order: Order, lots: int) -> int:
        """How many of `lots` the order may still trade (reduce-only orders shrink with the position)."""
        del order
        return lots

    # -- orders

    def place(self, account: Account, new: NewOrder) -> Placed:
        """Take a new order through checks, matching and resting."""
        order = Order.accept(new, account, self.tape.next_oid(), self.tape.now_ms)
        refusal = self._admission(order, new)
        if refusal is not None:
            return self._refuse(order, refusal)
        self.reserve(order, order.lots)
        tick_lots = self._match(order)
        filled = order.lots_original - order.lots
        if order.lots == 0:
            return self._done(order, filled, tick_lots)
        if order.tif is Tif.IOC or self.book.crosses(order.book_side, order.book_ticks):
            # The second case: a reduce-only order that ran out of position in front of a crossing price.
            return self._drop_rest(order, filled, tick_lots)
        self.book.add(order)
        self.tape.touch(self.outcome)
        self.tape.order(order, Status.OPEN)
        self.tape.balance(account)
        if filled and self.rules.gtc_partial_reply == "filled":
            return Filled(order.oid, order.cloid, filled, tick_lots, self.grid)
        return Resting(order.oid, order.cloid)

    def cancel(self, order: Order, status: Status = Status.CANCELED) -> None:
        """Take a resting order out of the book."""
        self.book.remove(order)
        self.release(order, order.lots)
        self.tape.touch(self.outcome)
        self.tape.order(order, status)
        self.tape.balance(order.account)
        if status is not Status.CANCELED:
            self.tape.venue_cancel(order)

    def bbo_text(self, order: Order) -> tuple[str | None, str | None]:
        """Best bid and ask in the view of the order's coin, as the venue prints prices."""
        touch = [self.book.best_ticks(Side.BUY), self.book.best_ticks(Side.SELL)]
        if order.book_side is not order.side:
            touch.reverse()
        bid, ask = (None if t is None else wire(order.own_ticks(t) * self.grid.tick) for t in touch)
        return bid, ask

    # -- steps of `place`

    def _admission(self, order: Order, new: NewOrder) -> Refusal | None:
        if order.tif is Tif.ALO and self.book.crosses(order.book_side, order.book_ticks):
            return refusals.bad_alo(*self.bbo_text(order))
        refusal = self.refusal_of(order.account, new)
        if refusal is not None:
            return refusal
        if order.tif is Tif.IOC and not self.book.crosses(order.book_side, order.book_ticks):
            return refusals.IOC_NO_MATCH
        return None

    def _refuse(self, order: Order, refusal: Refusal) -> Refused:
        self.tape.order(order, refusal.status)
        return Refused(refusal)

    def _done(self, order: Order, filled: int, tick_lots: int) -> Filled:
        self.tape.order(order, Status.FILLED)
        self.tape.balance(order.account)
        return Filled(order.oid, order.cloid, filled, tick_lots, self.grid)

    def _drop_rest(self, order: Order, filled: int, tick_lots: int) -> Placed:
        self.release(order, order.lots)
        if filled == 0:
            # Everything it could have met was its own or could not trade.
            return self._refuse(order, refusals.IOC_NO_MATCH)
        self.tape.order(order, Status.CANCELED)
        self.tape.balance(order.account)
        return Filled(order.oid, order.cloid, filled, tick_lots, self.grid)

    def _match(self, taker: Order) -> int:
        """Trade until the order is done or no longer crosses; returns ticks times lots in its own coin."""
        tick_lots = 0
        other = Side(-taker.book_side)
        while taker.lots and self.book.crosses(taker.book_side, taker.book_ticks):
            maker = self.book.best(other)
            assert maker is not None, "a crossed side has an order"
            if maker.account is taker.account:
                self.cancel(maker, Status.SELF_TRADE)
                continue
            lots = min(taker.lots, maker.lots)
            allowed = min(self.fillable(taker, lots), self.fillable(maker, lots))
            if allowed == 0:
                if self.fillable(maker, lots) == 0:
                    self.cancel(maker, Status.REDUCE_ONLY_CANCELED)
                    continue
                break
            self._trade(taker, maker, allowed)
            tick_lots += taker.own_ticks(maker.book_ticks) * allowed
        return tick_lots

    def _trade(self, taker: Order, maker: Order, lots: int) -> None:
        self.release(taker, lots)
        self.release(maker, lots)
        self.book.take(maker, lots)
        taker.lots -= lots
        self.exchange_value(taker, maker, lots)
        self.last_ticks = maker.book_ticks
        self.tape.touch(self.outcome)
        self.tape.order(maker, Status.FILLED if maker.lots == 0 else Status.OPEN)
        self.tape.balance(maker.account)
