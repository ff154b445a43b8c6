"""Lines of text whose parts carry a tone. Tones are names; what they look like is the style sheet's business."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from rich.cells import cell_len

from tui.formats import fit
from tui.state import Freshness, freshness

_FILLER: Final = "\0"
"""No text has it: it is not printable."""


class Tone(StrEnum):
    PLAIN = "plain"
    LABEL = "label"
    """Names of numbers: quieter than the numbers."""
    HEAD = "head"
    """Names of sections and columns."""
    STRONG = "strong"
    DIM = "dim"
    STALE = "stale"
    OURS = "ours"
    """Our orders, and nothing else."""
    GAIN = "gain"
    LOSS = "loss"
    GOOD = "good"
    WARN = "warn"
    ALARM = "alarm"
    """Risk and halts only."""
    KEY = "key"
    HEAT0 = "heat0"
    """Cells of a map, from the lowest value up; their characters say the same."""
    HEAT1 = "heat1"
    HEAT2 = "heat2"
    HEAT3 = "heat3"
    HEAT4 = "heat4"


class Span(NamedTuple):
    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Span, ...]


def line(*parts: Span | str) -> Line:
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def plain(text: Line) -> str:
    return "".join(span.text for span in text)


def width_of(text: Line) -> int:
    """In cells: some characters take two, some none."""
    return sum(cell_len(span.text) for span in text)


def left(text: str, width: int, tone: Tone = Tone.PLAIN) -> Span:
    """A cell: cut or padded to its width."""
    kept = fit(printable(text), width)
    return Span(kept + " " * (width - cell_len(kept)), tone)


def right(text: str, width: int, tone: Tone = Tone.PLAIN) -> Span:
    kept = fit(printable(text), width)
    return Span(" " * (width - cell_len(kept)) + kept, tone)


def pair(label: str, value: str, width: int, tone: Tone = Tone.PLAIN) -> Line:
    """`label    value` in a fixed width, the value at the right so that it does not wander."""
    return line(Span(f"{label} ", Tone.LABEL), right(value, max(width - len(label) - 1, 0), tone))


def spread(start: Line, end: Line, width: int) -> Line:
    """One line with something at either end; the end gives way."""
    gap = width - width_of(start) - width_of(end)
    return cut(start, width) if gap < 1 else (*start, Span(" " * gap), *end)


def cut(text: Line, width: int) -> Line:
    """The line cut visibly to a width."""
    room = width
    kept: list[Span] = []
    for span in text:
        if cell_len(span.text) > room:
            kept.append(Span(fit(span.text, room), span.tone))
            if room == 0 and len(kept) > 1:  # the cut falls between two spans: mark it on the last one kept
                kept = [*kept[:-2], Span(kept[-2].text[:-1] + "…", kept[-2].tone)]
            break
        kept.append(span)
        room -= cell_len(span.text)
    return tuple(kept)


def rule(title: str, width: int, *, note: str = "") -> Line:
    """The heading of a section, with a remark at its right end."""
    return spread(line(Span(title, Tone.HEAD)), line(Span(note, Tone.LABEL)), width)


def retoned(text: Line, tone: Tone) -> Line:
    """The line in one tone, alarms excepted: they stay visible on old data."""
    return tuple(span if span.tone is Tone.ALARM else Span(span.text, tone) for span in text)


def aged(text: Line, age_s: float | None) -> Line:
    """The line in the tone of the age of what it shows."""
    fresh = freshness(age_s)
    if fresh is Freshness.FRESH:
        return text
    return retoned(text, Tone.STALE if fresh is Freshness.STALE else Tone.DIM)


def clean(text: str) -> str:
    """Text from elsewhere, on one line and without control characters."""
    return printable(text).strip()


def printable(text: str) -> str:
    """The same number of characters, none of which a terminal would obey."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def harmless(text: Line) -> Line:
    """Names come from venues, and whoever lists a market there may call it anything."""
    return tuple(span if span.text.isprintable() else Span(printable(span.text), span.tone) for span in text)


def wrapped(text: str, width: int, tone: Tone = Tone.PLAIN, *, most: int | None = None) -> Iterator[Line]:
    """Text of any length as lines; beyond `most` of them it is cut visibly."""
    said = clean(text)
    if cell_len(said) > len(said):  # a character of two cells counts as two
        said = "".join(char + _FILLER * (cell_len(char) - 1) for char in said)
        width -= 1  # the second may come to lie on the next line
    for part in textwrap.wrap(said, max(width, 1), max_lines=most, placeholder=" …") or [""]:
        yield line(Span(part.replace(_FILLER, ""), tone))


def within(lines: Sequence[Line], room: int) -> list[Line]:
    """As many lines as there is room for, one at least; the last of them says how many are out of sight."""
    room = max(room, 1)
    if len(lines) <= room:
        return list(lines)
    return [
        *lines[: room - 1],
        line(Span(f"… {len(lines) - room + 1} more lines: a higher window shows them", Tone.WARN)),
    ]


def flow(cells: Iterable[Line], width: int, *, gap: int = 2) -> list[Line]:
    """Cells one after the other, on as many lines as they need."""
    rows: list[Line] = []
    for cell in cells:
        if rows and width_of(rows[-1]) + gap + width_of(cell) <= width:
            rows[-1] = (*rows[-1], Span(" " * gap), *cell)
        else:
            rows.append(cell)
    return rows


def window(cursor: int, first: int, size: int, count: int) -> int:
    """First row to show so that the cursor is visible and as little as possible moves."""
    if size <= 0:
        return 0
    lowest = max(cursor - size + 1, 0)
    return min(max(min(first, cursor), lowest), max(count - size, 0))


def signed_tone(value: int) -> Tone:
    if value == 0:
        return Tone.PLAIN
    return Tone.GAIN if value > 0 else Tone.LOSS


def joined(cells: Iterable[Line], gap: int = 1, *, between: str = "") -> Line:
    """Cells one after the other on one line."""
    parts: list[Span] = []
    for cell in cells:
        if parts:
            parts.append(Span(between or " " * gap))
        parts.extend(cell)
    return tuple(parts)
