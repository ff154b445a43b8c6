"""The venue's dead-man: it cancels every order of the API key once no heartbeat has come for ten seconds (sheet 10).

Theory of operation. One heartbeat arms it for the whole key, and nothing disarms it, so a session that uses it beats
from its first moment live to its last and simply stops: what rests then goes within fifteen seconds, because the venue
looks every five. The promise told is the latest moment that this allows. While the stream is down nobody beats: the
dead-man is made for that moment. A wrong id is answered with the right one, and that one is sent at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import structlog
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import POLYMARKET
from hlomm.domain.inputs import AccountDoubted, DeadmanArmed, Input
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.polymarket.rest import PolymarketRest

WITHIN_S: Final = 15
"""After the last heartbeat that counted: ten seconds of patience, looked at every five."""
CORRECTIONS_MAX: Final = 3
FLOOR_S: Final = 0.05

_log = structlog.get_logger("hlomm.venues.polymarket")


@attrs.define(eq=False)
class Heartbeat:
    """Beats while the session is live."""

    _rest: PolymarketRest
    _clock: Clock
    _counters: Counters
    _emit: Callable[[Sequence[Input]], None]
    _every_s: float
    until_ms: int = 0
    """Our wall time by which the venue cancels everything if nothing more comes; 0: it has promised nothing."""
    _id: str = ""
    _told: int = 0

    async def run(self, live: Callable[[], bool]) -> None:
        """Beat until cancelled."""
        self._told = self.until_ms = 0
        while True:
            self._lapse()
            if live():
                await self._beat()
            await trio.sleep(max(self._clock.host_seconds(self._every_s), FLOOR_S))

    async def _beat(self) -> None:
        """One heartbeat; a wrong id is corrected at once, a few times."""
        for _ in range(CORRECTIONS_MAX):
            sent_ms = self._clock.wall_ms()
            try:
                counted, next_id = await self._rest.heartbeat(self._id)
            except VenueUnavailable:
                self._counters.add("heartbeats_unanswered")
                return
            self._id = next_id or ""
            if counted:
                self._counters.add("heartbeats")
                self.until_ms = sent_ms + WITHIN_S * 1_000
                self._tell(self.until_ms)
                return
            self._counters.add("heartbeats_corrected")

    def _lapse(self) -> None:
        if self.until_ms and self._clock.wall_ms() >= self.until_ms:
            self.until_ms, self._id = 0, ""  # the registration is gone with it
            self._counters.add("deadman_fired")
            _log.warning("no heartbeat counted in time: the venue has cancelled all orders")
            self._tell(0)
            self._emit([AccountDoubted(POLYMARKET, "the heartbeat lapsed: the venue has cancelled all orders")])

    def _tell(self, until_ms: int) -> None:
        if self._told != until_ms:
            self._told = until_ms
            self._emit([DeadmanArmed(POLYMARKET, until_ms)])
