"""Corners of the session that no ordinary day reaches."""

from __future__ import annotations

import ssl
from typing import Any

import attrs
import httpcore2
import pytest
import trio
import trio.testing

from hlomm.domain.faults import UsageError, VenueUnavailable
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import (
    AccountState,
    BookSnapshot,
    OrderOpened,
    RateBudget,
    SendLost,
    SendRefused,
    SessionDown,
    SessionUp,
)
from hlomm.domain.outputs import QueryAccount, Subscribe
from hlomm.domain.times import NS_PER_S, ClockMap, Now
from hlomm.venues import clock as clock_module
from hlomm.venues.clock import Clock
from hlomm.venues.curve import Key
from hlomm.venues.http_client import _Backend, _Body, _Stream
from hlomm.venues.hyperliquid.config import HyperliquidConfig
from hlomm.venues.hyperliquid.gateway import REFUSALS_MAX
from hlomm.venues.hyperliquid.session import HyperliquidSession
from hlomm.venues.hyperliquid.signing import Chain, Signer
from hlomm.venues.hyperliquid.user_signing import user_action, user_digest
from hlomm.venues.transport import Transport
from tests.unit.venues.fake_hyperliquid import (
    KEY,
    WALL_START_MS,
    FakeHyperliquid,
    Never,
    Stallable,
    binary,
    mock_clock,
)
from tests.unit.venues.harness import OUTCOME, Recorder, cancel, config, order, place, running
from tests.wire.hyperliquid.tools import book, fill_row

MockClock = trio.testing.MockClock


@pytest.fixture
def venue() -> FakeHyperliquid:
    return FakeHyperliquid()


# -- many markets at once


async def test_following_more_markets_than_the_queue_holds_loses_none(
    venue: FakeHyperliquid, autojump_clock: MockClock
) -> None:
    venue.outcomes = [binary(900 + number) for number in range(60)]
    async with running(venue, writer_queue=16) as live:
        markets = [one.id for one in live.session._parts.registry.markets.values()]
        for market in markets:
            live.submit(Subscribe(market))
        await trio.sleep(5)
        coins = {one["coin"] for one in venue.subscribed if "coin" in one}
        assert len(coins) == 61
        assert live.session._parts.streams.unacknowledged() == []
        venue.subscribed.clear()
        await venue.socket.drop()
        await live.until(SessionUp, 2)
        await trio.sleep(5)
        assert {one["coin"] for one in venue.subscribed if "coin" in one} == coins


# -- a clock that runs faster than the host's


def fast_clock(speed: float) -> Clock:
    origin_ns = WALL_START_MS * 1_000_000

    def read() -> Now:
        elapsed = int(trio.current_time() * NS_PER_S)
        return Now(elapsed, origin_ns + elapsed)

    return Clock(ClockMap(host_origin_ns=origin_ns, venue_origin_ns=origin_ns, speed=speed), read)


async def test_periods_follow_the_venues_clock_and_deadlines_the_hosts(
    venue: FakeHyperliquid, autojump_clock: MockClock
) -> None:
    recorder = Recorder()
    session = HyperliquidSession(config(), transport=Transport(venue.connect), clock=fast_clock(10))
    async with trio.open_nursery() as nursery:
        venue.nursery = nursery
        await nursery.start(session.run, recorder)
        recorder.clear()
        start = trio.current_time()
        await trio.sleep(10.05)
        assert len(recorder.of(AccountState)) == 10, "each 10 seconds of the venue, 1 of the host"
        assert 6 <= venue.pings <= 7
        assert len(recorder.of(RateBudget)) == 3
        venue.on_action = lambda _body: Never
        session.submit(place(order()))
        expires = venue.actions[-1][1]["expiresAfter"]
        while not recorder.of(SendLost):
            await recorder.called.wait()
        assert trio.current_time() - start == pytest.approx(15.05, abs=0.3), "a dead peer is judged by host time"
        assert expires - WALL_START_MS >= 10_000
        nursery.cancel_scope.cancel()


async def test_a_very_fast_clock_does_not_turn_loops_into_storms(
    venue: FakeHyperliquid, autojump_clock: MockClock
) -> None:
    recorder = Recorder()
    session = HyperliquidSession(config(), transport=Transport(venue.connect), clock=fast_clock(10_000))
    async with trio.open_nursery() as nursery:
        venue.nursery = nursery
        await nursery.start(session.run, recorder)
        requests = len(venue.requests)
        await trio.sleep(1)
        assert len(venue.requests) - requests < 80
        nursery.cancel_scope.cancel()


