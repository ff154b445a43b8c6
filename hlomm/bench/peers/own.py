"""This program's side of the contest, in a process of its own: `python -m hlomm.bench.peers.own ORDER`.

ORDER is a JSON document: `contender`, `tape` (the rows, as `numpy.save` writes them), `folder` for a journal, and the
maker. What it found goes to stdout as one JSON document; see `found`.
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
from hlomm.bench.peers import maker as rule
from hlomm.bench.peers.plan import Maker
from hlomm.bench.peers.tape import recording
from hlomm.daemon.journal_writer import JournalWriter
from hlomm.domain.inputs import Input
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, direction, yes_px
from hlomm.domain.outputs import Output
from hlomm.domain.times import Now
from hlomm.domain.units import SCALE
from hlomm.engine.core import Engine
from hlomm.journal.codec import InputRecord, Record, TurnRecord, encode
from hlomm.journal.framing import frame
from hlomm.research.backtest import Terms, backtest
from hlomm.research.backtest_result import BacktestResult
from hlomm.research.recording import Recording
from hlomm.settings.load import Loaded
from hlomm.strategy.base import Strategy

Json = dict[str, Any]

_SEGMENT_BYTES: Final = 8 << 20
_LEAST_S: Final = 0.3
"""Of processor time, over which a fast contender is run again and again; its best run counts."""
_RUNS_MAX: Final = 50


class Journal:
    """An onlooker that writes what the daemon's pump would write, when it would."""

    def __init__(self, folder: Path) -> None:
        self._writer = JournalWriter(folder, 1, segment_bytes=_SEGMENT_BYTES)
        self._decision: list[Record] = []
        self._seq = 0
        self.bytes = 0

    def fed(self, engine: Engine, item: Input, now: Now) -> None:
        del engine
        self._decision.append(InputRecord(self._next(), now, item))

    def turned(self, engine: Engine, outputs: Sequence[Output], now: Now) -> None:
        self._decision.append(TurnRecord(self._next(), now, engine.digest(), tuple(outputs)))
        data = b"".join(frame(encode(record)) for record in self._decision)
        self._writer.append(data, len(self._decision))
        self.bytes += len(data)
        self._decision.clear()

    def close(self) -> None:
        self._writer.close()

    def _next(self) -> int:
        self._seq += 1
        return self._seq


def run(order: Json) -> Json:
    """What one contender found."""
    begun_s = time.process_time()
    maker = Maker(**order["maker"])
    tape = recording([tuple(row) for row in np.load(order["tape"]).tolist()])
    load_s = time.process_time() - begun_s
    if order["contender"] == "kernel":
        return _kernel(tape, maker, load_s)
    nearest = order["contender"] == "engine_nearest"
    chosen = None if nearest else lambda: [rule.Fixed(maker)]
    settings = rule.nearest(maker) if nearest else rule.loaded(maker)
    journal = Journal(Path(order["folder"])) if order["contender"] == "engine_journal" else None
    took, result = _timed(lambda: _backtest(tape, settings, maker, journal, chosen))
    if journal is not None:
        journal.close()
    return _found(tape, took, load_s) | _engine(result) | ({} if journal is None else {"journal_bytes": journal.bytes})


def _backtest(
    tape: Recording, settings: Loaded, maker: Maker, journal: Journal | None,
    chosen: Callable[[], Sequence[Strategy]] | None,
) -> BacktestResult:  # fmt: skip
    return backtest(
        tape, settings, _terms(maker), onlooker=journal, chosen=None if chosen is None else chosen()
    )  # fmt: skip


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


def _engine(result: BacktestResult) -> Json:
    final, fills = result.final, [(one.sign, one.px, one.qty) for one in result.fills]
    return _traded(fills) | {
        "orders": final.orders_placed, "amends": final.amends, "cancels": final.cancels, "fills": final.fills,
        "refused": sum(final.risk.rejected.values()), "decisions": result.turns, "digest": f"{result.digest:016x}",
        "settled_pnl": final.pnl.total / SCALE,
    }  # fmt: skip


def _traded(fills: Sequence[tuple[int, int, int]]) -> Json:
    """Position and cash of (sign, price of YES, size), summed exactly."""
    net = sum(sign * qty for sign, _, qty in fills)
    return {"net": net / SCALE, "cash": -sum(sign * px * qty for sign, px, qty in fills) / SCALE**2}


def _kernel(tape: Recording, maker: Maker, load_s: float) -> Json:
    try:
        from hlomm.research.kernel.layout import FILLED, work  # noqa: PLC0415 - an extra
        from hlomm.research.kernel.tier import LOG_ROWS, Prepared  # noqa: PLC0415
    except ImportError as error:
        return {"missing": f"{error.name}: pip install '.[research]'"}
    settings, begun_s = rule.nearest(maker), time.process_time()
    prepared, memory = Prepared.of(tape, settings, _terms(maker)), work()
    load_s += time.process_time() - begun_s
    logged = prepared.ran(settings, work(LOG_ROWS))  # compiles, too
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
        "fills": int(state.fills), "refused": None, "decisions": None, "settled_pnl": int(ran.results[-1]) / SCALE,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))  # noqa: T201 - its answer
