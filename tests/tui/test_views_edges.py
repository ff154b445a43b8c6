"""Rung: pure. Linked events: what their rows say in every state, and that every amount can be followed."""

from __future__ import annotations

import msgspec
import pytest

from hlomm.domain.edge_rows import EdgeReport
from tests.tui.examples import NOW_S, WALL_MS, cash, snapshot
from tests.tui.linked import FAR, HL, KS, NEAR, PROPOSED, SUSPENDED, edge, executable, linked, picture, wordy_links
from tests.tui.reading import store, text, tones
from tui.formats import MINUS
from tui.state import Store
from tui.views import edges
from tui.views.line import Line, Tone, plain, width_of

WIDTHS = (79, 80, 110, 120, 170, 200)


def rows(known: Store, width: int = 79, now_s: float = NOW_S) -> list[Line]:
    return edges.row_lines(known, known.edges(), now_s, width)


def test_a_row_says_where_it_could_be_traded_what_that_leaves_and_why_not() -> None:
    suspended, near, far, proposed = (plain(row) for row in rows(store(linked())))
    assert near.split() == ["BTC≥91612", "06:00Z", "HL", ".601/.615", "PM", ".660/.670", "near", "+1.31c", "trading"]
    assert "SUSPENDED" in suspended
    assert "near +29" in far, "the strike of the right leg is that much higher"
    assert far.rstrip().endswith(f"{MINUS}5.69c 4.6s no_edge")
    assert proposed.split()[-2:] == ["not", "reviewed"]
    assert "—/—" in proposed


def test_prices_are_never_rounded_in_our_favour() -> None:
    row = edge(left=executable(HL, "0.60199", "0.61401"))
    (line,) = rows(store(linked(edges=picture(edges=(row,)))))
    assert "HL .601/.615" in plain(line)
    (wide,) = rows(store(linked(edges=picture(edges=(row,)))), 120)
    assert "HL .6019/.6141" in plain(wide)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("made", [linked, wordy_links], ids=["linked", "wordy"])
def test_rows_and_head_stay_in_their_width(made: object, width: int) -> None:
    known = store(made())  # type: ignore[operator]
    assert all(width_of(row) <= width for row in rows(known, width))
    assert width_of(edges.head(known, width)) <= width + 1, "the head counts the cursor's column"
    assert all(char.isprintable() for row in rows(known, width) for char in plain(row))


def test_columns_stand_under_their_names() -> None:
    known = store(linked())
    for width in (79, 120, 200):
        head = plain(edges.head(known, width))[1:]
        near = plain(rows(known, width)[1])
        end = head.index("LEAVES") + len("LEAVES")
        assert near[:end].endswith("+1.31c"), width
        assert near[head.index("IS") :].startswith("near"), width


def test_with_room_every_deduction_is_shown_and_they_add_up() -> None:
    _, near, *_ = rows(store(linked()), 200)
    figures = [part for part in plain(near).split() if part.endswith("c") and part[0] in f"+{MINUS}0"]
    gross, *taken, left = (float(part[:-1].replace(MINUS, "-")) for part in figures)
    assert len(taken) == 6
    assert left == pytest.approx(gross + sum(taken), abs=0.03), "cents, each rounded"


def test_an_old_leg_is_dim_then_struck_and_its_age_is_said() -> None:
    known = store(linked())
    far = rows(known)[2]
    assert tones(far, "KS .590/.620") == {Tone.DIM}
    assert tones(far, "HL .601/.615") == {Tone.PLAIN}, "the other leg is fresh"
    assert tones(far, "5.69c") == {Tone.DIM}
    later = rows(known, now_s=NOW_S + 2.0)[2]
    assert tones(later, "KS .590/.620") == {Tone.STALE}
    assert "6.6s" in plain(later), "ages go on while no update comes"


def test_a_picture_that_is_older_than_the_rest_says_so_in_its_ages() -> None:
    late = msgspec.structs.replace(picture(), at_ms=WALL_MS - 2_000)
    assert "6.6s" in plain(rows(store(linked(edges=late)))[2])


