"""Rung: pure. Surfaces: what is marked is the present, what is missing says why, and old figures look old."""

from __future__ import annotations

import msgspec
import pytest

from hlomm.domain.look_rows import LookRow, SurfaceRow
from hlomm.domain.report import Snapshot
from hlomm.domain.units import SCALE
from tests.tui.examples import NOW_S, OK, WALL_MS, daily, halted, perp, pulled, px, quarter, snapshot, wordy
from tests.tui.linked import linked
from tests.tui.looking import UP, bare, look, seeing, surface, wordy_look
from tests.tui.reading import text
from tests.tui.stocked import stocked
from tui.client import Pictured, Up
from tui.looked import Drawn
from tui.views import apart, market, surfaces
from tui.views.line import Tone, plain


def test_the_head_names_market_source_fair_value_and_age() -> None:
    first, second = surfaces.head(seeing(), NOW_S, 79)
    assert plain(first).startswith("BTC≥91612 06:00Z HL  tte 5h02m53s  settles YES if BTC ≥ 91,612")
    assert plain(first).endswith("← 3/5 →")
    assert plain(second) == "by avellaneda, decided 0.4s ago  fair .61314  perp's price then 0.2s old"


def test_the_present_is_said_in_figures_above_the_maps() -> None:
    made = seeing()
    shown = text(surfaces.band(made, NOW_S, 38, 13))
    assert "QUOTE: half-spread" in shown
    assert "@ net +120 σ 2.2c/√min .6" in shown
    assert shown.count("@") == 3, "the line, the cell, the legend"
    shown = text(surfaces.odds(made, NOW_S, 39, 13))
    assert "@ S 91,881.5  σ 45.4%  .6" in shown
    assert shown.count("@") == 3


def test_the_marked_cell_carries_the_quotes_own_figure() -> None:
    made, row = seeing(), surface(daily())
    assert row.band is not None
    at, column = row.band.at
    place = at * len(row.band.sigmas) + column
    for what, values in (
        (Drawn.HALF, row.band.halves), (Drawn.BID, row.band.bids), (Drawn.ASK, row.band.asks),
        (Drawn.RESERVATION, row.band.reservations),
    ):  # fmt: skip
        value = values[place]
        assert value is not None
        shown = text(surfaces.band(made, NOW_S, 99, 30, what))
        assert f"@{value * 100 / SCALE:.2f}" in shown
        assert f"QUOTE: {what.value}" in shown


def test_the_figure_that_is_chosen_is_drawn() -> None:
    made = seeing()
    said = []
    for _ in Drawn:
        said.append(plain(surfaces.band(made, NOW_S, 58, 20)[0]).split("  ")[0])
        made.looked.drawn = made.looked.drawn.next
    assert said == ["QUOTE: half-spread", "QUOTE: reservation", "QUOTE: bid", "QUOTE: ask"]
    assert made.looked.drawn is Drawn.HALF


def test_where_it_is_pulled_there_is_a_sign_and_the_reason() -> None:
    row = pulled(bid_note=OK, ask_note=OK)
    made = seeing(stocked(), look(row, surface=surface(row)))
    shown = text(surfaces.band(made, NOW_S, 99, 30))
    assert "×" in shown
    assert "×off" in shown
    assert "maximum half-spread" in shown or "@" in shown


def test_old_figures_are_dim_and_their_heading_says_how_old() -> None:
    made = seeing()
    assert {Tone.DIM} != {span.tone for one in surfaces.band(made, NOW_S, 58, 20)[1:] for span in one}
    for later in (4.0, 9.0):
        for drawn in (surfaces.band, surfaces.odds):
            heading, *rest = drawn(made, NOW_S + later, 58, 20)
            assert {span.tone for one in rest for span in one} == {Tone.DIM}
            assert f"{later + 0.4:.1f}s OLD · in c" in plain(heading)
    assert "decided 9.4s ago" in text(surfaces.head(made, NOW_S + 9.0, 79))


def test_after_a_halt_the_last_decision_stays_and_says_that_nobody_asked_since() -> None:
    picture = halted()
    made = seeing(picture, look(surface=surface(daily(), decided_ms=WALL_MS - 14_000)))
    assert "decided 14s ago" in text(surfaces.head(made, NOW_S, 79))
    assert "not asked since: halted" in text(surfaces.head(made, NOW_S, 79))
    assert "@" in text(surfaces.band(made, NOW_S, 58, 20))


