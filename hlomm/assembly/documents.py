"""JSON documents of a run, shared by every driver. Keys are a contract with scripts: added to, never renamed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hlomm.domain.basket_rows import ArbitrageReport
from hlomm.domain.edge_rows import EdgeReport
from hlomm.domain.report import EngineReport, PositionRow
from hlomm.domain.units import to_text


def amount(value: int) -> float:
    """A scaled integer as a JSON number (shortest decimal, so 12.34 stays 12.34)."""
    return float(to_text(value))


def named(rows: Sequence[PositionRow]) -> dict[str, PositionRow]:
    """Rows by ticker; where two series share one, the market's id tells them apart."""
    found: dict[str, PositionRow] = {}
    for row in rows:
        found[row.ticker if row.ticker not in found else f"{row.ticker} ({row.market})"] = row
    return found


def _share(inside: int, outside: int) -> float | None:
    """Share of the time within the band; None for a hedge that never was."""
    return None if inside + outside == 0 else round(inside / (inside + outside), 4)


def engine_document(engine: EngineReport) -> dict[str, Any]:
    """What the engine did."""
    pnl = engine.pnl
    return {
        "orders_placed": engine.orders_placed,
        "amends": engine.amends,
        "cancels": engine.cancels,
        "fills": engine.fills,
        "volume": amount(engine.volume),
        "pnl": {
            "realised": amount(pnl.realised),
            "unrealised": amount(pnl.unrealised),
            "fees": amount(pnl.fees),
            "rewards": amount(pnl.rewards),
            "total": amount(pnl.total),
            "spread": amount(pnl.spread),
            "inventory": amount(pnl.inventory),
            "settlement": amount(pnl.settlement),
            "rounding": amount(pnl.rounding),
        },
        "equity": amount(engine.equity),
        "max_drawdown": amount(engine.max_drawdown),
        "inventory": {name: amount(row.yes - row.no) for name, row in named(engine.positions).items()},
        "settlements": engine.settlements,
        "settlements_held": engine.settlements_held,
        "rolls": engine.rolls,
        "contracts": {"quoted": engine.quoted, "settled": engine.quoted_settled, "rolled": engine.rolls},
        "risk": {"pass": engine.risk.passed, "resize": engine.risk.resized, "reject": engine.risk.rejected},
        "halt": {"state": engine.state, "reason": engine.reason},
        "anomalies": engine.anomalies,
        "breakers": engine.breakers,
        "converted": {kind: amount(qty) for kind, qty in engine.converted.items()},
        "hedge": {
            row.market: {
                "held": amount(row.held),
                "target": amount(row.target),
                "band": amount(row.band),
                "notional": amount(row.notional),
                "inside_s": row.inside_ms / 1000,
                "outside_s": row.outside_ms / 1000,
                "in_band": _share(row.inside_ms, row.outside_ms),
                "contracts": row.contracts,
                "naked": amount(row.naked),
                "naked_s": row.naked_ms / 1000,
            }
            for row in engine.hedges
        },
        "baskets": engine.basket_counts,
        "arbitrage": arbitrage_document(engine.arbitrage, engine.edges),
    }


def arbitrage_document(book: ArbitrageReport, edges: EdgeReport) -> dict[str, Any]:
    """Pairs and sets that are held: what was expected of each when it was sent, and what it brought.

    Beside them how far venues stand apart. `income` is estimated and in no result.
    """
    return {
        "taken": book.taken, "settled": book.settled, "mismatched": book.mismatched, "expected": amount(book.expected),
        "realised": amount(book.realised), "legging_loss": amount(book.legging_loss), "signals": len(book.signals),
        "why_not": book.why_not, "strikes_left_out": book.strikes_left_out,
        "kinds": {
            kind.value: {
                "taken": row.taken, "settled": row.settled, "mismatched": row.mismatched, "bonus": row.bonus,
                "expected": amount(row.expected), "realised": amount(row.realised),
            }
            for kind, row in book.kinds.items()
        },
        "maker": {
            "taken": book.maker.taken, "hedges": book.maker.hedges,
            "hedge_ms": {"p50": book.maker.delay_p50_ms, "max": book.maker.delay_max_ms},
            "slippage": amount(book.maker.slippage),
        },
        "trades": [
            {
                "pair": row.group, "kind": row.kind.value, "qty": amount(row.qty), "spent": amount(row.spent),
                "expected": amount(row.expected),
                "realised": None if row.realised is None else amount(row.realised), "how": row.how,
                "began_ms": row.began_ms, "maker": row.maker,
            }
            for row in book.trades
        ],
        "events": [
            {
                "event": event.key,
                "venues": [
                    {
                        "market": row.market, "deviation": None if row.deviation is None else amount(row.deviation),
                        "threshold": None if row.threshold is None else amount(row.threshold),
                        "mean": amount(row.mean), "peak": amount(row.peak), "beyond": amount(row.beyond),
                        "known_s": row.known_s,
                    }
                    for row in event.standings
                ],
            }
            for event in edges.events
        ],
        "deviations": [
            {
                "wall_ms": row.wall_ms, "market": row.market, "deviation": amount(row.deviation),
                "threshold": amount(row.threshold),
            }
            for row in edges.deviations
        ],
        "income": {
            row.venue: {
                "rebates": amount(row.rebates), "scoring": row.scoring, "quoted": row.quoted,
                "share": amount(row.share), "per_day": amount(row.per_day),
            }
            for row in edges.income
        },
    }  # fmt: skip
