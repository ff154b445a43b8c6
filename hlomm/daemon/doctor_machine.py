"""What `hlomm doctor` says of the machine: Python and libraries, disk, clock, and the port of `hlomm metrics`."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import socket
import sqlite3
import statistics
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from hlomm import __version__
from hlomm.daemon.journal_files import Found, segments
from hlomm.daemon.processors import Processors
from hlomm.domain.checkup import Check, Code, fail, ok, warn
from hlomm.domain.faults import ConfigError
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.settings.load import packaged_config
from hlomm.settings.paths import StatePaths

LOW_DISK: Final = 1 << 30
NO_DISK: Final = 100 << 20
"""A night of journal is about this much; below it a run would soon halt."""
FSYNC_ROUNDS: Final = 5
FSYNC_BYTES: Final = 4_096
SLOW_FSYNC_MS: Final = 250.0
"""Half of the period at which the journal is committed: slower than this, commits wait for one another."""
STEP_S: Final = 1.0
"""Wall clock against monotonic clock within one run: more than this is a step, not drift."""
METRICS_PORT: Final = 9109
LOOPBACK: Final = "127.0.0.1"
PROBE_S: Final = 1.0
PROBE_BYTES: Final = 65_536
SHOWN: Final = 5
PACKAGE: Final = "hlomm"


# -- the program


def versions() -> Iterator[Check]:
    """Python and the libraries that a run needs, against what this version demands and what it was tested with."""
    demanded, python = _demanded()
    here = f"hlomm {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    if not python.contains(platform.python_version(), prereleases=True):
        text = f"{here}: it needs Python {python}"
        yield fail("versions", Code.PYTHON_UNSUPPORTED, text, "make the environment anew with such a Python")
    found = {one.name: _installed(one.name) for one in demanded}
    missing = [one.name for one in demanded if found[one.name] is None]
    off = [
        f"{one.name} {found[one.name]}, not {one.specifier}"
        for one in demanded
        if found[one.name] is not None and not one.specifier.contains(found[one.name] or "", prereleases=True)
    ]
    install = "pip install -c config/constraints.txt . (or as the runbook says), then look again"
    if missing:
        yield fail("libraries", Code.LIBRARY_MISSING, f"not installed: {', '.join(missing)}", install)
    if off:
        yield fail("libraries", Code.LIBRARY_OFF, f"this version cannot run with: {'; '.join(off[:SHOWN])}", install)
    if missing or off:
        return
    tested = _tested()
    others = [
        f"{name} {version} (tested: {tested[canonicalize_name(name)]})"
        for name, version in found.items()
        if tested.get(canonicalize_name(name), version) != version
    ]
    if others:
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        text = f"{len(found)} libraries, of which others than those tested: {', '.join(others[:SHOWN])}{more}"
        yield warn("libraries", Code.LIBRARY_UNTESTED, text, install)
    else:
        yield ok("libraries", f"{len(found)} libraries, each as tested")
    yield ok("versions", here)


def _demanded() -> tuple[list[Requirement], SpecifierSet]:
    """What the installed package demands; of a checkout that is not installed, its project file."""
    try:
        about = metadata.metadata(PACKAGE)
        lines, python = metadata.requires(PACKAGE) or [], about["Requires-Python"]
    except metadata.PackageNotFoundError:
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        lines, python = project["dependencies"], project["requires-python"]
    demanded = [Requirement(line) for line in lines]
    needed = [one for one in demanded if one.marker is None or one.marker.evaluate({"extra": ""})]
    return needed, SpecifierSet(python)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _tested() -> dict[str, str]:
    """Exact versions that CI runs with."""
    lines = (packaged_config() / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = (Requirement(line) for line in lines if line.strip() and not line.startswith("#"))
    return {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for pin in pins
        if pin.marker is None or pin.marker.evaluate()
    }


def processors(wanted: Sequence[int]) -> Check:
    """Whether the event loop can be pinned as configured."""
    try:
        found = Processors.of(wanted)
    except ConfigError as error:
        return fail("processors", Code.CPUS_ABSENT, str(error), "name others, or none: `hlomm run` refuses before")
    return ok("processors", f"{os.cpu_count()} in this machine; {found}")


# -- the disk


def disk(paths: StatePaths) -> Iterator[Check]:
    """Room, and whether and how fast it can be written."""
    root = next(path for path in (paths.root, *paths.root.parents) if path.is_dir())
    free = shutil.disk_usage(root).free
    text = f"{free / (1 << 30):.1f} GiB free at {root}"
    if free < NO_DISK:
        yield fail("disk", Code.DISK_FULL, text, "make room: a journal that cannot be written halts trading")
    elif free < LOW_DISK:
        yield warn("disk", Code.DISK_LOW, text, "make room soon")
    else:
        yield ok("disk", text)
    yield _writing(root)


def _writing(root: Path) -> Check:
    try:
        took_ms = statistics.median(_fsyncs_ms(root))
    except OSError as error:
        text = f"{root} cannot be written: {error.strerror or error}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return fail("fsync", Code.DISK_FULL, text, "make room: a journal that cannot be written halts trading")
        remedy = "remount it for writing (mount -o remount,rw), or choose another with --state-dir"
        return fail("fsync", Code.DISK_READ_ONLY, text, remedy)
    text = f"{FSYNC_BYTES} bytes are on disk after {took_ms:.1f} ms (median of {FSYNC_ROUNDS})"
    if took_ms > SLOW_FSYNC_MS:
        return warn("fsync", Code.DISK_SLOW, text, "put the state directory on a faster disk, or end what else writes")
    return ok("fsync", text)


def _fsyncs_ms(root: Path) -> list[float]:
    """A few small writes to a file without a name, each waited for. OSError if the directory takes none."""
    took = []
    with tempfile.TemporaryFile(dir=root, buffering=0) as file:
        for _ in range(FSYNC_ROUNDS):
            began = time.perf_counter()
            file.write(bytes(FSYNC_BYTES))
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1e3)
    return took


# -- the clock


def clock(paths: StatePaths, found: Found) -> Check:
    """Wall against monotonic clock within the newest run, and against the files it left."""
    if found.first is not None and found.last is not None:
        wall_ns = found.last.wall_ns - found.first.wall_ns
        step_s = (wall_ns - (found.last.mono_ns - found.first.mono_ns)) / NS_PER_S
        if abs(step_s) > STEP_S:
            text = f"the wall clock was stepped by {step_s:+.1f} s during the newest run"
            return warn("clock", Code.CLOCK_STEPPED, text, "let chrony or ntpd slew it")
    newest = max((path.stat().st_mtime_ns for _, path in segments(paths.journal) if path.exists()), default=0)
    ahead_s = (newest - time.time_ns()) / NS_PER_S
    remedy = "set the clock: it was put back"
    if ahead_s > STEP_S:
        return warn("clock", Code.CLOCK_PUT_BACK, f"the journal is {ahead_s:.0f} s younger than now", remedy)
    if found.run > time.time_ns() // NS_PER_MS + 1000 * STEP_S:
        return warn("clock", Code.CLOCK_PUT_BACK, "the newest run is numbered later than now", remedy)
    return ok("clock", "wall and monotonic clock agree")


# -- the port


def metrics_port(port: int) -> Check:
    """Whether `hlomm metrics` could serve there, or does; nothing is bound, so nobody is in anybody's way."""
    where = f"{LOOPBACK}:{port}"
    try:
        answer = _health(port)
    except ConnectionRefusedError:
        return ok("metrics port", f"{where} is free for `hlomm metrics`")
    except OSError as error:
        answer = b""
        said = error.strerror or str(error)
    else:
        said = "it is no `hlomm metrics`"
    if b'"health"' in answer and _is_health(answer):
        return ok("metrics port", f"`hlomm metrics` serves at {where}")
    text = f"{where} is taken by another program ({said})"
    return fail("metrics port", Code.PORT_IN_USE, text, f"end it (ss -ltnp 'sport = {port}'), or --port for both")


def _health(port: int) -> bytes:
    answer = bytearray()
    with socket.create_connection((LOOPBACK, port), PROBE_S) as probe:
        probe.sendall(f"GET /health HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n".encode())
        while len(answer) < PROBE_BYTES and (data := probe.recv(PROBE_BYTES)):
            answer += data
    return bytes(answer)


def _is_health(answer: bytes) -> bool:
    body = answer.partition(b"\r\n\r\n")[2]
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return False
    return isinstance(document, dict) and {"health", "reasons"} <= document.keys()
