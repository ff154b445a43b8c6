"""The parts of the Kalshi session that need no venue: cash and positions, orders, buckets, configuration."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.faults import ConfigError
from hlomm.domain.fee import curve_fee
from hlomm.domain.fills import FillKind
from hlomm.domain.ids import ClientId, ClientIds, MarketId, VenueOrderId
from hlomm.domain.inputs import FillReceived, OrderClosed, OrderOpened
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.units import SCALE, Cash, Px, Qty, notional_ceil, notional_floor, parse
from hlomm.venues.counters import Counters
from hlomm.venues.kalshi import eastern
from hlomm.venues.kalshi.account import collateral
from hlomm.venues.kalshi.account_feed import AccountFeed
from hlomm.venues.kalshi.config import KalshiConfig
from hlomm.venues.kalshi.fees import fee_curve
from hlomm.venues.kalshi.limits import BASIC_WRITE, Budgets
from hlomm.venues.kalshi.purse import Purse
from hlomm.venues.kalshi.tracks import Track, Tracks, wire_id
from hlomm.venues.kalshi.wire.account import FillRow, OrderRow
from hlomm.venues.kalshi.wire.exchange import AccountLimits, Bucket, Costs
from hlomm.venues.kalshi.wire.frames import UserOrderMsg
from hlomm.venues.kalshi.wire.sides import BookSide, to_wire
from hlomm.venues.kalshi.wire.times import wall_ns
from tests.support.rig import Rig
from tests.support.values import VENUES, foreign

TICKER = "KXBTCD-26NOV2017-T90999.99"
MARKET = MarketId(f"kalshi:{TICKER}")
LOT = 10**6
IDS = ClientIds(1_795_000_000_000)


def row(side: BookSide, px: int, qty: int, number: int = 1, order_id: str = "o", **fields: Any) -> FillRow:
    return FillRow(
        trade_id=f"t{number}", order_id=order_id, ticker=TICKER, side=side, px=Px(px), qty=Qty(qty),
        fee=fields.pop("fee", Cash(0)), maker=fields.pop("maker", True), venue_ms=1_000 + number, **fields,
    )  # fmt: skip


def request(leg: Leg = Leg.YES, side: Side = Side.BUY, qty: str = "10", tif: Tif = Tif.ALO) -> OrderRequest:
    return OrderRequest(
        client_id=IDS.mint(), market=MARKET, leg=leg, side=side, px=Px(SCALE // 2), qty=Qty(parse(qty)), tif=tif,
        purpose=Purpose.QUOTE,
    )  # fmt: skip


# -- the purse

steps = st.lists(
    st.tuples(st.sampled_from(Leg), st.sampled_from(Side), st.integers(1, 9_999), st.integers(1, 5_000), st.booleans()),
    max_size=30,
)


@given(steps)
def test_what_is_told_is_what_the_venue_has(orders: list[tuple[Leg, Side, int, int, bool]]) -> None:
    """The venue: one signed number and cash. The engine: two tokens and cash. Equal after every fill."""
    purse, tracks = Purse(cash=0), Tracks()
    position = cash = believed = 0
    tokens = {Leg.YES: 0, Leg.NO: 0}
    for number, (leg, side, ticks, lots, ours) in enumerate(orders):
        px, qty = ticks * 10**4, lots * LOT
        book_side, yes_px = to_wire(leg, side, Px(px))
        track: Track | None = None
        if ours:
            track = tracks.place(request(leg, side), TICKER, 2, None, 0)
            tracks.name(track, f"o{number}")
        sign = 1 if book_side is BookSide.BID else -1
        # The venue's own account of it: the price moves, and each pair that is locked holds a dollar.
        locked = max(-position, 0)
        position += sign * qty
        cash += -sign * yes_px * qty // SCALE - (max(-position, 0) - locked)
        for event in purse.fill(row(book_side, yes_px, qty, number), track):
            assert isinstance(event, FillReceived)
            for fill in event.fills:
                value = notional_ceil(fill.px, fill.qty) if fill.side is Side.BUY else notional_floor(fill.px, fill.qty)
                believed -= fill.side * value
                tokens[fill.leg] += fill.side * fill.qty
            assert (event.fill.kind is FillKind.MERGE) == bool(event.rest)
        assert tokens == {Leg.YES: max(position, 0), Leg.NO: max(-position, 0)}
        assert believed == purse.cash == cash
        assert purse.positions[TICKER] == position


def test_buying_the_other_side_is_told_as_ordered_and_then_merged() -> None:
    purse, tracks = Purse(cash=0), Tracks()
    purse.positions[TICKER] = 5 * SCALE
    track = tracks.place(request(Leg.NO, Side.BUY), TICKER, 2, None, 0)
    tracks.name(track, "o")
    closing, opening, merged = purse.fill(row(BookSide.ASK, parse("0.6"), 8 * SCALE, fee=Cash(9)), track)
    assert isinstance(closing, FillReceived)
    assert isinstance(opening, FillReceived)
    assert isinstance(merged, FillReceived)
    assert [(one.fill.leg, one.fill.side, one.fill.px, one.fill.qty, one.fill.fee) for one in (closing, opening)] == [
        (Leg.NO, Side.BUY, parse("0.4"), 5 * SCALE, 6), (Leg.NO, Side.BUY, parse("0.4"), 3 * SCALE, 3),
    ]  # fmt: skip
    assert [(one.leg, one.side, one.qty, one.kind) for one in merged.fills] == [
        (Leg.YES, Side.SELL, 5 * SCALE, FillKind.MERGE),
        (Leg.NO, Side.SELL, 5 * SCALE, FillKind.MERGE),
    ]
    assert len({one.key for one in (closing.fill, opening.fill, *merged.fills)}) == 4
    assert purse.positions[TICKER] == -3 * SCALE


@pytest.mark.parametrize("px", ["0.04", "0.6", "0.97"])
@pytest.mark.parametrize("direct", [True, False])
def test_a_fill_through_zero_teaches_no_other_fee(px: str, *, direct: bool) -> None:
    """What was told as two parts cost what the curve says, each of them: nothing is learned from it."""
    curve = fee_curve("quadratic", Decimal(1), Cash(SCALE // (10_000 if direct else 100)))
    assert curve is not None
    rig, purse = Rig(venues=VENUES, markets=(foreign(MARKET, fee=curve),)), Purse(cash=0)
    for number, (side, qty) in enumerate(((BookSide.BID, 40), (BookSide.ASK, 100), (BookSide.BID, 90))):
        fee = curve_fee(curve, parse(px), qty * SCALE, maker=False)
        one = row(side, parse(px), qty * SCALE, number, f"o{number}", fee=fee, maker=False)
        rig.tell(*purse.fill(one, None))
    assert purse.positions[TICKER] == 30 * SCALE
    assert rig.state.learned_fees == {}


@pytest.mark.parametrize("held", [0, 5, 8, -5])
@pytest.mark.parametrize("order", [(Leg.YES, Side.SELL), (Leg.NO, Side.BUY)])
def test_a_fill_told_again_without_its_order_has_no_news(held: int, order: tuple[Leg, Side]) -> None:
    """A later run knows the fill's keys and not its order: nothing may be booked twice, whatever it was called."""
    tracks = Tracks()
    track = tracks.place(request(*order), TICKER, 2, None, 0)
    tracks.name(track, "o")
    told = []
    for known in (track, None):
        purse = Purse(cash=0)
        purse.positions[TICKER] = held * SCALE
        events = purse.fill(row(BookSide.ASK, parse("0.6"), 8 * SCALE), known)
        told.append({fill.key for event in events if isinstance(event, FillReceived) for fill in event.fills})
    first, again = told
    assert again <= first