def test_nothing_is_told_by_colour_alone() -> None:
    suspended, near, far, _ = rows(store(linked()))
    assert tones(suspended, "SUSPENDED") == {Tone.ALARM}
    assert tones(near, "trading") == {Tone.GOOD}
    assert tones(near, "+1.31c") == {Tone.STRONG}, "enough, and with its sign"
    assert tones(far, "no_edge") == {Tone.PLAIN}


def test_what_is_enough_is_bold_what_is_a_gain_but_not_enough_is_not() -> None:
    short = edge(leaves=cash("0.05"))
    (row,) = rows(store(linked(edges=picture(edges=(short,)))))
    assert tones(row, "+0.25c") == {Tone.GAIN}


def test_zero_carries_no_sign_and_wide_figures_lose_decimals_first() -> None:
    assert edges.cents(-0.00001, 7) == "0.00c"
    assert edges.cents(0.00001, 7) == "0.00c"
    assert edges.cents(-1.236, 7) == f"{MINUS}123.6c"
    assert edges.cents(-12.34, 7) == f"{MINUS}1234c"
    assert edges.cents(-1e6, 7) == "#######"


def test_without_a_daemon_that_tells_of_links_there_is_a_sentence() -> None:
    for picture_ in (snapshot(), linked(edges=EdgeReport(), links=())):
        known = store(picture_)
        assert rows(known) == []
        assert known.edge() is None
        assert plain(edges.head(known, 79)).startswith(" LINKS 0")


# -- one in full


def whole(group: str, known: Store | None = None) -> str:
    known = store(linked()) if known is None else known
    known.link_to(group)
    row = known.edge()
    assert row is not None
    return edges.whole(known, row, NOW_S)


def test_in_full_every_amount_is_followed_from_the_gross_edge_to_what_is_left() -> None:
    said = whole(NEAR)
    for part in ("reviewed as btc-daily, by a person on 2026-11-20", "buy YES at HL and NO at PM, 20 of each",
                 "pays 1, less the prices", "+4.58c", "fees", "settlement basis (0.62% to part)", "+1.31c",
                 "needs +0.50c to be traded", "40 pairs of it are held", "source: hl_mark / binance_1m — near",
                 "20 YES sell at 0.60173, cost 0.61423 each; its book is 0.4s old"):  # fmt: skip
        assert part in said


def test_in_full_what_keeps_it_from_being_traded_comes_first() -> None:
    lines = whole(SUSPENDED).split("\n")
    assert lines[1].startswith("near, SUSPENDED: rules text of kalshi")
    assert lines[3].startswith("not traded: link: suspended, rules text of kalshi")


def test_in_full_without_books_the_reason_stands_for_the_sum() -> None:
    said = whole(PROPOSED)
    assert "no way round has both legs: depth: no way round has 20 contracts on both legs" in said
    assert "its book was never seen" in said


def test_in_full_without_a_strategy_the_gross_edge_is_all_there_is() -> None:
    row = edge(leaves=None, needs=None, note="")
    said = whole(NEAR, store(linked(edges=picture(edges=(row,)))))
    assert "+4.58c" in said
    assert "what is taken off cannot be told: no strategy trades links" in said


def test_texts_of_others_are_cleaned() -> None:
    known = store(wordy_links())
    row = known.edges()[0]
    assert all(char.isprintable() or char == "\n" for char in edges.whole(known, row, NOW_S))


# -- the selection


def test_the_selection_stays_with_its_link_and_moves_on_when_that_is_gone() -> None:
    known = store(linked())
    known.link_to(FAR)
    assert known.linked == FAR
    from tui.client import Pictured

    less = tuple(row for row in picture().edges if row.group != NEAR)
    known.apply(Pictured(linked(edges=picture(edges=less))), NOW_S)
    assert known.linked == FAR
    gone = tuple(row for row in less if row.group != FAR)
    known.apply(Pictured(linked(edges=picture(edges=gone))), NOW_S)
    assert known.linked == PROPOSED, "what took its place"
    known.apply(Pictured(linked(edges=EdgeReport())), NOW_S)
    assert known.linked is None


def test_the_name_is_that_of_the_leg_for_whose_name_there_is_room() -> None:
    known = store(linked())
    assert edges.event_name(known, (KS, HL)) == "BTC≥91612 06:00Z"
    assert edges.event_name(known, (KS,)).endswith("…")
    assert "06:00Z" in text([rows(known)[1]])
