"""What may be wrong, one rule each: when it is, how bad that is, and what to do about it.

A rule reads one `World` and says what it finds, once for each thing that has it (a venue, a key). It remembers nothing:
whether something is news is decided in `standing`. Codes are stable, and RUNBOOK.md has a line for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs

from hlomm.daemon.alerts.message import Health
from hlomm.domain.ids import VenueId
from hlomm.domain.outputs import AlertLevel, HaltState
from hlomm.domain.report import Snapshot
from hlomm.domain.ticker import utc_day
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import to_fixed
from hlomm.engine.ladder import Rung
from hlomm.link.guardian import Phase, Told
from hlomm.settings.schema import Alerts
from hlomm.venues.life import LIVE

_DAY_MS: Final = 86_400_000
_GIB: Final = 1 << 30
_FULL: Final = 10
"""A disk with less than this part of what is wanted is about to halt trading."""
_STARTS_S: Final = 60.0
"""For so long a daemon may have no session yet."""
_HALTED: Final = (HaltState.FLATTENING, HaltState.HALTED)
_ENDING: Final = (HaltState.STOPPING, HaltState.STOPPED)
INFO, WARNING, CRITICAL = AlertLevel.INFO, AlertLevel.WARNING, AlertLevel.CRITICAL


@attrs.frozen
class KeyLife:
    """A key of the keystore that says when it ends. `name` has nothing secret."""

    name: str
    rotate: str
    """The command that replaces it."""
    expires_ms: int


@attrs.frozen(kw_only=True)
class World:
    """All that is known at one moment."""

    rules: Alerts
    wall_ms: int
    snapshot: Snapshot | None
    """What the daemon says, None if none answers."""
    error: str = ""
    """Why there is none."""
    silent_s: float = 0.0
    """For how long."""
    met: bool = True
    """One has answered since this process began."""
    clean: bool = False
    """The last one said goodbye and left nothing."""
    guardian: Told | None = None
    owned: bool = False
    """Somebody began to trade here and has not said goodbye."""
    keys: tuple[KeyLife, ...] = ()
    disk_free: int | None = None
    """Bytes; None if nobody can say."""
    deadman_failures: Mapping[VenueId, int] = attrs.field(factory=dict)
    """In a row, the last one included."""
    services: tuple[Health, ...] = ()
    """Of the messages' own ways."""


@attrs.frozen(kw_only=True)
class Found:
    """Something that is so now."""

    what: str
    """What happened, and what was done about it."""
    subject: str = ""
    """Tells two of one rule apart."""
    level: AlertLevel | None = None
    """None: the rule's."""


@attrs.frozen(kw_only=True)
class Rule:
    code: str
    level: AlertLevel
    next: str
    """What to do."""
    find: Callable[[World], Iterator[Found]]
    hold_s: float = 0.0
    """How long it must last before it is worth a message."""
    calm_s: float = 5.0
    """How long it must be over before that is believed."""
    over: str = ""
    """What is said then; empty: nothing."""
    seldom: int = 1
    """It is said again after so many times `remind_s`; 0: never, however long it lasts."""
    known: Callable[[World], bool] = lambda _: True
    """Whether that world can tell at all: what a daemon said is not over because it says nothing any more."""


def _daemon(world: World) -> bool:
    return world.snapshot is not None


def _trading(world: World) -> bool:
    """It has come to where it can be held to what it should be, and is not on its way out."""
    snapshot = world.snapshot
    if snapshot is None or snapshot.engine.state in _ENDING:
        return False
    return snapshot.engine.state != HaltState.STARTING or snapshot.uptime_s >= _STARTS_S


def _guardian(world: World) -> bool:
    return world.guardian is not None


def _short(error: str) -> str:
    """Without the advice at its end: a rule has its own."""
    return error.partition(" — ")[0]


def _gone(world: World) -> Iterator[Found]:
    if world.snapshot is None and world.met and not world.clean and world.silent_s >= world.rules.daemon_silent_s:
        guardian = "no guardian" if world.guardian is None else f"its guardian ({world.guardian.phase.value})"
        yield Found(what=f"the daemon is gone ({_short(world.error)}); {guardian} answers in its place")


def _absent(world: World) -> Iterator[Found]:
    if world.snapshot is None and not world.met and world.silent_s >= world.rules.daemon_silent_s:
        yield Found(what=f"no daemon has answered since these alerts began ({_short(world.error)})")


def _stopped(world: World) -> Iterator[Found]:
    if world.snapshot is None and world.met and world.clean:
        yield Found(what="the daemon was stopped in good order")