def test_selling_more_than_is_held_opens_the_other_side() -> None:
    purse, tracks = Purse(cash=0), Tracks()
    purse.positions[TICKER] = 5 * SCALE
    track = tracks.place(request(Leg.YES, Side.SELL), TICKER, 2, None, 0)
    sold, opened = (event.fill for event in purse.fill(row(BookSide.ASK, parse("0.6"), 8 * SCALE), track))  # type: ignore[union-attr]
    assert (sold.leg, sold.side, sold.qty) == (Leg.YES, Side.SELL, 5 * SCALE)
    assert (opened.leg, opened.side, opened.px, opened.qty) == (Leg.NO, Side.BUY, parse("0.4"), 3 * SCALE)


@pytest.mark.parametrize(("held", "pays"), [(5, "5"), (-5, "0"), (0, "0")])
def test_a_settlement_pays_the_side_that_won(held: int, pays: str) -> None:
    purse = Purse(cash=0)
    purse.positions[TICKER] = held * SCALE
    purse.settle(TICKER, Px(SCALE), 1)
    assert purse.cash == parse(pays)
    assert TICKER not in purse.positions
    assert bool(purse.unpaid) == (parse(pays) > 0)


# -- the feed


def make_feed() -> tuple[AccountFeed, Tracks, list[str]]:
    doubts: list[str] = []
    tracks = Tracks()
    return AccountFeed(tracks, Purse(cash=0), Counters(), 100, lambda: 10_000, doubts.append), tracks, doubts


