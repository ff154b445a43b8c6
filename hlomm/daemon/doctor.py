"""What `hlomm doctor` looks at: configuration, state directory, daemon and guardian; the rest is in files beside.

Nothing here changes anything, and all of it may run while a daemon trades.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from hlomm.domain.checkup import Check, Code, fail, ok, warn
from hlomm.domain.faults import ConfigError
from hlomm.domain.ticker import utc_day
from hlomm.domain.times import NS_PER_MS, utc_clock
from hlomm.link.guardian import Phase, Told
from hlomm.rundir import halt_file, owned_file
from hlomm.rundir.lock import holder
from hlomm.settings.load import SHIPPED, Layer, default_limits, leaves, load
from hlomm.settings.paths import StatePaths

CONNECT_S: Final = 1.0


def configuration(profile: str, files: Sequence[Path], sets: Sequence[str], beneath: Layer | None) -> Iterator[Check]:
    """Whether it loads over what lies `beneath` (see `load`), where its values are from, and whose the limits are."""
    try:
        loaded = load(profile, files, sets, beneath=beneath)
    except ConfigError as error:
        remedy = "mend it; `hlomm config check` lists every mistake"
        yield fail("configuration", Code.CONFIG_INVALID, str(error), remedy)
        return
    told = Counter(loaded.origins[key] for key, _ in leaves(loaded.tree, ""))
    shipped = sum(count for origin, count in told.items() if origin in SHIPPED)
    own = ", ".join(f"{count} from {origin}" for origin, count in told.items() if origin not in SHIPPED)
    yield ok(
        "configuration", f"profile {profile} loads without a mistake: {shipped} values as shipped{own and ', '}{own}"
    )
    unset = default_limits(loaded)
    if unset:
        text = f"profile {profile} trades for real, and these are merely the defaults: {', '.join(unset)}"
        remedy = "write your own [limits] into a --config file: `hlomm run` refuses before"
        yield fail("limits", Code.LIMITS_DEFAULT, text, remedy)


def directory(paths: StatePaths) -> Iterator[Check]:
    """The state directory; one line per thing that is wrong with it."""
    if not paths.root.is_symlink() and not paths.root.exists():
        yield ok("state directory", f"{paths.root} is not there yet: `hlomm run` makes it")
        return
    if paths.root.exists() and not paths.root.is_dir():
        text = f"{paths.root} is a file, and should be a directory"
        yield fail("state directory", Code.STATE_UNUSABLE, text, "move it away, or choose another with --state-dir")
        return
    try:
        exposed = list(paths.exposed())
    except OSError as error:
        yield fail(
            "state directory",
            Code.STATE_UNUSABLE,
            f"{paths.root}: {error.strerror or error}",
            "give this user access to it",
        )
        return
    for wrong in exposed:
        text, _, fix = wrong.rpartition(": ")
        yield fail("state directory", Code.STATE_EXPOSED, text, fix)
    if not exposed:
        yield ok("state directory", f"{paths.root} is private to this user")


# -- is a daemon running?


def running(paths: StatePaths) -> int | None:
    """Pid of the daemon that holds the directory's lock, None if nobody does."""
    return holder(paths.lock)


def daemon(paths: StatePaths, pid: int | None) -> Check:
    answers = _answers(paths.socket)
    if pid is None:
        if paths.socket.exists():
            return warn(
                "daemon",
                Code.SOCKET_LEFT,
                "none is running; a crash left its socket behind",
                "nothing: the next run replaces it",
            )
        return ok("daemon", "none is running, no socket is left over")
    if not answers:
        return fail(
            "daemon", Code.DAEMON_SILENT, f"pid {pid} holds the lock, but nobody answers at {paths.socket}",
            f"hlomm kill reaches the guardian; is pid {pid} starting, hung or stopped?",
        )  # fmt: skip
    return ok("daemon", f"pid {pid} is running and its socket answers")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_S)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def guardian(paths: StatePaths, pid: int | None, told: Told | str, *, wanted: bool) -> Check:
    """Health of the second process; `told` is its own answer, or why there is none. `wanted`: as configured."""
    place = holder(paths.guardian_lock)
    if isinstance(told, Told):
        if told.phase in (Phase.WAITING, Phase.WATCHING) and pid is not None:
            age = "" if told.beat_age_s is None else f", last heard of {told.beat_age_s:.1f} s ago"
            return ok("guardian", f"it watches pid {told.daemon_pid}{age}")
        if told.phase in (Phase.DONE, Phase.STOOD_DOWN) and pid is None:
            return ok("guardian", f"its watch is over ({told.phase}): it leaves by itself")
        text = f"{told.phase}: {told.reason or 'the daemon is late'}"
        remedy = f"wait for it, read {paths.guardian_log}, look at the account with the venue"
        return warn("guardian", Code.GUARDIAN_ACTING, text, remedy)
    if place is not None:
        text = f"pid {place} is there and does not answer ({told})"
        remedy = f"it is stopped or hung: kill -CONT {place}, else kill -KILL {place}: the daemon starts another"
        return fail("guardian", Code.GUARDIAN_STOPPED, text, remedy)
    if not wanted:
        text = "guardian.enabled is false: nobody acts if the daemon is killed or hangs"
        return warn("guardian", Code.GUARDIAN_OFF, text, "remove that setting, above all where money is real")
    if pid is None:
        return ok("guardian", "none is running: it comes with the daemon")
    text = f"pid {pid} trades without one: nothing is quoted, and nobody acts if it dies"
    return fail("guardian", Code.GUARDIAN_DOWN, text, f"read {paths.guardian_errors}; if it does not return, restart")


def halt(paths: StatePaths, pid: int | None) -> Iterator[Check]:
    """The halt that survives restarts, and whether the last run said goodbye."""
    try:
        note = halt_file.read(paths.halt)
    except ConfigError as error:
        yield fail("halt", Code.HALT_UNREADABLE, str(error), f"read it, then rm {paths.halt} if quoting may go on")
    else:
        if note is None:
            yield ok("halt", "no halt is kept: the next run quotes")
        else:
            since_ns = note.since_ms * NS_PER_MS
            text = f"HALTED since {utc_day(since_ns)} {utc_clock(since_ns)}Z: {note.reason}"
            yield warn("halt", Code.HALTED, text, "look into the reason, then `hlomm resume` while a daemon runs")
    owned = owned_file.read(paths.owned)
    if owned is not None and pid is None:
        yield warn(
            "last run", Code.UNCLEAN_END,
            f"the run of pid {owned.pid} ended without goodbye: orders or tokens may be unattended",
            "start `hlomm run`, or look at the account with the venue",
        )  # fmt: skip
