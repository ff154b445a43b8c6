"""Why a market is quoted the way it is: the guard of each side in full, and the numbers behind the decision."""

from __future__ import annotations

from typing import Final

from hlomm.domain.desk_rows import MARKOUT_S
from hlomm.domain.explained import groups_of, why_untraded
from hlomm.domain.outputs import HaltState
from hlomm.domain.report import MarketRow, SideNote, Snapshot
from tui.formats import age, cents, short_ticker
from tui.state import Store
from tui.views.line import Line, Span, Tone, clean, cut, flow, left, line, rule, spread, wrapped

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


def chain(store: Store, now_s: float) -> list[tuple[str, str, Tone]]:
    """(of what, what is said, tone): all that decides on quoting here, as `hlomm explain` tells it."""
    row, snapshot = store.market(), store.shown
    if row is None or snapshot is None:
        return []
    engine = snapshot.engine
    said = [(name, *sentence(note)) for name, note in (("bid", row.bid_note), ("ask", row.ask_note))]
    if row.bid_note is None and (untraded := why_untraded(row)):
        said.append(("", untraded, Tone.LABEL))
    if engine.state != HaltState.RUNNING:
        said.append((clean(engine.state), engine.reason, Tone.ALARM))
    seen = "never seen"
    if row.book_age_s is not None:
        seen = f"{row.shape.replace('_', ' ')}, {age(row.book_age_s + store.shown_lag_s(now_s))} old"
    said.append(("book", seen, Tone.PLAIN))
    rung = Tone.PLAIN if engine.ladder in ("", "normal") else Tone.WARN
    said += [(engine.ladder, reason, rung) for reason in engine.ladder_reasons]
    if markouts := _markouts(row, snapshot):
        said.append(("later", markouts, Tone.PLAIN))
    said += [("pair", f"{group}: {reason}", Tone.LABEL) for group, reason in groups_of(row, engine).items()]
    return said


def _markouts(row: MarketRow, snapshot: Snapshot) -> str:
    """What our remembered fills here were worth later, each weighted by its size."""
    fills = [one for one in snapshot.engine.recent_fills if one.market == row.id and one.maker and one.markouts]
    said = []
    for place, after_s in enumerate(MARKOUT_S):
        known = [(one.markouts[place], one.qty) for one in fills if len(one.markouts) > place]
        worth = [(px, qty) for px, qty in known if px is not None and qty > 0]
        total = sum(qty for _, qty in worth)
        if total:
            said.append(f"{after_s}s {cents(sum(px * qty for px, qty in worth) // total)} (n={len(worth)})")
    return f"fills here were worth {' · '.join(said)}" if said else ""


def full(store: Store, now_s: float, width: int) -> list[Line]:
    """The chain with the whole text, however long."""
    said = chain(store, now_s)
    if not said:
        return []
    indent = max(5, *(min(len(name), 8) + 2 for name, _, _ in said))
    lines = [rule("WHY", width)]
    for name, text, tone in said:
        first, *rest = wrapped(text, width - indent, tone)
        lines.append((left(clean(name), indent - 1, Tone.LABEL), Span(" "), *first))
        lines.extend((Span(" " * indent), *more) for more in rest)
    return lines


def whole(store: Store, now_s: float) -> str:
    """The same as plain text, for a window of its own."""
    row = store.market()
    if row is None:
        return ""
    said = [f"{clean(name)}: {clean(text)}" if name else clean(text) for name, text, _ in chain(store, now_s)]
    return "\n\n".join((f"{clean(row.ticker)}   {clean(row.id)}", *said))


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
