"""How long everything takes: the daemon's stages against their budgets, its queues, its venues and its guardian."""

from __future__ import annotations

from typing import Final

from hlomm.domain.latency_rows import QueueRow, Stage, StageRow
from hlomm.domain.report import Snapshot, VenueRow
from tui.formats import AGE_SHOWN_S, DASH, age
from tui.state import Store
from tui.views.line import Line, Span, Tone, aged, clean, cut, joined, left, line, right, rule, spread

NOT_YET: Final = "no order has followed a frame yet"
FIRST: Final = (Stage.TOTAL, Stage.DECIDE, Stage.LOOP)
"""Those that a low screen has room for."""

_SAID: Final[dict[str, str]] = {
    Stage.DECODE: "bytes read → decision begins",
    Stage.DECIDE: "engine",
    Stage.RECORD: "journal",
    Stage.SEND: "sign, hand over",
    Stage.TOTAL: "bytes read → orders handed over",
    Stage.LOOP: "event loop wakes late by",
    Stage.COLLECT: "garbage collection, all wait",
    Stage.TIDY: "garbage collection, in a gap",
}
_NAME: Final = 8
_FIGURE: Final = 8
_BAR: Final = 8
_MS: Final = 1000.0


def latency(store: Store, now_s: float, width: int, *, low: bool = False) -> list[Line]:
    """Each figure that is measured, its source, and how old what it rests on is. `low`: the first of them alone."""
    snapshot = store.shown
    if snapshot is None:
        return []
    lag_s = store.shown_lag_s(now_s)
    note = "measured now" if lag_s <= AGE_SHOWN_S else f"as told {age(lag_s)} ago"
    if store.held is not None:
        note = f"as it was {age(now_s - store.held_s)} ago"
    return [
        rule(" LATENCY", width, note=f"{note}; since the start, p99 to budget"),
        *(aged(row, lag_s) for row in _stages(snapshot, width, low=low)),
        *(aged(_venue(row, lag_s, width), row.data_age_s and row.data_age_s + lag_s) for row in snapshot.venues),
        *_guardian(snapshot, lag_s, width),
        *([] if low else [aged(_queues(snapshot, width), lag_s)] if snapshot.queues else []),
    ]


# -- stages


def _stages(snapshot: Snapshot, width: int, *, low: bool) -> list[Line]:
    if not any(row.count for row in snapshot.stages):
        return [_figure("frame → orders", NOT_YET, "", width)]
    head = [left("", _NAME), *(right(name, _FIGURE) for name in ("p50", "p90", "p99", "p99.9", "longest"))]
    shown = [row for row in snapshot.stages if not low or row.stage in FIRST]
    if low:
        shown.sort(key=lambda row: FIRST.index(Stage(row.stage)))
    titles = joined(line(Span(cell.text, Tone.LABEL)) for cell in head)
    return [cut((Span(" "), *titles), width), *(_stage(row, width) for row in shown)]


def _stage(row: StageRow, width: int) -> Line:
    tone = Tone.ALARM if row.late else Tone.PLAIN
    figures = (row.p50_us, row.p90_us, row.p99_us, row.p999_us, row.max_us)
    cells = [left(clean(row.stage), _NAME, Tone.LABEL)]
    cells += [right(micros(value) if row.count else DASH, _FIGURE) for value in figures]
    said = f"SLOW {micros(row.recent_us)}" if row.late and row.recent_us is not None else _bar(row)
    start = (Span(" "), *joined(line(cell) for cell in cells), Span(f"  {said} of {micros(row.budget_us)}", tone))
    what = "in the last minute" if row.late else _SAID.get(row.stage, f"{row.count:,} times")
    return spread(start, line(Span(what, Tone.LABEL)), width)


def _bar(row: StageRow) -> str:
    """p99 against its budget; `>` where it is beyond."""
    if row.p99_us > row.budget_us:
        return "█" * (_BAR - 1) + ">"
    full = round(min(max(row.p99_us / row.budget_us, 0.0), 1.0) * _BAR) if row.budget_us else 0
    return "█" * full + "·" * (_BAR - full)


def micros(value: float) -> str:
    """Three or four figures: `96 µs`, `2.41 ms`, `1.20 s`."""
    if value < _MS:
        return f"{value:,.0f} µs"
    return f"{value / _MS:.2f} ms" if value < _MS * _MS else f"{value / _MS / _MS:.2f} s"


# -- the rest


def _venue(row: VenueRow, lag_s: float, width: int) -> Line:
    ack = DASH if row.ack_p50_ms is None else f"{row.ack_p50_ms:,.0f} ms"
    skew = DASH if row.skew_ms is None else f"{row.skew_ms:+d} ms"
    said = f"ack p50 {ack}  skew {skew}  reconnects {row.reconnects}"
    heard = "never heard" if row.data_age_s is None else f"session, data {age(row.data_age_s + lag_s)} old"
    return _figure(clean(row.venue), said, heard, width)


def _guardian(snapshot: Snapshot, lag_s: float, width: int) -> list[Line]:
    answer_s = snapshot.guardian.answer_age_s
    if answer_s is None:
        return []
    said = f"answered {age(answer_s + lag_s)} ago"
    return [_figure("guardian", said, f"beats; restarted {snapshot.guardian.restarts} times", width)]


def _queues(snapshot: Snapshot, width: int) -> Line:
    cells = [line(Span(f" {'queues, peak':<15}", Tone.LABEL))]
    cells += [_queue(row) for row in snapshot.queues]
    return cut(joined(cells), width)


def _queue(row: QueueRow) -> Line:
    of = "" if row.limit is None else f" of {row.limit:,}"
    full = row.lost or (row.limit is not None and 2 * row.peak > row.limit)
    lost = f", {row.lost:,} LOST" if row.lost else ""
    return line(Span(f"{clean(row.name)} {row.peak:,}{of}{lost} ", Tone.ALARM if full else Tone.PLAIN))


def _figure(name: str, said: str, source: str, width: int) -> Line:
    return spread(line(Span(f" {name:<15} ", Tone.LABEL), said), line(Span(source, Tone.LABEL)), width)
