"""Hyperliquid watched without an account: books, touches, prints, marks and the market list of all that is followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import trio

from hlomm.domain.ids import HYPERLIQUID, MarketId, VenueId
from hlomm.domain.inputs import BboUpdate, BookSnapshot, ClockSkew, Input, MarketListed, MarketSettled
from hlomm.domain.times import seconds_to_ns
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.curve import Key
from hlomm.venues.hyperliquid.config import HyperliquidConfig
from hlomm.venues.hyperliquid.market_feed import MarketFeed
from hlomm.venues.hyperliquid.registry import Registry
from hlomm.venues.hyperliquid.rest import HyperliquidRest
from hlomm.venues.hyperliquid.roll import MarketRoll
from hlomm.venues.hyperliquid.streams import Streams
from hlomm.venues.hyperliquid.wire.coins import outcome_number
from hlomm.venues.hyperliquid.wire.frames import (
    ChannelError,
    Hello,
    MetaChanges,
    Pong,
    SubscriptionAck,
    decode_frame,
)
from hlomm.venues.hyperliquid.wire.ladder import BookMemory
from hlomm.venues.hyperliquid.wire.public import Marks, Prints
from hlomm.venues.hyperliquid.wire.subscriptions import PING
from hlomm.venues.liveness import Liveness
from hlomm.venues.outlet import Outlet
from hlomm.venues.protocol import Sink
from hlomm.venues.reconnecting import Reconnects
from hlomm.venues.rounds import Rounds, keep_alive, text_ping
from hlomm.venues.transport import Transport
from hlomm.venues.venue_time import VenueTime
from hlomm.venues.watching import NO_KEY, Choice, Standing
from hlomm.venues.websocket import WebSocketLimits, WebSocketLink

NOBODY: Final = "0x" + "0" * 40
"""The account of a configuration that has none."""
_FLUSH_EVERY_S: Final = 0.1


def public_config(**fields: Any) -> HyperliquidConfig:
    """A configuration for somebody who only looks."""
    return HyperliquidConfig(account=NOBODY, agent_key=Key(NO_KEY), perp_trades=True, **fields)


class HyperliquidWatcher:
    """See `hlomm.venues.watching.Watcher`."""

    def __init__(
        self, config: HyperliquidConfig, *, transport: Transport, clock: Clock, choice: Choice | None = None,
        together: bool = False,
    ) -> None:  # fmt: skip
        """`together`: news that was read in one piece is told in one piece, for whoever decides on it."""
        self._config = config
        self._together = together
        self._transport = transport
        self._clock = clock
        self._choice = Choice() if choice is None else choice
        self._counters = counters = Counters()
        self._outlet = Outlet(clock, counters)
        self._rounds = Rounds(clock, counters)
        self._standing = Standing(HYPERLIQUID, self._outlet, self._rounds, Reconnects(config, clock), clock)
        self._time = VenueTime(clock)
        self._registry = Registry(config.underlyings, counters, config.quote_token)
        self._rest = HyperliquidRest(config, transport, clock, counters)
        self._feed = MarketFeed(counters, int(config.print_age_s * 1_000), config.print_memory)
        self._streams = Streams(None, self._registry, self._feed, counters, config.perp_trades, config.fast_marks)
        self._roll = MarketRoll(
            config, clock, counters, self._rest, self._registry, self._streams, self._tell
        )  # fmt: skip
        self._link: WebSocketLink | None = None
        self._liveness: Liveness | None = None
        self._acknowledged = trio.Event()
        self._books = BookMemory()
        self._routes: dict[type, Callable[[Any], Sequence[Input]]] = {
            BookSnapshot: self._feed.on_book,
            BboUpdate: self._feed.on_touch,
            Prints: self._prints,
            Marks: self._feed.on_marks,
            MetaChanges: self._meta,
            SubscriptionAck: self._ack,
            ChannelError: self._channel_error,
            Pong: self._pong,
            Hello: _nothing,
        }

    @property
    def venue(self) -> VenueId:
        return HYPERLIQUID

    @property
    def counters(self) -> Counters:
        return self._counters

    async def run(self, sink: Sink) -> None:
        self._outlet.sink = sink
        try:
            async with self._rest.opened(), trio.open_nursery() as nursery:
                self._roll.attach(nursery)
                nursery.start_soon(self._standing.stay_connected, self._connect)
        finally:
            self._roll.detach()
            self._outlet.sink = None

    async def settlement(self, market: MarketId) -> MarketSettled | None:
        """What an outcome paid, None while the venue does not say. VenueUnavailable if it does not answer."""
        number = outcome_number(market)
        found = None if number is None else await self._rest.settled_outcome(number)
        return None if found is None else MarketSettled(market, found.yes_px, found.details)

    # -- one connection

    async def _connect(self) -> tuple[str, bool]:
        """One connection, from the market list to its loss."""
        config = self._config
        await self._measure_skew()
        self._tell([MarketListed(market) for market in self._registry.apply_perps(await self._rest.perp_meta())])
        await self._read_outcomes()
        limits = WebSocketLimits.of(config)
        self._acknowledged = trio.Event()
        self._liveness = Liveness(
            ping_every=seconds_to_ns(self._clock.host_seconds(config.ping_every_s)),
            pong_within=seconds_to_ns(config.pong_deadline_s),
            silence=seconds_to_ns(self._clock.host_seconds(config.silence_s)),
            opened=self._mono_ns(),
        )
        try:
            async with self._transport.websocket(
                config.ws_url, self._on_frame, self._mono_ns, limits, kind=config.websocket,
                burst=self._outlet if self._together else None,
            ) as link:  # fmt: skip
                self._link = link
                await self._live(link, self._liveness)
        finally:
            self._link = None
        return f"{link.lost_because}", self._rest.ok is not False

    async def _live(self, link: WebSocketLink, liveness: Liveness) -> None:
        async with trio.open_nursery() as tasks:
            tasks.start_soon(keep_alive, link, liveness, self._clock, text_ping(link, PING, self._counters))
            tasks.start_soon(self._flush)
            if await self._subscribed(link):
                self._standing.up(self._mono_ns())
                tasks.start_soon(self._rounds.every, self._config.markets_every_s, self._read_outcomes)
                tasks.start_soon(self._rounds.every, self._config.budget_every_s, self._measure_skew)

    async def _subscribed(self, link: WebSocketLink) -> bool:
        """Whether the venue took every subscription in time; where not, the link is given up."""
        self._streams.open_account(self._send)
        self._streams.open_markets(self._send, self._clock.now().wall_ns)
        with trio.move_on_after(self._config.ack_deadline_s):
            await self._acknowledged.wait()
        if not self._acknowledged.is_set():
            link.lose(f"not subscribed in time: {', '.join(self._streams.unacknowledged()[:5])}")
        return self._acknowledged.is_set()

    def _mono_ns(self) -> int:
        return self._clock.read().mono_ns

    def _send(self, text: str) -> bool:
        if self._link is None:
            return True  # the next connection asks for every wanted market itself
        try:
            self._link.send_nowait(text)
        except (trio.WouldBlock, trio.BrokenResourceError):
            return False
        return True

    async def _flush(self) -> None:
        while True:
            await trio.sleep(_FLUSH_EVERY_S)
            self._streams.flush(self._send)

    # -- markets

    async def _read_outcomes(self) -> None:
        self._roll.take(self._registry.apply_outcomes(await self._rest.outcome_meta()), "no longer listed")

    async def _measure_skew(self) -> None:
        before_ms = self._clock.wall_ms()
        venue_ms = await self._rest.server_time()
        self._time.ahead_ms = venue_ms - (before_ms + self._clock.wall_ms()) // 2
        self._tell([ClockSkew(HYPERLIQUID, self._time.ahead_ms)])

    def _tell(self, events: Sequence[Input]) -> None:
        """Hand on, and follow what is listed."""
        chosen = self._choice.keep(events)
        self._outlet.emit(chosen)
        for one in chosen:
            if isinstance(one, MarketListed):
                self._streams.want(one.market.id, self._send, self._clock.now().wall_ns)

    # -- frames

    def _on_frame(self, message: str | bytes, received_ns: int) -> None:
        decoded = decode_frame(message, self._books)
        if decoded.anomalies:
            self._counters.note(decoded.anomalies, "websocket")
        frame = decoded.frame
        if frame is None:
            return
        if self._liveness is not None and type(frame) is not Pong:
            self._liveness.on_data(received_ns)
        route = self._routes.get(type(frame))
        if route is None:
            self._counters.add("private_frames")
        elif events := route(frame):
            self._outlet.emit_at(events, received_ns)

    def _prints(self, prints: Prints) -> Sequence[Input]:
        return self._feed.on_prints(prints, self._time.wall_ms())

    def _meta(self, changes: MetaChanges) -> Sequence[Input]:
        self._roll.on_meta(changes)
        return ()

    def _ack(self, ack: SubscriptionAck) -> Sequence[Input]:
        self._streams.on_ack(ack)
        if self._streams.account_acknowledged():
            self._acknowledged.set()
        return ()

    def _channel_error(self, error: ChannelError) -> Sequence[Input]:
        self._counters.add(f"channel_error.{error.code}")
        return ()

    def _pong(self, _pong: Pong) -> Sequence[Input]:
        if self._liveness is not None:
            self._liveness.on_pong()
        return ()


def _nothing(_frame: object) -> Sequence[Input]:
    return ()
