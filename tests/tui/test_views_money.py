"""Rung: pure functions from the store to text. The truth bar, the money block, the venues."""

from __future__ import annotations

import msgspec
import pytest

from hlomm.domain.report import GuardianRow
from hlomm.domain.units import Cash
from tests.tui.examples import (
    NOW_S,
    VENUE,
    cash,
    halted,
    snapshot,
)
from tests.tui.reading import store, text, tones
from tui.client import Lost, Pictured
from tui.state import Start, Store
from tui.views import money, plot, truth, venues
from tui.views.line import Tone, plain

# -- the ladder


def test_a_critical_rung_takes_the_place_of_the_curve_and_a_warning_does_not() -> None:
    for ladder, shown in (("critical", True), ("warning", False), ("normal", False), ("", False)):
        made = store(snapshot(ladder=ladder, ladder_reasons=("quotes pulled: BTC moved", "puppet: paused")))
        third = plain(money.lines(made, NOW_S, 80)[2])
        assert third.startswith("CRITICAL quotes pulled: BTC moved · puppet: paused") is shown


# -- truth bar


@pytest.mark.parametrize(
    ("state", "word", "css"),
    [
        ("running", "QUOTING", "-quoting"),
        ("flattening", "FLATTENING", "-flattening"),
        ("halted", "HALTED", "-halted"),
        ("stopping", "STOPPING", "-flattening"),
        ("starting", "STARTING", "-waiting"),
        ("stopped", "STOPPED", "-waiting"),
        ("a new state!", "A NEW STATE!", "-waiting"),
    ],
)
def test_every_state_has_a_word_and_a_class(state: str, word: str, css: str) -> None:
    made = store(snapshot(state=state))
    assert (truth.word(made, NOW_S), truth.css_class(made, NOW_S)) == (word, css)


def test_the_word_is_paused_only_when_everything_is() -> None:
    assert truth.word(store(snapshot(paused=("avellaneda",))), NOW_S) == "PAUSED"
    assert truth.word(store(snapshot(paused=("another",))), NOW_S) == "QUOTING"


def test_without_news_the_word_is_no_link_although_the_socket_is_open() -> None:
    made = store()
    assert "link 2.0s" in plain(truth.bar(made, NOW_S + 2, 80))
    assert truth.word(made, NOW_S + 4.2) == "NO LINK 4.2s"
    assert truth.css_class(made, NOW_S + 4.2) == "-no-link"


def test_a_new_terminal_connects_before_it_complains() -> None:
    made = Store.begin("/tmp/s", NOW_S)
    assert truth.word(made, NOW_S + 0.9) == "CONNECTING"
    assert truth.word(made, NOW_S + 1.1) == "NO LINK 1.1s"


def test_the_bar_says_what_is_at_stake_and_never_exceeds_its_line() -> None:
    live = msgspec.structs.replace(snapshot(), profile="mainnet", armed=cash("5000"))
    assert "mainnet · QUOTING · armed 5,000 · guardian — · 00:57:07Z · link ok" in plain(
        truth.bar(store(live), NOW_S, 80)
    )
    made = store()
    made.toggle_freeze(NOW_S)
    frozen = plain(truth.bar(made, NOW_S + 12, 80))
    assert len(frozen) == 80
    assert frozen.endswith("FROZEN 12s   K kill") or ("FROZEN 12s" in frozen and frozen.endswith("K kill"))


def test_the_bar_offers_the_key_that_matters() -> None:
    assert plain(truth.bar(store(halted()), NOW_S, 80)).endswith("R resume")


# -- money


def test_money_keeps_its_places_at_every_width() -> None:
    """Wider terminals add figures to the right; the first eighty columns do not change."""
    narrow, wide = (money.lines(store(), NOW_S, width) for width in (79, 200))
    for before, after in zip(narrow, wide, strict=True):
        assert plain(after).startswith(plain(before).rstrip())
    assert all(len(plain(each)) <= 79 for each in narrow)
    assert "turn p99" in text(wide)


def test_money_shows_signs_and_shares() -> None:
    shown = text(money.lines(store(), NOW_S, 79))
    for part in (
        "10,214.37",
        "+41.82",
        "12.10/150",
        "1,180/3,000",
        "−97.36",
        "+58.20",
        "−9.31",
        "−4.02",
        "−3.05",
        "143",
    ):
        assert part in shown


