"""This program's side of the contest, in a process of its own: `python -m hlomm.bench.peers.own ORDER`.

ORDER is a JSON document: `contender`, `tape` (the rows, as `numpy.save` writes them), `folder` for a journal, and the
maker. What it found goes to stdout as one JSON document; see `_found`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np

from hlomm import __version__
from hlomm.bench.journal import SEGMENT_BYTES, Notes
from hlomm.bench.peers import maker as rule
from hlomm.bench.peers.plan import Maker
from hlomm.bench.peers.tape import recording
from hlomm.daemon.journal_writer import JournalWriter
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, direction, yes_px
from hlomm.domain.units import SCALE
from hlomm.journal.codec import Record, encode
from hlomm.journal.framing import frame
from hlomm.research.backtest import Terms, backtest
from hlomm.research.recording import Recording
from hlomm.settings.load import Loaded
from hlomm.strategy.base import Strategy

Json = dict[str, Any]

_LEAST_S: Final = 0.3
"""Of processor time, over which a fast contender is run again and again; its best run counts."""
_RUNS_MAX: Final = 50


class _Disk:
    """Where the records of decisions go."""

    def __init__(self, folder: Path) -> None:
        self._writer = JournalWriter(folder, 1, segment_bytes=SEGMENT_BYTES)
        self.bytes = 0

    def take(self, decision: list[Record]) -> None:
        data = b"".join(frame(encode(record)) for record in decision)
        self._writer.append(data, len(decision))
        self.bytes += len(data)

    def close(self) -> None:
        self._writer.close()


def run(order: Json) -> Json:
    """What one contender found."""
    begun_s = time.process_time()
    maker = Maker(**order["maker"])
    tape = recording([tuple(row) for row in np.load(order["tape"]).tolist()])
    load_s = time.process_time() - begun_s
    match order["contender"]:
        case "kernel":
            return _kernel(tape, maker, load_s)
        case "engine_nearest":
            return _engine(tape, load_s, maker, rule.nearest(maker), None)
        case "engine_journal":
            disk = _Disk(Path(order["folder"]))
            found = _engine(tape, load_s, maker, rule.loaded(maker), [rule.Fixed(maker)], Notes(disk.take))
            disk.close()
            return found | {"journal_bytes": disk.bytes}
        case _:
            return _engine(tape, load_s, maker, rule.loaded(maker), [rule.Fixed(maker)])


def _engine(
    tape: Recording, load_s: float, maker: Maker, settings: Loaded, chosen: Sequence[Strategy] | None,
    onlooker: Notes | None = None,
) -> Json:  # fmt: skip
    took, result = _timed(lambda: backtest(tape, settings, _terms(maker), onlooker, chosen=chosen))
    final = result.final
    return _found(tape, took, load_s) | _traded([(one.sign, one.px, one.qty) for one in result.fills]) | {
        "orders": final.orders_placed, "amends": final.amends, "cancels": final.cancels, "fills": final.fills,
        "digest": f"{result.digest:016x}", "settled_pnl": final.pnl.total / SCALE,
    }  # fmt: skip


def _terms(maker: Maker) -> Terms:
    return Terms(model=rule.fill_model(maker))


@attrs.frozen
class _Took:
    cpu_s: float
    wall_s: float
    runs: int = 1


def _timed(work: Callable[[], Any]) -> tuple[_Took, Any]:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    result = work()
    return _Took(time.process_time() - cpu_s, time.perf_counter() - wall_s), result


def _best(work: Callable[[], Any]) -> tuple[_Took, Any]:
    """The best of as many runs as fill a third of a second."""
    runs = [_timed(work)]
    while len(runs) < _RUNS_MAX and sum(took.cpu_s for took, _ in runs) < _LEAST_S:
        runs.append(_timed(work))
    took, result = min(runs, key=lambda one: one[0].cpu_s)
    return attrs.evolve(took, runs=len(runs)), result


def _found(tape: Recording, took: _Took, load_s: float) -> Json:
    return {
        "version": __version__, "events": len(tape.events), "cpu_s": took.cpu_s, "wall_s": took.wall_s,
        "runs": took.runs, "load_s": load_s,
    }  # fmt: skip


def _traded(fills: Sequence[tuple[int, int, int]]) -> Json:
    """Position and cash of (sign, price of YES, size), summed exactly."""
    net = sum(sign * qty for sign, _, qty in fills)
    return {"net": net / SCALE, "cash": -sum(sign * px * qty for sign, px, qty in fills) / SCALE**2}


def _kernel(tape: Recording, maker: Maker, load_s: float) -> Json:
    from hlomm.research.kernel.layout import FILLED, work  # noqa: PLC0415 - an extra
    from hlomm.research.kernel.tier import Prepared  # noqa: PLC0415

    settings, begun_s = rule.nearest(maker), time.process_time()
    prepared, memory = Prepared.of(tape, settings, _terms(maker)), work()
    load_s += time.process_time() - begun_s
    logged = prepared.ran(settings, work(len(tape.events)))  # compiles, too
    assert logged.state.logged == len(logged.log), "every fill is in its log"
    took, ran = _best(lambda: prepared.ran(settings, memory))
    if ran.left:
        return {"missing": f"left to the engine: {ran.left}"}
    fills = [
        (direction(Leg(leg), Side(side)), yes_px(Leg(leg), px), qty)
        for _, kind, _, leg, side, px, qty, _, _ in logged.log.tolist()
        if kind == FILLED
    ]
    state = ran.state
    return _found(tape, took, load_s) | _traded(fills) | {
        "orders": int(state.placed), "amends": int(state.amends), "cancels": int(state.cancels),
        "fills": int(state.fills), "settled_pnl": int(ran.results[-1]) / SCALE,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))  # noqa: T201 - its answer
