"""The life of one pair of websockets: open both, subscribe, reconcile, then watch and keep up until either is lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.times import seconds_to_ns
from hlomm.venues.life import Ended
from hlomm.venues.liveness import Liveness
from hlomm.venues.polymarket.parts import Parts
from hlomm.venues.polymarket.wire import requests
from hlomm.venues.rounds import keep_alive, text_ping
from hlomm.venues.websocket import WebSocketLimits, WebSocketLink

_TICK_S: Final = 0.1
_REPAIR_EVERY_S: Final = 0.25


@attrs.define(eq=False)
class Connection:
    """One connection. `run` returns when it is lost."""

    _parts: Parts
    _on_up: Callable[[], None]
    """Called once, when the connection is usable."""
    _up_since: int | None = None

    async def run(self) -> Ended:
        """Why it was lost. VenueUnavailable if no connection comes about."""
        parts, config = self._parts, self._parts.config
        limits = WebSocketLimits.of(config)
        connect = partial(parts.transport.websocket, kind=config.websocket)
        market: WebSocketLink | None = None
        try:
            async with connect(f"{config.ws_url}/user", parts.inbox.on_user, self._now_ns, limits) as user:
                markets = connect(
                    f"{config.ws_url}/market", parts.inbox.on_market, self._now_ns, limits, burst=parts.outlet
                )
                async with markets as market:
                    await self._live(user, market)
                user.lose(f"market channel: {market.lost_because}")
        finally:
            parts.streams.closed()
        lived_ns = 0 if self._up_since is None else self._now_ns() - self._up_since
        return Ended(reason=f"{user.lost_because}", lived_ns=lived_ns)

    def _now_ns(self) -> int:
        return self._parts.clock.read().mono_ns

    async def _live(self, user: WebSocketLink, market: WebSocketLink) -> None:
        """Bring the connection up and keep it. Losing either link cancels whatever runs here."""
        parts = self._parts
        market_liveness, user_liveness = self._liveness(), self._liveness()
        parts.inbox.connected(market_liveness, user_liveness)
        async with trio.open_nursery() as tasks:
            for link, liveness in ((market, market_liveness), (user, user_liveness)):
                ping = text_ping(link, requests.PING, parts.counters)
                tasks.start_soon(keep_alive, link, liveness, parts.clock, ping)
            if await self._come_up(user, market):
                self._up_since = self._now_ns()
                self._on_up()
                tasks.start_soon(self._flush_streams)
                tasks.start_soon(self._keep_reconciled)
                tasks.start_soon(self._keep_markets)
                tasks.start_soon(self._keep_time)
                tasks.start_soon(self._keep_books)
                tasks.start_soon(self._watch_for_freeze, market)

    async def _come_up(self, user: WebSocketLink, market: WebSocketLink) -> bool:
        """Subscribe and reconcile; a connection on which that fails is dropped.

        Neither channel confirms a subscription: what the account's missed meanwhile is read over REST.
        """
        await trio.lowlevel.checkpoint()
        parts = self._parts
        try:
            signer = await parts.rest.ensure_key()
            user.send_nowait(requests.user_hello(signer.api_key))

            def send(text: str) -> bool:
                try:
                    market.send_nowait(text)
                except (trio.WouldBlock, trio.BrokenResourceError):
                    return False
                return True

            parts.streams.opened(send, parts.clock.now().wall_ns)
            await parts.upkeep.reconcile()
        except VenueUnavailable as error:
            market.lose(str(error))
            return False
        return True

    def _liveness(self) -> Liveness:
        config, clock = self._parts.config, self._parts.clock
        every = seconds_to_ns(clock.host_seconds(config.ping_every_s))
        return Liveness(
            ping_every=every,
            pong_within=seconds_to_ns(config.pong_deadline_s),
            silence=every,
            opened=self._now_ns(),
        )

    async def _flush_streams(self) -> None:
        while True:
            await trio.sleep(_TICK_S)
            self._parts.streams.flush()

    async def _keep_reconciled(self) -> None:
        """Read the account regularly, and soon after news that put it in doubt."""
        parts = self._parts
        while True:
            with trio.move_on_after(parts.rounds.host_s(parts.config.reconcile_every_s)):
                await parts.inbox.doubted.wait()
                await parts.rounds.pause(parts.config.reconcile_gap_s)
            parts.inbox.doubted = trio.Event()
            await parts.rounds.attempt(parts.upkeep.reconcile)

    async def _keep_markets(self) -> None:
        """Look through the events regularly, and soon after the stream told of a new market."""
        parts = self._parts
        while True:
            with trio.move_on_after(parts.rounds.host_s(parts.config.markets_every_s)):
                await parts.inbox.listed.wait()
                await parts.rounds.pause(parts.config.reconcile_gap_s)
            parts.inbox.listed = trio.Event()
            await parts.rounds.attempt(parts.roll.read_markets)

    async def _keep_time(self) -> None:
        parts = self._parts

        async def measure() -> None:
            await parts.upkeep.measure_skew()

        while True:
            await parts.rounds.pause(parts.config.skew_every_s)
            await parts.rounds.attempt(measure)

    async def _keep_books(self) -> None:
        while True:
            await trio.sleep(_REPAIR_EVERY_S)
            await self._parts.rounds.attempt(self._parts.upkeep.repair)

    async def _watch_for_freeze(self, link: WebSocketLink) -> None:
        """A socket that lives and says nothing is known only by comparing what it said with the venue's own books."""
        parts = self._parts

        async def compare() -> None:
            await parts.upkeep.read_missed()
            market = await parts.upkeep.frozen()
            if market is not None:
                parts.counters.add("freezes")
                link.lose(f"the stream is silent while the book of {market} moves")

        while True:
            await parts.rounds.pause(parts.config.check_every_s)
            await parts.rounds.attempt(compare)