@pytest.mark.parametrize(("drawdown", "tone"), [("10", Tone.PLAIN), ("75", Tone.WARN), ("120", Tone.ALARM)])
def test_a_figure_near_its_limit_is_marked(drawdown: str, tone: Tone) -> None:
    first = money.lines(store(snapshot(drawdown=cash(drawdown))), NOW_S, 79)[0]
    assert tones(first, f"{drawdown}.00/150") == {tone}


def test_no_limit_is_no_alarm() -> None:
    assert "12.10/0" in text(money.lines(store(snapshot(drawdown_limit=Cash(0))), NOW_S, 79))


def test_trouble_takes_the_place_of_the_curve() -> None:
    assert "HALTED kill by uid 1000" in text(money.lines(store(halted()), NOW_S, 79))
    made = store()
    made.apply(Lost("the daemon closed the connection"), NOW_S)
    assert "NO LINK the daemon closed the connection · figures are the last known" in text(money.lines(made, NOW_S, 79))
    made.start = Start("log")
    assert "s starts a simulator" in text(money.lines(made, NOW_S, 79))
    made.start.pid = 77
    assert "a simulator is starting, pid 77" in text(money.lines(made, NOW_S, 79))
    made.start.problem = "exit code 7"
    assert "exit code 7" in text(money.lines(made, NOW_S, 79))


def test_an_open_but_silent_link_is_trouble_too() -> None:
    assert "no update arrives" in text(money.lines(store(), NOW_S + 5, 79))


def test_the_curve_ends_at_the_present() -> None:
    assert plot.resampled(range(100), 10) == [9, 19, 29, 39, 49, 59, 69, 79, 89, 99]
    assert plot.sparkline([0, 5, 10], 5) == "  ▁▅█"
    assert plot.sparkline([], 3) == "   "
    assert plot.sparkline([7, 7], 2) == "▁▁"
    assert plot.rows_of([0, 15], 2, 2) == [" █", "▁█"]


# -- venues


def test_a_venue_that_is_not_live_is_an_alarm() -> None:
    down = msgspec.structs.replace(
        VENUE, session="down", data_age_s=7.0, budget_used=None, skew_ms=None, ack_p50_ms=None
    )
    _, row = venues.lines(store(snapshot(venues=(down,))), NOW_S, 79)
    assert tones(row, "DOWN") == {Tone.ALARM}
    assert tones(row, "7.0s") == {Tone.STALE}
    assert plain(row).count("—") == 3


def test_a_venue_row_fits_80_columns_with_large_figures() -> None:
    large = msgspec.structs.replace(
        VENUE, open_orders=40, ack_p50_ms=999.0, skew_ms=-1234, budget_cap=99_999, data_age_s=119.0
    )
    plenty = msgspec.structs.replace(large, budget_cap=250_000)
    _, row = venues.lines(store(snapshot(venues=(large,))), NOW_S, 79)
    assert len(plain(row)) <= 79
    assert "left 99619" in plain(row)
    assert "left  249k" in text(venues.lines(store(snapshot(venues=(plenty,))), NOW_S, 79))


@pytest.mark.parametrize(
    ("width", "used", "cap", "runway_min", "said"),
    [
        (79, 1_000, 250_000, 12 * 60, "left   12h"),
        (79, 1_000, 250_000, 200 * 60, "left  249k"),
        (79, 0, 1_000_000_000, None, "left 1000M"),
        (99, 1_000, 250_000, 12 * 60, "left  249k 12h"),
        (99, 0, 99_999, 99 * 60, "left 99999 99h"),
    ],
)
def test_what_is_left_of_a_budget_is_never_cut_in_a_number(
    width: int, used: int, cap: int, runway_min: int | None, said: str
) -> None:
    tight = msgspec.structs.replace(VENUE, budget_used=used, budget_cap=cap, budget_runway_min=runway_min)
    _, row = venues.lines(store(snapshot(venues=(tight,))), NOW_S, width)
    assert said in plain(row)
    assert len(plain(row)) <= width


def test_venue_ages_grow_with_the_lag() -> None:
    assert "age 2.0s" in text(venues.lines(store(), NOW_S + 2, 79))


def test_the_bar_says_whether_a_guardian_watches() -> None:
    def said(**fields: object) -> str:
        made = store()
        assert made.live is not None
        made.apply(Pictured(msgspec.structs.replace(made.live, guardian=GuardianRow(**fields))), NOW_S)
        return plain(truth.bar(made, NOW_S, 120))

    assert "guardian —" in said()
    assert "guardian ok" in said(state="up", answer_age_s=0.4)
    assert "guardian 2.5s" in said(state="up", answer_age_s=2.5)
    assert "guardian DOWN" in said(state="down", reason="no answer in 3 s")
