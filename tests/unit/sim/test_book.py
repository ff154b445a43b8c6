"""Rung: pure, stateful. The merged book's priority and its levels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.sim.accounts import Account
from hlomm.sim.book import Book
from hlomm.sim.orders import NewOrder, Order, Target

ACCOUNT = Account("0x" + "1" * 40, "someone")


def order(oid: int, leg: Leg, side: Side, ticks: int, lots: int = 10) -> Order:
    new = NewOrder(target=Target(1, leg), side=side, ticks=ticks, lots=lots, tif=Tif.GTC)
    return Order.accept(new, ACCOUNT, oid, 0)


def test_buying_no_is_an_ask_at_the_complement() -> None:
    placed = order(1, Leg.NO, Side.BUY, 30_000)
    assert (placed.book_side, placed.book_ticks, placed.rank) == (Side.SELL, 70_000, 1)


def test_selling_no_is_a_bid_at_the_complement_with_priority() -> None:
    placed = order(1, Leg.NO, Side.SELL, 30_000)
    assert (placed.book_side, placed.book_ticks, placed.rank) == (Side.BUY, 70_000, 0)


def test_own_price_comes_back_from_book_price() -> None:
    assert order(1, Leg.NO, Side.BUY, 30_000).own_ticks(70_000) == 30_000
    assert order(1, Leg.YES, Side.BUY, 30_000).own_ticks(70_000) == 70_000


@pytest.mark.parametrize("sells_first", [True, False])
def test_real_sells_are_served_before_dual_buys_whatever_came_first(sells_first: bool) -> None:
    sell, dual = order(1, Leg.YES, Side.SELL, 60_000), order(2, Leg.NO, Side.BUY, 40_000)
    book = Book()
    for placed in (sell, dual) if sells_first else (dual, sell):
        book.add(placed)
    assert [o.oid for o in book.orders(Side.SELL)] == [1, 2]
    assert book.best(Side.SELL) is sell


def test_price_beats_side_and_time_breaks_ties() -> None:
    book = Book()
    for placed in (
        order(1, Leg.YES, Side.BUY, 50_000),
        order(2, Leg.NO, Side.SELL, 50_001),  # a bid at 49999
        order(3, Leg.YES, Side.BUY, 50_001),
        order(4, Leg.YES, Side.BUY, 50_000),
        order(5, Leg.NO, Side.SELL, 50_000),  # a bid at 50000, before both buys there
    ):
        book.add(placed)
    assert [o.oid for o in book.orders(Side.BUY)] == [3, 5, 1, 4, 2]


def test_levels_add_up_and_vanish_when_empty() -> None:
    book = Book()
    first, second = order(1, Leg.YES, Side.BUY, 50_000, 7), order(2, Leg.YES, Side.BUY, 50_000, 5)
    book.add(first)
    book.add(second)
    assert book.depth(Side.BUY) == [(50_000, 12, 2)]
    book.take(first, 3)
    assert book.depth(Side.BUY) == [(50_000, 9, 2)]
    book.remove(second)
    assert second.lots == 5
    book.take(first, 4)
    assert book.depth(Side.BUY) == []
    assert book.best(Side.BUY) is None


def test_a_crossing_order_must_not_be_added() -> None:
    book = Book()
    book.add(order(1, Leg.YES, Side.SELL, 50_000))
    with pytest.raises(AssertionError, match="crossed"):
        book.add(order(2, Leg.YES, Side.BUY, 50_000))


def test_lots_within_a_price() -> None:
    book = Book()
    for oid, ticks in enumerate((50_000, 50_010, 50_020), 1):
        book.add(order(oid, Leg.YES, Side.SELL, ticks, 10))
    assert book.lots_within(Side.SELL, 50_010) == 20
    assert book.lots_within(Side.SELL, 49_999) == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Leg)), st.sampled_from(list(Side)), st.integers(1, 99_999), st.integers(1, 99)),
        max_size=40,
    )
)
def test_orders_of_a_side_are_sorted_by_price_side_time(rows: list[tuple[Leg, Side, int, int]]) -> None:
    book, kept = Book(), []
    for oid, (leg, side, ticks, lots) in enumerate(rows):
        placed = order(oid, leg, side, ticks, lots)
        if not book.crosses(placed.book_side, placed.book_ticks):
            book.add(placed)
            kept.append(placed)
    for side in Side:
        expected = sorted((o for o in kept if o.book_side is side), key=lambda o: (-side * o.book_ticks, o.rank, o.oid))
        assert book.orders(side) == expected
        total = sum(lots for _, lots, _ in book.depth(side, 99))
        assert total == sum(o.lots for o in expected)
