"""From a frame on the socket to a signed order with the kernel, in the whole daemon, stage by stage."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import attrs
import trio

from hlomm.bench import apart
from hlomm.bench.desk import Desk, trading
from hlomm.bench.machine import about, memory_mb
from hlomm.bench.peer import Peer, loopback
from hlomm.bench.probes import STEPS, Phase, Probes, cost_us
from hlomm.bench.quiet import Watch, load_before
from hlomm.bench.serve import spread
from hlomm.daemon.histogram import Histogram
from hlomm.domain.faults import UsageError
from hlomm.domain.latency_rows import Stage

Json = dict[str, Any]

BUDGET_US: Final[dict[str, float]] = {
    "parse_book": 30, "quote": 5, "risk": 3, "encode_sign": 50, "send": 200, "total": 300,
}  # fmt: skip
"""The Rust bot's, from the founding notes; `parse_book` is what `read`, `parse` and `book` take together."""
SHOWN_RATE: Final = 200.0
"""Whose stages are those of the document."""
RATES: Final = (20.0, 200.0, 1000.0)
FLOOD: Final = 0.0
WARM_FRAMES: Final = 400
LEAST_FRAMES: Final = 20
AGREED: Final = ("p50", "p99")
_CATCH_UP_S: Final = 60.0
_NAP_S: Final = 0.02


@attrs.frozen(kw_only=True)
class Plan:
    seconds: float = 20.0
    """At each rate."""
    rates: tuple[float, ...] = RATES
    flood: int = 20_000
    """Frames sent as fast as they are taken; 0: none."""
    markets: int = 1
    transport: str = "direct"
    sets: tuple[str, ...] = ()
    """Settings beside those that a measurement needs."""

    def __attrs_post_init__(self) -> None:
        if not self.rates and not self.flood:
            raise UsageError("nothing to measure: neither a rate nor a flood")


def run(plan: Plan) -> Json:
    """The document of `hlomm bench hotpath`."""
    return trio.run(measure, plan, strict_exception_groups=True)


async def measure(plan: Plan) -> Json:
    early, probes = load_before(), Probes()
    rates: Json = {}
    async with loopback(plan.markets) as peer:
        async with trading(peer, probes, plan.transport, plan.sets, plan.markets) as desk:
            await stretch(desk, peer, probes, SHOWN_RATE, WARM_FRAMES)
            for rate in (*plan.rates, *((FLOOD,) if plan.flood else ())):
                frames = max(round(rate * plan.seconds), LEAST_FRAMES) if rate else plan.flood
                rates[f"{rate:g}" if rate else "flood"] = await stretch(desk, peer, probes, rate, frames)
            daemon, rehearsal = _daemon(desk), desk.daemon.rehearsal
        signatures = await peer.verify()
    rehearsed = 0 if rehearsal is None else rehearsal.plays
    return _document(plan, rates, early, daemon, signatures) | {"rehearsed": rehearsed}


def _document(plan: Plan, rates: Json, early: list[str], daemon: Json, signatures: Json) -> Json:
    shown = rates.get(f"{SHOWN_RATE:g}") or next(iter(rates.values()))
    disturbed = early + sorted({f"{name}: {why}" for name, one in rates.items() for why in one["disturbed"]})
    return {
        "bench": "hotpath", "stages": shown["stages"], "total": shown["total"], "rates": rates,
        "frames": sum(one["frames"] for one in rates.values()), "transport": plan.transport, "markets": plan.markets,
        "processors": {"daemon": apart.OURS, "venue": apart.THEIRS},
        "budget_us": BUDGET_US, "daemon": daemon, "signatures": signatures,
        "probe_us": round(cost_us(), 3), "disturbed": disturbed, **about(),
    }  # fmt: skip


