"""The book cache under streams that lag, repeat and overtake each other.

The market itself keeps one true book and a clock; snapshots and touches are taken from it and delivered in any order.
What the cache shows must be a picture that the market really had: the touch of the newest stamp that arrived, and
behind it nothing that some newer picture has not contained.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hlomm.domain.inputs import BboUpdate, BookSnapshot, Level
from hlomm.domain.view import BookShape
from hlomm.engine.books import Book
from tests.support.values import M

INDEX = st.integers(0, 10**6)
PRICES = st.integers(1, 30)


class BookMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.ms = 1_000
        self.on_the_way: list[BookSnapshot | BboUpdate] = []
        self.book = Book()
        self.arrived: list[BookSnapshot | BboUpdate] = []
        self.mono_ns = 0

    # -- the market

    @rule(price=PRICES, qty=st.integers(0, 50), bid=st.booleans(), step=st.sampled_from([0, 0, 1, 5]))
    def change(self, price: int, qty: int, bid: bool, step: int) -> None:
        """One level changes; the touch may move, the book never crosses."""
        self.ms += step
        mine, other = (self.bids, self.asks) if bid else (self.asks, self.bids)
        mine.pop(price, None)
        if qty and not any(price >= p if bid else price <= p for p in other):
            mine[price] = qty

    @rule(depth=st.integers(1, 4))
    def publish_depth(self, depth: int) -> None:
        self.on_the_way.append(BookSnapshot(M, self._side(bid=True)[:depth], self._side(bid=False)[:depth], self.ms))

    @rule()
    def publish_touch(self) -> None:
        bids, asks = self._side(bid=True), self._side(bid=False)
        self.on_the_way.append(BboUpdate(M, bids[0] if bids else None, asks[0] if asks else None, self.ms))

    def _side(self, *, bid: bool) -> tuple[Level, ...]:
        return tuple(sorted((self.bids if bid else self.asks).items(), reverse=bid))

    # -- the streams

    @precondition(lambda self: self.on_the_way)
    @rule(index=INDEX, keep=st.booleans())
    def deliver(self, index: int, keep: bool) -> None:
        item = self.on_the_way[index % len(self.on_the_way)]
        if not keep:
            self.on_the_way.remove(item)
        self.mono_ns += 1
        before = (self.book.bids, self.book.asks, self.book.seen)
        apply: Any = self.book.apply_snapshot if isinstance(item, BookSnapshot) else self.book.apply_bbo
        changed = apply(item, self.mono_ns)
        assert changed == (before != (self.book.bids, self.book.asks, self.book.seen))
        assert self.book.received_ns == self.mono_ns
        self.arrived.append(item)

    @rule()
    def lose_the_streams(self) -> None:
        self.book.forget()
        self.arrived.clear()
        self.on_the_way.clear()

    # -- what must hold

    @invariant()
    def the_touch_is_that_of_the_newest_picture(self) -> None:
        if not self.arrived:
            assert self.book.shape is BookShape.UNKNOWN
            return
        newest_ms = max(item.venue_ms for item in self.arrived)
        touches = {_touch(item) for item in self.arrived if item.venue_ms == newest_ms}
        shown = (self.book.bids[0] if self.book.bids else None, self.book.asks[0] if self.book.asks else None)
        assert shown in touches

    @invariant()
    def what_lies_behind_was_once_told(self) -> None:
        for levels, bid in ((self.book.bids, True), (self.book.asks, False)):
            prices = [price for price, _ in levels]
            assert prices == sorted(set(prices), reverse=bid)
            told = {level for item in self.arrived for level in _levels(item, bid=bid)}
            assert set(levels) <= told

    @invariant()
    def the_shape_fits(self) -> None:
        if self.arrived:
            expected = {
                (True, True): {BookShape.TWO_SIDED, BookShape.CROSSED},
                (True, False): {BookShape.BID_ONLY},
                (False, True): {BookShape.ASK_ONLY},
                (False, False): {BookShape.EMPTY},
            }[bool(self.book.bids), bool(self.book.asks)]
            assert self.book.shape in expected

    @invariant()
    def a_market_that_never_crosses_is_never_shown_crossed(self) -> None:
        """Both sides of the touch come from one picture, so they belong together."""
        assert self.book.shape is not BookShape.CROSSED


def _touch(item: BookSnapshot | BboUpdate) -> tuple[Level | None, Level | None]:
    if isinstance(item, BboUpdate):
        return item.bid, item.ask
    return (item.bids[0] if item.bids else None, item.asks[0] if item.asks else None)


def _levels(item: BookSnapshot | BboUpdate, *, bid: bool) -> tuple[Level, ...]:
    if isinstance(item, BookSnapshot):
        return item.bids if bid else item.asks
    level = item.bid if bid else item.ask
    return () if level is None else (level,)


BookMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40)
TestBookMachine = BookMachine.TestCase
