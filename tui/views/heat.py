"""Heat maps of characters: a cell is a shade and, where there is room, its number. Colour alone says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hlomm.domain.units import SCALE
from tui.views.line import Line, Span, Tone, cut, flow, left, line, right

SHADES: Final = "·░▒▓█"
TONES: Final = (Tone.HEAT0, Tone.HEAT1, Tone.HEAT2, Tone.HEAT3, Tone.HEAT4)
NOW: Final = "@"
OFF: Final = "×"
"""Nothing is quoted there."""
_WIDEST: Final = 9
_NUMBERED: Final = 3
"""From that many characters a cell on it carries its number as well."""


@dataclass(frozen=True)
class Cell:
    value: int | None
    """A price in 1e-8; None is nothing to show."""
    off: bool = False
    """Not quoted."""


@dataclass(frozen=True, kw_only=True)
class Map:
    rows: Sequence[str]
    """What each row stands for, from the top."""
    columns: Sequence[str]
    cells: Sequence[Cell]
    """Row by row."""
    at: tuple[int, int]
    """(row, column) of the present."""
    axis: str
    """What the columns are, with their unit."""
    fine: bool
    """Small figures: in narrow cells they are tenths of a cent."""

    def row(self, number: int) -> Sequence[Cell]:
        return self.cells[number * len(self.columns) : (number + 1) * len(self.columns)]

    @property
    def sound(self) -> bool:
        """Whether there are as many cells as the axes say, and the present is among them."""
        row, column = self.at
        whole = len(self.cells) == len(self.rows) * len(self.columns)
        return whole and 0 <= row < len(self.rows) and 0 <= column < len(self.columns)


def unit(of: Map, width: int) -> str:
    """Of the numbers in the cells."""
    return ".1c" if of.fine and _cell_width(of, width) == _NUMBERED else "c"


def _label_width(of: Map) -> int:
    return max(map(len, of.rows), default=0) + 1


def _cell_width(of: Map, width: int) -> int:
    return min(max((width - _label_width(of)) // max(len(of.columns), 1), 1), _WIDEST)


def lines(of: Map, width: int, height: int) -> list[Line]:
    """Rows, the axis under them, and what the signs mean. Of too many rows every second one, or those around now."""
    if not of.sound:
        return [line(Span("the daemon sent a map that does not fit its axes", Tone.WARN))]
    label, cell = _label_width(of), _cell_width(of, width)
    scale = _scale(of)
    legend = _legend(of, scale, width)
    shown = _shown(len(of.rows), of.at[0], max(height - 1 - len(legend), 1))
    drawn = [_row(of, number, label, cell, scale, width) for number in shown]
    return [*drawn, _axis(of, label, cell, width), *legend]


def _scale(of: Map) -> tuple[int, int]:
    """Lowest and highest value that is quoted; of all where none is."""
    values = [one.value for one in of.cells if one.value is not None and not one.off]
    values = values or [one.value for one in of.cells if one.value is not None] or [0]
    return min(values), max(values)


def _shade(value: int, scale: tuple[int, int]) -> int:
    low, high = scale
    if high <= low:
        return 0
    return min(max((value - low) * len(SHADES) // (high - low), 0), len(SHADES) - 1)


def _shown(count: int, now: int, room: int) -> list[int]:
    """All rows; else every second one, the present among them; else those around it."""
    if count <= room:
        return list(range(count))
    every = [row for row in range(count) if row % 2 == now % 2]
    if len(every) > room:
        first = min(max(every.index(now) - room // 2, 0), len(every) - room)
        every = every[first : first + room]
    return every


def _row(of: Map, number: int, label: int, cell: int, scale: tuple[int, int], width: int) -> Line:
    now = number == of.at[0]
    parts = [right(f"{of.rows[number]} ", label, Tone.STRONG if now else Tone.LABEL)]
    parts += [
        _cell(one, scale, cell, now=now and column == of.at[1], fine=of.fine)
        for column, one in enumerate(of.row(number))
    ]
    return cut(tuple(parts), width)


def _cell(one: Cell, scale: tuple[int, int], width: int, *, now: bool, fine: bool) -> Span:
    if one.value is None or (one.off and not now):
        # Where the width decides, the model's own half-spread would be there to read, but nothing stands at it.
        return left(NOW if now else OFF if one.off else " ", width, Tone.STRONG if now else Tone.LABEL)
    shade = _shade(one.value, scale)
    sign, tone = (NOW, Tone.STRONG) if now else (SHADES[shade], TONES[shade])
    if width < _NUMBERED:
        return Span((sign if now else sign * width).ljust(width), tone)
    return Span(sign + figure(one.value, width - 1, fine=fine).ljust(width - 1), tone)


def figure(value: int, width: int, *, fine: bool) -> str:
    """Cents in so many characters; in two of them tenths of a cent where figures are small, `++` from ten cents on."""
    value_c = value * 100 / SCALE
    if width <= 2:
        tenths = round(value_c * 10) if fine else round(value_c)
        return f"{tenths:02d}" if 0 <= tenths <= 99 else "++" if tenths > 0 else "--"
    room = width - 1 if width > 3 else width  # a gap to the next cell, where it can be spared
    return next((text for places in (2, 1, 0) if len(text := f"{value_c:.{places}f}") <= room), "#" * room)


def _axis(of: Map, label: int, cell: int, width: int) -> Line:
    """As many labels as fit without touching, the present one always."""
    text = [" "] * (len(of.columns) * cell)
    apart = max(1, -(-(max(map(len, of.columns)) + 1) // cell))
    for column in range(of.at[1] % apart, len(of.columns), apart):
        said = of.columns[column]
        at = min(column * cell, max(len(text) - len(said), 0))
        text[at : at + len(said)] = said
    return cut(line(left(of.axis, label, Tone.LABEL), Span("".join(text[: len(of.columns) * cell]), Tone.LABEL)), width)


def _legend(of: Map, scale: tuple[int, int], width: int) -> list[Line]:
    """From which value on each shade stands, and the other signs."""
    low, high = scale
    steps = [low + (high - low) * number // len(SHADES) for number in range(len(SHADES))]
    shown = steps if high > low else steps[:1]
    forms = ([f"{step * 100 / SCALE:.{places}f}" for step in shown] for places in range(int(of.fine), 4))
    said = next(
        (form for form in forms if len(set(form)) == len(form)), [f"{step * 100 / SCALE:.4f}" for step in shown]
    )
    cells = [
        line(Span(sign, tone), Span(text, Tone.LABEL)) for sign, tone, text in zip(SHADES, TONES, said, strict=False)
    ]
    cells[-1] = (*cells[-1], Span("c", Tone.LABEL))
    cells.append(line(Span(NOW, Tone.STRONG), Span("now", Tone.LABEL)))
    if any(one.off for one in of.cells):
        cells.append(line(Span(f"{OFF}off", Tone.LABEL)))
    return flow(cells, width, gap=1)


def percent(value: int) -> str:
    """`45%`, `4.5%`: two figures."""
    share = value * 100 / SCALE
    return f"{share:.0f}%" if share >= 9.95 else f"{share:.1f}%"
