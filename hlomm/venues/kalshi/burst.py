"""The venue's burst breaker: an order group that all our orders belong to (venue sheet section 6).

When more contracts of the group match within fifteen seconds than `burst_contracts`, the venue cancels all its orders
and refuses new ones until the group is reset. The session says so and resets nothing by itself while it runs: the
engine decides, and asks. At the start of a session the group is reset, because what rested is swept and whoever
starts a daemon is a person (a guardian that triggered it has left a halt beside it).

Groups have no names. Ours is the one on our shard with our limit: found again by that after a restart, so that there is
never more than one per limit. Orders that only bring back what is held are outside of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs
import structlog
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import KALSHI
from hlomm.domain.inputs import Input, VenueRearmed, VenueTripped
from hlomm.domain.units import SCALE, to_text
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.kalshi.config import KalshiConfig
from hlomm.venues.kalshi.rest import KalshiRest
from hlomm.venues.kalshi.wire.errors import Refusal
from hlomm.venues.kalshi.wire.frames import GroupMsg
from hlomm.venues.kalshi.wire.groups import DELETED, RESET, TRIGGERED, GroupRow

RESET_ATTEMPTS: Final = 3
RESET_PAUSE_S: Final = 1.0
GONE: Final = "the order group was deleted: restart the daemon, which makes another"

_log = structlog.get_logger("hlomm.venues.kalshi")


@attrs.define(eq=False)
class Burst:
    """The group of one session."""

    _config: KalshiConfig
    _clock: Clock
    _counters: Counters
    _rest: KalshiRest
    _catch_up: Callable[[], Awaitable[None]]
    """Waits, for a while, until reads contain everything up to now."""
    _emit: Callable[[Sequence[Input]], None]
    group: str | None = None
    """None: switched off, or not looked for yet."""
    life: int = 0
    """Counts resets: what was refused before one says nothing of the time after it."""
    tripped: bool = False
    _calm: bool = False
    """The venue's flag while the group takes orders."""
    _nursery: trio.Nursery | None = None
    _resetting: bool = False

    def attach(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    def detach(self) -> None:
        self._nursery = None
        self._resetting = False

    async def open(self) -> None:
        """Find our group or create it, and have it take orders. VenueUnavailable if the venue does not."""
        limit = self._config.burst_contracts
        if not limit:
            return
        self.group = None
        found = await self._mine()
        if found is None:
            self.group = _taken(await self._rest.create_group(limit, self._config.shard), "create")
            self._counters.add("groups_created")
        else:
            _taken(await self._rest.group_action(found.group_id, RESET), RESET)
            self.group = found.group_id
            self._counters.add("groups_found")
        await self._catch_up()
        fresh = await self._mine()
        self._calm = fresh is not None and fresh.marked
        self.tripped, self.life = False, self.life + 1
        _log.info("order group", group=self.group, contracts=to_text(limit), reused=found is not None)

    async def _mine(self) -> GroupRow | None:
        wanted = (self._config.shard, self._config.burst_contracts)
        rows = [row for row in await self._rest.groups() if (row.shard, row.limit) == wanted]
        return next((row for row in rows if row.group_id == self.group), min(rows, key=_id, default=None))

    async def look(self) -> None:
        """After a connection: the news of a trip may have been lost with the last one."""
        if self.group is None:
            return
        await self._catch_up()
        row = await self._mine()
        if row is None or row.group_id != self.group:
            self._trip(GONE)
        elif row.marked != self._calm:
            self._trip(self._limit_text())

    def on_frame(self, msg: GroupMsg) -> None:
        if msg.order_group_id != self.group:
            return
        self._counters.add(f"group.{msg.event_type}")
        if msg.event_type == TRIGGERED:
            self._trip(self._limit_text())
        elif msg.event_type == DELETED:
            self._trip(GONE)
        elif msg.event_type == RESET and self.tripped and not self._resetting:
            self._rearmed()  # by hand, at the venue

    def refused(self, life: int) -> None:
        """An order that was sent in that life was refused because of the group."""
        if life == self.life and self.group is not None:
            self._trip(self._limit_text())

    def reset(self) -> None:
        """Reset the group; how that ended comes as an input."""
        if self._nursery is None or self.group is None or self._resetting:
            self._counters.add("group_resets_not_asked")
            return
        self._resetting = True
        self._nursery.start_soon(self._reset, self.group)

    async def _reset(self, group: str) -> None:
        await trio.lowlevel.checkpoint()
        why = ""
        try:
            for _ in range(RESET_ATTEMPTS):
                try:
                    _taken(await self._rest.group_action(group, RESET), RESET)
                except VenueUnavailable as error:
                    why = str(error)
                    await self._clock.sleep(RESET_PAUSE_S)
                else:
                    self._counters.add("group_resets")
                    self._rearmed()
                    return
        finally:
            self._resetting = False
        self._counters.add("group_resets_failed")
        self._emit([VenueTripped(KALSHI, why)])

    def _rearmed(self) -> None:
        self.tripped, self.life = False, self.life + 1
        self._emit([VenueRearmed(KALSHI)])

    def _trip(self, reason: str) -> None:
        if self.tripped:
            return
        self.tripped = True
        self._counters.add("group_trips")
        _log.critical("the order group has tripped", group=self.group, reason=reason)
        self._emit([VenueTripped(KALSHI, reason)])

    def _limit_text(self) -> str:
        return f"more than {self._config.burst_contracts // SCALE} contracts within 15 s, or triggered by hand"


def _id(row: GroupRow) -> str:
    return row.group_id


def _taken(answer: str | Refusal, action: str) -> str:
    if isinstance(answer, Refusal):
        raise VenueUnavailable(f"order group: {action} refused: {answer.text} — burst_contracts = 0 does without one")
    return answer
