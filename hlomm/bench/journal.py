"""The journal: what a record costs, how fast records go to the kernel, how long the disk takes to keep them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from hlomm.bench.machine import about
from hlomm.bench.quiet import Watch, load_before
from hlomm.bench.serve import spread
from hlomm.bench.synthetic import recording
from hlomm.daemon.histogram import Histogram
from hlomm.daemon.journal_writer import JournalWriter
from hlomm.domain.inputs import Input
from hlomm.domain.outputs import Output
from hlomm.domain.times import Now
from hlomm.engine.core import Engine
from hlomm.journal.codec import InputRecord, Record, TurnRecord, encode
from hlomm.journal.framing import frame
from hlomm.research.backtest import backtest
from hlomm.settings.load import load

Json = dict[str, Any]

SEGMENT_BYTES: Final = 8 << 20
SYNC_EVERY: Final = 500
"""Decisions between two syncs: about those of half a second, the daemon's own interval, at 1,000 frames a second."""


@attrs.frozen(kw_only=True)
class Plan:
    frames: int = 5_000
    rounds: int = 4
    """How often the same decisions are written."""
    folder: Path | None = None
    """On the disk that is meant; None: the system's folder for temporary files."""


class Notes:
    """An onlooker that hands on the records of each decision, as the pump would write them."""

    def __init__(self, take: Callable[[list[Record]], None]) -> None:
        self._take = take
        self._decision: list[Record] = []
        self._seq = 0

    def fed(self, engine: Engine, item: Input, now: Now) -> None:
        del engine
        self._decision.append(InputRecord(self._next(), now, item))

    def turned(self, engine: Engine, outputs: Sequence[Output], now: Now) -> None:
        self._decision.append(TurnRecord(self._next(), now, engine.digest(), tuple(outputs)))
        whole, self._decision = self._decision, []
        self._take(whole)

    def _next(self) -> int:
        self._seq += 1
        return self._seq


def run(plan: Plan) -> Json:
    """The document of `hlomm bench journal`."""
    decisions: list[list[Record]] = []
    backtest(recording(plan.frames), load("sim", environ={}), onlooker=Notes(decisions.append))
    with tempfile.TemporaryDirectory(prefix="hlomm-bench-", dir=plan.folder) as folder:
        document = trio.run(_measure, plan, decisions, Path(folder))
        return document | {"on_disk": sum(path.stat().st_size for path in Path(folder).iterdir())}


async def _measure(plan: Plan, decisions: list[list[Record]], folder: Path) -> Json:
    early, watch = load_before(), Watch()
    appends, syncs, spent_ns, written, records, events = Histogram(), Histogram(), 0, 0, 0, 0
    writer = JournalWriter(folder, time.time_ns() // 1_000_000, segment_bytes=SEGMENT_BYTES)
    begun_s = time.process_time()
    try:
        for number, decision in enumerate(one for _ in range(plan.rounds) for one in decisions):
            begun_ns = time.perf_counter_ns()
            data = b"".join(frame(encode(record)) for record in decision)
            writer.append(data, len(decision))
            took_ns = time.perf_counter_ns() - begun_ns
            appends.add(took_ns)
            spent_ns, written, records = spent_ns + took_ns, written + len(data), records + len(decision)
            events += sum(isinstance(record, InputRecord) for record in decision)
            if number % SYNC_EVERY == SYNC_EVERY - 1:
                begun_ns = time.perf_counter_ns()
                await writer.sync()
                syncs.add(time.perf_counter_ns() - begun_ns)
        cpu_s = time.process_time() - begun_s
    finally:
        writer.close()
    seen = watch.seen()
    return {
        "bench": "journal", "decisions": appends.count, "records": records, "events": events, "bytes": written,
        "records_of_the_writer": writer.records, "bytes_per_event": round(written / events, 1),
        "appends_per_s": round(appends.count / (spent_ns / 1e9)), "records_per_s": round(records / (spent_ns / 1e9)),
        "append": spread(appends), "fsync": spread(syncs), "cpu_s": round(cpu_s, 3), **seen,
        "disturbed": early + seen["disturbed"], **about(),
    }  # fmt: skip
