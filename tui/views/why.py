"""Why a market is quoted the way it is: the guard of each side in full, and the numbers behind the decision."""

from __future__ import annotations

from typing import Final

from hlomm.domain.report import MarketRow, SideNote
from tui.formats import short_ticker
from tui.state import Store
from tui.views.line import Line, Span, Tone, clean, cut, flow, line, rule, spread, wrapped

_SAID: Final = {
    "ok": "quoting",
    "pending_new": "quoting: the order is on its way",
    "pending_amend": "quoting: the order is being amended",
    "pending_cancel": "the order is being cancelled",
}
_PRICES: Final = frozenset({"fair", "model", "book", "reservation", "half"})
_VOLS: Final = frozenset({"vol", "implied", "expected"})
_NAME_WIDTH: Final = 24


def sentence(note: SideNote | None) -> tuple[str, Tone]:
    if note is None:
        return "no strategy trades this market", Tone.LABEL
    if note.guard in _SAID:
        said = _SAID[note.guard]
        return (f"{said} — {note.detail}", Tone.WARN) if note.detail else (said, Tone.GOOD)
    return f"{note.guard} — {note.detail}" if note.detail else note.guard, Tone.WARN


def short(store: Store, width: int) -> list[Line]:
    """Two lines, cut; the name of the market at the right."""
    row, snapshot = store.market(), store.shown
    if row is None or snapshot is None:
        return [(), ()]
    name = short_ticker(row.ticker, _NAME_WIDTH, snapshot.engine.wall_ms)
    bid = spread(_side("bid", row.bid_note), line(Span(name, Tone.LABEL)), width)
    return [bid, cut(_side("ask", row.ask_note), width)]


def full(store: Store, width: int) -> list[Line]:
    """Both sides with the whole text, however long."""
    row = store.market()
    if row is None:
        return []
    lines = [rule("WHY", width)]
    for name, note in (("bid", row.bid_note), ("ask", row.ask_note)):
        text, tone = sentence(note)
        first, *rest = wrapped(text, width - 5, tone)
        lines.append((Span(f"{name}  ", Tone.LABEL), *first))
        lines.extend((Span(" " * 5), *more) for more in rest)
    return lines


def whole(store: Store) -> str:
    """Both sides as plain text, for a window of its own."""
    row = store.market()
    if row is None:
        return ""
    said = [f"{name}: {clean(sentence(note)[0])}" for name, note in (("bid", row.bid_note), ("ask", row.ask_note))]
    return "\n\n".join((clean(row.ticker), *said))


def facts(store: Store, width: int) -> list[Line]:
    """The strategy's numbers; names it does not know are shown as they came."""
    row = store.market()
    if row is None:
        return []
    values = facts_of(row)
    bound = values.pop("size_bound", "")
    if bound and "size" in values:
        values["size"] += f" ({bound})"
    note = clean(row.strategy) or "not traded"
    cells = [line(Span(f"{name.replace('_', ' ')} ", Tone.LABEL), value) for name, value in values.items()]
    if row.fair is not None and "fair" in values:
        cells[0] = line(Span("fair ", Tone.LABEL), Span(values["fair"], Tone.STRONG), f" {clean(row.fair_source)}")
    return [rule("FACTS", width, note=note), *flow(cells, width)]


def facts_of(row: MarketRow) -> dict[str, str]:
    """Facts by name, prices and shares in the terminal's own way of writing."""
    return {name: _fact(name, clean(value)) for name, value in row.facts}


def _fact(name: str, value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        return value
    if name in _PRICES and 0 <= number < 1:
        return f"{number:.5f}"[1:]
    if name in _VOLS:
        return f"{number:.1%}"
    if name in ("nu", "premium", "weight_model"):
        return f"{number:.2f}"
    return value


def _side(name: str, note: SideNote | None) -> Line:
    text, tone = sentence(note)
    return line(Span(f"{name}  ", Tone.LABEL), Span(clean(text), tone))
