"""How far the venues stand apart on the chosen event: a heat map over venue and time, and the log of what stood out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from hlomm.domain.basket_rows import SignalRow
from hlomm.domain.edge_rows import DeviationRow, EventRow, IncomeRow, StandingRow
from hlomm.domain.ids import venue_of
from hlomm.domain.naming import venue_short
from hlomm.domain.units import SCALE
from tui.formats import AGE_DIM_S, age, clock, dated, number, quantity
from tui.state import Store
from tui.views.edges import cents, event_name, group_name, lag_s
from tui.views.line import Line, Span, Tone, aged, clean, cut, left, line, spread

NO_SIGNALS: Final = "nothing was wanted, and nothing stood apart farther than trading on it costs"
_SHADES: Final = "·░▒▓█"
"""Up to a quarter of what trading on it costs, a half, three quarters, all of it; and beyond."""
_LEGEND: Final = "·25 ░50 ▒75 ▓100 █over"
_FIGURES: Final = 36
_NAME: Final = 17


@dataclass(frozen=True)
class Said:
    """One line of the log."""

    wall_ms: int
    row: SignalRow | DeviationRow


def event_of(store: Store) -> EventRow | None:
    """The event that the chosen link is part of; the one with both legs if there is one."""
    edge = store.edge()
    if store.shown is None or edge is None:
        return None
    legs = {edge.left.market, edge.right.market}
    events = store.shown.engine.edges.events
    common = [len(legs & {one.market for one in event.standings}) for event in events]
    best = max(common, default=0)
    return events[common.index(best)] if best else None


def lines(store: Store, width: int) -> list[Line]:
    """A heading, why the chosen link is not traded, and one row of the map for each venue."""
    edge, event = store.edge(), event_of(store)
    if edge is None:
        return [line(Span(" APART", Tone.HEAD))]
    name = event_name(store, (edge.left.market, edge.right.market))
    minutes = 0 if event is None else round(event.lookback_s / 60)
    title = line(Span(f" APART {name}", Tone.HEAD), Span(f"  {minutes} min to now, % of its cost", Tone.LABEL))
    reason = clean(edge.why_not or edge.note)
    why = Span(" not traded: " if reason else " nothing is against it", Tone.LABEL)
    top = [spread(title, line(Span(_LEGEND, Tone.LABEL)), width), cut(line(why, reason), width)]
    if event is None or not any(one.known_s for one in event.standings):
        return [*top, cut(line(Span(" not sampled yet: it takes two fresh two-sided books", Tone.LABEL)), width)]
    return [*top, *(_venue(one, width) for one in event.standings)]


def of_market(store: Store, now_s: float, width: int) -> list[Line]:
    """The same for the event of the selected market, with the time under it."""
    row, snapshot = store.market(), store.shown
    if row is None or snapshot is None:
        return [line(Span(" APART", Tone.HEAD))]
    events = snapshot.engine.edges.events
    event = next((one for one in events if any(standing.market == row.id for standing in one.standings)), None)
    if event is None:
        said = " no other venue lists this event, as far as links tell: 4 shows them"
        return [line(Span(" APART", Tone.HEAD)), cut(line(Span(said, Tone.LABEL)), width)]
    minutes, old_s = round(event.lookback_s / 60), lag_s(store, now_s)
    name = event_name(store, [standing.market for standing in event.standings])
    what = Span(f"  {minutes} min to now, % of its cost", Tone.LABEL)
    top = spread(line(Span(f" APART {name}", Tone.HEAD), what), line(Span(_LEGEND, Tone.LABEL)), width)
    if not any(one.known_s for one in event.standings):
        return [top, cut(line(Span(" not sampled yet: it takes two fresh two-sided books", Tone.LABEL)), width)]
    cells = len(next((one.heat for one in event.standings if one.heat), ()))
    room = max(width - 4 - _FIGURES - 1, 1)
    drawn = room // cells * cells if cells and room >= cells else min(cells, room)
    said = f"{minutes} min ago"
    each = f"  a cell is {event.lookback_s / cells:.0f} s" if cells else ""
    ages = f", as of {age(old_s)} ago" if old_s > AGE_DIM_S else ""
    axis = Span(" " * 4 + said + "now @".rjust(max(drawn - len(said) + 2, 6)) + each + ages, Tone.LABEL)
    return [top, *(aged(_venue(one, width), old_s) for one in event.standings), cut(line(axis), width)]


def _venue(row: StandingRow, width: int) -> Line:
    shades = heat(row.heat, max(width - 4 - _FIGURES - 1, 1))
    return cut((Span(f" {venue_short(venue_of(row.market))} "), *shades, Span(" "), *_figures(row)), width)


def _figures(row: StandingRow) -> Line:
    """Now against what trading on it costs; the worst of the lookback; how long it paid."""
    now, beyond = "no book", False
    if row.deviation is not None and row.threshold is not None:
        now, beyond = (
            f"{cents(row.deviation / SCALE, 7)}/{_cents(row.threshold):.1f}c",
            abs(row.deviation) > row.threshold,
        )
    return line(
        Span(f"{now:>13}", Tone.WARN if beyond else Tone.PLAIN), Span(" peak ", Tone.LABEL),
        f"{_cents(row.peak):>4.1f}c", Span(" over ", Tone.LABEL), f"{row.beyond / SCALE:>4.0%}",
    )  # fmt: skip


def _cents(px: int) -> float:
    return px * 100 / SCALE


def heat(cells: Sequence[int], width: int) -> Line:
    """Cells as shades, the present at the right; where two share a character the worse one is shown."""
    shown = [max(part) for part in _split(cells, width)]
    marks = [(" " if cell < 0 else _SHADES[min(cell // 25, 4)], cell >= 100) for cell in shown]
    return tuple(
        Span("".join(mark for mark, _ in run), Tone.WARN if over else Tone.PLAIN)
        for over, run in groupby(marks, key=lambda mark: mark[1])
    )


def _split(cells: Sequence[int], width: int) -> list[Sequence[int]]:
    """As many stretches as there is room for; with room for all of them twice, each is shown so often."""
    count = len(cells)
    if width >= count:
        return [cells[place : place + 1] for place in range(count) for _ in range(width // count)]
    return [cells[place * count // width : (place + 1) * count // width] for place in range(width)]


def whole(store: Store) -> str:
    """The chosen event's venues in words."""
    event = event_of(store)
    if event is None:
        return ""
    parts = [f"apart over {event.lookback_s / 60:.0f} min ({clean(event.key)}):"]
    for row in event.standings:
        now = "not known now"
        if row.deviation is not None and row.threshold is not None:
            now = f"now {cents(row.deviation / SCALE, 9)}, trading on it costs {_cents(row.threshold):.2f}c"
        parts.append(
            f"  {venue_short(venue_of(row.market))} {now}; mean {_cents(row.mean):.2f}c, peak {_cents(row.peak):.2f}c, "
            f"beyond {row.beyond / SCALE:.0%} of {row.known_s:.0f} s"
        )
    return "\n".join(parts)


