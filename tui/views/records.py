"""The log with the alerts among its lines, and the operators' actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hlomm.domain.desk_rows import AuditRow
from tui.formats import DASH, dated, stamp
from tui.state import Store
from tui.views.line import Line, Span, Tone, clean, cut, joined, left, line, right, rule, spread

NO_LINES: Final = "nothing has been logged yet"
NO_ACTIONS: Final = "no operator has done anything yet"
ALERT: Final = "alert"

_LEVELS: Final = {
    "debug": ("debug", Tone.LABEL),
    "info": ("info", Tone.LABEL),
    "warning": ("WARN", Tone.WARN),
    "error": ("ERROR", Tone.ALARM),
    "critical": ("CRIT", Tone.ALARM),
}
_AREA: Final = 11


@dataclass(frozen=True)
class FeedRow:
    """A line of the log, or an alert."""

    key: tuple[str, int, str]
    wall_ms: int
    level: str
    area: str
    text: str


def feed(store: Store, words: str) -> list[FeedRow]:
    """Newest first; every word of the filter is in the level, the area or the text."""
    alerts = () if store.shown is None else store.shown.alerts
    rows = [FeedRow(("log", row.n, ""), row.wall_ms, row.level, row.area, row.text) for row in store.desk.log]
    rows += [
        FeedRow((ALERT, row.wall_ms, row.text), row.wall_ms, row.level, ALERT, f"{row.code}: {row.text}")
        for row in alerts
    ]
    wanted = words.casefold().split()
    kept = [row for row in rows if all(word in _said(row).casefold() for word in wanted)]
    return sorted(kept, key=lambda row: row.wall_ms, reverse=True)


def _said(row: FeedRow) -> str:
    """What the filter reads: the level also as it is shown."""
    return f"{row.level} {_level(row.level)[0]} {row.area} {row.text}"


def _level(level: str) -> tuple[str, Tone]:
    return _LEVELS.get(level, (clean(level)[:5], Tone.WARN))


def feed_head(store: Store, shown: int, words: str, hidden: str, width: int) -> Line:
    total = len(store.desk.log) + (0 if store.shown is None else len(store.shown.alerts))
    title = f' LOG AND ALERTS "{words}" {shown}/{total}' if words else f" LOG AND ALERTS {total}"
    return rule(title, width, note=hidden or ("/ filters: level, area, text" if not words else ""))


def feed_lines(rows: Sequence[FeedRow], width: int, now_ms: int | None = None) -> list[Line]:
    return [_feed(row, width, now_ms) for row in rows]


def _feed(row: FeedRow, width: int, now_ms: int | None) -> Line:
    word, tone = _level(row.level)
    cells = [
        left(stamp(row.wall_ms, now_ms), 8, Tone.LABEL),
        left(word, 5, tone),
        left(clean(row.area).rpartition(".")[2], _AREA, Tone.LABEL),
        Span(clean(row.text), Tone.ALARM if tone is Tone.ALARM else Tone.PLAIN),
    ]
    return cut(joined(line(cell) for cell in cells), width)


def feed_text(row: FeedRow) -> str:
    return f"{dated(row.wall_ms)}  {clean(row.level)}  {clean(row.area)}\n\n{clean(row.text)}"


# -- operators


def audit(store: Store) -> list[AuditRow]:
    """Newest first."""
    return list(reversed(store.desk.audit))


def audit_head(store: Store, width: int) -> Line:
    """How the chain stands: a broken one is the first thing to know."""
    chain = store.desk.chain
    top = line(Span(" OPERATOR ACTIONS ", Tone.HEAD))
    if chain is None:
        return spread(top, line(Span("the chain has not been told yet", Tone.LABEL)), width)
    if chain.broken:
        return cut((*top, Span(f"CHAIN BROKEN: {clean(chain.broken)}", Tone.ALARM)), width)
    return spread(top, line(Span(f"hash chain sound, {chain.links} links", Tone.LABEL)), width)


def audit_lines(rows: Sequence[AuditRow], width: int, now_ms: int | None = None) -> list[Line]:
    return [_audit(row, width, now_ms) for row in rows]


def _audit(row: AuditRow, width: int, now_ms: int | None) -> Line:
    refused = row.result.startswith("refused")
    cells = [
        line(right(f"#{row.n}", 5, Tone.LABEL)),
        line(left(stamp(row.at_ms, now_ms), 8, Tone.LABEL)),
        line(Span(clean(f"{row.action} {row.target}".strip()), Tone.STRONG)),
        line(Span(clean(row.who), Tone.LABEL)),
    ]
    if row.reason:
        cells.append(line(Span(f"({clean(row.reason)})")))
    cells.append(line(Span(f"→ {clean(row.result)}", Tone.WARN if refused else Tone.PLAIN)))
    return cut(joined(cells), width)


def audit_text(row: AuditRow) -> str:
    late = "\nchained from the journal afterwards: that run ended before it could be done at once" if row.late else ""
    return (
        f"#{row.n}  {dated(row.at_ms)}  {clean(row.action)} {clean(row.target)}\n\n"
        f"who     {clean(row.who)}\nreason  {clean(row.reason) or DASH}\nresult  {clean(row.result)}{late}"
    )
