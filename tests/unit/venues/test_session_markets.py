"""Market data and the market roll through a session."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import (
    AccountDoubted,
    BboUpdate,
    BookSnapshot,
    BookSource,
    Input,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    MarkPrice,
    SessionDown,
    SessionUp,
    TradePrint,
)
from hlomm.domain.outputs import Subscribe
from hlomm.domain.units import SCALE, parse
from hlomm.venues.hyperliquid.wire.frames import FRAME_CHARS_MAX
from tests.unit.venues.fake_hyperliquid import FakeHyperliquid, binary, now_ms
from tests.unit.venues.harness import OUTCOME, PERP, Harness, running
from tests.wire.hyperliquid.tools import book, fill_row, level, levels, order_row

Clock = trio.testing.MockClock

NEXT = MarketId("hyperliquid:o901")


@pytest.fixture
def venue() -> FakeHyperliquid:
    return FakeHyperliquid()


def settled(outcome: int, fraction: str = "1.0") -> dict[str, Any]:
    return {"spec": binary(outcome), "settleFraction": fraction, "details": "price:118300.5"}


def trade(tid: int, time: int, coin: str = "#9000") -> dict[str, Any]:
    return {"coin": coin, "side": "B", "px": "0.46", "sz": "20", "time": time, "tid": tid}


# -- data


async def test_data_of_followed_markets_arrives_in_order(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        live.submit(Subscribe(PERP))
        await live.settle()
        live.seen.clear()
        await venue.push("l2Book", book("#9000", levels(("0.45", "5")), levels(("0.46", "7")), 10))
        await venue.push("bbo", {"coin": "#9000", "time": 11, "bbo": [level("0.44"), level("0.46")]})
        await venue.push("trades", [trade(1, now_ms())])
        await venue.push("activeAssetCtx", {"coin": "BTC", "ctx": {"markPx": "118250.5"}})
        await venue.push("bbo", {"coin": "BTC", "time": 12, "bbo": [level("118250"), level("118251")]})
        assert [type(item) for item in live.seen.inputs] == [BookSnapshot, BboUpdate, TradePrint, MarkPrice, BboUpdate]
        assert live.seen.of(BookSnapshot)[0].source is BookSource.STREAM
        assert live.seen.of(MarkPrice)[0].px == parse("118250.5")


async def test_a_stamp_from_the_future_does_not_hold_the_touch(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    """Taken, it would stand in front of every later book, and each of those would look fresh."""
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        await live.settle()
        live.seen.clear()
        now = now_ms()
        await venue.push("bbo", {"coin": "#9000", "time": 10 * now, "bbo": [level("0.44"), level("0.46")]})
        await venue.push("l2Book", book("#9000", levels(("0.44", "5")), levels(("0.46", "7")), 10 * now))
        assert live.seen.inputs == []
        await venue.push("l2Book", book("#9000", levels(("0.25", "5")), levels(("0.26", "7")), now))
        await venue.push("bbo", {"coin": "#9000", "time": now + 1_000, "bbo": [level("0.24"), level("0.26")]})
        told, touch = live.seen.of(BookSnapshot)[0], live.seen.of(BboUpdate)[0]
        assert (told.bids[0][0], touch.bid and touch.bid[0]) == (parse("0.25"), parse("0.24"))
        counters = live.session.statistics().counters
        assert (counters["ahead.bbo"], counters["ahead.l2Book"]) == (1, 1)


async def test_marks_may_come_from_the_compressed_stream(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    payload = "q1ZyCnFWsqpWyk0syg6oULJSsjQ3NTDQM1Wq1VFyDfFAkTI2MzXQMwJLVVRWWfmFuTiiyBuamOoZKdXWAgA="
    async with running(venue, fast_marks=True) as live:
        live.submit(Subscribe(PERP))
        await live.settle()
        assert {one["type"] for one in venue.subscribed} >= {"fastAssetCtxs", "bbo"}
        assert "activeAssetCtx" not in {one["type"] for one in venue.subscribed}
        await venue.push("fastAssetCtxs", payload)
        assert live.seen.of(MarkPrice) == [MarkPrice(PERP, parse("97500.5"), 0)]  # type: ignore[arg-type]


async def test_replayed_and_mirrored_trades_are_told_once(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        now = now_ms()
        first, second = trade(1, now - 5_000), trade(2, now)
        await venue.push("trades", [trade(9, now - 60_000), first])
        await venue.push("trades", [first, second])
        await venue.push("trades", [trade(3, now, "#9001")])
        assert [one.trade_id for one in live.seen.of(TradePrint)] == ["1", "2"]
        counters = live.session.statistics().counters
        assert (counters["old_prints"], counters["repeated_prints"], counters["mirrored_prints"]) == (1, 1, 1)


async def test_trades_already_told_are_not_told_again_after_a_reconnect(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        row = trade(1, now_ms())
        await venue.push("trades", [row])
        await venue.socket.drop()
        await live.until(SessionUp, 2)
        await venue.push("trades", [row, trade(2, now_ms())])
        assert [one.trade_id for one in live.seen.of(TradePrint)] == ["1", "2"]


async def test_a_skewed_clock_does_not_make_every_trade_old(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.clock_offset_ms = -120_000
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        await venue.push("trades", [trade(1, now_ms() - 120_000), trade(2, now_ms() - 160_000)])
        assert [one.trade_id for one in live.seen.of(TradePrint)] == ["1"]


async def test_markets_nobody_wants_are_silent(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        live.seen.clear()
        await venue.push("l2Book", book("#9000", [], []))
        await venue.push("l2Book", book("ETH", [], []))
        assert live.seen.inputs == []
        assert live.counter("unsubscribed.l2Book") == 2


async def test_a_market_that_is_not_listed_cannot_be_followed(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        before = len(venue.subscribed)
        live.submit(Subscribe(NEXT))
        live.submit(Subscribe(MarketId("hyperliquid:ETH")))
        await live.settle()
        assert len(venue.subscribed) == before
        assert live.counter("subscribe_dead") == 2


async def test_a_stream_the_venue_drops_in_silence_does_not_stop_the_session(
    venue: FakeHyperliquid, autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.unit.venues import fake_hyperliquid

    send_json = fake_hyperliquid.Socket.send_json

    async def without_coin_acks(self: Any, channel: str, data: Any) -> None:
        if channel != "subscriptionResponse" or data["subscription"].get("coin") is None:
            await send_json(self, channel, data)

    monkeypatch.setattr(fake_hyperliquid.Socket, "send_json", without_coin_acks)
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        await venue.socket.drop()
        await live.until(SessionUp, 2)
        assert live.counter("streams_unacknowledged") == 3


# -- garbage

GARBAGE: list[Any] = [
    pytest.param("", id="empty"),
    pytest.param("not json", id="text"),
    pytest.param(b"\xff\x00\xfe", id="binary"),
    pytest.param('{"channel":"l2Book"}', id="no data"),
    pytest.param('{"channel":"l2Book","data":{"coin":"#9000","time":NaN}}', id="nan"),
    pytest.param('{"channel":"' + "x" * 10_000 + '","data":1}', id="long channel"),
    pytest.param('{"channel":"trades","data":' + "[" * 50_000 + "}", id="deep"),
    pytest.param("x" * (FRAME_CHARS_MAX - 10), id="huge"),
    pytest.param("[]", id="array"),
    pytest.param('{"channel":"userFills","data":{"user":5}}', id="bad fills"),
    pytest.param('{"channel":"post","data":{"id":"x"}}', id="bad post"),
]


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_is_counted_and_life_goes_on(venue: FakeHyperliquid, autojump_clock: Clock, garbage: Any) -> None:
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        await live.settle()
        live.seen.clear()
        for _ in range(3):
            await venue.socket.send(garbage)
        await venue.push("l2Book", book("#9000", levels(("0.45", "5")), [], 10))
        await live.settle()
        assert [type(item) for item in live.seen.inputs if type(item) is not AccountDoubted] == [BookSnapshot]
        counters = live.session.statistics().counters
        assert sum(count for kind, count in counters.items() if kind.startswith("malformed.")) == 3
        assert live.session.statistics().state == "live"


@pytest.mark.parametrize(
    ("garbage", "doubts"),
    [
        ("not json", ["unreadable news (not_json)"]),
        ('{"channel":"userFi', ["unreadable news (not_json)"]),
        ("[]", ["unreadable news (no_channel)"]),
        ('{"channel":"userFills","data":{"user":5}}', ["unreadable news (userFills.schema)"]),
        ('{"channel":"l2Book","data":{"coin":"#9000"}}', []),
    ],
)
async def test_what_may_have_been_news_of_the_account_is_told(
    venue: FakeHyperliquid, autojump_clock: Clock, garbage: str, doubts: list[str]
) -> None:
    async with running(venue) as live:
        await live.settle()
        live.seen.clear()
        await venue.socket.send(garbage)
        await live.settle()
        assert [item.reason for item in live.seen.of(AccountDoubted)] == doubts


async def test_streams_that_come_back_after_a_silence_put_the_account_in_doubt(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue, silence_s=15) as live:
        live.submit(Subscribe(OUTCOME))
        for pause_s in (4.0, 7.0, 1.0):
            await venue.push("l2Book", book("#9000", levels(("0.45", "5")), [], 10))
            await live.settle()
            live.seen.clear()
            await trio.sleep(pause_s)
            await venue.push("l2Book", book("#9000", levels(("0.45", "5")), [], 11))
            await live.settle()
            assert len(live.seen.of(AccountDoubted)) == (1 if pause_s > 5 else 0)


async def test_hostile_values_never_reach_the_engine(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        await live.settle()
        live.seen.clear()
        for bids, asks in (
            (levels(("NaN", "5")), []),
            (levels(("-0.5", "5")), []),
            (levels(("0.5", "-5")), []),
            (levels(("0.6", "5")), levels(("0.5", "5"))),
            (levels(("1.5", "5")), []),
        ):
            await venue.push("l2Book", book("#9000", bids, asks))
        await venue.push("bbo", {"coin": "#9000", "time": 1, "bbo": [level("0.6"), level("0.5")]})
        await venue.push("userFills", {"user": "0x" + "1" * 40, "fills": [fill_row()]})
        await venue.push("spotState", {"user": "0x" + "1" * 40, "spotState": {"balances": []}})
        assert live.seen.inputs == []
        assert live.counter("malformed.l2Book.price") == 3
        assert live.counter("malformed.l2Book.size") == 1
        assert live.counter("malformed.l2Book.crossed") == 1
        assert live.counter("malformed.bbo.crossed") == 1
        assert live.counter("other_users") == 2


async def test_rows_of_other_coins_are_counted(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        user = venue.subscribed[0]["user"]
        await venue.push("userFills", {"user": user.upper().replace("0X", "0x"), "fills": [fill_row(coin="@107")]})
        row = {"order": order_row(coin="PURR/USDC"), "status": "open", "statusTimestamp": 1}
        await venue.push("orderUpdates", [row])
        assert live.counter("fills_of_other_coins") == 1
        assert live.counter("orders_of_other_coins") == 1


async def test_a_flood_is_handled_whole_and_in_order(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    """A slow consumer must not make the venue's pings go unanswered."""
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        await live.settle()
        live.seen.clear()
        work = 0

        def slow(_item: Input) -> None:
            nonlocal work
            work += sum(range(500))

        live.seen.react = slow
        for number in range(2_000):
            await venue.socket.send_json("bbo", {"coin": "#9000", "time": number, "bbo": [level("0.4"), None]})
            if number % 500 == 0:
                await venue.socket.ws_ping(b"%d" % number)
        await live.settle()
        assert [item.venue_ms for item in live.seen.of(BboUpdate)] == list(range(2_000))
        assert len(venue.socket.ping_payloads) == 4
        assert live.session.statistics().state == "live"


