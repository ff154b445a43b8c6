"""The document a run ends with; keys are a contract (see README, "For scripts")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hlomm.assembly.documents import amount, engine_document
from hlomm.daemon.monitor import Monitor
from hlomm.daemon.pump import Pump
from hlomm.domain.ids import VenueId
from hlomm.domain.inputs import AccountState
from hlomm.engine.reconcile import difference
from hlomm.engine.state import State


def summarise(
    pump: Pump, monitor: Monitor, *, profile: str, seed: int | None, duration_s: float, venue_open_orders: int | None
) -> dict[str, Any]:
    snapshot = monitor.snapshot()
    return {
        "profile": profile,
        "fill_model": snapshot.fill_model or None,
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


def account_document(
    state: State, last_word: Mapping[VenueId, AccountState], ledger: Mapping[VenueId, int | None]
) -> dict[str, Any]:
    """Per venue: its own word on the account after the run, beside what the ledger and the books say.

    `ledger` has the cash of each venue's account there. `differences` are counted in whole units: empty means that
    every balance is the same to the last one.
    """
    found: dict[str, Any] = {}
    for venue, account in last_word.items():
        differences = list(difference(state, account))
        ledger_cash = ledger.get(venue)
        if ledger_cash != account.cash:
            differences.append(f"ledger {'unreadable' if ledger_cash is None else amount(ledger_cash)}")
        found[venue] = {
            "venue_cash": amount(account.cash),
            "ledger_cash": None if ledger_cash is None else amount(ledger_cash),
            "venue_perp_cash": amount(account.perp_cash),
            "books_perp_cash": amount(state.portfolio.of(venue).perps.raw),
            "tokens": {f"{row.market} {row.leg.name}": amount(row.total) for row in account.tokens if row.total},
            "perps": {row.market: amount(row.qty) for row in account.perps if row.qty},
            "differences": differences,
        }
    return found
