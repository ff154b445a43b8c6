"""One row per venue: session, age of its data, delays, orders, actions left."""

from __future__ import annotations

from typing import Final

from hlomm.domain.report import VenueRow
from tui.formats import DASH, MINUS, age
from tui.state import Store
from tui.views.line import Line, Span, Tone, aged, clean, joined, left, line, pair, rule

_LIVE: Final = "live"
_ROOMY: Final = 99
_DAYS_H: Final = 99


def lines(store: Store, now_s: float, width: int) -> list[Line]:
    snapshot = store.shown
    if snapshot is None:
        return []
    lag_s = store.shown_lag_s(now_s)
    return [rule("VENUES", width), *(_row(row, lag_s, width) for row in snapshot.venues)]


def _row(row: VenueRow, lag_s: float, width: int) -> Line:
    data_age_s = None if row.data_age_s is None else row.data_age_s + lag_s
    up = row.session == _LIVE
    session = left(clean(row.session).upper(), 10, Tone.GOOD if up else Tone.ALARM)
    cells = [
        line(left(clean(row.venue), 11), Span(" "), session),
        pair("age", DASH if data_age_s is None else age(data_age_s), 8),
        pair("ack", DASH if row.ack_p50_ms is None else f"{row.ack_p50_ms:.0f}ms", 9),
        pair("skew", _skew(row.skew_ms), 11),
        pair("orders", str(row.open_orders), 9),
    ]
    if width >= _ROOMY:
        cells += (pair("left", " ".join(_budget_left(row)), 14), pair("reconnects", str(row.reconnects), 14))
    else:
        cells.append(pair("left", _budget_left(row)[-1], 10))
    return aged(joined(cells, 2), data_age_s)


def _skew(skew_ms: int | None) -> str:
    if skew_ms is None:
        return DASH
    return f"{MINUS if skew_ms < 0 else '+'}{abs(skew_ms)}ms"


def _budget_left(row: VenueRow) -> tuple[str, ...]:
    """Actions left, and after it for how long, where that is days at most: the latter alone where one has room."""
    if row.budget_used is None or row.budget_cap is None:
        return (DASH,)
    left = max(row.budget_cap - row.budget_used, 0)
    thousands = f"{left // 1_000}k" if left < 10_000_000 else f"{left // 1_000_000}M"
    count = str(left) if left < 100_000 else thousands
    hours = None if row.budget_runway_min is None else row.budget_runway_min // 60
    return (count,) if hours is None or hours > _DAYS_H else (count, f"{hours}h")