# -- the log


def log_head(store: Store, width: int) -> Line:
    """How much there is, and what venues would pay for quoting: an estimate, in no result."""
    count = len(log(store))
    income = () if store.shown is None else store.shown.engine.edges.income
    note = " · ".join(_income(row) for row in income)
    return spread(
        line(Span(f" SIGNALS {count}", Tone.HEAD)), line(Span(f"est. income {note}" if note else "", Tone.LABEL)), width
    )


def _income(row: IncomeRow) -> str:
    said = f"{venue_short(row.venue)} rebates {number(row.rebates)}"
    if row.quoted:
        said += f", {row.scoring}/{row.quoted} score {row.share / SCALE:.0%}"
    return said + (f", {number(row.per_day)}/day" if row.per_day else "")


def log(store: Store) -> list[Said]:
    """What was wanted and what stood apart, newest first."""
    if store.shown is None:
        return []
    engine = store.shown.engine
    wanted = [Said(row.wall_ms, row) for row in engine.arbitrage.signals]
    stood = [Said(row.wall_ms, row) for row in engine.edges.deviations]
    return sorted((*wanted, *stood), key=lambda one: -one.wall_ms)


def log_lines(store: Store, rows: Sequence[Said], width: int) -> list[Line]:
    return [_log_line(store, one, width) for one in rows]


def _log_line(store: Store, one: Said, width: int) -> Line:
    stamp = Span(f"{clock(one.wall_ms)} ", Tone.LABEL)
    row = one.row
    if isinstance(row, SignalRow):
        name = group_name(store, row.group)
        words = f"wanted {quantity(row.qty)} at {cents(row.edge / SCALE, 8)}  {clean(row.reason)}"
        return cut(line(stamp, Span("PAIR  ", Tone.STRONG), left(name, _NAME), " ", words), width)
    name = event_name(store, (row.market,))
    venue, costs = venue_short(venue_of(row.market)), f"{_cents(row.threshold):.2f}c"
    words = f"{venue} {cents(row.deviation / SCALE, 8)} from the others, costs {costs}"
    return cut(line(stamp, Span("apart ", Tone.LABEL), left(name, _NAME), " ", words), width)


def log_text(one: Said) -> str:
    row = one.row
    if isinstance(row, SignalRow):
        return (
            f"{clean(row.group)}\n{dated(row.wall_ms)}  wanted {quantity(row.qty)} pairs, each to leave "
            f"{cents(row.edge / SCALE, 9)} at least\n\n{clean(row.reason)}"
        )
    return (
        f"{clean(row.ticker)}   {clean(row.market)}\n{dated(row.wall_ms)}  began to stand "
        f"{cents(row.deviation / SCALE, 9)} from what the other venues say together; "
        f"trading on it costs {_cents(row.threshold):.2f}c"
    )