def test_the_system_clock_is_read_by_default() -> None:
    first, second = clock_module.read_system(), clock_module.read_system()
    assert second.mono_ns >= first.mono_ns
    assert Clock().wall_ms() >= first.wall_ns // 1_000_000


# -- submitting at odd moments


async def test_an_order_given_while_the_connection_is_dying_is_refused(
    venue: FakeHyperliquid, autojump_clock: MockClock
) -> None:
    async with running(venue) as live:
        link = live.session._parts.gateway._link
        assert link is not None
        link.lose("test")
        one = order()
        live.submit(place(one))
        live.submit(Subscribe(OUTCOME))
        await live.until(SessionDown)
        await live.settle()
        assert [item.client_ids for item in live.seen.of(SendRefused)] == [(one.client_id,)]
        await live.until(SessionUp, 2)
        assert "#9000" in {sub.get("coin") for sub in venue.subscribed}, "the subscription is not forgotten"


async def test_a_session_that_never_runs_holds_a_bounded_number_of_refusals(venue: FakeHyperliquid) -> None:
    session = HyperliquidSession(config(), transport=Transport(venue.connect), clock=mock_clock())
    one = order()
    for _ in range(REFUSALS_MAX + 5):
        session.submit(cancel(one))
    assert session.statistics().counters["refusals_dropped"] == 5
    session.submit(QueryAccount(HYPERLIQUID))
    session.submit(Subscribe(OUTCOME))
    assert session.statistics().counters["subscribe_dead"] == 1


async def test_news_after_the_end_has_no_sink(venue: FakeHyperliquid, autojump_clock: MockClock) -> None:
    async with running(venue) as live:
        outlet = live.session._parts.outlet
    outlet.emit([SessionUp(HYPERLIQUID)])
    outlet.emit([])
    assert live.session.statistics().counters["inputs_without_sink"] == 1


async def test_books_before_any_account_state_concern_nobody(venue: FakeHyperliquid) -> None:
    session = HyperliquidSession(config(), transport=Transport(venue.connect), clock=mock_clock())
    assert session._parts.upkeep._exposed() == []


