"""The life of a session: start, refusal, loss, reconnect, liveness, shutdown."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import trio
import trio.testing

from hlomm.domain.faults import VenueRefused
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import (
    AccountState,
    BookSnapshot,
    BookSource,
    ClockSkew,
    FeeRates,
    FillReceived,
    MarketListed,
    RateBudget,
    SessionDown,
    SessionUp,
    TokenBalance,
)
from hlomm.domain.markets import Leg
from hlomm.domain.outputs import Alert, AlertLevel, Subscribe, Unsubscribe
from hlomm.domain.units import parse
from hlomm.venues.hyperliquid.session import HyperliquidSession
from hlomm.venues.protocol import VenueSession
from hlomm.venues.transport import Transport
from tests.unit.venues.fake_hyperliquid import (
    WALL_START_MS,
    FakeHyperliquid,
    Never,
    binary,
    mock_clock,
    now_ms,
    refused,
)
from tests.unit.venues.harness import OUTCOME, PERP, Recorder, config, running
from tests.wire.hyperliquid.tools import book, fill_row, levels, order_row

Clock = trio.testing.MockClock


@pytest.fixture
def venue() -> FakeHyperliquid:
    return FakeHyperliquid()


def test_the_session_is_a_venue_session() -> None:
    session: VenueSession = HyperliquidSession(config())
    assert session.venue == HYPERLIQUID
    assert session.statistics().state == "down"


# -- start


async def test_a_session_tells_everything_before_it_is_up(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        kinds = [type(item) for item in live.seen.inputs]
        assert kinds[-1] is SessionUp
        before = set(kinds[:-1])
        assert before == {ClockSkew, MarketListed, FeeRates, RateBudget, AccountState}
        assert [item.market.id for item in live.seen.of(MarketListed)] == [OUTCOME, PERP]
        assert live.seen.of(RateBudget) == [RateBudget(HYPERLIQUID, 17, 10_123)]
        assert live.seen.of(FeeRates)[0].close_taker == 70_000
        assert live.seen.of(AccountState)[-1].cash == parse("1000")
        statistics = live.session.statistics()
        assert (statistics.state, statistics.reconnects, statistics.skew_ms) == ("live", 0, 0)
        assert statistics.counters["actions_left"] == 10_106


async def test_the_account_is_read_again_after_subscribing(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    """What happened between the first look and the subscription would otherwise go unnoticed."""
    async with running(venue) as live:
        kinds = [type(item) for item in live.seen.inputs]
        assert kinds[-2:] == [AccountState, SessionUp]
        assert venue.counted("frontendOpenOrders") == 2
        assert [one["type"] for one in venue.subscribed] == [
            "orderUpdates",
            "userFills",
            "spotState",
            "outcomeMetaUpdates",
        ]


async def test_stamps_are_host_time_and_never_run_backwards(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        await trio.sleep(35)
        assert live.seen.stamps == sorted(live.seen.stamps)
        assert live.seen.stamps[-1] <= mock_clock().read().mono_ns


async def test_fills_before_the_start_are_history(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    old = fill_row(tid=1, time=WALL_START_MS - 5)
    known = fill_row(tid=2, time=WALL_START_MS + 1)
    fresh = fill_row(tid=3, time=WALL_START_MS + 2)
    venue.fills = [old, known]
    venue.snapshot_fills = [fresh, known, old]
    async with running(venue) as live:
        assert [item.fill.key for item in live.seen.of(FillReceived)] == [f"#9000:{WALL_START_MS + 2}:3"]


async def test_a_skewed_clock_is_measured_and_decides_what_is_history(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    venue.clock_offset_ms = -7_000
    venue.snapshot_fills = [fill_row(tid=1, time=WALL_START_MS - 6_000), fill_row(tid=2, time=WALL_START_MS - 8_000)]
    async with running(venue) as live:
        assert live.seen.of(ClockSkew) == [ClockSkew(HYPERLIQUID, -7_000)]
        assert live.session.statistics().skew_ms == -7_000
        assert [item.fill.key for item in live.seen.of(FillReceived)] == [f"#9000:{WALL_START_MS - 6_000}:1"]


async def test_the_signature_is_tried_with_a_harmless_action(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue):
        assert [(way, body["action"]) for way, body in venue.actions] == [("rest", {"type": "noop"})]


async def expect_refusal(venue: FakeHyperliquid) -> VenueRefused:
    session = HyperliquidSession(config(), transport=Transport(venue.connect), clock=mock_clock())
    recorder = Recorder()
    async with trio.open_nursery() as nursery:
        venue.nursery = nursery
        with pytest.raises(VenueRefused) as error:
            await session.run(recorder)
        nursery.cancel_scope.cancel()
    assert recorder.of(SessionUp) == []
    assert session.statistics().state == "down"
    return error.value


@pytest.mark.parametrize(
    "text",
    [
        "User or API Wallet 0x0000000000000000000000000000000000000000 does not exist.",
        "Must deposit before performing actions. User: 0x14791697260e4c9a71f18484c9f997b308e59325",
        "Mainnet and testnet require different signature.",
        "Unable to recover signer.",
        "Vault not registered: 0x14791697260e4c9a71f18484c9f997b308e59325",
    ],
)
async def test_a_venue_that_refuses_us_ends_the_session(
    venue: FakeHyperliquid, autojump_clock: Clock, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venue, "polite", lambda _body: refused(text))
    error = await expect_refusal(venue)
    assert text in str(error)
    assert "0x14791697260e4c9a71f18484c9f997b308e59325" in str(error)
    assert "Testnet" in str(error)


@pytest.mark.parametrize("answer", [refused("Trading is halted."), (422, b"Failed to deserialize the JSON body")])
async def test_a_refusal_of_something_else_is_no_reason_to_stay_away(
    venue: FakeHyperliquid, autojump_clock: Clock, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venue, "polite", lambda _body: answer)
    async with running(venue) as live:
        assert live.counter("signer_checks_inconclusive") == 1


async def test_a_venue_that_is_away_at_first_is_waited_for(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.refuse_http = venue.refuse_ws = True
    async with running(venue, wait_up=False) as live:
        await trio.sleep(60)
        (down,) = live.seen.inputs
        assert isinstance(down, SessionDown)
        assert down.rest is False
        assert live.session.statistics().state == "down"
        venue.refuse_http = venue.refuse_ws = False
        await live.until(SessionUp)
        assert live.session.statistics().reconnects == 0


async def test_a_start_that_breaks_in_the_middle_begins_again(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    answers: list[Any] = [(500, b"null"), (502, b"<html>"), (200, b"{}")]
    venue.info_override["userFees"] = lambda body: answers.pop(0) if answers else venue._info("userFees", body)
    async with running(venue) as live:
        assert venue.counted("userFees") == 4
        assert len(live.seen.of(SessionUp)) == 1
        assert [item.market.id for item in live.seen.of(MarketListed)] == [OUTCOME, PERP]


async def test_streams_that_are_not_confirmed_are_no_session(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.ack_streams = False
    async with running(venue, wait_up=False) as live:
        await trio.sleep(30)
        assert live.seen.of(SessionUp) == []
        assert venue.ws_connections > 1
        assert any("not subscribed in time" in item.reason for item in live.seen.of(SessionDown))
        venue.ack_streams = True
        await live.until(SessionUp)


async def test_a_missing_fill_snapshot_is_only_counted(
    venue: FakeHyperliquid, autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.unit.venues import fake_hyperliquid

    send_json = fake_hyperliquid.Socket.send_json

    async def without_snapshot(self: Any, channel: str, data: Any) -> None:
        if channel != "userFills":
            await send_json(self, channel, data)

    monkeypatch.setattr(fake_hyperliquid.Socket, "send_json", without_snapshot)
    async with running(venue) as live:
        assert live.counter("fill_snapshots_missing") == 1


async def test_a_greeting_is_no_anomaly(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    for greeting in ("Websocket connection established.", None):
        fresh = FakeHyperliquid()
        fresh.ws_greeting = greeting
        async with running(fresh) as live:
            assert not [kind for kind in live.session.statistics().counters if kind.startswith("malformed")]


# -- loss and return


async def test_a_lost_connection_is_told_at_once_and_comes_back(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        live.seen.clear()
        before = trio.current_time()
        await venue.socket.drop()
        (down,) = await live.until(SessionDown)
        assert trio.current_time() == before
        assert down.rest is True
        assert live.session.statistics().state == "rest_only"
        await live.until(SessionUp)
        assert trio.current_time() - before < 2
        assert live.session.statistics().reconnects == 1
        assert venue.ws_connections == 2


async def test_markets_are_refreshed_before_and_streams_asked_again_after_a_reconnect(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        live.submit(Subscribe(PERP))
        await live.settle()
        first = list(venue.subscribed)
        venue.subscribed.clear()
        venue.outcomes.append(binary(901))
        requests = len(venue.requests)
        await venue.socket.drop()
        await live.until(SessionUp, 2)
        assert venue.requests[requests:][0][0] in ("outcomeMeta", "frontendOpenOrders")
        assert "outcomeMeta" in [kind for kind, _ in venue.requests[requests:]]
        assert venue.subscribed == first
        assert [item.market.id for item in live.seen.of(MarketListed)] == [OUTCOME, PERP, "hyperliquid:o901"]


async def test_a_coin_that_died_during_the_outage_is_not_asked_for(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    venue.outcomes.append(binary(901, expiry="20260801-0600"))
    venue.settled[900] = {"spec": binary(900), "settleFraction": "1.0", "details": "price:1"}
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        live.submit(Subscribe(live.seen.of(MarketListed)[1].market.id))
        await live.settle()
        venue.subscribed.clear()
        venue.outcomes = [binary(901, expiry="20260801-0600")]
        await venue.socket.drop()
        await live.until(SessionUp, 2)
        assert {one.get("coin") for one in venue.subscribed} == {None, "#9010"}


async def test_a_coin_past_its_expiry_is_not_asked_for_even_while_listed(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    venue.outcomes = [binary(900, expiry="20260730-1201")]
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        await live.settle()
        venue.subscribed.clear()
        await trio.sleep(60)
        await venue.socket.drop()
        await live.until(SessionUp, 2)
        assert {one.get("coin") for one in venue.subscribed} == {None}
        assert live.counter("dead_markets_not_resubscribed") == 1


async def test_fills_of_the_outage_are_told_by_the_next_snapshot(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        await trio.sleep(5)
        await venue.push("userFills", {"user": config().account, "fills": [fill_row(tid=7, time=now_ms())]})
        assert len(live.seen.of(FillReceived)) == 1
        seen = live.seen.of(FillReceived)[0].fill
        missed = fill_row(tid=8, time=now_ms() + 10)
        venue.snapshot_fills = [missed, fill_row(tid=7, time=seen.venue_ms)]
        await venue.socket.drop()
        await live.until(SessionUp, 2)
        assert [item.fill.key.rpartition(":")[2] for item in live.seen.of(FillReceived)] == ["7", "8"]


async def test_reconnects_are_paced_and_recover(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.refuse_ws = True
        attempts: list[float] = []
        connect = venue.connect

        async def noting(host: str, port: int, tls: bool, /) -> trio.abc.Stream:
            if port == 8081:
                attempts.append(trio.current_time())
            return await connect(host, port, tls)

        object.__setattr__(live.session._parts.transport, "connect", noting)
        await venue.socket.drop()
        await trio.sleep(300)
        gaps = [later - earlier for earlier, later in itertools.pairwise(attempts)]
        assert gaps[0] < 1.1
        assert max(gaps) <= 30.5
        assert gaps[-1] >= 15
        assert len(attempts) < 30, "the venue allows 30 new connections a minute"
        venue.refuse_ws = False
        await live.until(SessionUp, 2)


async def test_the_same_seed_waits_the_same(autojump_clock: Clock) -> None:
    async def pauses(seed: int) -> list[float]:
        venue = FakeHyperliquid()
        times: list[float] = []
        async with running(venue, jitter_seed=seed) as live:
            start = trio.current_time()
            for number in range(3):
                await venue.socket.drop()
                await live.until(SessionUp, 2 + number)
                times.append(round(trio.current_time() - start, 6))
        return times

    assert await pauses(1) == await pauses(1)
    assert await pauses(1) != await pauses(2)


async def test_a_connection_that_keeps_breaking_is_given_longer_pauses(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue) as live:
        waits = []
        for number in range(5):
            start = trio.current_time()
            await venue.socket.drop()
            await live.until(SessionUp, 2 + number)
            waits.append(trio.current_time() - start)
        assert waits[-1] > 2 * waits[0]
        await trio.sleep(40)  # stable again
        start = trio.current_time()
        await venue.socket.drop()
        await live.until(SessionUp, 7)
        assert trio.current_time() - start < 1


# -- while the stream is down


async def test_while_the_stream_is_down_account_and_books_are_polled(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    venue.balances.append({"coin": "+9001", "total": "30", "hold": "0", "entryNtl": "15"})
    venue.books["#9000"] = book("#9000", levels(("0.4", "5")), levels(("0.5", "5")), now_ms())
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        live.submit(Subscribe(PERP))
        await live.settle()
        venue.refuse_ws = True
        await venue.socket.drop()
        await live.settle()
        live.seen.clear()
        await trio.sleep(10)
        states, snapshots = live.seen.of(AccountState), live.seen.of(BookSnapshot)
        assert 6 <= len(states) <= 11
        assert states[0].tokens == (TokenBalance(OUTCOME, Leg.NO, parse("30"), parse("15")),)  # type: ignore[arg-type]
        assert 6 <= len(snapshots) <= 11
        assert {one.source for one in snapshots} == {BookSource.REST}
        assert {one.market for one in snapshots} == {OUTCOME}, "nothing is at stake in the perp"


async def test_without_anything_at_stake_no_books_are_polled(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        venue.refuse_ws = True
        await venue.socket.drop()
        await trio.sleep(10)
        assert venue.counted("l2Book") == 0


async def test_a_resting_order_is_something_at_stake(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.open_orders = [order_row()]
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        venue.refuse_ws = True
        await venue.socket.drop()
        await trio.sleep(10)
        assert venue.counted("l2Book") > 5
        assert live.seen.of(BookSnapshot) == [], "the venue does not know the coin any more"


async def test_polls_leave_weight_for_orders(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.refuse_ws = True
        await venue.socket.drop()
        await trio.sleep(600)
        weight = sum(
            {"spotClearinghouseState": 2, "clearinghouseState": 2, "exchangeStatus": 2}.get(kind, 20)
            for kind, _ in venue.requests
        )
        assert weight < 600 / 60 * 800 + 800
        assert live.counter("rounds_skipped") > 0
        assert live.session._parts.rest.affords(0), "the reserve is untouched"


async def test_a_venue_that_stops_answering_requests_too_is_told(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        live.seen.clear()
        venue.refuse_ws = venue.refuse_http = True
        venue.info_override = {kind: lambda _body: Never for kind in ("outcomeMeta", "frontendOpenOrders")}
        await venue.socket.drop()
        downs = await live.until(SessionDown, 2)
        assert [down.rest for down in downs] == [True, False]
        assert live.session.statistics().state == "down"
        venue.refuse_http = False
        venue.info_override = {}
        downs = await live.until(SessionDown, 3)
        assert downs[2].rest is True
        assert live.session.statistics().state == "rest_only"
        venue.refuse_ws = False
        await live.until(SessionUp)
        await trio.sleep(60)
        assert len(live.seen.of(SessionDown)) == 3


@pytest.mark.parametrize(
    "answer", [(429, b"null"), (500, b"null"), (502, b"<html>Bad Gateway</html>"), (200, b""), (200, b"<html>")]
)
async def test_a_reconnect_waits_until_the_market_list_is_readable(
    venue: FakeHyperliquid, autojump_clock: Clock, answer: Any
) -> None:
    """Without it nobody knows which coins are dead."""
    async with running(venue) as live:
        venue.info_override["outcomeMeta"] = lambda _body: answer
        connections = venue.ws_connections
        await venue.socket.drop()
        await trio.sleep(20)
        assert venue.ws_connections == connections
        assert len(live.seen.of(SessionUp)) == 1
        venue.info_override.clear()
        await live.until(SessionUp, 2)


async def test_too_many_requests_make_polls_stand_back(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.info_override["frontendOpenOrders"] = lambda _body: (429, b"null")
        await trio.sleep(15)
        assert live.counter("http_429") == 1
        asked = venue.counted("frontendOpenOrders")
        venue.info_override.clear()
        await trio.sleep(10)
        assert venue.counted("frontendOpenOrders") == asked
        await trio.sleep(40)
        assert venue.counted("frontendOpenOrders") > asked


# -- liveness


async def test_pings_keep_a_quiet_connection(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        await trio.sleep(900)
        assert venue.ws_connections == 1
        assert len(live.seen.of(SessionUp)) == 1
        assert 50 <= venue.pings <= 65
        age = live.session.statistics().data_age_s
        assert age is not None
        assert age > 850, "a quiet market is no fault, but its age is shown"


async def test_a_busy_connection_is_pinged_less(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        live.submit(Subscribe(PERP))
        for _ in range(200):
            await venue.push("activeAssetCtx", {"coin": "BTC", "ctx": {"markPx": "118000"}})
            await trio.sleep(1)
        assert 9 <= venue.pings <= 11
        age = live.session.statistics().data_age_s
        assert age is not None
        assert age <= 1


async def test_a_half_open_connection_is_noticed(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    """The peer is gone without a word: what we write vanishes, nothing ever comes."""
    async with running(venue) as live:
        start = trio.current_time()
        venue.client_streams[-1].swallow_writes = True
        (down,) = await live.until(SessionDown)
        assert "no pong" in down.reason
        assert trio.current_time() - start == pytest.approx(25, abs=1)
        await live.until(SessionUp, 2)
        assert venue.ws_connections == 2


async def test_a_peer_that_never_pongs_is_dropped(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.answer_pings = False
        (down,) = await live.until(SessionDown)
        assert "no pong in 10 s" in down.reason


async def test_a_stalled_writer_kills_the_connection(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        venue.client_streams[-1].stall_writes = True
        start = trio.current_time()
        live.submit(Subscribe(PERP))
        (down,) = await live.until(SessionDown)
        assert down.reason == "a write took longer than 5 s"
        assert trio.current_time() - start == pytest.approx(5)
        await live.until(SessionUp, 2)


# -- periodic work


async def test_the_account_is_reconciled_regularly(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        live.seen.clear()
        await trio.sleep(60.5)
        assert len(live.seen.of(AccountState)) == 6
        assert [state.asked_mono_ns for state in live.seen.of(AccountState)] == sorted(
            state.asked_mono_ns for state in live.seen.of(AccountState)
        )
        assert len(live.seen.of(RateBudget)) == 2
        assert len(live.seen.of(ClockSkew)) == 2
        assert venue.counted("outcomeMeta") == 2


async def test_a_round_that_fails_is_counted_and_the_next_one_works(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue) as live:
        live.seen.clear()
        venue.info_override["spotClearinghouseState"] = lambda _body: (500, b"null")
        await trio.sleep(10.5)
        assert live.seen.of(AccountState) == []
        assert live.counter("rounds_failed") == 1
        assert live.seen.of(SessionDown) == [], "the stream is fine"
        venue.info_override.clear()
        await trio.sleep(10)
        assert len(live.seen.of(AccountState)) == 1


async def test_changed_balances_bring_the_reconciliation_forward(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    def spot(total: str) -> dict[str, Any]:
        row = {"coin": "USDC", "total": total, "hold": "0.0", "entryNtl": "0.0"}
        return {"user": config().account, "spotState": {"balances": [row]}}

    async with running(venue, reconcile_every_s=100) as live:
        live.seen.clear()
        await venue.push("spotState", spot("1000.0"))
        await venue.push("spotState", spot("1000.0"))
        await trio.sleep(20)
        assert live.seen.of(AccountState) == [], "the first push only sets the mark, the second says the same"
        await venue.push("spotState", spot("990.0"))
        await trio.sleep(5.5)
        assert len(live.seen.of(AccountState)) == 1
        await trio.sleep(60)
        assert len(live.seen.of(AccountState)) == 1


async def test_unreadable_private_news_bring_the_reconciliation_forward(
    venue: FakeHyperliquid, autojump_clock: Clock
) -> None:
    async with running(venue, reconcile_every_s=100) as live:
        live.seen.clear()
        await venue.push("userFills", {"user": config().account, "fills": [fill_row(sz="?")]})
        await trio.sleep(5.5)
        assert len(live.seen.of(AccountState)) == 1
        assert live.counter("malformed.fill.size") == 1


# -- the end


async def test_cancelling_ends_everything_at_once(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    start = trio.current_time()
    async with running(venue) as live:
        session = live.session
    assert trio.current_time() == start
    assert session.statistics().state == "down"
    assert venue.client_streams[-1].closed.is_set()


async def test_a_session_may_run_again(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    session = HyperliquidSession(config(), transport=Transport(venue.connect), clock=mock_clock())
    for _ in range(2):
        recorder = Recorder()
        async with trio.open_nursery() as nursery:
            venue.nursery = nursery
            await nursery.start(session.run, recorder)
            assert len(recorder.of(SessionUp)) == 1
            assert {item.market.id for item in recorder.of(MarketListed)} == {OUTCOME, PERP}
            nursery.cancel_scope.cancel()


async def test_a_fault_of_the_sink_ends_the_session(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    class EngineError(Exception):
        pass

    def sink(items: Any, _received_ns: int) -> None:
        if isinstance(items[0], BookSnapshot):
            raise EngineError

    session = HyperliquidSession(config(), transport=Transport(venue.connect), clock=mock_clock())

    async def drive(nursery: trio.Nursery) -> None:
        await nursery.start(session.run, sink)
        session.submit(Subscribe(OUTCOME))
        await venue.push("l2Book", book("#9000", [], []))
        await trio.sleep_forever()

    with pytest.RaisesGroup(EngineError, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            venue.nursery = nursery
            await drive(nursery)
    assert session.statistics().state == "down"


async def test_outputs_for_others_are_counted(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        live.submit(Alert(level=AlertLevel.INFO, code="x", text="y"))
        assert live.counter("outputs_not_for_venues") == 1


async def test_a_market_given_up_is_silent(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        await live.settle()
        live.submit(Unsubscribe(OUTCOME))
        await venue.push("l2Book", book("#9000", [], []))
        assert [one["type"] for one in venue.unsubscribed] == ["l2Book", "bbo", "trades"]
        assert live.seen.of(BookSnapshot) == []
        assert live.counter("unsubscribed.l2Book") == 1


async def test_two_runs_at_once_are_a_fault_of_ours(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        with pytest.raises(AssertionError):
            await live.session.run(Recorder())
