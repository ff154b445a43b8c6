"""Sums of orders: what they tell of their own age. That they are right is shown in the storms (`tests.support`)."""

from __future__ import annotations

from hlomm.domain.ids import MarketId
from hlomm.engine.pending import NOTHING, TRAIL, PendingBook
from tests.support.rig import Rig
from tests.support.values import M2, M, outcome


def test_a_change_is_told_until_it_is_too_long_ago() -> None:
    book = PendingBook(lambda _: ())
    a, b = MarketId("a"), MarketId("b")
    for market in (a, b, b):
        book.changed(market)
    assert list(book.since(3) or ()) == []
    assert set(book.since(1) or ()) == {b}
    assert set(book.since(0) or ()) == {a, b}
    for _ in range(TRAIL - 2):
        book.changed(b)
    assert book.since(0) is None, "everything has to be looked at"
    assert set(book.since(1) or ()) == {b}


def test_sums_are_kept_until_an_order_of_their_market_changes() -> None:
    rig = Rig(markets=[outcome(), outcome(16)])
    bid = rig.resting_bid("0.52", 100)
    before, other = rig.state.orders.pending(M), rig.state.orders.pending(M2)
    assert rig.state.orders.pending(M) is before
    rig.filled(bid, 40)
    assert rig.state.orders.pending(M) is not before
    assert rig.state.orders.pending(M2) is other is NOTHING


def test_nothing_is_kept_of_a_market_in_which_nothing_is_pending() -> None:
    rig = Rig()
    bid = rig.resting_bid("0.52", 100)
    rig.filled(bid, 100)
    rig.want()
    assert rig.state.orders.pending(M) is NOTHING
    assert M not in rig.state.orders.sums._of
