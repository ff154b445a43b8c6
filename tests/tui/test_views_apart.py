"""Rung: pure. How far venues stand apart: a map that is read without colours, and the log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.examples import snapshot
from tests.tui.linked import FAR, NEAR, SUSPENDED, deviations, events, linked, picture, signal, standing, wordy_links
from tests.tui.reading import store, text, tones
from tui.formats import MINUS
from tui.state import Store
from tui.views import apart
from tui.views.line import Tone, plain, width_of


def chosen(group: str = NEAR, **changes: object) -> Store:
    known = store(linked(**changes))
    known.link_to(group)
    return known


def test_a_row_for_each_venue_now_at_worst_and_how_long() -> None:
    title, why, *venues = apart.lines(chosen(), 79)
    assert plain(title).startswith(" APART BTC≥91612 06:00Z  15 min to now, % of its cost")
    assert plain(title).endswith("█over")
    assert plain(why) == " nothing is against it"
    assert [plain(row)[1:3] for row in venues] == ["HL", "KS", "PM"]
    assert plain(venues[0]).endswith(f"{MINUS}3.12c/2.4c peak  4.3c over  12%")
    assert tones(venues[0], "3.12c") == {Tone.WARN}
    assert tones(venues[1], "0.48c") == {Tone.PLAIN}


def test_the_whole_reason_is_said_for_the_chosen_link() -> None:
    why = apart.lines(chosen(FAR), 79)[1]
    assert plain(why) == " not traded: no_edge: the best way round leaves -0.0569 per contract"


def test_an_event_that_was_not_sampled_yet_says_what_it_takes() -> None:
    lines = apart.lines(chosen(SUSPENDED), 79)
    assert plain(lines[2]) == " not sampled yet: it takes two fresh two-sided books"
    assert len(lines) == 3
    assert text(apart.lines(store(snapshot()), 79)) == " APART"


def test_a_venue_without_a_book_says_so() -> None:
    gone = (events()[0].standings[0], standing(events()[0].standings[1].market, None))
    event = type(events()[0])(key="k", lookback_s=900.0, standings=gone)
    rows = apart.lines(chosen(edges=picture(events=(event,))), 79)[2:]
    assert "no book" in plain(rows[1])


def test_shades_grow_with_the_share_of_what_trading_on_it_costs() -> None:
    line = apart.heat((-1, 0, 24, 25, 50, 75, 99, 100, 999), 9)
    assert plain(line) == " ··░▒▓▓██"
    assert tones(line, "██") == {Tone.WARN}
    assert tones(line, "▓▓") == {Tone.PLAIN}, "another shade as well as another tone"


@given(st.lists(st.integers(-1, 999), max_size=80), st.integers(1, 200))
def test_the_map_fits_and_shows_the_worst_of_what_it_merges(cells: list[int], width: int) -> None:
    shown = plain(apart.heat(cells, width))
    assert len(shown) <= width
    assert ("█" in shown) == any(cell >= 100 for cell in cells)
    assert not cells or len(shown) >= min(len(cells), width)


def test_the_event_is_the_one_with_both_legs() -> None:
    assert apart.event_of(chosen()) == events()[0]
    assert apart.event_of(chosen(SUSPENDED)) == events()[1]
    assert apart.event_of(chosen(edges=picture(events=()))) is None
    assert "mean 1.10c, peak 4.30c, beyond 12% of 871 s" in apart.whole(chosen())
    assert apart.whole(chosen(edges=picture(events=()))) == ""


# -- the log


def test_the_log_has_both_kinds_newest_first() -> None:
    known = store(linked())
    log = apart.log(known)
    assert [one.row for one in log] == [signal(), deviations()[1], deviations()[0]]
    lines = [plain(row) for row in apart.log_lines(known, log, 79)]
    assert lines[0].startswith("00:57:03 PAIR  BTC≥91612 06:00Z  wanted 20 at +1.31c")
    assert lines[1].startswith(f"00:56:58 apart BTC≥91612 06:00Z  HL {MINUS}3.12c from the others, costs 2.41c")


def test_income_is_an_estimate_and_says_so() -> None:
    said = plain(apart.log_head(store(linked()), 79))
    assert said == " SIGNALS 3                 est. income PM rebates 0.35, 2/3 score 12%, 0.42/day"
    assert "est." not in plain(apart.log_head(store(snapshot()), 79))


def test_in_full() -> None:
    said = [apart.log_text(one) for one in apart.log(store(linked()))]
    assert "wanted 20 pairs, each to leave +1.31c at least" in said[0]
    assert f"began to stand {MINUS}3.12c from what the other venues say together" in said[1]


@pytest.mark.parametrize("width", [40, 79, 120, 200])
def test_everything_stays_in_its_width_and_is_clean(width: int) -> None:
    for made in (linked(), wordy_links()):
        known = store(made)
        lines = [*apart.lines(known, width), apart.log_head(known, width)]
        lines += apart.log_lines(known, apart.log(known), width)
        assert all(width_of(row) <= width for row in lines)
        assert all(char.isprintable() for row in lines for char in plain(row))
