"""The dead-man of this venue: every resting order carries an early end, and is renewed as long as somebody is there.

Kalshi cancels nothing when a connection is lost. So an order is sent with an expiry of at most a minute, and while the
session is live the expiry is moved on every third of that term by an amend that changes nothing else. Whatever ends us,
the orders end with their term. The engine is told by when the last of what rests, or may be sent before the next round,
is gone: never earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import KALSHI
from hlomm.domain.inputs import DeadmanArmed, Input
from hlomm.venues.counters import Counters
from hlomm.venues.kalshi.config import KalshiConfig
from hlomm.venues.kalshi.gateway import Gateway
from hlomm.venues.kalshi.rest import KalshiRest
from hlomm.venues.kalshi.tracks import RESTING, Track, Tracks
from hlomm.venues.kalshi.wire.errors import Refusal
from hlomm.venues.kalshi.wire.orders import Amend
from hlomm.venues.kalshi.wire.sides import to_wire
from hlomm.venues.venue_time import VenueTime

SHARE: Final = 3
"""Renewed every 1/SHARE of the term: two rounds may fail before anything ends."""
PAUSE_FLOOR_S: Final = 0.1


@attrs.define(eq=False)
class Expiries:
    """Keeps what should rest resting."""

    _config: KalshiConfig
    _time: VenueTime
    _counters: Counters
    _rest: KalshiRest
    _tracks: Tracks
    _gateway: Gateway
    _emit: Callable[[Sequence[Input]], None]
    until_ms: int = 0
    """Our wall time by which nothing rests if nobody renews; 0 before it was told."""

    @property
    def period_s(self) -> float:
        return self._config.expires_after_s / SHARE

    async def run(self, live: Callable[[], bool]) -> None:
        """Renew until cancelled; `live` says whether the session is."""
        while True:
            if live():
                self.tell()
                await self.renew()
            await trio.sleep(max(self._time.clock.host_seconds(self.period_s), PAUSE_FLOOR_S))

    def tell(self) -> None:
        """Tell by when everything is gone: what rests, and what is sent until the next round."""
        latest_s = max((track.expires_s or 0 for track in self._tracks.live()), default=0)
        next_ms = self._time.wall_ms() + int((self._config.expires_after_s + self.period_s + 1) * 1_000)
        # On our own clock: the venue's may be ahead or behind.
        self.until_ms = max(latest_s * 1_000, next_ms) - (self._time.ahead_ms or 0)
        self._emit([DeadmanArmed(KALSHI, self.until_ms)])

    async def renew(self) -> None:
        """One round over all resting orders; what cannot be renewed ends by itself."""
        async with trio.open_nursery() as nursery:
            for track in self._tracks.live():
                if track.tif in RESTING and track.opened and not track.cancelling and not track.busy.locked():
                    nursery.start_soon(self._renew, track)
            await trio.lowlevel.checkpoint()

    async def _renew(self, track: Track) -> None:
        await trio.lowlevel.checkpoint()
        bucket, cost = self._rest.budgets.write(track.shard), self._rest.budgets.costs.default
        if bucket.level(self._time.clock.now().mono_ns) < cost:
            self._counters.add("renewals_without_budget")
            return
        async with track.busy:
            if track.done or track.cancelling or track.order_id is None or not track.leaves():
                return
            side, px = to_wire(track.leg, track.side, track.px)
            expires_s = self._gateway.expiry_s()
            wish = Amend(
                ticker=track.ticker, shard=track.shard, order_id=track.order_id, side=side, px=px, total=track.total,
                client_id=track.client_id, expires_s=expires_s,
            )  # fmt: skip
            track.expires_s = max(track.expires_s or 0, expires_s)
            try:
                answer = await self._rest.amend(wish)
            except VenueUnavailable:
                self._counters.add("renewals_failed")
                return
            self._counters.add("renewals_refused" if isinstance(answer, Refusal) else "renewals")
