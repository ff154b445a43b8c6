"""What `hlomm doctor` looks at: configuration, state directory, daemon, disk, clock; the records are in a file beside.

Nothing here changes anything, and all of it may run while a daemon trades.
"""

from __future__ import annotations

import platform
import shutil
import socket
import sqlite3
import time
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

import attrs

from hlomm import __version__
from hlomm.daemon.journal_files import Found, segments
from hlomm.domain.faults import ConfigError
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.rundir import halt_file, owned_file
from hlomm.settings.load import load
from hlomm.settings.paths import StatePaths

CONNECT_S: Final = 1.0
LOW_DISK: Final = 1 << 30
NO_DISK: Final = 100 << 20
"""A night of journal is about this much; below it a run would soon halt."""
STEP_S: Final = 1.0
"""Wall clock against monotonic clock within one run: more than this is a step, not drift."""


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@attrs.frozen
class Check:
    name: str
    status: Status
    text: str
    next: str = ""
    """What to do about it; empty where nothing needs doing."""


def ok(name: str, text: str) -> Check:
    return Check(name, Status.OK, text)


def warn(name: str, text: str, next_step: str) -> Check:
    return Check(name, Status.WARN, text, next_step)


def fail(name: str, text: str, next_step: str) -> Check:
    return Check(name, Status.FAIL, text, next_step)


def versions() -> Check:
    return ok("versions", f"hlomm {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")


def configuration(profile: str, files: Sequence[Path], sets: Sequence[str]) -> Check:
    try:
        load(profile, files, sets)
    except ConfigError as error:
        return fail("configuration", str(error), "mend it; `hlomm config check` lists every mistake")
    return ok("configuration", f"profile {profile} loads without a mistake")


def directory(paths: StatePaths) -> Iterator[Check]:
    """The state directory; one line per thing that is wrong with it."""
    if not paths.root.is_symlink() and not paths.root.exists():
        yield ok("state directory", f"{paths.root} is not there yet: `hlomm run` makes it")
        return
    try:
        exposed = list(paths.exposed())
    except OSError as error:
        yield fail("state directory", f"{paths.root}: {error.strerror or error}", "give this user access to it")
        return
    for wrong in exposed:
        text, _, fix = wrong.rpartition(": ")
        yield fail("state directory", text, fix)
    if not exposed:
        yield ok("state directory", f"{paths.root} is private to this user")


# -- is a daemon running?


def running(paths: StatePaths) -> int | None:
    """Pid of the daemon that holds the directory's lock, None if nobody does; looked up without touching the lock."""
    try:
        inode = paths.lock.stat().st_ino
        table = Path("/proc/locks").read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    for line in table.splitlines():
        fields = line.split()
        if "FLOCK" in fields and fields[5].rpartition(":")[2] == str(inode):
            return int(fields[4])
    return None


def daemon(paths: StatePaths, pid: int | None) -> Check:
    answers = _answers(paths.socket)
    if pid is None:
        if paths.socket.exists():
            return warn(
                "daemon", "none is running; a crash left its socket behind", "nothing: the next run replaces it"
            )
        return ok("daemon", "none is running, no socket is left over")
    if not answers:
        return fail(
            "daemon", f"pid {pid} holds the lock, but nobody answers at {paths.socket}",
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


def halt(paths: StatePaths, pid: int | None) -> Iterator[Check]:
    """The halt that survives restarts, and whether the last run said goodbye."""
    try:
        note = halt_file.read(paths.halt)
    except ConfigError as error:
        yield fail("halt", str(error), f"read it, then rm {paths.halt} if quoting may go on")
    else:
        if note is None:
            yield ok("halt", "no halt is kept: the next run quotes")
        else:
            since = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(note.since_ms / 1000))
            text = f"HALTED since {since}: {note.reason}"
            yield warn("halt", text, "look into the reason, then `hlomm resume` while a daemon runs")
    owned = owned_file.read(paths.owned)
    if owned is not None and pid is None:
        yield warn(
            "last run", f"the run of pid {owned.pid} ended without goodbye: orders or tokens may be unattended",
            "start `hlomm run`, or look at the account with the venue",
        )  # fmt: skip


# -- the machine


def disk(paths: StatePaths) -> Check:
    root = next(path for path in (paths.root, *paths.root.parents) if path.exists())
    free = shutil.disk_usage(root).free
    text = f"{free / (1 << 30):.1f} GiB free at {root}"
    if free < NO_DISK:
        return fail("disk", text, "make room: a journal that cannot be written halts trading")
    return warn("disk", text, "make room soon") if free < LOW_DISK else ok("disk", text)


def clock(paths: StatePaths, found: Found) -> Check:
    """Wall against monotonic clock within the newest run, and against the files it left."""
    if found.first is not None and found.last is not None:
        wall_ns = found.last.wall_ns - found.first.wall_ns
        step_s = (wall_ns - (found.last.mono_ns - found.first.mono_ns)) / NS_PER_S
        if abs(step_s) > STEP_S:
            text = f"the wall clock was stepped by {step_s:+.1f} s during the newest run"
            return warn("clock", text, "let chrony or ntpd slew it")
    newest = max((path.stat().st_mtime_ns for _, path in segments(paths.journal) if path.exists()), default=0)
    ahead_s = (newest - time.time_ns()) / NS_PER_S
    if ahead_s > STEP_S:
        return warn("clock", f"the journal is {ahead_s:.0f} s younger than now", "set the clock: it was put back")
    if found.run > time.time_ns() // NS_PER_MS + 1000 * STEP_S:
        return warn("clock", "the newest run is numbered later than now", "set the clock: it was put back")
    return ok("clock", "wall and monotonic clock agree")
