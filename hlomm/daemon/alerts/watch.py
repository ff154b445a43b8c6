"""Looks every second at a daemon and what is around it, and hands messages to the services.

Theory of operation. A look becomes a `World`; the rules say what is so in it; the register says what of that is news.
To these come the daemon's own alerts, its fills, and the digest. Everything but the digest goes through the pace. No
service is ever waited for, and the daemon is asked as any viewer asks: at most once a second, each time bounded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import attrs
import structlog
import trio

from hlomm.daemon.alerts.conditions import COVERED, World, look
from hlomm.daemon.alerts.digest import digest, fills_line, lasted, whose
from hlomm.daemon.alerts.looks import Deadmen, Farewell, Looks, Outside
from hlomm.daemon.alerts.message import Message, one_line
from hlomm.daemon.alerts.news import Newsreader
from hlomm.daemon.alerts.pace import Pace, Repeats
from hlomm.daemon.alerts.services import Service
from hlomm.daemon.alerts.standing import Register, Said, Say
from hlomm.daemon.api.snapshots import Seen, Snapshots
from hlomm.domain.outputs import AlertLevel
from hlomm.domain.report import AlertRow, FillRow, Pnl, Snapshot
from hlomm.settings.schema import Alerts

_log = structlog.get_logger("hlomm.alerts")

LOOK_S: Final = 1.0
LOOKED_S: Final = 10.0
"""A look at files that takes longer is left behind: a disk that hangs must not silence the rest."""
FILLS_S: Final = 60.0
FILLS_KEPT: Final = 1_000
"""Of the time since the last digest."""
FAREWELL_S: Final = 3.0
"""For what waits when the process is told to end."""
_HEIGHT: Final[dict[str, int]] = {level: height for height, level in enumerate(AlertLevel)}


@attrs.define(eq=False)
class Watch:
    rules: Alerts
    profile: str
    snapshots: Snapshots
    looks: Looks
    services: list[Service]
    wall_ns: Callable[[], int] = time.time_ns
    _register: Register = attrs.field(init=False)
    _pace: Pace = attrs.field(init=False)
    _repeats: Repeats = attrs.field(init=False)
    _news: Newsreader = attrs.field(factory=Newsreader)
    _deadmen: Deadmen = attrs.field(factory=Deadmen)
    _farewell: Farewell = attrs.field(factory=Farewell)
    _outside: Outside = attrs.field(factory=lambda: Outside(owned=False, guardian=None, disk_free=None, keys=()))
    _lookers: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(1))
    _snapshot: Snapshot | None = None
    """The last that there was."""
    _silent_since_s: float | None = None
    _owed: dict[tuple[str, str], Message] = attrs.field(factory=dict)
    """About conditions, by code and subject: for what there was no room yet."""
    _fills: list[FillRow] = attrs.field(factory=list)
    """Since the last digest."""
    _fills_missed: int = 0
    _unsaid: list[FillRow] = attrs.field(factory=list)
    """Fills since the last message about them."""
    _unsaid_missed: int = 0
    _fills_due_s: float = 0.0
    _digest_due_s: float = 0.0
    _digested: tuple[int, Pnl] | None = None
    """Pid and PnL of the last digest."""

    def __attrs_post_init__(self) -> None:
        self._register = Register(self.rules.remind_s)
        self._pace = Pace(self.rules.per_minute)
        self._repeats = Repeats(self.rules.again_s)

    async def run(self) -> None:
        """Until cancelled; what waits then is given a moment."""
        self._digest_due_s = trio.current_time() + self.rules.digest_s
        try:
            async with trio.open_nursery() as nursery:
                for service in self.services:
                    nursery.start_soon(service.run)
                while True:
                    await self.look()
                    await trio.sleep(LOOK_S)
        finally:
            with trio.move_on_after(2 * FAREWELL_S, shield=True):
                async with trio.open_nursery() as nursery:
                    for service in self.services:
                        nursery.start_soon(service.drain, FAREWELL_S)

    async def look(self) -> None:
        seen = await self.snapshots.get()
        with trio.move_on_after(LOOKED_S):
            self._outside = await trio.to_thread.run_sync(
                self.looks.look, abandon_on_cancel=True, limiter=self._lookers
            )  # fmt: skip
        now_s = trio.current_time()
        world = self._world(seen, now_s)
        for said in self._register.see(look(world), now_s):
            self._tell(said, now_s)
        if seen.snapshot is not None:
            self._read(seen.snapshot, now_s)
        self._pay(now_s)
        held = self._pace.release(now_s)
        if held:
            self._put(self._message(AlertLevel.INFO, "held_back", held))

    # -- what is so

    def _world(self, seen: Seen, now_s: float) -> World:
        snapshot = seen.snapshot
        if snapshot is not None:
            self._silent_since_s, self._snapshot = None, snapshot
        elif self._silent_since_s is None:
            self._silent_since_s = now_s
        return World(
            rules=self.rules, wall_ms=self.wall_ns() // 1_000_000, snapshot=snapshot, error=seen.error,
            silent_s=0.0 if self._silent_since_s is None else now_s - self._silent_since_s,
            met=self._snapshot is not None, clean=self._farewell.see(snapshot, self._outside),
            guardian=self._outside.guardian, owned=self._outside.owned, keys=self._outside.keys,
            disk_free=self._outside.disk_free,
            deadman_failures={} if snapshot is None else self._deadmen.see(snapshot),
            services=tuple(service.health() for service in self.services),
        )  # fmt: skip

    def _tell(self, said: Said, now_s: float) -> None:
        row, rule = said.standing, said.standing.rule
        level, ended = row.level, said.say is Say.OVER
        about = f"{row.found.subject}: " if row.found.subject else ""
        stood = lasted(now_s - row.began_s)
        body = {
            Say.OVER: f"over after {stood}: {about}{rule.over}",
            Say.AGAIN: f"still so after {stood}: {row.found.what} — {rule.next}",
        }.get(said.say, f"{row.found.what} — {rule.next}")
        message = self._message(level, rule.code, body, over=ended)
        key = rule.code, row.found.subject
        if ended and self._owed.pop(key, None) is not None:
            return  # it has come and gone before there was room to say so
        self._owed[key] = message
        self._pay(now_s)

    def _pay(self, now_s: float) -> None:
        """What stands is not held back but said as soon as there is room, the worst first."""
        for key, message in sorted(self._owed.items(), key=lambda one: -_HEIGHT[one[1].level]):
            if self._pace.lets(message.level, now_s):
                del self._owed[key]
                self._put(message)

    # -- what is new

    def _read(self, snapshot: Snapshot, now_s: float) -> None:
        news = self._news.read(snapshot)
        for row in news.alerts:
            self._event(row, now_s)
        self._fills, self._unsaid = [*self._fills, *news.fills], [*self._unsaid, *news.fills]
        self._fills_missed += news.fills_missed + max(len(self._fills) - FILLS_KEPT, 0)
        self._unsaid_missed += news.fills_missed + max(len(self._unsaid) - FILLS_KEPT, 0)
        self._fills, self._unsaid = self._fills[-FILLS_KEPT:], self._unsaid[-FILLS_KEPT:]
        if self.rules.fills and self._unsaid and now_s >= self._fills_due_s:
            self._offer(AlertLevel.INFO, "fills", fills_line(self._unsaid, self._unsaid_missed), now_s)
            self._fills_due_s, self._unsaid, self._unsaid_missed = now_s + FILLS_S, [], 0
        if self.rules.digest_s and now_s >= self._digest_due_s:
            self._digest(snapshot, now_s)

    def _event(self, row: AlertRow, now_s: float) -> None:
        # A later daemon may know more levels than we do.
        level = AlertLevel(row.level) if row.level in _HEIGHT else AlertLevel.CRITICAL
        if row.code in COVERED or _HEIGHT[level] < _HEIGHT[self.rules.level]:
            return
        # Of what is critical each text counts by itself; of the rest each kind.
        times = self._repeats.first(row.code, row.text if level is AlertLevel.CRITICAL else "", now_s)
        if times is not None:
            more = f" ({times} more like it before)" if times else ""
            self._offer(level, row.code, f"{row.text}{more}", now_s)

    def _digest(self, snapshot: Snapshot, now_s: float) -> None:
        pid, pnl = self._digested or (None, None)
        message = digest(snapshot, self._fills, self._fills_missed, pnl if pid == snapshot.pid else None)
        self._put(message)
        self._digested, self._fills, self._fills_missed = (snapshot.pid, snapshot.engine.pnl), [], 0
        self._digest_due_s = max(self._digest_due_s + self.rules.digest_s, now_s)

    # -- out

    def _offer(self, level: AlertLevel, code: str, body: str, now_s: float) -> None:
        if self._pace.lets(level, now_s):
            self._put(self._message(level, code, body))
        else:
            self._pace.hold(code)

    def _message(self, level: AlertLevel, code: str, body: str, *, over: bool = False) -> Message:
        title = one_line(f"{whose(self._snapshot, self.profile)}: {code}")
        return Message(level=level, code=code, title=title, body=one_line(body), over=over)

    def _put(self, message: Message) -> None:
        _log.info("alert", code=message.code, of=message.level.value, over=message.over, title=message.title,
                  text=message.body)  # fmt: skip
        for service in self.services:
            service.put(message)