@pytest.mark.parametrize(
    ("picture", "shown", "up", "said"),
    [
        (stocked(), bare(), UP, "no strategy trades this market"),
        (stocked(), bare(perp()), UP, "a perp has no settlement"),
        (stocked(), look(quarter(), surface=None), UP, "waiting for the daemon"),
        (stocked(), look(surface=None, note="this market is not listed any more"), UP, "not listed any more"),
        (stocked(), look(), Up("sim", 1), "start it anew with this hlomm"),
        (snapshot(()), look(), UP, "no markets are listed yet"),
    ],
    ids=["untraded", "perp", "not yet", "gone", "an older daemon", "no markets"],
)
def test_what_is_missing_says_why(picture: Snapshot, shown: LookRow, up: Up, said: str) -> None:
    made = seeing(picture, shown, up=up)
    if not up.looks:
        made.looked.showed(None)
        made.looked.connected(able=False)
    assert said in text(surfaces.head(made, NOW_S, 79))
    assert said in text(surfaces.band(made, NOW_S, 79, 13))
    assert said in text(surfaces.odds(made, NOW_S, 79, 13))


def test_another_markets_look_is_not_shown_for_this_one() -> None:
    made = seeing()
    made.select(quarter().id)
    assert made.look() is None
    assert "waiting for the daemon" in text(surfaces.band(made, NOW_S, 58, 20))


def test_an_answer_to_an_order_takes_nothing_away() -> None:
    made = seeing()
    made.apply(Pictured(stocked()), NOW_S)
    assert made.look() == look()


def test_a_frozen_display_keeps_what_it_showed() -> None:
    made = seeing()
    made.toggle_freeze(NOW_S)
    made.apply(Pictured(stocked(), look(trades=())), NOW_S + 1)
    assert made.look() == look()
    made.select(quarter().id)
    assert "frozen on another market" in text(surfaces.band(made, NOW_S, 58, 20))
    made.select(daily().id)
    made.toggle_freeze(NOW_S + 2)
    assert made.look() == look(trades=())


def test_maps_with_the_wrong_number_of_cells_are_refused_in_words() -> None:
    whole = surface(daily())
    assert whole.band is not None
    assert whole.odds is not None
    short = msgspec.structs.replace(whole.band, bids=whole.band.bids[1:])
    few = msgspec.structs.replace(whole.odds, cells=whole.odds.cells[3:])
    made = seeing(stocked(), look(surface=msgspec.structs.replace(whole, band=short, odds=few)))
    assert "nothing to draw" in text(surfaces.band(made, NOW_S, 58, 20))
    assert "does not fit its axes" in text(surfaces.odds(made, NOW_S, 58, 20))


def test_text_from_the_daemon_is_neither_obeyed_nor_too_wide() -> None:
    row = wordy().engine.markets[0]
    made = seeing(wordy(), wordy_look(row.id))
    for width in (20, 38, 79):
        lines = [*surfaces.head(made, NOW_S, width), *surfaces.band(made, NOW_S, width, 13)]
        assert all(len(plain(one)) <= width for one in lines)


# -- the venues


def test_the_venues_of_the_chosen_market_over_time() -> None:
    made = seeing(linked())
    shown = text(apart.of_market(made, NOW_S, 79))
    assert shown.count("\n") == 4
    assert "APART BTC≥91612" in shown
    assert " HL " in shown
    assert " PM " in shown
    assert "15 min ago" in shown
    assert "now @" in shown
    assert "a cell is 15 s" in shown
    assert "−3.12c/2.4c" in shown


def test_a_market_of_one_venue_says_so() -> None:
    assert "no other venue lists this event" in text(apart.of_market(seeing(), NOW_S, 79))


def test_what_was_not_sampled_says_so() -> None:
    made = seeing(linked(), look(quarter()))
    assert "not sampled yet" in text(apart.of_market(made, NOW_S, 79))


def test_an_old_picture_of_the_venues_says_how_old() -> None:
    made = seeing(linked())
    assert "as of 12s ago" in text(apart.of_market(made, NOW_S + 12, 120))


def test_without_anything_there_are_only_headings() -> None:
    made = seeing(snapshot(()))
    assert market.NOTHING in text(surfaces.head(made, NOW_S, 79))
    assert text(apart.of_market(made, NOW_S, 79)) == " APART"


def test_decimals_tell_one_row_from_the_next() -> None:
    whole = surface(daily())
    assert isinstance(whole, SurfaceRow)
    assert whole.odds is not None
    assert surfaces._spot_places(whole.odds) == 0
    near = msgspec.structs.replace(whole.odds, spots=(px("2.0003"), px("2.0002"), px("2.0001")))
    assert surfaces._spot_places(near) == 4