async def test_an_answer_that_is_null_where_it_must_not_be_is_unavailable(
    venue: FakeHyperliquid, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        venue.nursery = nursery
        session = HyperliquidSession(config(), transport=Transport(venue.connect), clock=mock_clock())
        rest = session._parts.rest
        with pytest.raises(VenueUnavailable, match="empty"):
            rest._value("x", (None, ()))
        venue.info_override["exchangeStatus"] = lambda _body: (200, b"null")
        with pytest.raises(VenueUnavailable, match="unreadable"):
            await rest.server_time()
        assert rest.ok is True
        nursery.cancel_scope.cancel()


async def test_a_request_that_hung_through_an_outage_does_not_declare_the_venue_dead(
    venue: FakeHyperliquid, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        venue.nursery = nursery
        session = HyperliquidSession(config(), transport=Transport(venue.connect), clock=mock_clock())
        rest = session._parts.rest
        venue.info_override["meta"] = lambda _body: Never

        async def hang() -> None:
            with pytest.raises(VenueUnavailable):
                await rest.perp_meta()

        nursery.start_soon(hang)
        await trio.sleep(4)
        await rest.server_time()
        await trio.sleep(4)
        assert rest.ok is True
        with pytest.raises(VenueUnavailable):
            await rest.perp_meta()
        assert rest.ok is False
        nursery.cancel_scope.cancel()


async def test_a_long_answer_is_charged_for_its_length(venue: FakeHyperliquid, autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        venue.nursery = nursery
        session = HyperliquidSession(config(), transport=Transport(venue.connect), clock=mock_clock())
        rest = session._parts.rest
        venue.fills = [fill_row(tid=number) for number in range(2_000)]
        before = rest._weights.level(mock_clock().now().mono_ns)
        await rest.user_fills()
        assert before - rest._weights.level(mock_clock().now().mono_ns) == 120
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("newest_first", [False, True])
async def test_fills_are_asked_for_until_none_is_missing(
    venue: FakeHyperliquid, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, newest_first: bool
) -> None:
    """A page of the venue's ends with 2,000 rows, of coins that nobody trades here as well."""
    monkeypatch.setattr("hlomm.venues.hyperliquid.wire.info.FILLS_PAGE", 10)
    every = [fill_row(tid=one + 1, time=1_000 + one // 3, coin="@1" if one % 4 else "#90000") for one in range(23)]

    def page(body: dict[str, Any]) -> Any:
        rows = [row for row in every if body["startTime"] <= row["time"] <= body.get("endTime", 10**15)]
        return rows[::-1][:10] if newest_first else rows[:10]

    async with trio.open_nursery() as nursery:
        venue.nursery = nursery
        venue.info_override["userFillsByTime"] = page
        session = HyperliquidSession(config(), transport=Transport(venue.connect), clock=mock_clock())
        rows = await session._parts.rest.fills_since(0)
        assert {fill.key for fill in rows.fills} == {f"#90000:{row['time']}:{row['tid']}" for row in every[::4]}
        every[:] = [fill_row(tid=one + 1, time=1_000) for one in range(11)]
        with pytest.raises(VenueUnavailable, match="within a millisecond"):
            await session._parts.rest.fills_since(0)
        nursery.cancel_scope.cancel()


async def test_funding_is_asked_for_until_none_is_missing(
    venue: FakeHyperliquid, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page ends in the middle of an hour in which two coins pay."""
    monkeypatch.setattr("hlomm.venues.hyperliquid.wire.info.FUNDING_PAGE", 10)
    every = [
        {"time": 1_000 + one // 2, "hash": "0x0", "delta": {
            "type": "funding", "coin": "ETH" if one % 2 else "BTC", "usdc": "-1.5", "szi": "1.0",
            "fundingRate": "0.0001", "nSamples": None,
        }}
        for one in range(33)
    ]  # fmt: skip
    venue.info_override["userFunding"] = lambda body: [row for row in every if row["time"] >= body["startTime"]][:10]
    async with trio.open_nursery() as nursery:
        venue.nursery = nursery
        session = HyperliquidSession(config(), transport=Transport(venue.connect), clock=mock_clock())
        rest = session._parts.rest
        expected = [f"funding:{row['delta']['coin']}:{row['time']}" for row in every]
        assert [paid.key for paid in await rest.funding_since(0)] == expected
        for row in every:
            row["time"] = 1_000
        with pytest.raises(VenueUnavailable, match="within a millisecond"):
            await rest.funding_since(0)
        nursery.cancel_scope.cancel()


async def test_every_connection_asks_for_its_own_first_snapshot(
    venue: FakeHyperliquid, autojump_clock: MockClock
) -> None:
    async with running(venue) as live:
        inbox = live.session._parts.inbox
        first = inbox.acknowledged
        await venue.socket.drop()
        await live.until(SessionUp, 2)
        assert inbox.acknowledged is not first
        assert inbox.acknowledged.is_set()


async def test_frames_of_a_connection_that_is_coming_up_are_not_lost(
    venue: FakeHyperliquid, autojump_clock: MockClock
) -> None:
    """Books that arrive between subscription and SessionUp belong to the state the engine starts from."""
    async with running(venue) as live:
        live.submit(Subscribe(OUTCOME))
        await live.settle()

        def slow_orders(body: dict[str, Any]) -> Any:
            return venue._info("frontendOpenOrders", body)

        venue.info_override["frontendOpenOrders"] = slow_orders
        await venue.socket.drop()
        await live.until(SessionDown)
        live.seen.clear()
        with trio.fail_after(60):
            while len(venue.sockets) < 2 or len(venue.subscribed) < 14:
                await trio.sleep(0.01)
        await venue.push("l2Book", book("#9000", [], [], 5))
        await live.until(SessionUp)
        assert len(live.seen.of(BookSnapshot)) == 1


async def test_answers_over_rest_and_socket_count_the_same_orders(
    venue: FakeHyperliquid, autojump_clock: MockClock
) -> None:
    async with running(venue) as live:
        over_socket = order()
        live.submit(place(over_socket))
        await live.settle()
        venue.refuse_ws = True
        await venue.socket.drop()
        await live.until(SessionDown)
        over_rest = order()
        live.submit(place(over_rest))
        await live.settle()
        assert [item.client_id for item in live.seen.of(OrderOpened)] == [over_socket.client_id, over_rest.client_id]
        assert [way for way, _ in venue.actions] == ["rest", "ws", "rest"]


# -- wallets


def test_only_user_signed_actions_are_signed_as_such() -> None:
    signer = Signer(Key(KEY), Chain.TESTNET)
    with pytest.raises(UsageError, match="order"):
        user_action(signer, "order", {}, 1)
    with pytest.raises(UsageError, match="usdSend"):
        user_digest({"type": "nonsense"})
    action = user_action(signer, "usdSend", {"destination": "0x" + "1" * 40, "amount": "1"}, 5)
    assert (action["time"], action["hyperliquidChain"]) == (5, "Testnet")
    assert "nonce" not in action


# -- the network backend, as httpcore2 sees it


async def test_the_backend_offers_no_unix_sockets_and_may_sleep(autojump_clock: MockClock) -> None:
    async def dial(host: str, port: int) -> trio.abc.Stream:
        raise AssertionError

    backend = _Backend(dial, 100)
    with pytest.raises(httpcore2.ConnectError):
        await backend.connect_unix_socket("/tmp/x")
    start = trio.current_time()
    await backend.sleep(3)
    assert trio.current_time() - start == pytest.approx(3)


async def test_stream_errors_have_the_names_httpcore_knows(autojump_clock: MockClock) -> None:
    client, server = trio.testing.memory_stream_pair()
    stalled = Stallable(client)
    stream = _Stream(stalled, 100)
    with pytest.raises(httpcore2.ReadTimeout):
        await stream.read(10, 1)
    stalled.stall_writes = True
    with pytest.raises(httpcore2.WriteTimeout):
        await stream.write(b"0123456789", 1)
    stalled.stall_writes = False
    await server.aclose()
    with pytest.raises(httpcore2.WriteError):
        await stream.write(b"x", 1)
    await stream.aclose()
    with pytest.raises(httpcore2.ReadError):
        await stream.read(10, 1)
    assert stream.get_extra_info("is_readable") is False
    assert stream.get_extra_info("ssl_object") is None
    assert await stream.start_tls(ssl.create_default_context()) is stream


async def test_an_idle_connection_the_server_closed_is_seen_as_readable() -> None:
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")

        async def close(stream: trio.SocketStream) -> None:
            await stream.aclose()

        nursery.start_soon(trio.serve_listeners, close, listeners)
        port = listeners[0].socket.getsockname()[1]
        socket = await trio.open_tcp_stream("127.0.0.1", port)
        await trio.lowlevel.wait_readable(socket.socket)
        assert _Stream(socket, 10).get_extra_info("is_readable") is True
        wrapped = trio.SSLStream(socket, ssl.create_default_context(), server_hostname="x")
        assert _Stream(wrapped, 10).get_extra_info("is_readable") is True
        await trio.aclose_forcefully(socket)
        nursery.cancel_scope.cancel()


async def test_a_body_can_be_sent_again() -> None:
    """The pool retries a request whose connection turned out to be closed before anything was sent."""
    body = _Body(b"abc")
    for _ in range(2):
        assert [part async for part in body] == [b"abc"]


# -- configuration reaches the parts


@pytest.mark.parametrize(
    ("field", "value"),
    [("post_deadline_s", 2.0), ("ws_write_deadline_s", 2.0), ("pong_deadline_s", 2.0), ("expires_after_s", 2.0)],
)
def test_deadlines_may_be_set(field: str, value: float) -> None:
    assert getattr(config(**{field: value}), field) == value
    assert {one.name for one in attrs.fields(HyperliquidConfig)} >= {field}


async def test_a_shorter_post_deadline_is_kept(venue: FakeHyperliquid, autojump_clock: MockClock) -> None:
    async with running(venue, post_deadline_s=2) as live:
        venue.on_action = lambda _body: Never
        start = trio.current_time()
        live.submit(place(order()))
        await live.until(SendLost)
        assert trio.current_time() - start == pytest.approx(2, abs=0.3)


async def test_a_shorter_expiry_is_signed(venue: FakeHyperliquid, autojump_clock: MockClock) -> None:
    async with running(venue, expires_after_s=3) as live:
        live.submit(place(order()))
        await live.settle()
        body = venue.actions[-1][1]
        assert body["expiresAfter"] - body["nonce"] in range(2_990, 3_001)


async def test_queue_and_budget_figures_are_shown(venue: FakeHyperliquid, autojump_clock: MockClock) -> None:
    async with running(venue) as live:
        for _ in range(20):
            live.submit(place(order()))
        counters = live.session.statistics().counters
        assert counters["writer_queue_peak"] == 20, "the writer has not had its turn yet"
        assert counters["actions_left"] == 10_086
        await live.settle()
        await venue.socket.drop()
        await live.until(SessionUp, 2)
        assert live.session.statistics().counters["writer_queue_peak"] == 20
