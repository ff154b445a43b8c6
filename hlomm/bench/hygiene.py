"""What each measure of process hygiene buys: the whole daemon with one of them taken away at a time, or added.

Every run is a daemon in a process of its own, so that none inherits another's heap. A round begins with the full set
and ends with the full set again: what those two differ by is what this machine cannot tell apart. Where a measure has
no setting it is taken away by a patch that exists in this process alone; a daemon that trades cannot be told to.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import attrs
import trio

from hlomm.bench import desk, hotpath
from hlomm.bench.machine import about
from hlomm.bench.probes import wrapped
from hlomm.bench.quiet import load_before
from hlomm.daemon import collector, logs, pump
from hlomm.daemon.journal_writer import JournalWriter
from hlomm.domain.faults import UsageError, VenueUnavailable
from hlomm.venues import websocket_direct
from hlomm.venues.socket_stream import SocketStream

Json = dict[str, Any]

FULL: Final = "full set"
AGAIN: Final = "full set again"
FIGURES: Final = ("p50", "p99", "p999")
CPU: Final = "cpu_us_per_frame"
_GRACE_S: Final = 120.0
"""For a start, a flood of answers and a stop."""


# -- what has no setting


@contextmanager
def _never_frozen() -> Iterator[None]:
    with wrapped(gc, "freeze", lambda _original, _name: lambda: None):
        yield


@contextmanager
def _often() -> Iterator[None]:
    with wrapped(collector, "THRESHOLDS", lambda *_: gc.get_threshold()):  # type: ignore[arg-type]
        yield


@contextmanager
def _nagle() -> Iterator[None]:
    """Small segments wait for what was sent before them to be acknowledged."""

    def held(original: Callable[..., Any], _name: str) -> Callable[..., Any]:
        async def connect(*where: Any) -> SocketStream:
            stream: SocketStream = await original(*where)
            stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
            return stream

        return connect

    with wrapped(desk, "open_stream", held):
        yield


@contextmanager
def _nothing_joined() -> Iterator[None]:
    with wrapped(pump, "_JOINED", lambda *_: frozenset()):  # type: ignore[arg-type]
        yield


@contextmanager
def _queued() -> Iterator[None]:
    with wrapped(websocket_direct.Socket, "send_now", lambda *_: lambda *_of: False):
        yield


@contextmanager
def _synced_by_the_loop() -> Iterator[None]:
    async def sync(writer: JournalWriter) -> None:
        await trio.lowlevel.checkpoint()
        os.fsync(writer._fd)  # noqa: SLF001 - as the writer would

    with wrapped(JournalWriter, "sync", lambda *_: sync):
        yield


@contextmanager
def _talkative() -> Iterator[None]:
    """Every line is made and written, to nowhere: standard error of a run is thrown away."""
    logs.configure("debug")
    logging.basicConfig(level=logging.DEBUG)
    websocket_direct._QUIET.setLevel(logging.DEBUG)  # noqa: SLF001 - what is taken away
    yield


# -- the measures


@attrs.frozen(kw_only=True)
class Measure:
    what: str
    sets: tuple[str, ...] = ()
    without: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
    added: bool = False
    """Off as shipped: it is added, not taken away."""
    talks: bool = False
    """More than anybody wants to read."""


MEASURES: Final = {
    "collector": Measure(what="garbage collected whenever the interpreter likes", sets=('daemon.collector="python"',)),
    "freeze": Measure(what="what the start left is looked at every time", without=_never_frozen),
    "thresholds": Measure(what="the interpreter's own counts, beside collecting in gaps", without=_often),
    "TCP_NODELAY": Measure(what="the kernel holds small segments back", without=_nagle),
    "sent at once": Measure(what="orders are queued for a writer task", without=_queued),
    "joined": Measure(what="a decision for every frame and answer, also of one piece", without=_nothing_joined),
    "fsync in a thread": Measure(what="the event loop waits for the disk", without=_synced_by_the_loop),
    "quiet logs": Measure(
        what='daemon.log = "debug", and the websocket library tells every frame', without=_talkative, talks=True
    ),
    "pinned": Measure(what="the event loop runs where the scheduler puts it", sets=("daemon.cpus=[]",)),
    "rehearsal": Measure(what="daemon.rehearse_s = 0.01", sets=("daemon.rehearse_s=0.01",), added=True),
}  # fmt: skip
"""What stands behind a name is how it is without it, or with it if it is added."""
_NONE: Final = Measure(what="the full set")


@attrs.frozen(kw_only=True)
class Plan:
    seconds: float = 10.0
    """At each rate."""
    rates: tuple[float, ...] = (20.0, 200.0)
    rounds: int = 3
    """Every run once in each."""
    only: tuple[str, ...] = ()
    """Of the measures; none: all."""

    def __attrs_post_init__(self) -> None:
        odd = sorted(set(self.only) - set(MEASURES))
        if odd:
            raise UsageError(f"no such measure: {', '.join(odd)}; there are: {', '.join(MEASURES)}")
        if not self.rates:
            raise UsageError("nothing to measure: no rate")


def run(plan: Plan) -> Json:
    """The document of `hlomm bench hygiene`."""
    early, names = load_before(), [name for name in MEASURES if name in plan.only or not plan.only]
    rounds = [{name: _apart(name, plan) for name in _order(names, number)} for number in range(plan.rounds)]
    reasons = sorted({f"{name}: {why}" for one in rounds for name, found in one.items() for why in found["disturbed"]})
    rates = [f"{rate:g}" for rate in plan.rates]
    return {
        "bench": "hygiene", "seconds": plan.seconds, "rounds": plan.rounds,
        "full": {rate: _least([one[FULL]["rates"][rate] for one in rounds]) for rate in rates},
        "again": _over(rounds, AGAIN, rates),
        "measures": {
            name: {"what": MEASURES[name].what, "added": MEASURES[name].added, "ratio": _over(rounds, name, rates)}
            for name in names
        },
        "disturbed": early + reasons, **about(),
    }  # fmt: skip


def _order(names: Sequence[str], number: int) -> tuple[str, ...]:
    """Of a round: each begins with another measure, so that none always has the same neighbours."""
    first = number % len(names)
    return (FULL, *names[first:], *names[:first], AGAIN)


def _over(rounds: Sequence[Json], name: str, rates: Sequence[str]) -> Json:
    """By rate, what `name` took as a multiple of the full set."""
    ratios = {}
    for rate in rates:
        one, full = (_least([found[which]["rates"][rate] for found in rounds]) for which in (name, FULL))
        ratios[rate] = {figure: round(one[figure] / full[figure], 3) for figure in (*FIGURES, CPU)}
    return ratios


def _least(found: Sequence[Json]) -> Json:
    """Of all rounds: others who use the machine only ever add."""
    figures = {name: min(one["total"][name] for one in found) for name in FIGURES}
    return figures | {CPU: min(one[CPU] for one in found), "count": sum(one["total"]["count"] for one in found)}


def _apart(name: str, plan: Plan) -> Json:
    """One daemon in a process of its own."""
    rates, measure = [f"{rate:g}" for rate in plan.rates], MEASURES.get(name, _NONE)
    done = subprocess.run(  # noqa: S603 - this program
        [sys.executable, "-m", "hlomm.bench.hygiene", name, f"{plan.seconds}", *rates],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL if measure.talks else subprocess.PIPE, text=True,
        timeout=plan.seconds * len(rates) + _GRACE_S, check=False,
    )  # fmt: skip
    if done.returncode:
        raise VenueUnavailable(f"a run ({name}) ended with {done.returncode}: {(done.stderr or '')[-500:]}")
    document: Json = json.loads(done.stdout)
    return document


def main(arguments: Sequence[str]) -> None:
    """NAME SECONDS RATE…: a run, to its document on standard output."""
    name, seconds, *rates = arguments
    measure = MEASURES.get(name, _NONE)
    logs.configure("warning")
    with measure.without():
        plan = hotpath.Plan(seconds=float(seconds), rates=tuple(map(float, rates)), flood=0, sets=measure.sets)
        document = hotpath.run(plan)
    sys.stdout.write(json.dumps(document))


if __name__ == "__main__":
    main(sys.argv[1:])
