"""Merging of books, de-duplication of trades and fills, order events around amends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import ClientId, MarketId, VenueOrderId, is_ours
from hlomm.domain.inputs import (
    BboUpdate,
    BookSnapshot,
    FillReceived,
    Level,
    MarkPrice,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    TradePrint,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import Cash, Px, Qty, parse
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.account_feed import AccountFeed, AmendWatch
from hlomm.venues.hyperliquid.market_feed import MarketFeed
from hlomm.venues.hyperliquid.wire.account import OrderReport, OrderRows
from hlomm.venues.hyperliquid.wire.fills import FillRows
from hlomm.venues.hyperliquid.wire.public import Marks, Prints
from tests.unit.venues.harness import IDS, OUTCOME, PERP


def lv(px: str, size: str = "10") -> Level:
    return parse(px), parse(size)


def feed(**fields: int) -> MarketFeed:
    one = MarketFeed(Counters(), fields.get("print_age_ms", 30_000), fields.get("print_memory", 100))
    one.follow(OUTCOME)
    return one


def book(time: int, bids: list[Level], asks: list[Level], market: MarketId = OUTCOME) -> BookSnapshot:
    return BookSnapshot(market, tuple(bids), tuple(asks), time)


def bbo(time: int, bid: Level | None, ask: Level | None, market: MarketId = OUTCOME) -> BboUpdate:
    return BboUpdate(market, bid, ask, time)


DEEP = ([lv("0.45"), lv("0.44"), lv("0.43")], [lv("0.46"), lv("0.47"), lv("0.48")])


# -- books


def test_a_book_newer_than_the_touch_is_taken_whole() -> None:
    one = feed()
    assert one.on_touch(bbo(5, lv("0.4"), lv("0.5")))
    snapshot = book(6, *DEEP)
    assert one.on_book(snapshot) == [snapshot]


def test_a_touch_newer_than_the_book_is_taken() -> None:
    one = feed()
    one.on_book(book(5, *DEEP))
    update = bbo(6, lv("0.44"), lv("0.47"))
    assert one.on_touch(update) == [update]


def test_book_and_touch_of_the_same_block_both_apply() -> None:
    one = feed()
    assert one.on_touch(bbo(5, lv("0.45"), lv("0.46")))
    assert one.on_book(book(5, *DEEP)) == [book(5, *DEEP)]
    assert one.on_touch(bbo(5, lv("0.45"), lv("0.46")))


@pytest.mark.parametrize("first", ["book", "touch"])
def test_a_touch_older_than_anything_applied_is_dropped(first: str) -> None:
    one = feed()
    if first == "book":
        one.on_book(book(10, *DEEP))
    else:
        one.on_touch(bbo(10, lv("0.4"), None))
    assert one.on_touch(bbo(9, lv("0.1"), None)) == []
    assert one.counters.get("stale.bbo") == 1


def test_a_book_older_than_the_last_book_is_dropped() -> None:
    one = feed()
    one.on_book(book(10, *DEEP))
    assert one.on_book(book(9, [lv("0.1")], [])) == []
    assert one.counters.get("stale.l2Book") == 1


def test_an_older_book_is_corrected_by_the_newer_touch() -> None:
    """Dropping it would starve depth while the touch is busy; passing it on would bring an old touch back."""
    one = feed()
    one.on_touch(bbo(10, lv("0.44", "3"), lv("0.465", "7")))
    assert one.on_book(book(9, *DEEP)) == [
        book(10, [lv("0.44", "3"), lv("0.43")], [lv("0.465", "7"), lv("0.47"), lv("0.48")])
    ]
    assert one.counters.get("corrected.l2Book") == 1


def test_a_side_the_touch_says_is_empty_is_empty() -> None:
    one = feed()
    one.on_touch(bbo(10, None, lv("0.46")))
    (corrected,) = one.on_book(book(9, *DEEP))
    assert isinstance(corrected, BookSnapshot)
    assert corrected.bids == ()
    assert corrected.asks[0] == lv("0.46")


def test_a_better_touch_leads_the_older_book() -> None:
    one = feed()
    one.on_touch(bbo(10, lv("0.455"), lv("0.46")))
    (corrected,) = one.on_book(book(9, *DEEP))
    assert isinstance(corrected, BookSnapshot)
    assert corrected.bids == (lv("0.455"), *DEEP[0])


def test_a_new_connection_forgets_stamps() -> None:
    """After a reconnect the venue's first book may be older than the last touch of the old connection."""
    one = feed()
    one.on_touch(bbo(1_000, lv("0.4"), lv("0.5")))
    one.reconnected()
    assert one.on_book(book(900, *DEEP)) == [book(900, *DEEP)]
    assert one.on_touch(bbo(900, lv("0.44"), None))


