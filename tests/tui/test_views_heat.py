"""Rung: pure. A map is read without colour: every shade has a character, and where there is room a number."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hlomm.domain.units import SCALE
from tests.tui.reading import text
from tui.views import heat
from tui.views.heat import OFF, SHADES, Cell, Map
from tui.views.line import Tone, plain, width_of


def ramp(rows: int = 17, columns: int = 11, *, off: int = -1, fine: bool = False, at: tuple[int, int] = (8, 5)) -> Map:
    """From 0 to 99 cents, by row then by column."""
    count = rows * columns
    cells = [Cell(99 * SCALE // 100 * place // max(count - 1, 1), place == off) for place in range(count)]
    return Map(
        rows=[f"+{400 - 50 * row}" for row in range(rows)], columns=[str(11 + column) for column in range(columns)],
        cells=cells, at=at, axis="σ→", fine=fine,
    )  # fmt: skip


@pytest.mark.parametrize("width", [20, 38, 58, 99, 200])
@pytest.mark.parametrize("height", [1, 2, 5, 11, 19, 40])
def test_it_fits_whatever_room_there_is(width: int, height: int) -> None:
    drawn = heat.lines(ramp(), width, height)
    assert all(width_of(one) <= width for one in drawn)
    legend = len(heat._legend(ramp(), heat._scale(ramp()), width))
    assert len(drawn) <= max(height, 2 + legend)
    assert heat.NOW in plain(next(one for one in drawn if "+0 " in plain(one)))


def test_the_value_is_in_the_characters() -> None:
    """Without any tone the same map comes back: shades rise with the values, numbers are the values."""
    drawn = [plain(one) for one in heat.lines(ramp(), 6 + 11 * 6, 30)][:17]
    shades = [char for row in drawn for char in row if char in SHADES]
    assert [SHADES.index(char) for char in shades] == sorted(SHADES.index(char) for char in shades)
    assert set(shades) == set(SHADES)
    numbers = [float(word) for row in drawn for word in row[5:].translate({ord(c): " " for c in SHADES + "@"}).split()]
    assert len(numbers) == 17 * 11
    assert numbers == sorted(numbers)
    assert (numbers[0], numbers[-1]) == (0.0, 99.0)


def test_a_shade_has_one_tone_and_the_present_none_of_them() -> None:
    seen: dict[str, set[Tone]] = {}
    for drawn in heat.lines(ramp(), 72, 30)[:17]:
        for span in drawn[1:]:
            seen.setdefault(span.text[0], set()).add(span.tone)
    assert {sign: len(tones) for sign, tones in seen.items()} == dict.fromkeys((*SHADES, heat.NOW), 1)
    assert seen[heat.NOW] == {Tone.STRONG}


def test_what_is_not_quoted_is_a_sign_without_a_number() -> None:
    drawn = plain(heat.lines(ramp(off=0), 72, 30)[0])
    assert drawn.split()[1].startswith(OFF)
    assert drawn.split()[1] == OFF
    assert "×off" in text(heat.lines(ramp(off=0), 72, 30))
    assert "×off" not in text(heat.lines(ramp(), 72, 30))


@pytest.mark.parametrize("row", range(17))
def test_with_too_few_lines_every_second_row_is_left_out_but_never_the_present(row: int) -> None:
    for room in (9, 5, 1):
        shown = heat._shown(17, row, room)
        assert row in shown
        assert len(shown) <= room
        assert all(high - low == 2 for low, high in pairwise(shown))
    assert heat._shown(17, row, 17) == list(range(17))


@pytest.mark.parametrize(
    ("value", "width", "fine", "said"),
    [
        (0.0231, 2, True, "23"), (0.0231, 2, False, "02"), (0.11, 2, True, "++"), (0.997, 2, False, "++"),
        (0.5, 2, False, "50"), (-0.01, 2, True, "--"), (0.0231, 3, True, "2.3"), (0.11, 3, True, "11"),
        (0.1234, 5, False, "12.3"), (0.1234, 6, False, "12.34"), (99.0, 3, False, "###"), (0, 3, False, "0.0"),
    ],
)  # fmt: skip
def test_figures(value: float, width: int, fine: bool, said: str) -> None:
    assert heat.figure(round(value * SCALE), width, fine=fine) == said


def test_a_flat_map_is_one_shade() -> None:
    made = ramp()
    flat = Map(rows=made.rows, columns=made.columns, cells=[Cell(SCALE // 2)] * 187, at=made.at, axis="σ→", fine=False)
    assert {char for char in text(heat.lines(flat, 72, 30)) if char in SHADES} == {"·"}


@pytest.mark.parametrize("span", [1, 10**5, 10**6, 10**8])
def test_no_two_shades_are_explained_alike(span: int) -> None:
    made = ramp()
    cells = [Cell(60 * SCALE // 100 + span * place // 186) for place in range(187)]
    near = Map(rows=made.rows, columns=made.columns, cells=cells, at=made.at, axis="σ→", fine=True)
    (legend,) = heat.lines(near, 99, 30)[18:]
    said = [word[1:].rstrip("c") for word in plain(legend).split() if word[0] in SHADES]
    assert len(said) == len(SHADES)
    assert len(set(said)) == len(said) or span == 1


def test_a_map_of_nothing_but_gaps_is_drawn() -> None:
    made = ramp()
    empty = Map(rows=made.rows, columns=made.columns, cells=[Cell(None, True)] * 187, at=made.at, axis="σ→", fine=True)
    assert OFF in text(heat.lines(empty, 72, 30))


@pytest.mark.parametrize("at", [(17, 0), (0, 11), (-1, 0)])
def test_a_map_that_does_not_fit_its_axes_is_refused_in_words(at: tuple[int, int]) -> None:
    assert "does not fit its axes" in text(heat.lines(ramp(at=at), 72, 30))


def test_axis_labels_do_not_touch_and_name_the_present() -> None:
    for width in (38, 44, 58, 99):
        made = ramp()
        axis = plain(heat.lines(made, width, 40)[17])
        words = axis.split()[1:]
        assert set(words) <= set(made.columns)
        assert made.columns[5] in words
