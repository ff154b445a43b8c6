"""The book cache: which of two pictures of the market counts, and what is left when our own orders are taken out."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import BookSnapshot, ClockSkew
from hlomm.domain.view import BookShape
from hlomm.engine.books import Book, shape_of, shape_without_own, without_own
from tests.support.rig import ASKS, BIDS, Rig
from tests.support.values import M, bbo, levels, lots, px, snapshot

DEEP = snapshot(levels(("0.50", 100), ("0.49", 200), ("0.48", 300)), levels(("0.52", 100), ("0.53", 200)), 1_000)


def book(*items: object, mono_ns: int = 0) -> Book:
    found = Book()
    for item in items:
        if hasattr(item, "bids"):
            found.apply_snapshot(item, mono_ns)  # type: ignore[arg-type]
        else:
            found.apply_bbo(item, mono_ns)  # type: ignore[arg-type]
    return found


def test_nothing_is_known_before_the_first_picture() -> None:
    fresh = Book()
    assert fresh.shape is BookShape.UNKNOWN
    assert fresh.best_bid is None
    assert fresh.best_ask is None
    assert not fresh.seen


@pytest.mark.parametrize(
    ("bids", "asks", "shape"),
    [
        ((), (), BookShape.EMPTY),
        (levels(("0.5", 1)), (), BookShape.BID_ONLY),
        ((), levels(("0.5", 1)), BookShape.ASK_ONLY),
        (levels(("0.4", 1)), levels(("0.5", 1)), BookShape.TWO_SIDED),
        (levels(("0.5", 1)), levels(("0.5", 1)), BookShape.CROSSED),
        (levels(("0.6", 1)), levels(("0.5", 1)), BookShape.CROSSED),
    ],
)
def test_shapes(bids: tuple[tuple[int, int], ...], asks: tuple[tuple[int, int], ...], shape: BookShape) -> None:
    assert book(snapshot(bids, asks, 1)).shape is shape


def test_a_newer_touch_replaces_the_touch_and_keeps_the_depth_behind_it() -> None:
    found = book(DEEP, bbo(*_touch("0.49", 7, "0.53", 9), 1_001))
    assert found.bids == levels(("0.49", 7), ("0.48", 300))
    assert found.asks == levels(("0.53", 9))


def _touch(bid: str | None, bid_qty: float, ask: str | None, ask_qty: float) -> tuple[object, object]:
    return (
        None if bid is None else levels((bid, bid_qty))[0],
        None if ask is None else levels((ask, ask_qty))[0],
    )


def test_an_improving_touch_goes_in_front() -> None:
    found = book(DEEP, bbo(*_touch("0.505", 5, "0.515", 6), 1_001))
    assert found.bids == levels(("0.505", 5), ("0.50", 100), ("0.49", 200), ("0.48", 300))
    assert found.asks == levels(("0.515", 6), ("0.52", 100), ("0.53", 200))


def test_a_touch_without_a_side_empties_it() -> None:
    found = book(DEEP, bbo(*_touch("0.50", 100, None, 0), 1_001))
    assert found.asks == ()
    assert found.shape is BookShape.BID_ONLY
    # Depth that is older than the touch must not bring the side back ...
    found.apply_snapshot(snapshot(DEEP.bids, DEEP.asks, 1_000), 0)
    assert found.asks == ()
    # ... and newer depth must.
    found.apply_snapshot(snapshot(DEEP.bids, DEEP.asks, 1_002), 0)
    assert found.asks == DEEP.asks


def test_touches_alone_make_no_depth() -> None:
    """A perp of which only the touch is streamed: the prices it left are not offered any more."""
    found = Book()
    for step in range(5):
        found.apply_bbo(bbo((px(f"0.5{step}"), lots(1)), (px(f"0.6{step}"), lots(1)), 1_000 + step), 0)
    assert found.bids == ((px("0.54"), lots(1)),)
    assert found.asks == ((px("0.64"), lots(1)),)


def test_depth_older_than_the_touch_fills_in_behind_it() -> None:
    """The stream of depth lags: its levels count, its touch does not."""
    found = book(bbo(*_touch("0.505", 5, "0.515", 6), 1_001), DEEP)
    assert found.bids[0] == levels(("0.505", 5))[0]
    assert found.bids[1:] == DEEP.bids
    assert found.asks == levels(("0.515", 6)) + DEEP.asks


def test_stale_pictures_change_nothing_but_prove_that_the_stream_lives() -> None:
    found = book(DEEP)
    before = (found.bids, found.asks, found.count)
    assert not found.apply_snapshot(snapshot((), (), 999), 77)
    assert found.received_ns == 77
    assert not found.apply_bbo(bbo(None, None, 999), 78)
    assert found.received_ns == 78
    assert (found.bids, found.asks, found.count) == before


def test_a_touch_older_than_the_last_touch_is_ignored_even_if_newer_than_the_depth() -> None:
    found = book(DEEP, bbo(*_touch("0.49", 1, "0.53", 1), 1_010))
    assert not found.apply_bbo(bbo(*_touch("0.51", 1, "0.52", 1), 1_005), 0)
    assert found.best_bid == levels(("0.49", 1))[0][0]


def test_an_unchanged_picture_is_no_change() -> None:
    found = book(DEEP)
    assert not found.apply_snapshot(snapshot(DEEP.bids, DEEP.asks, 1_500), 0)
    assert found.count == 1
    assert found.apply_snapshot(snapshot(DEEP.bids, (), 1_501), 0)
    assert found.count == 2


def test_an_empty_first_picture_is_a_picture() -> None:
    found = book(snapshot((), (), 5))
    assert found.seen
    assert found.shape is BookShape.EMPTY


def test_after_a_lost_stream_everything_starts_over() -> None:
    found = book(DEEP, bbo(*_touch("0.49", 7, "0.53", 9), 5_000))
    found.forget()
    assert found.shape is BookShape.UNKNOWN
    assert found.best_bid is None
    # An older stamp is fine now: the venue may have been restarted, and the first picture is what there is.
    assert found.apply_snapshot(DEEP, 0)
    assert found.shape is BookShape.TWO_SIDED
    assert found.bids == DEEP.bids


def test_pictures_without_a_stamp_are_taken_in_the_order_they_come() -> None:
    found = book(snapshot(levels(("0.1", 1)), (), 0), snapshot(levels(("0.2", 1)), (), 0))
    assert found.best_bid == levels(("0.2", 1))[0][0]


PICTURES = [
    snapshot(levels(("0.50", 100), ("0.49", 200)), levels(("0.52", 100), ("0.53", 200)), 10),
    snapshot(levels(("0.48", 100), ("0.47", 200)), levels(("0.50", 100), ("0.51", 200)), 30),
    bbo(*_touch("0.495", 5, "0.525", 5), 20),
    bbo(*_touch("0.485", 6, "0.495", 6), 40),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(PICTURES)))))
def test_the_newest_touch_wins_in_whatever_order_pictures_arrive(order: tuple[int, ...]) -> None:
    found = book(*(PICTURES[index] for index in order))
    assert found.best_bid == levels(("0.485", 1))[0][0]
    assert found.best_ask == levels(("0.495", 1))[0][0]
    assert found.bids[0][1] == levels(("0.485", 6))[0][1]


@pytest.mark.parametrize("order", list(itertools.permutations([0, 1])))
def test_the_newest_depth_wins_where_only_depth_is_told(order: tuple[int, ...]) -> None:
    found = book(*(PICTURES[index] for index in order))
    assert (found.bids, found.asks) == (PICTURES[1].bids, PICTURES[1].asks)  # type: ignore[union-attr]


# -- our own orders

OWN = st.dictionaries(st.sampled_from([px for px, _ in DEEP.bids]), st.integers(1, 500 * 10**8), max_size=3)


@given(OWN)
def test_taking_our_orders_out_leaves_what_others_have(own: dict[int, int]) -> None:
    left = dict(without_own(DEEP.bids, own))
    for price, qty in DEEP.bids:
        assert left.get(price, 0) == max(qty - own.get(price, 0), 0)
    assert list(left) == sorted(left, reverse=True)
    assert all(qty > 0 for qty in left.values())


def test_an_order_that_the_picture_does_not_show_yet_removes_at_most_its_level() -> None:
    assert without_own(levels(("0.5", 10)), {levels(("0.5", 1))[0][0]: 10**12}) == ()
    assert without_own(levels(("0.5", 10)), {levels(("0.4", 1))[0][0]: 10**12}) == levels(("0.5", 10))


@pytest.mark.parametrize("shape", [BookShape.UNKNOWN, BookShape.CROSSED])
def test_no_picture_and_a_broken_picture_stay_what_they_are(shape: BookShape) -> None:
    assert shape_without_own(shape, (), ()) is shape
    assert shape_without_own(shape, levels(("0.4", 1)), levels(("0.5", 1))) is shape


def test_a_side_that_is_only_ours_is_empty() -> None:
    assert shape_without_own(BookShape.TWO_SIDED, levels(("0.4", 1)), ()) is BookShape.BID_ONLY
    assert shape_without_own(BookShape.TWO_SIDED, (), levels(("0.4", 1))) is BookShape.ASK_ONLY
    assert shape_without_own(BookShape.TWO_SIDED, (), ()) is BookShape.EMPTY


@given(
    st.lists(st.integers(1, 99), max_size=4, unique=True), st.lists(st.integers(1, 99), max_size=4, unique=True)
)  # fmt: skip
def test_shape_says_what_the_best_prices_say(bids: list[int], asks: list[int]) -> None:
    shape = shape_of(tuple((p, 1) for p in sorted(bids, reverse=True)), tuple((p, 1) for p in sorted(asks)))
    if bids and asks:
        assert (shape is BookShape.CROSSED) == (max(bids) >= min(asks))
    else:
        assert (
            shape
            is {
                (True, False): BookShape.BID_ONLY,
                (False, True): BookShape.ASK_ONLY,
                (False, False): BookShape.EMPTY,
            }[bool(bids), bool(asks)]
        )


def test_a_feed_that_has_fallen_behind_brings_old_books() -> None:
    """Each arrives at once after the other, and each tells of what was ten seconds ago."""
    rig = Rig()
    rig.tell(BookSnapshot(M, BIDS, ASKS, rig.ms))
    assert rig.market().book.received_ns == rig.state.now.mono_ns
    rig.jump(20)
    rig.tell(BookSnapshot(M, BIDS, ASKS, rig.ms - 10_000))
    assert rig.state.now.mono_ns - rig.market().book.received_ns == 10 * 10**9
    rig.tell(ClockSkew(HYPERLIQUID, -10_000))
    rig.tell(BookSnapshot(M, BIDS, ASKS, rig.ms - 10_000))
    assert rig.market().book.received_ns == rig.state.now.mono_ns, "by the venue's clock it is of this moment"


def test_what_is_heard_out_of_order_makes_no_book_older() -> None:
    book = Book()
    book.apply_snapshot(BookSnapshot(M, BIDS, ASKS, 5_000), 5_000)
    book.apply_snapshot(BookSnapshot(M, BIDS, ASKS, 4_000), 4_000)
    assert book.received_ns == 5_000
