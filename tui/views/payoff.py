"""What each settlement would give: the daemon's scenarios, without those that say nothing new.

A scenario is reckoned just below, at and just above every bound of a contract, and where a hedge stands and how far it
is followed. Here a bound is `<85,413` and `≥85,413` (or `≤` and `>`, as the result jumps), and no row where it does not
jump. Results count the worst combination of resting orders as filled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from hlomm.domain.markets import MarketKind
from hlomm.domain.report import EngineReport, ScenarioRow
from tui.formats import decimals_of, fitted, moment, number, short_ticker
from tui.state import Store
from tui.views.line import Line, Span, Tone, aged, clean, cut, joined, left, line, right, signed_tone, spread, width_of
from tui.views.money import share_tone
from tui.views.plot import bar

EMPTY: Final = "nothing is at stake"
ANY: Final = "any price"

_ENDS: Final = ("NO", "YES")
"""How a scenario ends that no price decides: the last word of its name."""
_SIGNS: Final = {(1, 2): ("<", "≥"), (2, 1): ("≤", ">"), (1, 1, 1): ("<", "=", ">")}
"""How the three points around a bound are said, by how many in a row give the same."""
_NEARLY: Final = 500_000
"""Half a cent: results that differ by less are one."""

_NAME, _WHERE, _RESULT, _NOW, _WORST = 13, 9, 10, 3, 12
_DATED: Final = re.compile(r"(?P<coin>.+?)-\d{4}-\d\d-(?P<day>\d\d)T(?P<hour>\d\d)(?P<minute>\d\d)(?:-(?P<key>.+))?")
"""A settlement's name: `BTC-2026-05-11T0600`, and whose key settles it if it is a deployer's."""
_BAR_MIN, _BAR_MAX = 10, 60


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """One row: a price, one side of a bound, or one end of an event."""

    group: str
    """Underlying, or ticker of an event that no price decides."""
    key: str
    """Names the row within its group for as long as the contracts stay the same."""
    sign: str = ""
    """Of a bound: which side of it is meant."""
    at: int | None = None
    where: str = ""
    """`<85,413`, `85,990`, `any price`, `YES`."""
    loss: int
    worst: bool = False
    now: bool = False
    """What the present price would give."""

    @property
    def priced(self) -> bool:
        """Whether a price decides it."""
        return self.where not in _ENDS


def settlements(store: Store) -> list[Settlement]:
    """Group by group, from the lowest price up; marked are the worst of each group and where the price is now."""
    if store.shown is None:
        return []
    engine = store.shown.engine
    return [row for name, rows in groupby(engine.scenarios, key=_group) for row in _marked(engine, name, list(rows))]


def _group(row: ScenarioRow) -> str:
    return row.name if row.at is not None else row.name.rpartition("-")[0]


def _marked(engine: EngineReport, name: str, scenarios: Sequence[ScenarioRow]) -> Iterator[Settlement]:
    rows = list((_event if scenarios[0].at is None else _priced)(name, scenarios))
    worst = max(range(len(rows)), key=lambda index: rows[index].loss)
    dated = _DATED.fullmatch(name)
    now = _now(rows, _price(engine, name if dated is None else dated["coin"]))
    for index, row in enumerate(rows):
        yield replace(row, worst=index == worst, now=index == now)


def _event(name: str, scenarios: Sequence[ScenarioRow]) -> Iterator[Settlement]:
    for row in scenarios:
        end = row.name.rpartition("-")[2]
        yield Settlement(group=name, key=end, where=end, loss=row.loss)


# -- around a price


def _priced(name: str, scenarios: Sequence[ScenarioRow]) -> Iterator[Settlement]:
    """Bounds where the result jumps and points on the hedge's line; a single row if every price gives the same."""
    found: list[Settlement] = []
    for points in _runs(scenarios):
        levels = list(_levels(points))
        if len(points) == 1:
            lone = sum(not row.sign for row in found)
            found.append(Settlement(group=name, key=f"#{lone}", at=points[0].at, loss=points[0].loss))
        elif len(levels) > 1:
            found += _bound(name, points, levels)
    if not found:
        yield Settlement(group=name, key=ANY, where=ANY, loss=max(row.loss for row in scenarios))
    decimals = max((decimals_of(row.at or 0) for row in found if row.sign), default=2)
    for row in found:
        yield replace(row, where=f"{row.sign}{number(row.at or 0, decimals)}")


def _bound(name: str, points: Sequence[ScenarioRow], levels: Sequence[Sequence[ScenarioRow]]) -> Iterator[Settlement]:
    """What lies around one bound: three points with it in the middle, or else each by its own price."""
    signs = _SIGNS.get(tuple(len(level) for level in levels))
    for index, level in enumerate(levels):
        sign, at = ("", level[0].at) if signs is None else (signs[index], points[1].at)
        yield Settlement(group=name, key=f"{sign}{at}", sign=sign, at=at, loss=max(row.loss for row in level))


def _runs(scenarios: Sequence[ScenarioRow]) -> Iterator[list[ScenarioRow]]:
    """Points next to each other in the finest unit of price."""
    run: list[ScenarioRow] = []
    for row in scenarios:
        if run and (row.at or 0) - (run[-1].at or 0) != 1:
            yield run
            run = []
        run.append(row)
    yield run