def test_markets_do_not_disturb_each_other() -> None:
    one = feed()
    one.follow(PERP)
    one.on_touch(bbo(100, lv("0.4"), None))
    assert one.on_touch(bbo(5, lv("118000"), lv("118001"), PERP))


def test_data_of_markets_nobody_follows_is_counted() -> None:
    one = feed()
    one.drop(OUTCOME)
    assert one.on_book(book(1, *DEEP)) == []
    assert one.on_touch(bbo(1, None, None)) == []
    assert one.on_prints(Prints((trade(1),), 0), 5) == []
    assert one.on_marks(Marks((MarkPrice(PERP, Px(1), 0),))) == []
    assert one.counters.counts == {"unsubscribed.l2Book": 1, "unsubscribed.bbo": 1, "unsubscribed.trades": 1}


PRICES = st.integers(1, 99)


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 20), st.lists(PRICES, max_size=4), st.lists(PRICES, max_size=4)),
        max_size=30,
    )
)
def test_whatever_the_order_of_frames_no_book_is_crossed_or_goes_back(frames: list[Any]) -> None:
    one = feed()
    newest = -1
    for is_book, time, low, high in frames:
        bids = [(px, 5) for px in sorted(set(low), reverse=True)]
        top = bids[0][0] if bids else 0
        asks = [(top + px, 5) for px in sorted(set(high))]
        if is_book:
            events = one.on_book(book(time, bids, asks))
        else:
            events = one.on_touch(bbo(time, bids[0] if bids else None, asks[0] if asks else None))
        for event in events:
            assert isinstance(event, BookSnapshot | BboUpdate)
            assert event.venue_ms >= newest
            newest = event.venue_ms
            if isinstance(event, BookSnapshot):
                assert [px for px, _ in event.bids] == sorted({px for px, _ in event.bids}, reverse=True)
                assert [px for px, _ in event.asks] == sorted({px for px, _ in event.asks})
                assert not (event.bids and event.asks) or event.bids[0][0] < event.asks[0][0]


# -- trades


def trade(tid: int, time: int = 100_000) -> TradePrint:
    return TradePrint(OUTCOME, Px(1), Qty(1), Side.BUY, str(tid), time)


def test_replayed_trades_are_told_once() -> None:
    one = feed()
    assert one.on_prints(Prints((trade(1), trade(2)), 0), 100_000) == [trade(1), trade(2)]
    assert one.on_prints(Prints((trade(2), trade(3)), 0), 100_000) == [trade(3)]
    assert one.counters.get("repeated_prints") == 1


def test_trades_are_told_apart_by_time_and_id() -> None:
    one = feed()
    assert len(one.on_prints(Prints((trade(1), trade(1, 100_001)), 0), 100_000)) == 2


def test_old_replays_are_dropped_by_age() -> None:
    one = feed(print_age_ms=30_000)
    assert one.on_prints(Prints((trade(1, 69_999), trade(2, 70_000)), 0), 100_000) == [trade(2, 70_000)]
    assert one.counters.get("old_prints") == 1


def test_trades_already_told_stay_told_over_a_reconnect() -> None:
    one = feed()
    one.on_prints(Prints((trade(1),), 0), 100_000)
    one.reconnected()
    assert one.on_prints(Prints((trade(1), trade(2)), 0), 100_000) == [trade(2)]


def test_the_memory_of_trades_is_bounded() -> None:
    one = feed(print_memory=3)
    for tid in range(5):
        one.on_prints(Prints((trade(tid),), 0), 100_000)
    assert one.on_prints(Prints((trade(4), trade(0)), 0), 100_000) == [trade(0)]


def test_mirrored_prints_are_counted() -> None:
    one = feed()
    assert one.on_prints(Prints((), 4), 0) == []
    assert one.counters.get("mirrored_prints") == 4


