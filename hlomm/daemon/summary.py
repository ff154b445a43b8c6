"""The document a run ends with; keys are a contract (see README, "For scripts")."""

from __future__ import annotations

from typing import Any

from hlomm.daemon.monitor import Monitor
from hlomm.daemon.pump import Pump
from hlomm.domain.units import to_text


def amount(value: int) -> float:
    """A scaled integer as a JSON number (shortest decimal, so 12.34 stays 12.34)."""
    return float(to_text(value))


def summarise(
    pump: Pump, monitor: Monitor, *, profile: str, seed: int | None, duration_s: float, venue_open_orders: int | None
) -> dict[str, Any]:
    snapshot = monitor.snapshot()
    engine = snapshot.engine
    return {
        "profile": profile,
        "seed": seed,
        "duration_s": round(duration_s, 3),
        "orders_placed": engine.orders_placed,
        "amends": engine.amends,
        "cancels": engine.cancels,
        "fills": engine.fills,
        "volume": amount(engine.volume),
        "pnl": {
            "realised": amount(engine.pnl.realised),
            "unrealised": amount(engine.pnl.unrealised),
            "fees": amount(engine.pnl.fees),
            "rewards": amount(engine.pnl.rewards),
            "total": amount(engine.pnl.total),
            "spread": amount(engine.pnl.spread),
            "inventory": amount(engine.pnl.inventory),
            "settlement": amount(engine.pnl.settlement),
        },
        "equity": amount(engine.equity),
        "max_drawdown": amount(engine.max_drawdown),
        "inventory": {row.ticker: amount(row.yes - row.no) for row in engine.positions},
        "settlements": engine.settlements,
        "settlements_held": engine.settlements_held,
        "rolls": engine.rolls,
        "risk": {
            "pass": engine.risk.passed,
            "resize": engine.risk.resized,
            "reject": engine.risk.rejected,
        },
        "halt": {"state": engine.state, "reason": engine.reason},
        "venue_open_orders": venue_open_orders,
        "invariant_breaks": engine.invariant_breaks + (1 if pump.fault is not None else 0),
        "anomalies": engine.anomalies,
        "alerts": monitor.alert_counts,
        "journal": snapshot.journal,
        "journal_records": snapshot.journal_records,
        "latency_us": {"p50": snapshot.latency_p50_us, "p99": snapshot.latency_p99_us},
    }
