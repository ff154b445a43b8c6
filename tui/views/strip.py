"""One cell for each daemon of the terminal: which one is shown, and how the others are.

A cell never loses its number, name and state; with less room the age goes first, then the risk, the result, the alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hlomm.domain.outputs import AlertLevel
from hlomm.domain.report import AlertRow
from tui.formats import AGE_SHOWN_S, age, elapsed, fit, fitted, number
from tui.state import Store
from tui.views import truth
from tui.views.line import Line, Span, Tone, cut, joined, line, signed_tone, width_of

CRITICAL: Final = "critical"
"""Step of the engine's ladder that is told without being asked for."""

_LEAST: Final = 38
"""Cells that a daemon needs to show everything."""
_MOST: Final = 60
_LINES: Final = 2
_GAP: Final = 1

_TONES: Final = {
    "QUOTING": Tone.GOOD,
    "PAUSED": Tone.WARN,
    "CONNECTING": Tone.LABEL,
    "FLATTENING": Tone.WARN,
    "STOPPING": Tone.WARN,
    "HALTED": Tone.ALARM,
}


def lines(stores: Sequence[Store], shown: Store, now_s: float, width: int) -> list[Line]:
    """The cells, and below them what to do about the first daemon that does not answer."""
    if len(stores) < 2:
        return []
    per_line, room = _grid(len(stores), width)
    cells = [_cell(place, store, store is shown, now_s, room) for place, store in enumerate(stores, 1)]
    rows = [joined(cells[start : start + per_line], _GAP) for start in range(0, len(cells), per_line)]
    gone = [store for store in stores if away(store, now_s)]
    return [*rows, _advice(gone, width)] if gone else rows


def _advice(gone: Sequence[Store], width: int) -> Line:
    """What to do about those that are away, at the length there is room for."""
    first, more = gone[0], f" · {len(gone) - 1} more" if len(gone) > 1 else ""
    start = line(Span(f" {truth.name(first)} is away{more}: ", Tone.ALARM))
    command = f"`hlomm kill {first.options}`"
    forms = (command,) if first.viewer else (f"{command}, or show it and K", command, "show it and K, or 0")
    fitting = (form for form in forms if width_of(start) + len(form) <= width)
    return cut((*start, Span(next(fitting, forms[-1]))), width)


def at(x: int, y: int, count: int, width: int) -> int | None:
    """Place of the daemon whose cell is there; None for none."""
    per_line, room = _grid(count, width)
    column, place = x // (room + _GAP), y * per_line + x // (room + _GAP)
    return place if 0 <= column < per_line and place < count else None


def _grid(count: int, width: int) -> tuple[int, int]:
    """Cells in a line, and their width."""
    per_line = max((width + _GAP) // (_LEAST + _GAP), -(-count // _LINES))
    per_line = min(per_line, count)
    return per_line, min((width + _GAP) // per_line - _GAP, _MOST)


def _cell(place: int, store: Store, here: bool, now_s: float, width: int) -> Line:  # noqa: FBT001
    word = truth.word(store, now_s)
    mark = f"{'▸' if here else ' '}{place} "
    called = fit(truth.name(store), max(width - len(mark) - len(word) - 1, 1))
    kept = [line(Span(mark, Tone.KEY), Span(called, Tone.STRONG if here else Tone.PLAIN), " ", Span(word, tone(word)))]
    for forms in ((alarm(store),), *_figures(store, now_s)):
        fitting = (form for form in forms if form and width_of(joined([*kept, form])) <= width)
        kept += [form for form in (next(fitting, None),) if form]
    whole = cut(joined(kept), width)
    return (*whole, Span(" " * (width - width_of(whole))))


def _figures(store: Store, now_s: float) -> list[tuple[Line, ...]]:
    """Result, risk and age, the first ones first to be shown, each in the forms it may have, longest first."""
    snapshot = store.live
    if snapshot is None:
        return []
    known, lag_s = store.connected(now_s), store.lag_s(now_s)
    total, worst = snapshot.engine.pnl.total, snapshot.engine.worst
    result = line(Span(fitted(total, 9, signed=True), signed_tone(total) if known else Tone.DIM))
    risks = (fitted(-worst, 8), number(-worst, 0))
    return [
        (result,),
        tuple(line(Span("worst ", Tone.LABEL), Span(text, Tone.PLAIN if known else Tone.DIM)) for text in risks),
        (line(Span(age(lag_s), Tone.DIM)),) if known and lag_s > AGE_SHOWN_S else (),
    ]


# -- what is said about one daemon, here and in the list of all


def tone(word: str) -> Tone:
    """Of the word for a state; one this terminal does not know looks like one that is passing."""
    return Tone.ALARM if word.startswith(truth.NO_LINK) else _TONES.get(word, Tone.WARN)


def away(store: Store, now_s: float) -> bool:
    return truth.word(store, now_s).startswith(truth.NO_LINK)


def remedy(store: Store) -> str:
    """What stops trading where nobody answers: its guardian can be reached without it."""
    if store.viewer:
        return f"an operator's `hlomm kill {store.options}` reaches its guardian, which needs no daemon"
    return f"`hlomm kill {store.options}` reaches its guardian, which needs no daemon; so does K once it is shown"


def alarm(store: Store) -> Line:
    """The worst that the operator has not seen, or that lasts; nothing if all is well."""
    snapshot = store.live
    if snapshot is None:
        return ()
    rows = store.unseen()
    critical = [row for row in rows if row.level == AlertLevel.CRITICAL.value]
    worrying = [row for row in rows if row.level not in (AlertLevel.CRITICAL.value, AlertLevel.INFO.value)]
    if snapshot.engine.ladder == CRITICAL:
        return line(Span("CRITICAL", Tone.ALARM))
    if critical:
        return line(Span(f"CRIT {len(critical)}", Tone.ALARM))
    if snapshot.guardian.state not in ("up", "disabled"):
        return line(Span("guardian DOWN", Tone.WARN))
    return line(Span(f"WARN {len(worrying)}", Tone.WARN)) if worrying else ()


def worst_unseen(store: Store) -> AlertRow | None:
    """The newest of the worst level above mere information."""
    rows = [row for row in store.unseen() if row.level != AlertLevel.INFO.value]
    return max(rows, key=lambda row: (row.level == AlertLevel.CRITICAL.value, row.wall_ms), default=None)


def heard(store: Store, now_s: float) -> str:
    """How long ago, for one that is away."""
    return "never heard" if store.received_s is None else f"last heard {elapsed(store.lag_s(now_s))} ago"