def _levels(points: Sequence[ScenarioRow]) -> Iterator[list[ScenarioRow]]:
    """Points in a row that give the same."""
    level: list[ScenarioRow] = []
    for row in points:
        if level and abs(row.loss - level[0].loss) >= _NEARLY:
            yield level
            level = []
        level.append(row)
    yield level


def _price(engine: EngineReport, underlying: str) -> int | None:
    """Where the underlying is, by its perp."""
    perps = (row for row in engine.markets if row.kind is MarketKind.PERP and row.underlying == underlying)
    return next((row.fair for row in perps), None)


def _now(rows: Sequence[Settlement], price: int | None) -> int | None:
    """Index of the row nearest to a price, on the same side of every bound."""
    if price is None:
        return None
    near = [index for index, row in enumerate(rows) if row.at is not None and not _parted(rows, row, row.at, price)]
    return min(near, key=lambda index: abs((rows[index].at or 0) - price), default=None)


def _parted(rows: Sequence[Settlement], row: Settlement, at: int, price: int) -> bool:
    """Whether a price is on the other side of the row's own bound, or of one in between."""
    low, high = min(at, price), max(at, price)
    outside = {"<": price >= at, "≤": price > at, "=": price != at, "≥": price < at, ">": price <= at}
    return outside.get(row.sign, False) or any(
        other.sign and other.at is not None and low < other.at < high for other in rows
    )


# -- lines


def head(store: Store, width: int, more: str = "") -> Line:
    """The columns; at the right what all of it could lose, and how much of that is allowed."""
    start = line(Span(f"{' IF SETTLED AT':<{1 + _NAME + _WHERE}}{'RESULT':>{1 + _RESULT}}", Tone.HEAD))
    if store.shown is None:
        return start
    engine = store.shown.engine
    loss, limit = engine.worst_loss, engine.loss_limit
    worst = line(Span("worst over everything ", Tone.LABEL), Span(result_of(loss, limit), share_tone(loss, limit)))
    return spread(start, (*worst, Span(f"  {more}", Tone.HEAD)) if more else worst, width)


def row_lines(store: Store, visible: Sequence[Settlement], now_s: float, width: int) -> list[Line]:
    """Everything but the mark of the cursor. The bars share one scale, also with rows out of sight."""
    if store.shown is None:
        return []
    engine, results = store.shown.engine, [0, *(-row.loss for row in settlements(store))]
    scale, lag_s = (min(results), max(results)), store.shown_lag_s(now_s)
    return [aged(_row(engine, row, scale, width), lag_s) for row in visible]


def _row(engine: EngineReport, row: Settlement, scale: tuple[int, int], width: int) -> Line:
    limit, tone = limit_of(engine, row), signed_tone(-row.loss)
    worst = (f"worst of {number(limit, 0)}" if limit else "worst") if row.worst else ""
    marked = share_tone(row.loss, limit)
    cells = [
        _named(engine, row),
        line(right(fitted(-row.loss, _RESULT, signed=True), _RESULT, tone)),
        line(left("now" if row.now else "", _NOW, Tone.STRONG)),
        line(left(worst, _WORST, Tone.STRONG if marked is Tone.PLAIN else marked)),
    ]
    start = joined(cells)
    room = min(width - width_of(start) - 1, _BAR_MAX)
    return (*start, Span(" "), Span(bar(-row.loss, *scale, room), tone)) if room >= _BAR_MIN else cut(start, width)


def _named(engine: EngineReport, row: Settlement) -> Line:
    """What settles and how, as wide as the name of a market."""
    width = _NAME + _WHERE
    name = _settlement(row.group, engine.wall_ms) if row.priced else short_ticker(row.group, width - 4, engine.wall_ms)
    name = clean(name)
    start = _NAME if row.priced else width - 4
    return line(left(name, start), right(row.where, width - start))


def _settlement(name: str, wall_ms: int) -> str:
    """What settles, and when: `BTC 11:15Z`, with the day when it is not today."""
    dated = _DATED.fullmatch(name)
    if dated is None:
        return name
    today = f"{moment(wall_ms).day:02d}"
    when = (
        f"{dated['hour']}:{dated['minute']}Z"
        if dated["day"] == today
        else f"{dated['day']}T{dated['hour']}{dated['minute']}Z"
    )
    return f"{dated['coin']} {when}{'*' if dated['key'] else ''}"


def limit_of(engine: EngineReport, row: Settlement) -> int:
    """How much the row's group may lose; 0 where the daemon does not say."""
    if row.priced:
        return engine.underlying_loss_limit
    return min(engine.event_loss_limit, engine.underlying_loss_limit)


def result_of(loss: int, limit: int) -> str:
    said = number(-loss, 2, signed=True)
    return f"{said}/{number(limit, 0)}" if limit else said


def whole(store: Store, row: Settlement) -> str:
    """Everything about one row, with where its number comes from."""
    if store.shown is None:
        return ""
    engine = store.shown.engine
    rows = [other for other in settlements(store) if other.group == row.group]
    worst = max(rows, key=lambda other: other.loss, default=row)
    return (
        f"{clean(row.group)} settles at {row.where}: {number(-row.loss, 2, signed=True)}\n\n"
        "The result of all that is held on it over its whole life, without fees, with the worst combination of resting "
        "orders filled. A hedge is followed as far as the stress move, less the jump margin.\n\n"
        f"worst of {clean(row.group)}: {result_of(worst.loss, limit_of(engine, row))} (at {worst.where})\n"
        f"worst over everything: {result_of(engine.worst_loss, engine.loss_limit)}"
    )
