"""The money block: three lines of figures that keep their places, and the curve of the result."""

from __future__ import annotations

from typing import Final

from hlomm.domain.outputs import HaltState
from hlomm.domain.report import Snapshot
from tui.formats import elapsed, fitted, number
from tui.state import Phase, Store
from tui.views.line import Line, Span, Tone, clean, cut, joined, line, pair, rule, signed_tone, spread
from tui.views.plot import rows_of, sparkline

WARN_SHARE: Final = 0.5
ALARM_SHARE: Final = 0.8
"""Shares of a limit from which its figure is marked."""

_WIDTHS: Final = (16, 12, 13, 17, 13)
"""Five columns and their gaps fill 80 columns; further figures go to the right of them."""
_GAP: Final = 2
_WIDTH: Final = sum(_WIDTHS) + _GAP * (len(_WIDTHS) - 1)
_EXTRA_WIDTH: Final = 18


def lines(store: Store, now_s: float, width: int) -> list[Line]:
    snapshot = store.shown
    if snapshot is None:
        return [(), (), ()]
    rows = [_upper(snapshot), _lower(snapshot), [_third(store, now_s, min(width, _WIDTH))]]
    room = max((width - _WIDTH) // (_EXTRA_WIDTH + _GAP), 0)
    for cells in _extra(snapshot)[:room]:
        for row, (label, value) in zip(rows, cells, strict=True):
            row.append(pair(label, value, _EXTRA_WIDTH))
    return [joined(row, _GAP) for row in rows]


def chart(store: Store, width: int, height: int) -> list[Line]:
    """The result over the whole run, as high as there is room, its range at the top."""
    snapshot = store.shown
    points = () if snapshot is None else snapshot.pnl_curve
    if not points:
        return [rule("RESULT", width)]
    values = [value for _, value in points]
    low, high = number(min(values), 2, signed=True), number(max(values), 2, signed=True)
    note = f"{low} to {high} in {elapsed((points[-1][0] - points[0][0]) / 1000)}"
    return [
        rule("RESULT", width, note=note),
        *(line(Span(row, Tone.LABEL)) for row in rows_of(values, width - 1, max(height - 1, 1))),
    ]


def _upper(snapshot: Snapshot) -> list[Line]:
    engine = snapshot.engine
    return [
        pair("equity", fitted(engine.equity, _WIDTHS[0] - 7), _WIDTHS[0], Tone.STRONG),
        _signed("pnl", engine.pnl.total, _WIDTHS[1]),
        _of_limit("dd", engine.drawdown, engine.drawdown_limit, _WIDTHS[2], decimals=2),
        _of_limit("gross", engine.gross, engine.gross_limit, _WIDTHS[3], decimals=0),
        pair("worst", fitted(-engine.worst, _WIDTHS[4] - 6), _WIDTHS[4]),
    ]


def _lower(snapshot: Snapshot) -> list[Line]:
    pnl = snapshot.engine.pnl
    return [
        _signed("spread", pnl.spread, _WIDTHS[0]),
        _signed("inv", pnl.inventory, _WIDTHS[1]),
        _signed("settle", pnl.settlement, _WIDTHS[2]),
        _signed("fees", -pnl.fees, _WIDTHS[3]),
        pair("fills", f"{snapshot.engine.fills:,}", _WIDTHS[4]),
    ]


def _third(store: Store, now_s: float, width: int) -> Line:
    """The curve while all is well; otherwise what is wrong, in the same place."""
    banner = _banner(store, now_s)
    if banner is not None:
        return spread(cut(banner, width), (), width)
    snapshot = store.shown
    assert snapshot is not None
    values = [value for _, value in snapshot.pnl_curve]
    figures = f"{number(min(values), 2, signed=True)} to {number(max(values), 2, signed=True)}" if values else ""
    counts = f"open {snapshot.engine.open_orders:>2}  placed {snapshot.engine.orders_placed:>5}"
    curve = sparkline(values, max(width - len(figures) - len(counts) - 3, 8))
    start = line(Span(curve, Tone.LABEL), Span(f" {figures}", Tone.LABEL))
    return spread(start, line(Span(counts, Tone.LABEL)), width)


def _banner(store: Store, now_s: float) -> Line | None:
    engine = store.live.engine if store.live is not None else None
    if engine is None:
        return None
    if not store.connected(now_s):
        why = store.link.why if store.link.phase is not Phase.UP else "no update arrives"
        offered = store.start is not None and store.start.pid is None
        rest = "s starts a simulator" if offered else "figures are the last known"
        return line(Span("NO LINK ", Tone.ALARM), Span(f"{_starting(store) or clean(why)} · {rest}"))
    if engine.state == HaltState.RUNNING:
        if engine.ladder != "critical":
            return None
        return line(Span("CRITICAL ", Tone.ALARM), Span(clean(" · ".join(engine.ladder_reasons))))
    tone = Tone.ALARM if engine.state in (HaltState.HALTED, HaltState.FLATTENING) else Tone.WARN
    return line(Span(f"{clean(engine.state).upper()} ", tone), Span(clean(engine.reason)))


def _starting(store: Store) -> str:
    """What became of a simulator started from here."""
    if store.start is None:
        return ""
    if store.start.problem:
        return clean(store.start.problem)
    return "" if store.start.pid is None else f"a simulator is starting, pid {store.start.pid}"


def _extra(snapshot: Snapshot) -> list[tuple[tuple[str, str], tuple[str, str], tuple[str, str]]]:
    """Columns for wide terminals, from top to bottom."""
    engine, risk = snapshot.engine, snapshot.engine.risk
    return [
        (
            ("cash", fitted(engine.cash, 13)),
            ("volume", fitted(engine.volume, 11)),
            ("max dd", fitted(engine.max_drawdown, 11)),
        ),
        (
            ("realised", fitted(engine.pnl.realised, 9, signed=True)),
            ("unrealised", fitted(engine.pnl.unrealised, 7, signed=True)),
            ("rewards", fitted(engine.pnl.rewards, 10, signed=True)),
        ),
        (
            ("settlements", f"{engine.settlements:,}"),
            ("amends", f"{engine.amends:,}"),
            ("cancels", f"{engine.cancels:,}"),
        ),
        (
            ("gate passed", f"{risk.passed:,}"),
            ("resized", f"{risk.resized:,}"),
            ("refused", f"{sum(risk.rejected.values()):,}"),
        ),
        (
            ("turn p50", _micros(snapshot.latency_p50_us)),
            ("turn p99", _micros(snapshot.latency_p99_us)),
            ("anomalies", f"{sum(engine.anomalies.values()):,}"),
        ),
        (
            ("up", elapsed(snapshot.uptime_s)),
            ("records", f"{snapshot.journal_records:,}"),
            ("breaks", f"{engine.invariant_breaks:,}"),
        ),
    ]


def _micros(value: float | None) -> str:
    return "—" if value is None else f"{value:,.0f} µs"


def _signed(label: str, value: int, width: int) -> Line:
    return pair(label, fitted(value, width - len(label) - 1, signed=True), width, signed_tone(value))


def _of_limit(label: str, value: int, limit: int, width: int, *, decimals: int) -> Line:
    text, tone = of_limit(value, limit, width - len(label) - 1, decimals=decimals)
    return pair(label, text, width, tone)


def of_limit(value: int, limit: int, room: int, *, decimals: int) -> tuple[str, Tone]:
    """`1,180/4,000` with as many decimals as fit, up to `decimals`, and the tone of that share of the limit."""
    text = next(
        (
            said
            for places in range(decimals, -1, -1)
            if len(said := f"{number(value, places)}/{number(limit, 0)}") <= room
        ),
        fitted(value, room),
    )
    return text, share_tone(value, limit)


def share_tone(value: int, limit: int) -> Tone:
    share = value / limit if limit > 0 else 0.0
    return Tone.ALARM if share >= ALARM_SHARE else Tone.WARN if share >= WARN_SHARE else Tone.PLAIN
