"""Rung: pure. Pairs being made count down and say what they may lose; kept ones say when they settle."""

from __future__ import annotations

import pytest

from hlomm.domain.basket_rows import BasketRow
from hlomm.domain.units import Qty
from tests.tui.examples import NOW_S, cash, qty, snapshot
from tests.tui.linked import HL, KS, book, kept, linked, machine, wordy_links
from tests.tui.reading import store, tones
from tui.formats import MINUS
from tui.views import pairs
from tui.views.line import Line, Tone, plain, width_of


def rows(*, width: int = 79, now_s: float = NOW_S, **changes: object) -> list[Line]:
    known = store(linked(**changes))
    return pairs.row_lines(known, pairs.pairs(known), now_s, width)


def of(row: BasketRow, now_s: float = NOW_S, width: int = 79) -> Line:
    return rows(baskets=(row,), now_s=now_s, width=width)[0]


def test_a_pair_being_made_counts_down() -> None:
    first = of(machine())
    assert plain(first).split() == [
        "BTC≥91612", "06:00Z", "MENDING", "HL", "YES", "20/20", "KS", "NO", "5/20", "6.6s", "left", "loss", "4.20/10",
    ]  # fmt: skip
    assert "4.1s left" in plain(of(machine(), NOW_S + 2.5)), "between two updates as well"
    assert tones(first, "left") == {Tone.PLAIN}


def test_past_its_deadline_it_says_so_in_words() -> None:
    late = of(machine(deadline_s=-3.2))
    assert "PAST 3s" in plain(late)
    assert tones(late, "PAST") == {Tone.ALARM}
    assert "PAST 5s" in plain(of(machine(), NOW_S + 12.0)), "although no update came since"


def test_one_without_a_deadline_and_one_left_on_one_leg() -> None:
    assert "no deadline" in plain(of(machine(deadline_s=None)))
    stuck = of(machine(phase="abandoned", over=True))
    assert tones(stuck, "ABANDONED") == {Tone.ALARM}
    assert "left" not in plain(stuck), "no deadline helps it any more"


@pytest.mark.parametrize(
    ("loss", "tone"), [("4.2", Tone.PLAIN), ("5", Tone.WARN), ("8", Tone.ALARM), ("-3", Tone.PLAIN)]
)
def test_what_it_may_lose_is_marked_as_it_is_used_up(loss: str, tone: Tone) -> None:
    row = of(machine(loss=cash(loss)))
    assert tones(row, "loss") == {tone}
    assert f"loss {max(float(loss), 0):.2f}/10" in plain(row)


def test_what_is_over_is_no_longer_shown_nor_baskets_of_questions() -> None:
    done, question = machine(phase="done", over=True), machine(pair=False)
    assert len(rows(baskets=(done, question))) == 1, "the kept pair alone"


def test_a_kept_pair_tells_what_it_cost_and_when_it_settles() -> None:
    (row,) = rows(baskets=())
    assert plain(row).split() == [
        "BTC≥91612", "06:00Z", "KEPT", "40", "HL", "YES+PM", "NO", "for", "38.91", "exp", "+0.52", "in", "5h02",
    ]  # fmt: skip
    (ended,) = rows(baskets=(), arbitrage=book(trades=(kept(settles_ms=None),)))
    assert plain(ended).rstrip().endswith("settling")


def test_open_ones_come_first_then_the_soonest_settlement() -> None:
    stuck, open_ = machine(phase="abandoned", over=True), machine()
    soon, late = kept(settles_ms=1_000, began_ms=2), kept(settles_ms=2_000, began_ms=1)
    known = store(linked(baskets=(stuck, open_), arbitrage=book(trades=(late, kept(settles_ms=None), soon))))
    assert pairs.pairs(known)[:4] == [open_, stuck, soon, late]


@pytest.mark.parametrize("width", [60, 79, 120, 200])
def test_rows_and_head_stay_in_their_width(width: int) -> None:
    for made in (linked(), wordy_links(), linked(arbitrage=book(taken=10**9, expected=cash("123456789.12")))):
        known = store(made)
        lines = [pairs.head(known, width), *pairs.row_lines(known, pairs.pairs(known), NOW_S, width)]
        assert all(width_of(row) <= width for row in lines)
        assert all(char.isprintable() for row in lines for char in plain(row))


def test_the_head_has_the_totals_as_far_as_there_is_room() -> None:
    known = store(linked())
    assert plain(pairs.head(known, 79)).endswith(f"12 settled 1 mismatched exp +4.12 real +3.71 legs {MINUS}0.64")
    assert "mismatched 1; expected +4.12, realised +3.71" in plain(pairs.head(known, 120))
    assert plain(pairs.head(known, 44)).endswith("exp +4.12 real +3.71")
    nothing = plain(pairs.head(store(snapshot()), 79))
    assert nothing.startswith(" PAIRS 0 open 0 kept")


def test_in_full_every_leg_and_the_way_out_of_a_stuck_one() -> None:
    known = store(linked())
    said = pairs.whole(known, machine(phase="abandoned", over=True, held={HL: qty("20"), KS: Qty(0)}), NOW_S)
    for part in ("ABANDONED, attempt 1, sent 3.4s ago", f"YES of {HL}: 20 of 20", f"NO of {KS}: 0 of 20",
                 "+4.20 of 10.00 that it may lose", "nobody sells NO", "F sells it"):  # fmt: skip
        assert part in said
    kept_one = pairs.whole(known, kept(), NOW_S)
    assert "40 pairs, kept since" in kept_one
    assert "cost 38.91, fees included; expected to leave +0.52" in kept_one
