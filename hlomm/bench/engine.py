"""Book events a second through the real engine in a backtest, and where its time goes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import attrs

from hlomm.bench.machine import about
from hlomm.bench.quiet import Watch, load_before
from hlomm.bench.sampling import looking, rooms, shares
from hlomm.bench.synthetic import recording
from hlomm.domain.inputs import BboUpdate, BookSnapshot
from hlomm.research.backtest import backtest
from hlomm.research.backtest_result import BacktestResult
from hlomm.research.recording import Recording
from hlomm.research.source import recordings
from hlomm.settings.load import load

Json = dict[str, Any]


@attrs.frozen(kw_only=True)
class Plan:
    frames: int = 20_000
    data: Path | None = None
    """A recording or a store to run over instead; its first market that can be."""
    rounds: int = 3
    """The best of them counts: what else ran can only have cost time."""


def run(plan: Plan) -> Json:
    """The document of `hlomm bench engine`."""
    early, tape, watch = load_before(), _tape(plan), Watch()
    books = sum(isinstance(event.item, BookSnapshot | BboUpdate) for event in tape.events)
    timed = [_timed(tape) for _ in range(plan.rounds)]
    took_s, result = min((one for one in timed), key=lambda one: one[0])
    seen = watch.seen()
    with looking() as looks:
        again = _run(tape)
    assert again.digest == result.digest, "two runs over one tape decide the same"
    return {
        "bench": "engine", "events": len(tape.events), "book_events": books, "turns": result.turns,
        "inputs": result.inputs, "orders": result.final.orders_placed + result.final.amends, "fills": len(result.fills),
        "cpu_s": round(took_s, 3), "rounds_cpu_s": [round(one[0], 3) for one in timed],
        "events_per_s": round(len(tape.events) / took_s), "book_events_per_s": round(books / took_s),
        "us_per_event": round(took_s / len(tape.events) * 1e6, 2), "looks": looks.total(),
        "where": shares(looks), "rooms": rooms(looks),
        "digest": f"{result.digest:016x}", **seen, "disturbed": early + seen["disturbed"], **about(),
    }  # fmt: skip


def _tape(plan: Plan) -> Recording:
    return recording(plan.frames) if plan.data is None else recordings(plan.data).recordings[0]


def _timed(tape: Recording) -> tuple[float, BacktestResult]:
    """(seconds of processor time, result)."""
    begun_s = time.process_time()
    result = _run(tape)
    return time.process_time() - begun_s, result


def _run(tape: Recording) -> BacktestResult:
    return backtest(tape, load("sim", environ={}))
