"""`hlomm status --latency`: the daemon's own clock on itself."""

from __future__ import annotations

from typing import Any

import msgspec

from hlomm.cli.tables import in_columns
from hlomm.domain.latency_rows import QueueRow, StageRow
from hlomm.domain.report import Snapshot


def latency(snapshot: Snapshot) -> tuple[Any, str]:
    """Microseconds of the daemon's machine, since it started."""
    document = {
        "stages": {row.stage: _stage(row) for row in snapshot.stages},
        "queues": {row.name: {"peak": row.peak, "limit": row.limit, "lost": row.lost} for row in snapshot.queues},
        "ack_p50_ms": {row.venue: row.ack_p50_ms for row in snapshot.venues},
        "uptime_s": snapshot.uptime_s,
    }
    head = ("stage", "count", "p50", "p90", "p99", "p99.9", "longest", "budget", "last minute")
    table = [_cells(row) for row in snapshot.stages]
    lines = [
        "microseconds since the start; the budget is of p99 over a minute",
        in_columns(head, table, "nothing timed yet"),
        *(f"{row.stage}: due {row.missed:,} times without a gap for it" for row in snapshot.stages if row.missed),
        *(_queue(row) for row in snapshot.queues),
    ]
    return document, "\n".join(lines)


def _stage(row: StageRow) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(row).items() if name != "stage"}


def _cells(row: StageRow) -> tuple[str, ...]:
    figures = (row.p50_us, row.p90_us, row.p99_us, row.p999_us, row.max_us, row.budget_us)
    recent = "-" if row.recent_us is None else f"{row.recent_us:,.0f}" + (" SLOW" if row.late else "")
    return (row.stage, f"{row.count:,}", *(f"{value:,.0f}" for value in figures), recent)


def _queue(row: QueueRow) -> str:
    limit = "" if row.limit is None else f" of {row.limit:,}"
    return f"queue {row.name}: at most {row.peak:,}{limit}" + (f", {row.lost:,} LOST" if row.lost else "")