def frame(track: Track, status: str, filled: str = "0.00", order_id: str = "o", **fields: Any) -> UserOrderMsg:
    return UserOrderMsg(
        order_id=order_id, ticker=TICKER, status=status, book_side="bid", yes_price_dollars="0.5000",
        fill_count_fp=filled, remaining_count_fp="0.00", initial_count_fp="10.00", client_order_id=track.client_id,
        **fields,
    )  # fmt: skip


def test_a_fill_counts_once_however_it_comes() -> None:
    feed, _, _ = make_feed()
    one = row(BookSide.BID, SCALE // 2, SCALE)
    assert len(feed.on_fill(one)) == 1
    assert feed.on_fill(one) == []
    assert feed.on_listed([one, row(BookSide.BID, SCALE // 2, SCALE, 2)]) != []
    assert feed.counters.get("repeated_fills") == 1
    assert feed.complete_ms == 1_002


def test_history_is_not_told() -> None:
    feed, _, _ = make_feed()
    feed.start_ms = 5_000
    assert feed.on_fill(row(BookSide.BID, SCALE // 2, SCALE)) == []
    assert feed.counters.get("old_fills") == 1
    feed.seed([row(BookSide.BID, SCALE // 2, SCALE, 4_500)])
    assert feed.on_fill(row(BookSide.BID, SCALE // 2, SCALE, 4_500)) == []


def test_a_position_out_of_step_is_a_doubt() -> None:
    feed, _, doubts = make_feed()
    feed.on_fill(row(BookSide.BID, SCALE // 2, SCALE, position_after=SCALE))
    assert doubts == []
    feed.on_fill(row(BookSide.BID, SCALE // 2, SCALE, 2, position_after=3 * SCALE))
    assert len(doubts) == 1


def test_news_before_the_answer_names_the_order() -> None:
    feed, tracks, _ = make_feed()
    track = tracks.place(request(), TICKER, 2, 1, 0)
    (opened,) = feed.on_order_frame(frame(track, "resting"))
    assert opened == OrderOpened(client_id=track.client_id, venue_order_id=VenueOrderId("o"), leaves=None, venue_ms=0)
    assert feed.on_order_frame(frame(track, "resting")) == []
    (closed,) = feed.on_order_frame(frame(track, "canceled", "4.00", last_update_reason="ExpiryCancel"))
    assert isinstance(closed, OrderClosed)
    assert (closed.status, closed.filled) == ("canceled", parse("4"))
    assert feed.on_order_frame(frame(track, "canceled", "4.00")) == []
    assert feed.on_order_frame(frame(track, "resting", order_id="another")) == []


def test_an_amended_order_counts_from_its_amend() -> None:
    feed, tracks, _ = make_feed()
    track = tracks.place(request(), TICKER, 2, 1, 0)
    tracks.name(track, "o")
    feed.on_fill(row(BookSide.BID, SCALE // 2, 3 * SCALE))
    assert track.leaves() == parse("7")
    track.version, track.base, track.total = 1, track.told, Qty(parse("8"))
    assert track.venue_id == "o~1"
    assert wire_id(VenueOrderId("o~1")) == "o"
    assert track.leaves() == parse("5")
    event = feed.on_fill(row(BookSide.BID, SCALE // 2, SCALE, 2))[0]
    assert isinstance(event, FillReceived)
    assert event.fill.venue_order_id == "o~1"
    (closed,) = feed.on_order_frame(frame(track, "executed", "8.00"))
    assert isinstance(closed, OrderClosed)
    assert (closed.venue_order_id, closed.status, closed.filled) == ("o~1", "filled", parse("5"))


def test_orders_of_others_are_counted() -> None:
    feed, tracks, _ = make_feed()
    track = Track(
        client_id=ClientId("foreign"), ticker=TICKER, shard=2, leg=Leg.YES, side=Side.BUY, px=Px(1), tif=Tif.GTC,
        total=Qty(1),
    )  # fmt: skip
    assert feed.on_order_frame(frame(track, "resting")) == []
    assert feed.counters.get("foreign_orders") == 1
    assert len(tracks) == 0


# -- small parts


def test_collateral_is_never_too_low() -> None:
    bid = OrderRow(
        order_id="o", client_id=None, ticker=TICKER, shard=2, side=BookSide.BID, px=Px(parse("0.3")), status="resting",
        filled=Qty(0), leaves=Qty(parse("10")), initial=Qty(parse("10")),
    )  # fmt: skip
    assert collateral(bid) >= parse("3") + parse("0.147")
    assert collateral(bid) <= parse("3.2")


def test_buckets_are_per_shard_and_follow_the_venue() -> None:
    budgets = Budgets()
    assert budgets.write(2).capacity == BASIC_WRITE.capacity
    assert budgets.write(2) is not budgets.write(3)
    assert budgets.write(None) is budgets.write(0)
    assert budgets.cost("DELETE", "/portfolio/events/orders/{order_id}") == 2
    assert budgets.cost("POST", "/portfolio/events/orders") == 10
    budgets.told(AccountLimits("expert", Bucket(600, 600), Bucket(600, 1_200)))
    budgets.costs = Costs(8, {})
    assert (budgets.write(2).capacity, budgets.read.capacity, budgets.tier) == (1_200, 600, "expert")
    assert budgets.cost("DELETE", "/portfolio/events/orders/{order_id}") == 8


def test_the_weekly_pause_in_both_halves_of_the_year() -> None:
    winter, summer = wall_ns("2026-11-19T09:00:00Z", "t"), wall_ns("2026-07-02T08:30:00Z", "t")
    assert eastern.weekly_pause_until(winter) == wall_ns("2026-11-19T10:00:00Z", "t")
    assert eastern.weekly_pause_until(summer) == wall_ns("2026-07-02T09:00:00Z", "t")
    assert eastern.weekly_pause_until(wall_ns("2026-11-19T10:00:00Z", "t")) == 0
    assert eastern.weekly_pause_until(wall_ns("2026-11-20T09:00:00Z", "t")) == 0


GOOD = {"rest_url": "https://a/trade-api/v2", "ws_url": "wss://a/trade-api/ws/v2", "key_id": "k", "private_key": None}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"rest_url": "ftp://a"}, "rest_url"),
        ({"ws_url": "wss://a/"}, "ws_url"),
        ({"series": ()}, "series"),
        ({"series": ("KXBTCMAXY",)}, "series"),
        ({"series": ("KXBTC", "KXBTC")}, "series"),
        ({"expires_after_s": 5}, "expires_after_s"),
        ({"expires_after_s": 61}, "expires_after_s"),
        ({"request_deadline_s": 0}, "request_deadline_s"),
    ],
)
def test_a_configuration_that_cannot_be_used_names_its_field(change: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        KalshiConfig(**{**GOOD, **change})


def test_the_key_does_not_show_in_print() -> None:
    assert "private_key" not in repr(KalshiConfig(**GOOD))  # type: ignore[arg-type]
