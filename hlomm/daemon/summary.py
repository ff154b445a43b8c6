"""The document a run ends with; keys are a contract (see README, "For scripts")."""

from __future__ import annotations

from typing import Any

from hlomm.assembly.documents import engine_document
from hlomm.daemon.monitor import Monitor
from hlomm.daemon.pump import Pump


def summarise(
    pump: Pump, monitor: Monitor, *, profile: str, seed: int | None, duration_s: float, venue_open_orders: int | None
) -> dict[str, Any]:
    snapshot = monitor.snapshot()
    return {
        "profile": profile,
        "seed": seed,
        "duration_s": round(duration_s, 3),
        **engine_document(snapshot.engine),
        "venue_open_orders": venue_open_orders,
        "invariant_breaks": snapshot.engine.invariant_breaks + (1 if pump.fault is not None else 0),
        "alerts": monitor.alert_counts,
        "journal": snapshot.journal,
        "journal_records": snapshot.journal_records,
        "latency_us": {"p50": snapshot.latency_p50_us, "p99": snapshot.latency_p99_us},
    }
