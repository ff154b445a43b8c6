"""The life of one websocket connection: open, subscribe, reconcile, then watch and keep up until it is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.times import seconds_to_ns
from hlomm.venues.kalshi.parts import Parts
from hlomm.venues.life import Ended
from hlomm.venues.liveness import Liveness
from hlomm.venues.rounds import FLOOR_S, keep_alive
from hlomm.venues.websocket import WebSocketLimits, WebSocketLink

ROUND: Final = 6
"""Reads that a round of the account takes."""


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
        headers = await parts.rest.upgrade_headers(config.ws_url)
        open_it = parts.transport.websocket(
            config.ws_url,
            parts.inbox.on_frame,
            self._now_ns,
            limits,
            headers,
            burst=parts.outlet,
            kind=config.websocket,
        )
        async with open_it as link:
            await self._live(link)
        lived_ns = 0 if self._up_since is None else self._now_ns() - self._up_since
        return Ended(reason=f"{link.lost_because}", lived_ns=lived_ns)

    def _now_ns(self) -> int:
        return self._parts.clock.read().mono_ns

    async def _live(self, link: WebSocketLink) -> None:
        """Bring the connection up and keep it. Losing the link cancels whatever runs here."""
        parts = self._parts

        def send(text: str) -> bool:
            try:
                link.send_nowait(text)
            except (trio.WouldBlock, trio.BrokenResourceError):
                parts.counters.add("frames_not_queued")
                return False
            return True

        parts.inbox.send, parts.inbox.lose, parts.inbox.behind = send, link.lose, lambda: link.backlogged
        liveness = self._liveness()
        parts.inbox.connected(liveness)
        async with trio.open_nursery() as tasks:
            tasks.start_soon(keep_alive, link, liveness, parts.clock, self._ping)
            if await self._come_up(link):
                self._up_since = self._now_ns()
                self._on_up()
                tasks.start_soon(self._keep_reconciled)
                tasks.start_soon(self._keep_markets)
                tasks.start_soon(self._keep_fetching)

    async def _come_up(self, link: WebSocketLink) -> bool:
        """Subscribe and reconcile; a connection on which that fails is dropped."""
        await trio.lowlevel.checkpoint()
        parts = self._parts
        try:
            await self._subscribe()
            await parts.upkeep.reconcile()
            await parts.burst.look()
        except VenueUnavailable as error:
            link.lose(str(error))
            return False
        return True

    async def _subscribe(self) -> None:
        """Ask for every channel and wait for the account's. VenueUnavailable if they are not confirmed in time."""
        parts = self._parts
        parts.streams.connected(parts.inbox.send)
        with trio.move_on_after(parts.config.ack_deadline_s):
            await parts.inbox.acknowledged.wait()
        if not parts.inbox.acknowledged.is_set():
            raise VenueUnavailable(f"not subscribed in time: {', '.join(parts.streams.missing())}")

    def _liveness(self) -> Liveness:
        config, clock = self._parts.config, self._parts.clock
        return Liveness(
            ping_every=seconds_to_ns(clock.host_seconds(config.ping_every_s)),
            pong_within=seconds_to_ns(config.pong_deadline_s),
            silence=seconds_to_ns(clock.host_seconds(config.silence_s)),
            opened=self._now_ns(),
        )

    def _ping(self) -> None:
        self._parts.counters.add("pings")
        self._parts.inbox.send(self._parts.streams.ping())
        self._parts.streams.again(self._parts.inbox.send)

    async def _keep_reconciled(self) -> None:
        """Read the account regularly, and soon after news that put it in doubt."""
        parts = self._parts
        while True:
            with trio.move_on_after(parts.rounds.host_s(parts.config.reconcile_every_s)):
                await parts.inbox.doubted.wait()
                await parts.rounds.pause(parts.config.reconcile_gap_s)
            parts.inbox.doubted = trio.Event()
            await parts.rounds.attempt(parts.upkeep.reconcile, ROUND)

    async def _keep_markets(self) -> None:
        """A safety net under the life-cycle frames: what they leave out is found here."""
        parts = self._parts
        while True:
            await parts.rounds.pause(parts.config.markets_every_s)
            await parts.rounds.attempt(parts.roll.read_lists, 3 * len(parts.config.series))

    async def _keep_fetching(self) -> None:
        """Documents that news asked for, strikes that are due, and markets that should have settled."""
        parts = self._parts
        while True:
            with trio.move_on_after(parts.rounds.host_s(parts.config.settlement_every_s)):
                await parts.roll.wanted.wait()
            parts.roll.wanted = trio.Event()
            await parts.rounds.attempt(parts.roll.fetch_waiting, 4)
            await parts.rounds.attempt(parts.roll.settle_due, 4)
            await parts.rounds.pause(FLOOR_S)
