"""The hot path with and without clients of the metrics and pages, in turns, so that the machine's moods meet both."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import msgspec
import trio

from hlomm.bench import hotpath
from hlomm.bench.desk import Desk, trading
from hlomm.bench.machine import about
from hlomm.bench.peer import Peer, loopback
from hlomm.bench.probes import Probes
from hlomm.bench.quiet import load_before
from hlomm.domain.faults import VenueUnavailable

Json = dict[str, Any]

SIDES: Final = ("alone", "watched")
FIGURES: Final = ("p50", "p90", "p99")
CPU: Final = "cpu_us_per_frame"
_READY_S: Final = 30.0
_STOP_S: Final = 15.0


@attrs.frozen(kw_only=True)
class Plan:
    seconds: float = 10.0
    """Of a stretch."""
    rounds: int = 6
    """Pairs of stretches, one of each side; the order alternates."""
    rate: float = hotpath.SHOWN_RATE
    clients: int = 50
    every_s: float = 5.0
    """How often each client asks. Prometheus' own default is once a minute."""


def run(plan: Plan) -> Json:
    """The document of `hlomm bench watched`."""
    return trio.run(measure, plan, strict_exception_groups=True)


async def measure(plan: Plan) -> Json:
    early, probes = load_before(), Probes()
    stretches: dict[str, list[Json]] = {side: [] for side in SIDES}
    async with loopback() as peer, trading(peer, probes, "direct") as desk, _metrics(desk) as (server, port):
        await hotpath.stretch(desk, peer, probes, plan.rate, hotpath.WARM_FRAMES)
        for number in range(plan.rounds):
            for side in SIDES if number % 2 == 0 else SIDES[::-1]:
                found = await _stretch(plan, desk, peer, probes, server, port if side == "watched" else None)
                stretches[side].append(found)
    return _document(plan, stretches, early)


async def _stretch(plan: Plan, desk: Desk, peer: Peer, probes: Probes, server: int, port: int | None) -> Json:
    """With a crowd where there is a port."""
    frames = max(round(plan.rate * plan.seconds), hotpath.LEAST_FRAMES)
    if port is None:
        return await hotpath.stretch(desk, peer, probes, plan.rate, frames, (server,)) | {"asked": {}}
    arguments = [str(port), str(plan.clients), str(plan.every_s)]
    async with _helper("-m", "hlomm.bench.crowd", *arguments) as crowd:
        found = await hotpath.stretch(desk, peer, probes, plan.rate, frames, (server, crowd.pid))
        assert crowd.stdin is not None
        await crowd.stdin.aclose()
        return found | {"asked": await _said(crowd, "the clients")}


def _document(plan: Plan, stretches: dict[str, list[Json]], early: list[str]) -> Json:
    """Of durations medians over the stretches of a side, and ratios of those that stood beside one another.

    Of processor time it is the least of a side: others only ever add to it.
    """
    pairs = list(zip(*(stretches[side] for side in SIDES), strict=True))
    ratios = {name: [round(two["total"][name] / one["total"][name], 3) for one, two in pairs] for name in FIGURES}
    sides = {side: _side(found) for side, found in stretches.items()}
    alone, watched = (sides[side][CPU] for side in SIDES)
    asked = [one["asked"] for one in stretches["watched"]]
    every = [one for found in stretches.values() for one in found]
    return {
        "bench": "watched", **attrs.asdict(plan), "sides": sides, "ratios": ratios,
        "ratio": {name: round(statistics.median(found), 3) for name, found in ratios.items()}
        | {CPU: round(watched / alone, 3)},
        "asked": {name: sum(one[name] for one in asked) for name in ("answered", "failed", "bytes")},
        "frames": sum(one["frames"] for one in every),
        "disturbed": early + sorted({why for one in every for why in one["disturbed"]}),
        **about(),
    }  # fmt: skip


def _side(found: list[Json]) -> Json:
    figures = {name: statistics.median(one["total"][name] for one in found) for name in FIGURES}
    return figures | {CPU: min(one[CPU] for one in found)}


@asynccontextmanager
async def _metrics(desk: Desk) -> AsyncIterator[tuple[int, int]]:
    """`hlomm metrics` beside the daemon, as anybody would run it: (process, port)."""
    command = ("-m", "hlomm.cli.main", "metrics", "--socket", str(desk.paths.socket), "--port", "0", "--json")
    async with _helper(*command) as process:
        url: str = (await _said(process, "hlomm metrics"))["url"]
        yield process.pid, int(url.rsplit(":", 1)[1])


@asynccontextmanager
async def _helper(*arguments: str) -> AsyncIterator[trio.Process]:
    """A Python process that ends with the block."""
    process = await trio.lowlevel.open_process(
        [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        with trio.move_on_after(_STOP_S, shield=True) as patience:
            process.terminate()
            await process.wait()
        if patience.cancelled_caught:
            process.kill()


async def _said(process: trio.Process, who: str) -> Json:
    """Its next line. VenueUnavailable if it ends or says nothing."""
    assert process.stdout is not None
    line = b""
    with trio.move_on_after(_READY_S):
        while not line.endswith(b"\n"):
            data = await process.stdout.receive_some(65_536)
            if not data:
                break
            line += data
        else:
            document: Json = msgspec.json.decode(line)
            return document
    raise VenueUnavailable(f"{who} did not answer")