# -- marks


def test_marks_of_followed_perps_pass_even_when_unchanged() -> None:
    """That a mark is repeated is what tells that it is fresh."""
    one = feed()
    one.follow(PERP)
    mark = MarkPrice(PERP, Px(5), 0)
    other = MarkPrice(MarketId("hyperliquid:ETH"), Px(5), 0)
    assert one.on_marks(Marks((mark, other))) == [mark]
    assert one.on_marks(Marks((mark,))) == [mark]


# -- fills


def fill(key: str, time: int = 2_000) -> Fill:
    return Fill(
        key=key,
        market=OUTCOME,
        leg=Leg.YES,
        side=Side.BUY,
        px=Px(1),
        qty=Qty(1),
        fee=Cash(0),
        kind=FillKind.TRADE,
        maker=True,
        client_id=None,
        venue_order_id=None,
        venue_ms=time,
    )


def account(start_ms: int = 1_000, memory: int = 100) -> AccountFeed:
    return AccountFeed(Counters(), memory, is_ours, lambda _market: None, AmendWatch(), start_ms)


def rows(*fills: Fill, snapshot: bool = False) -> FillRows:
    return FillRows("0x", snapshot, fills, 0)


def test_a_fill_is_told_once_whatever_channel_repeats_it() -> None:
    one = account()
    assert one.on_fills(rows(fill("a"))) == [FillReceived(fill("a"))]
    assert one.on_fills(rows(fill("a"), fill("b"), snapshot=True)) == [FillReceived(fill("b"))]
    assert one.on_fills(rows(fill("b"))) == []
    assert one.counters.get("repeated_fills") == 2


def test_fills_before_the_session_only_seed_the_memory() -> None:
    one = account(start_ms=1_000)
    assert one.on_fills(rows(fill("a", 999), fill("b", 1_000), snapshot=True)) == [FillReceived(fill("b", 1_000))]
    assert one.on_fills(rows(fill("a", 999))) == []
    assert (one.counters.get("old_fills"), one.counters.get("repeated_fills")) == (1, 1)


def test_fills_known_from_the_start_are_not_told() -> None:
    one = account()
    one.seed_fills(rows(fill("a"), fill("b")))
    assert one.on_fills(rows(fill("a"), fill("c"), snapshot=True)) == [FillReceived(fill("c"))]


def test_a_snapshot_is_told_in_the_order_of_time() -> None:
    one = account()
    events = one.on_fills(rows(fill("c", 3_000), fill("b", 2_000), fill("a", 1_500), snapshot=True))
    assert [event.fill.key for event in events if isinstance(event, FillReceived)] == ["a", "b", "c"]


def test_live_fills_keep_the_order_of_the_venue() -> None:
    one = account()
    events = one.on_fills(rows(fill("x", 3_000), fill("y", 2_000)))
    assert [event.fill.key for event in events if isinstance(event, FillReceived)] == ["x", "y"]


def test_fills_are_asked_for_from_the_newest_that_a_request_listed() -> None:
    """The stream told a later one: that proves nothing about those before it, one of which may have been lost."""
    one = account(start_ms=1_000)
    assert one.ask_from_ms == 1_000
    one.on_fills(rows(fill("late", 90_000)))
    assert one.ask_from_ms == 1_000, "what was lost before it would never be asked for again"
    listed = one.on_listed_fills(rows(fill("lost", 30_000), fill("late", 90_000)))
    assert listed == [FillReceived(fill("lost", 30_000))]
    assert one.ask_from_ms == 80_000
    assert one.on_listed_fills(rows()) == []
    assert one.ask_from_ms == 80_000


@given(st.lists(st.lists(st.integers(0, 15), max_size=6), max_size=12))
def test_over_any_replays_every_fill_is_told_exactly_once(pushes: list[list[int]]) -> None:
    one = account()
    told = [event for push in pushes for event in one.on_fills(rows(*(fill(str(n)) for n in push)))]
    keys = [event.fill.key for event in told if isinstance(event, FillReceived)]
    assert sorted(keys) == sorted({str(n) for push in pushes for n in push})


# -- order events

OURS = IDS.mint()


