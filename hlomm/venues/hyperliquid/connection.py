"""The life of one websocket connection: open, subscribe, reconcile, then watch and keep up until it is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.times import seconds_to_ns
from hlomm.venues.hyperliquid.parts import Parts
from hlomm.venues.hyperliquid.wire.subscriptions import PING
from hlomm.venues.life import Ended
from hlomm.venues.liveness import Liveness
from hlomm.venues.rounds import keep_alive
from hlomm.venues.websocket import WebSocketLimits, WebSocketLink

RECONCILE_WEIGHT: Final = 64
BUDGET_WEIGHT: Final = 22
MARKETS_WEIGHT: Final = 20

_EXPIRE_EVERY_S: Final = 0.25
_FLUSH_EVERY_S: Final = 0.1


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
        open_it = parts.transport.websocket(
            config.ws_url, parts.inbox.on_frame, self._now_ns, limits, burst=parts.outlet, kind=config.websocket
        )
        async with open_it as link:
            await self._live(link)
        lived_ns = 0 if self._up_since is None else self._now_ns() - self._up_since
        lost = self._parts.gateway.link_lost(link)
        return Ended(reason=f"{link.lost_because}", lived_ns=lived_ns, lost=lost)

    def _now_ns(self) -> int:
        return self._parts.clock.read().mono_ns

    async def _live(self, link: WebSocketLink) -> None:
        """Bring the connection up and keep it. Losing the link cancels whatever runs here."""
        parts = self._parts
        liveness = self._liveness()
        parts.inbox.connected(liveness)
        parts.gateway.link_up(link)
        async with trio.open_nursery() as tasks:
            tasks.start_soon(keep_alive, link, liveness, parts.clock, self._ping)
            tasks.start_soon(self._expire_posts)
            tasks.start_soon(self._flush_streams)
            if await self._come_up(link):
                self._up_since = self._now_ns()
                self._on_up()
                tasks.start_soon(self._keep_reconciled)
                tasks.start_soon(self._keep_budgets)
                tasks.start_soon(self._keep_markets)

    async def _come_up(self, link: WebSocketLink) -> bool:
        """Subscribe and reconcile; a connection on which that fails is dropped."""
        await trio.lowlevel.checkpoint()
        try:
            await self._subscribe()
            await self._parts.upkeep.reconcile()
        except VenueUnavailable as error:
            link.lose(str(error))
            return False
        return True

    def _liveness(self) -> Liveness:
        config, clock = self._parts.config, self._parts.clock
        return Liveness(
            ping_every=seconds_to_ns(clock.host_seconds(config.ping_every_s)),
            pong_within=seconds_to_ns(config.pong_deadline_s),
            silence=seconds_to_ns(clock.host_seconds(config.silence_s)),
            opened=self._now_ns(),
        )

    async def _subscribe(self) -> None:
        """Ask for every stream and wait for the account's. VenueUnavailable if they are not confirmed in time.

        A market stream without confirmation is only counted: the venue drops dead coins in silence, and one bad coin
        must not keep the account from trading.
        """
        parts = self._parts
        send, wall_ns = parts.gateway.send_text, parts.clock.now().wall_ns
        parts.streams.open_account(send)
        parts.streams.open_markets(send, wall_ns)
        with trio.move_on_after(parts.config.ack_deadline_s):
            await parts.inbox.acknowledged.wait()
            await parts.inbox.snapshotted.wait()
        if not parts.inbox.acknowledged.is_set():
            raise VenueUnavailable(f"not subscribed in time: {', '.join(parts.streams.unacknowledged()[:5])}")
        if not parts.inbox.snapshotted.is_set():
            parts.counters.add("fill_snapshots_missing")
        parts.counters.add("streams_unacknowledged", len(parts.streams.unacknowledged()))

    def _ping(self) -> None:
        self._parts.counters.add("pings")
        self._parts.gateway.send_text(PING)

    async def _expire_posts(self) -> None:
        while True:
            await trio.sleep(_EXPIRE_EVERY_S)
            self._parts.outlet.emit(self._parts.gateway.expire())

    async def _flush_streams(self) -> None:
        while True:
            await trio.sleep(_FLUSH_EVERY_S)
            self._parts.streams.flush(self._parts.gateway.send_text)

    async def _keep_reconciled(self) -> None:
        """Read the account regularly, and soon after news that put it in doubt."""
        parts = self._parts
        while True:
            with trio.move_on_after(parts.rounds.host_s(parts.config.reconcile_every_s)):
                await parts.inbox.doubted.wait()
                await parts.rounds.pause(parts.config.reconcile_gap_s)
            parts.inbox.doubted = trio.Event()
            await parts.rounds.attempt(parts.upkeep.reconcile, RECONCILE_WEIGHT)

    async def _keep_budgets(self) -> None:
        parts = self._parts

        async def read() -> None:
            await parts.upkeep.read_budget()
            await parts.upkeep.measure_skew()

        while True:
            await parts.rounds.pause(parts.config.budget_every_s)
            await parts.rounds.attempt(read, BUDGET_WEIGHT)

    async def _keep_markets(self) -> None:
        """A safety net under `outcomeMetaUpdates`: what that stream misses is found here."""
        parts = self._parts
        while True:
            await parts.rounds.pause(parts.config.markets_every_s)
            await parts.rounds.attempt(parts.upkeep.read_outcomes, MARKETS_WEIGHT)