# -- the roll


async def rolled(live: Harness, *changes: Any) -> None:
    await live.venue.push("outcomeMetaUpdates", list(changes))


async def test_a_new_outcome_is_listed_at_once(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        live.seen.clear()
        await rolled(live, {"outcomeCreated": binary(901, expiry="20260801-0600", target="118500")})
        (listed,) = live.seen.inputs
        assert isinstance(listed, MarketListed)
        assert (listed.market.id, listed.market.strike) == (NEXT, parse("118500"))
        live.submit(Subscribe(NEXT))
        await live.settle()
        assert {one.get("coin") for one in venue.subscribed[4:]} == {"#9010"}


async def test_a_settled_outcome_tells_what_it_paid(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.settled[900] = settled(900)
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        await live.settle()
        venue.subscribed.clear()
        venue.outcomes = []
        await rolled(live, {"outcomeSettled": 900})
        (told,) = await live.until(MarketSettled)
        assert told == MarketSettled(OUTCOME, SCALE, "price:118300.5")  # type: ignore[arg-type]
        await venue.push("l2Book", book("#9000", [], []))
        assert live.seen.of(BookSnapshot) == []
        assert venue.unsubscribed == [], "the streams of a dead coin end by themselves"
        live.submit(Subscribe(OUTCOME))
        await live.settle()
        assert venue.subscribed == []


async def test_a_roll_ends_the_old_market_before_it_lists_the_new(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    venue.settled[900] = settled(900, "0.0")
    async with running(venue) as live:
        live.seen.clear()
        await rolled(live, {"outcomeCreated": binary(901)}, {"outcomeSettled": 900})
        await live.until(MarketSettled)
        assert [type(item) for item in live.seen.inputs] == [MarketListed, MarketSettled]
        assert live.seen.of(MarketSettled)[0].yes_px == 0


async def test_a_settlement_that_takes_a_while_is_asked_for_again(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue) as live:
        start = trio.current_time()
        await rolled(live, {"outcomeSettled": 900})
        await trio.sleep(8)
        assert live.seen.of(MarketSettled) == []
        assert 4 <= venue.counted("settledOutcome") <= 8
        venue.settled[900] = settled(900, "0.5")
        (told,) = await live.until(MarketSettled)
        assert told.yes_px == SCALE // 2
        assert trio.current_time() - start < 20


@pytest.mark.parametrize("answer", [(500, b"null"), (200, b"<html>"), (429, b"null"), (200, b'{"settleFraction":"7"}')])
async def test_a_settlement_that_cannot_be_read_is_asked_for_again(
    venue: FakeHyperliquid, autojump_clock: Clock, answer: Any
) -> None:
    async with running(venue) as live:
        venue.info_override["settledOutcome"] = lambda _body: answer
        await rolled(live, {"outcomeSettled": 900})
        await trio.sleep(3)
        assert live.counter("settlement_questions_failed") >= 2
        venue.settled[900] = settled(900)
        venue.info_override.clear()
        await live.until(MarketSettled)


async def test_a_settlement_nobody_knows_is_given_up_after_a_bound(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue, settlement_attempts=6) as live:
        venue.outcomes = []
        await rolled(live, {"outcomeSettled": 900})
        (told,) = await live.until(MarketDelisted)
        assert told == MarketDelisted(OUTCOME, "no settlement price after 6 questions")
        assert venue.counted("settledOutcome") == 6
        assert live.counter("settlements_unknown") == 1
        await trio.sleep(200)
        assert venue.counted("settledOutcome") == 6


async def test_the_same_end_told_twice_is_settled_once(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.settled[900] = settled(900)
    async with running(venue) as live:
        venue.outcomes = []
        await rolled(live, {"outcomeSettled": 900})
        await rolled(live, {"outcomeSettled": 900})
        await trio.sleep(200)
        assert len(live.seen.of(MarketSettled)) == 1


async def test_the_end_of_an_outcome_we_do_not_trade_is_no_news(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        live.seen.clear()
        await rolled(live, {"outcomeSettled": 555}, {"questionSettled": 3}, {"questionUpdated": {}})
        await trio.sleep(5)
        assert live.seen.of(MarketSettled) == live.seen.of(MarketDelisted) == []
        assert venue.counted("settledOutcome") == 0


async def test_an_outcome_that_vanished_unannounced_is_found_and_settled(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    venue.settled[900] = settled(900)
    async with running(venue) as live:
        venue.outcomes = [binary(901)]
        await live.until(MarketSettled)
        assert [item.market.id for item in live.seen.of(MarketListed)] == [OUTCOME, PERP, NEXT]


async def test_an_outcome_that_vanished_during_an_outage_is_settled(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    venue.settled[900] = settled(900)
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        await venue.socket.drop()
        venue.outcomes = []
        await live.until(SessionDown)
        await live.until(MarketSettled)
        await live.until(SessionUp, 2)


async def test_a_settlement_goes_on_while_the_stream_is_down(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        await rolled(live, {"outcomeSettled": 900})
        venue.refuse_ws = True
        await venue.socket.drop()
        venue.outcomes = []
        venue.settled[900] = settled(900)
        await live.until(MarketSettled)
        assert live.session.statistics().state == "rest_only"


async def test_outcomes_that_are_not_traded_are_reported_as_such(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.outcomes = [
        binary(900),
        binary(905, name="Recurring Named Outcome", description="index:0"),
        binary(906, name="template:priceTouch", description="perp:BTC|threshold:1"),
        binary(907, quoteToken="USDH"),
        {"outcome": 908},
    ]
    async with running(venue) as live:
        await rolled(live, {"outcomeCreated": binary(909, description="class:priceBinary|underlying:HYPE")})
        await trio.sleep(130)
        counters = live.session.statistics().counters
        assert counters["not_traded.class"] == 1
        assert counters["not_traded.no_question"] == 1
        assert counters["not_traded.quote_token"] == 1
        assert counters["malformed.outcome.expiry"] == 1
        assert counters["malformed.outcome.schema"] == 3, "once per reading of the list"
        assert [item.market.id for item in live.seen.of(MarketListed)] == [OUTCOME, PERP]


async def test_deployer_markets_are_listed_with_their_flag(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.outcomes = [binary(900, venue="out", deployerFeeScale="1.0")]
    async with running(venue) as live:
        assert live.seen.of(MarketListed)[0].market.deployer == "out"
