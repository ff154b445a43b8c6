"""Polymarket watched without an account: the market channel, discovery, resolutions.

Everything that needs no signature is the session's own; the user channel, orders and the heartbeat are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import trio

from hlomm.domain.ids import POLYMARKET, VenueId
from hlomm.domain.inputs import Input, MarketListed
from hlomm.domain.times import seconds_to_ns
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.curve import Key
from hlomm.venues.liveness import Liveness
from hlomm.venues.outlet import Outlet
from hlomm.venues.polymarket.account import AccountReader
from hlomm.venues.polymarket.account_feed import AccountFeed
from hlomm.venues.polymarket.config import PolymarketConfig
from hlomm.venues.polymarket.inbox import Inbox
from hlomm.venues.polymarket.limits import SignerBudget
from hlomm.venues.polymarket.market_feed import MarketFeed
from hlomm.venues.polymarket.orders import OrderMap
from hlomm.venues.polymarket.registry import Registry
from hlomm.venues.polymarket.rest import PolymarketRest
from hlomm.venues.polymarket.roll import MarketRoll
from hlomm.venues.polymarket.sales import Sales
from hlomm.venues.polymarket.signing import SignatureType
from hlomm.venues.polymarket.streams import Streams
from hlomm.venues.polymarket.upkeep import Upkeep
from hlomm.venues.polymarket.wire import requests
from hlomm.venues.protocol import Sink
from hlomm.venues.reconnecting import Reconnects
from hlomm.venues.rounds import Rounds, keep_alive, text_ping
from hlomm.venues.transport import Transport
from hlomm.venues.venue_time import VenueTime
from hlomm.venues.watching import NO_KEY, Choice, Standing
from hlomm.venues.websocket import WebSocketLimits, WebSocketLink

FLUSH_EVERY_S: Final = 0.1
CHASE_EVERY_S: Final = 1.0
REPAIR_EVERY_S: Final = 0.25


def public_config(**fields: Any) -> PolymarketConfig:
    """A configuration for somebody who only looks."""
    return PolymarketConfig(key=Key(NO_KEY), signature_type=SignatureType.EOA, **fields)


class PolymarketWatcher:
    """See `hlomm.venues.watching.Watcher`."""

    def __init__(
        self, config: PolymarketConfig, *, transport: Transport, clock: Clock, choice: Choice | None = None
    ) -> None:
        self._config, self._transport, self._clock = config, transport, clock
        self._choice = Choice() if choice is None else choice
        self._counters = counters = Counters()
        self._outlet = Outlet(clock, counters)
        self._rounds = Rounds(clock, counters)
        self._standing = Standing(POLYMARKET, self._outlet, self._rounds, Reconnects(config, clock), clock)
        time = VenueTime(clock)
        self._registry = Registry(config.underlyings, config.horizon_s, config.windows_ahead)
        self._rest = PolymarketRest(config, transport, time, counters, SignerBudget(config.tier))
        # The account's parts stay empty: what they are asked for is public, tokens and payouts of a market.
        orders = OrderMap(config.order_memory)
        account_feed = AccountFeed(self._registry, orders, counters, config.fill_memory)
        account = AccountReader(
            self._rest, self._registry, orders, account_feed, clock, counters, time, config.lookback_s, self._tell,
            Sales(account_feed, clock),
        )  # fmt: skip
        self._feed = MarketFeed(self._registry, counters, config.depth)
        self._streams = Streams(self._registry, self._feed, counters)
        self._roll = MarketRoll(
            config, clock, counters, self._rest, self._registry, self._streams, account, self._tell
        )  # fmt: skip
        self._upkeep = Upkeep(
            config, clock, time, counters, self._rest, self._registry, orders, account, account_feed, self._feed,
            self._tell,
        )  # fmt: skip
        self._inbox = Inbox(clock, counters, self._rest, self._feed, account_feed, self._roll, self._tell_at)

    @property
    def venue(self) -> VenueId:
        return POLYMARKET

    @property
    def counters(self) -> Counters:
        return self._counters

    async def run(self, sink: Sink) -> None:
        self._outlet.sink = sink
        try:
            async with self._rest.opened(), trio.open_nursery() as nursery:
                nursery.start_soon(self._rounds.every, CHASE_EVERY_S, self._roll.chase)
                nursery.start_soon(self._standing.stay_connected, self._connect)
        finally:
            self._outlet.sink = None

    async def _connect(self) -> tuple[str, bool]:
        """One connection of the market channel, from discovery to its loss."""
        config = self._config
        await self._upkeep.measure_skew()
        await self._roll.read_markets()
        limits = WebSocketLimits.of(config)
        every_ns = seconds_to_ns(self._clock.host_seconds(config.ping_every_s))
        liveness = Liveness(
            ping_every=every_ns, pong_within=seconds_to_ns(config.pong_deadline_s), silence=every_ns,
            opened=self._mono_ns(),
        )  # fmt: skip
        self._inbox.connected(liveness, liveness)
        try:
            async with self._transport.websocket(
                f"{config.ws_url}/market", self._inbox.on_market, self._mono_ns, limits, kind=config.websocket
            ) as link:
                await self._live(link, liveness)
        finally:
            self._streams.closed()
        return f"{link.lost_because}", self._rest.ok is not False

    async def _live(self, link: WebSocketLink, liveness: Liveness) -> None:
        def send(text: str) -> bool:
            try:
                link.send_nowait(text)
            except (trio.WouldBlock, trio.BrokenResourceError):
                return False
            return True

        async def compare() -> None:
            await self._upkeep.read_missed()
            market = await self._upkeep.frozen()
            if market is not None:
                self._counters.add("freezes")
                link.lose(f"the stream is silent while the book of {market} moves")

        async with trio.open_nursery() as tasks:
            ping = text_ping(link, requests.PING, self._counters)
            tasks.start_soon(keep_alive, link, liveness, self._clock, ping)
            tasks.start_soon(self._flush)
            self._streams.opened(send, self._clock.now().wall_ns)
            self._standing.up(self._mono_ns())
            tasks.start_soon(self._keep_markets)
            tasks.start_soon(self._rounds.every, self._config.skew_every_s, self._upkeep.measure_skew)
            tasks.start_soon(self._rounds.every, REPAIR_EVERY_S, self._upkeep.repair)
            tasks.start_soon(self._rounds.every, self._config.check_every_s, compare)

    def _mono_ns(self) -> int:
        return self._clock.read().mono_ns

    async def _flush(self) -> None:
        while True:
            await trio.sleep(FLUSH_EVERY_S)
            self._streams.flush()

    async def _keep_markets(self) -> None:
        """Look through the events regularly, and soon after the stream told of a new market."""

        async def told() -> None:
            with trio.move_on_after(self._clock.host_seconds(self._config.markets_every_s)):
                await self._inbox.listed.wait()
            self._inbox.listed = trio.Event()
            await self._roll.read_markets()

        await self._rounds.every(self._config.reconcile_gap_s, told)

    # -- inputs

    def _tell(self, events: Sequence[Input]) -> None:
        self._tell_at(events, self._mono_ns())

    def _tell_at(self, events: Sequence[Input], received_ns: int) -> None:
        """Hand on, and follow what is listed."""
        chosen = self._choice.keep(events)
        self._outlet.emit_at(chosen, received_ns)
        for one in chosen:
            if isinstance(one, MarketListed):
                self._streams.want(one.market.id, self._clock.now().wall_ns)