def _unattended(world: World) -> Iterator[Found]:
    late = world.silent_s >= world.rules.daemon_silent_s
    if world.owned and world.snapshot is None and world.guardian is None and late:
        yield Found(
            what="no daemon and no guardian answers, and the last run has not said goodbye: its orders may rest"
        )


def _halted(world: World) -> Iterator[Found]:
    if world.snapshot is not None and world.snapshot.engine.state in _HALTED:
        yield Found(what=f"HALTED: {world.snapshot.engine.reason or 'no reason is known'}; everything is cancelled")


def _no_guardian(world: World) -> Iterator[Found]:
    if world.snapshot is not None and world.snapshot.guardian.state == "down":
        yield Found(what=f"no guardian watches ({world.snapshot.guardian.reason}): nothing is quoted until one does")


def _guardian_in(phase: Phase, says: str) -> Callable[[World], Iterator[Found]]:
    def find(world: World) -> Iterator[Found]:
        if world.guardian is not None and world.guardian.phase is phase:
            yield Found(what=f"{says}: {world.guardian.reason}")

    return find


def _venues(world: World) -> Iterator[Found]:
    for row in () if world.snapshot is None else world.snapshot.venues:
        if row.session != LIVE:
            yield Found(subject=row.venue, what=f"{row.venue}: session {row.session}; it is not quoted there meanwhile")
        elif row.data_age_s is not None and row.data_age_s > world.rules.venue_silent_s:
            what = f"{row.venue}: nothing heard for {row.data_age_s:.1f} s; what is too old is not quoted"
            yield Found(subject=row.venue, what=what)


def _fuses(world: World) -> Iterator[Found]:
    for row in () if world.snapshot is None else world.snapshot.venues:
        if row.fuse.startswith("tripped"):
            yield Found(subject=row.venue, what=f"{row.venue}: fuse {row.fuse}; only cancels and exits pass")


def _deadmen(world: World) -> Iterator[Found]:
    for venue, failed in world.deadman_failures.items():
        if failed > world.rules.deadman_failures:
            what = f"{venue}: its dead-man could not be renewed {failed} times in a row; without it less may rest there"
            yield Found(subject=venue, what=what)


def _keys(world: World) -> Iterator[Found]:
    for key in world.keys:
        left_ms = key.expires_ms - world.wall_ms
        if left_ms < world.rules.key_days * _DAY_MS:
            day = utc_day(key.expires_ms * NS_PER_MS)
            verb, level = ("expired", CRITICAL) if left_ms <= 0 else ("expires", WARNING)
            what = f"the key of {key.name} {verb} on {day}: approve a new one at the venue, then {key.rotate}"
            yield Found(subject=key.name, what=what, level=level)


def _runways(world: World) -> Iterator[Found]:
    for row in () if world.snapshot is None else world.snapshot.venues:
        if row.budget_runway_min is not None and row.budget_runway_min < world.rules.runway_h * 60:
            what = f"{row.venue}: its actions are used up in {row.budget_runway_min} min ({row.budget_used} of "
            slowed = f"; {row.budget_slow}" if row.budget_slow else ""
            yield Found(subject=row.venue, what=f"{what}{row.budget_cap} used{slowed})")


def _disk(world: World) -> Iterator[Found]:
    wanted = world.rules.disk_free_gib * _GIB
    if world.disk_free is not None and world.disk_free < wanted:
        level = CRITICAL if world.disk_free * _FULL < wanted else WARNING
        what = (
            f"{world.disk_free / _GIB:.2f} GiB free where the state is; a journal that cannot be written halts trading"
        )
        yield Found(what=what, level=level)


def _drawdown(world: World) -> Iterator[Found]:
    engine = None if world.snapshot is None else world.snapshot.engine
    if engine is not None and 0 < engine.drawdown_limit * world.rules.drawdown_share < engine.drawdown:
        limit = to_fixed(engine.drawdown_limit, 2)
        yield Found(
            what=f"drawdown {to_fixed(engine.drawdown, 2)} of {limit}, at which everything is cancelled and sold"
        )


def _restrained(world: World) -> Iterator[Found]:
    if world.snapshot is not None and world.snapshot.engine.ladder == Rung.CRITICAL:
        why = "; ".join(world.snapshot.engine.ladder_reasons[:3])
        yield Found(what=f"it does not quote all that it should: {why}")


def _strategies(world: World) -> Iterator[Found]:
    for row in () if world.snapshot is None else world.snapshot.engine.strategies:
        if row.state != "running":
            yield Found(subject=row.id, what=f"strategy {row.id} is {row.state} ({row.why}); its quotes are cancelled")