def report(status: str, oid: str = "1", client_id: ClientId | None = OURS, **fields: Any) -> OrderReport:
    defaults: dict[str, Any] = {
        "market": OUTCOME,
        "leg": Leg.YES,
        "side": Side.BUY,
        "px": Px(parse("0.45")),
        "leaves": Qty(60),
        "filled": Qty(40),
        "venue_ms": 7,
    }
    return OrderReport(venue_order_id=VenueOrderId(oid), client_id=client_id, status=status, **{**defaults, **fields})


def told(one: AccountFeed, *reports: OrderReport) -> list[Any]:
    return one.on_orders(OrderRows(reports, 0))


def opened(oid: str) -> OrderOpened:
    return OrderOpened(client_id=OURS, venue_order_id=VenueOrderId(oid), leaves=Qty(60), venue_ms=7)


def closed(oid: str, status: str = "canceled") -> OrderClosed:
    return OrderClosed(client_id=OURS, venue_order_id=VenueOrderId(oid), status=status, filled=Qty(40), venue_ms=7)


def test_order_news_becomes_order_events() -> None:
    one = account()
    assert told(one, report("open")) == [opened("1")]
    assert told(one, report("canceled")) == [closed("1")]
    assert told(one, report("filled")) == [closed("1", "filled")]
    assert told(one, report("outcomeSettledCanceled")) == [closed("1", "outcomeSettledCanceled")]
    assert told(one, report("badAloPxRejected")) == [
        OrderRejected(client_id=OURS, code="BadAloPx", text="badAloPxRejected")
    ]


def test_orders_of_others_are_only_counted() -> None:
    one = account()
    assert told(one, report("open", client_id=None), report("open", client_id=ClientId("0x" + "1" * 32))) == []
    assert one.counters.get("foreign_orders") == 2


def test_status_words_that_say_nothing_are_only_counted() -> None:
    one = account()
    assert told(one, report("triggered"), report("word of 2027")) == []
    assert one.counters.get("unknown_order_status") == 2


OLD, NEW = VenueOrderId("1"), VenueOrderId("2")


def test_the_cancel_an_amend_makes_is_never_told_whatever_the_order() -> None:
    """canceled(old) before open(new) would otherwise end an order that rests."""
    for first, second in (
        (report("canceled", "1"), report("open", "2")),
        (report("open", "2"), report("canceled", "1")),
    ):
        one = account()
        one.amends.sent(OLD)
        assert [*told(one, first), *told(one, second)] == [opened("2")]
        one.amends.replaced(OLD)
        assert one.counters.get("held_cancels") == 1


def test_after_the_amend_late_news_about_the_old_id_is_dropped() -> None:
    one = account()
    one.amends.sent(OLD)
    one.amends.replaced(OLD)
    assert told(one, report("canceled", "1"), report("open", "1")) == []
    assert one.counters.get("late_order_news") == 2
    assert told(one, report("canceled", "2")) == [closed("2")]


def test_a_refused_amend_gives_the_held_cancel_back() -> None:
    one = account()
    one.amends.sent(OLD)
    assert told(one, report("canceled", "1")) == []
    assert one.amends.refused(OLD) == closed("1")
    assert told(one, report("canceled", "1")) == [closed("1")]


def test_a_refused_amend_without_cancel_gives_nothing_back() -> None:
    watch = AmendWatch()
    watch.sent(OLD)
    assert watch.refused(OLD) is None
    assert watch.refused(OLD) is None


def test_a_lost_amend_proves_nothing_by_a_cancel_but_by_a_fill() -> None:
    one = account()
    one.amends.sent(OLD)
    one.amends.lost(OLD)
    assert told(one, report("canceled", "1")) == []
    assert told(one, report("filled", "1")) == [closed("1", "filled")]


def test_real_ends_of_the_old_order_pass_while_it_is_amended() -> None:
    one = account()
    one.amends.sent(OLD)
    for status in ("filled", "outcomeSettledCanceled", "selfTradeCanceled"):
        assert told(one, report(status, "1")) == [closed("1", status)]


def test_the_watch_is_bounded() -> None:
    watch = AmendWatch(memory=2)
    for number in range(5):
        watch.sent(VenueOrderId(str(number)))
        watch.replaced(VenueOrderId(str(number)))
    assert not watch.is_replaced(VenueOrderId("0"))
    assert watch.is_replaced(VenueOrderId("4"))