async def stretch(
    desk: Desk, peer: Peer, probes: Probes, rate: float, frames: int, helpers: tuple[int, ...] = ()
) -> Json:
    """So many frames at a rate (0: flood), until the last of them was handled; what was seen.

    `helpers`: processes that are part of the measurement, beside the venue.
    """
    await desk.settled()
    phase = probes.phase = Phase()
    loop, journal = Histogram(), desk.daemon.journal
    watch, before = Watch((peer.pid, *helpers)), await peer.acted()
    begun_ns, cpu_s, recorded = time.perf_counter_ns(), time.process_time(), (journal.records, journal.bytes)
    held_mb, own = memory_mb(), desk.daemon.pump.stages.taken()
    with _collections() as pauses:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch_loop, loop)
            told = await peer.feed(rate, frames)
            sent = sum(told["sent"].values())
            await desk.until(lambda: phase.handled >= sent, _CATCH_UP_S, f"{sent - phase.handled} frames never came")
            nursery.cancel_scope.cancel(reason="the phase is over")
    cpu_s = time.process_time() - cpu_s
    handled_s = max((phase.last_frame_ns - begun_ns) / 1e9, 1e-9)
    seen = watch.seen()
    await desk.settled()
    own = {stage: found.since(own[stage]) for stage, found in desk.daemon.pump.stages.taken().items()}
    after = await peer.acted()
    acted = {kind: after[kind] - before.get(kind, 0) for kind in after}
    return {
        "frames": sent, "handled": phase.handled, "by_kind": dict(phase.frames), "sent": told["sent"],
        "decisions": phase.turns, "orders": acted.get("orders", 0), "batches": phase.batches,
        "posts": sum(count for kind, count in acted.items() if kind != "orders"),
        "stages": _stages(phase), "total": spread(phase.total), "wire": told["wire_us"],
        "frames_per_s": round(sent / handled_s, 1), "sender_late_us": round(told["late_us"], 1),
        "cpu_us_per_frame": round(cpu_s / sent * 1e6, 2), "loop": spread(loop), "gc": spread(pauses),
        "journal_records": journal.records - recorded[0], "journal_bytes": journal.bytes - recorded[1],
        "memory_mb": {"before": held_mb, "after": memory_mb()}, "queue_peak": desk.daemon.pump.inbox_peak,
        **agreement(phase, own), **seen,
    }  # fmt: skip


def agreement(phase: Phase, own: Mapping[Stage, Histogram]) -> Json:
    """`daemon`: its own histograms of the phase (`hlomm status --latency`); `outside`: the same stages from outside.

    `agree`: how many times as long each figure is by the daemon's own count; and that of its total against `total`,
    which begins when the bytes can be read and ends with the first frame of the orders.
    """
    pairs = {stage.value: (spread(own[stage]), spread(seen)) for stage, seen in phase.outside.items()}
    ratios = {stage: ratio(mine, seen) for stage, (mine, seen) in pairs.items()}
    return {
        "daemon": {stage.value: spread(found) for stage, found in own.items()},
        "outside": {stage: seen for stage, (_, seen) in pairs.items()},
        "agree": ratios | {"readable_to_sent": ratio(spread(own[Stage.TOTAL]), spread(phase.total))},
    }


def ratio(one: Json, other: Json) -> Json:
    """Of p50 and p99; nothing where either has none, or took no time."""
    return {figure: round(one[figure] / other[figure], 3) for figure in AGREED if one.get(figure) and other.get(figure)}


def _stages(phase: Phase) -> Json:
    return {step.value: spread(phase.steps[step]) for step in STEPS} | {"parse_book": spread(phase.parse_book)}


def _daemon(desk: Desk) -> Json:
    """The daemon's own histograms of the whole run (`hlomm status --latency`), to be held against ours."""
    rows = desk.daemon.monitor.snapshot().stages
    return {row.stage: {"count": row.count, "p50": row.p50_us, "p99": row.p99_us} for row in rows}


async def _watch_loop(lateness: Histogram) -> None:
    """How late the event loop wakes a task that has nothing to wait for."""
    while True:
        asleep_ns = time.perf_counter_ns()
        await trio.sleep(_NAP_S)
        lateness.add(time.perf_counter_ns() - asleep_ns - round(_NAP_S * 1e9))


@contextmanager
def _collections() -> Iterator[Histogram]:
    """Pauses of the collector meanwhile."""
    pauses, begun = Histogram(), [0]

    def note(phase: str, info: dict[str, int]) -> None:
        del info
        if phase == "start":
            begun[0] = time.perf_counter_ns()
        else:
            pauses.add(time.perf_counter_ns() - begun[0])

    gc.callbacks.append(note)
    try:
        yield pauses
    finally:
        gc.callbacks.remove(note)