def _services(world: World) -> Iterator[Found]:
    for health in world.services:
        if health.failing_s > 0:
            name = f"{health.number} ({health.scheme})"
            what = f"alert service {name} fails: {health.why}; {health.waiting} messages wait for it"
            yield Found(subject=name, what=what)


RULES: Final = (
    Rule(code="daemon_gone", level=CRITICAL, find=_gone, over="a daemon answers again",
         next="look at the host and at guardian.log, then start it"),
    Rule(code="daemon_absent", level=WARNING, find=_absent, hold_s=10, seldom=6, over="a daemon answers",
         next="start it, or see why it does not start"),
    Rule(code="daemon_stopped", level=INFO, find=_stopped, seldom=0, next="nothing to do"),
    Rule(code="unattended", level=CRITICAL, find=_unattended, over="somebody attends to the account again",
         next="start `hlomm run`, or cancel at the venue's site"),
    Rule(code="halted", level=CRITICAL, find=_halted, known=_trading, over="it trades again",
         next="read the reason, `hlomm bundle`, look at the account, `hlomm resume`"),
    Rule(code="guardian_down", level=CRITICAL, find=_no_guardian, known=_trading, hold_s=3,
         over="a guardian watches again", next="see guardian.log; restart the daemon if none comes back"),
    Rule(code="guardian_warned", level=WARNING, find=_guardian_in(Phase.WARNED, "the guardian hears the daemon late"),
         known=_guardian, calm_s=10, over="the guardian hears the daemon in time again",
         next="what else runs on this machine?"),
    Rule(code="guardian_acting", level=CRITICAL, known=_guardian, next="watch it with `hlomm status`",
         find=_guardian_in(Phase.ACTING, "the guardian cancels and flattens in place of the daemon")),
    Rule(code="guardian_done", level=WARNING, known=_guardian, seldom=0,
         find=_guardian_in(Phase.DONE, "the guardian has made the account safe"),
         next="look at the account, find out why the daemon died, start it, `hlomm resume`"),
    Rule(code="guardian_gave_up", level=CRITICAL, known=_guardian, over="another guardian is in its place",
         find=_guardian_in(Phase.GAVE_UP, "the guardian could not make the account safe"),
         next="cancel and sell at the venue's site, now"),
    Rule(code="venue_silent", level=WARNING, find=_venues, known=_trading, calm_s=10, over="it is heard again",
         next="nothing if it comes back; see its status page"),
    Rule(code="fuse_tripped", level=CRITICAL, find=_fuses, known=_trading, over="its fuse is whole",
         next="find out why, restart the daemon, `hlomm resume`"),
    Rule(code="deadman_failing", level=WARNING, find=_deadmen, known=_trading, over="its dead-man is renewed again",
         next="see the venue's status page; `hlomm status` says what a lost network would strand"),
    Rule(code="key_expiring", level=WARNING, find=_keys, seldom=24, over="no longer near its end",
         next="restart the daemon then"),
    Rule(code="budget_runway", level=WARNING, find=_runways, known=_trading, calm_s=300, seldom=6,
         over="its actions last longer again", next="trade volume, or widen `quotes`"),
    Rule(code="disk_low", level=WARNING, find=_disk, calm_s=60, seldom=6, over="there is room again", next="make room"),
    Rule(code="drawdown", level=WARNING, find=_drawdown, known=_daemon, calm_s=300, seldom=6,
         over="drawdown is below its mark again", next="nothing, or `hlomm kill`"),
    Rule(code="restrained", level=WARNING, find=_restrained, known=_trading, hold_s=30, calm_s=60,
         over="it quotes as it should again", next="`hlomm explain` and `hlomm status` say more"),
    Rule(code="strategy_stopped", level=WARNING, find=_strategies, known=_trading, seldom=24, over="it runs again",
         next="`hlomm unpause` it, or restart when it is mended"),
    Rule(code="alerts_undelivered", level=WARNING, find=_services, hold_s=60, over="its messages get through again",
         next="mend its URL or the service; `hlomm alerts --test` tries them all"),
)  # fmt: skip

COVERED: Final = frozenset({"danger", "guardian_down", "guardian_up", "session_lost", "fuse_tripped", "strategy_fault"})
"""Alerts of the daemon that a rule tells, for as long as it is so: they are not sent besides."""


def look(world: World) -> list[tuple[Rule, list[Found]]]:
    """What each rule finds, of those that can tell."""
    return [(rule, list(rule.find(world))) for rule in RULES if rule.known(world)]
