"""Rung: pure functions from the store to text. Fills, alerts, holdings; and the lines all views are made of."""

from __future__ import annotations

import msgspec

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import Qty
from tests.tui import examples
from tests.tui.examples import (
    NOW_S,
    daily,
    halted,
    perp,
    pulled,
    px,
    quarter,
    snapshot,
    wordy,
)
from tests.tui.reading import store, text, tones
from tui.views import activity, holdings, line, markets
from tui.views.line import Tone, plain

# -- fills, alerts, holdings


def test_fills_come_newest_first_with_their_edge() -> None:
    made = store()
    first, second, third = activity.fills(made)[:3]
    assert plain(activity.fill_line(first, 79)).startswith("00:57:03 sell YES      136 @ .60664 BTC≥91612 06:00Z")
    assert "edge   −0.30c taker" in plain(activity.fill_line(first, 79))
    assert "fee 0.01" in plain(activity.fill_line(first, 100))
    assert "fee" not in plain(activity.fill_line(first, 79)), "a fee that does not fit is left out, not cut"
    assert "buy NO" in plain(activity.fill_line(second, 79))
    assert "settlement" in plain(activity.fill_line(third, 79))
    assert "edge" not in plain(activity.fill_line(third, 79))


def test_a_fill_in_full() -> None:
    made = store()
    assert "maker" in activity.fill_text(activity.fills(made)[1])
    assert "edge against fair value not known" in activity.fill_text(activity.fills(made)[2])


def test_a_fill_of_a_perp_has_coins_and_no_leg() -> None:
    sold = examples.fill(1, Side.SELL, Leg.YES, "0.00117", "86182", None, market=perp().id, ticker=perp().ticker)
    assert plain(activity.fill_line(sold, 79)).startswith("00:57:06 sell       .00117 @  86182 BTC perp ")
    assert "sell 0.00117 coins at 86,182.0\n" in activity.fill_text(sold)
    bought = activity.fill_text(activity.fills(store())[1])
    assert "buy 40 NO at .38541\n" in bought


def test_an_order_on_a_perp_has_coins_and_no_leg() -> None:
    hedge = msgspec.structs.replace(
        snapshot().engine.orders[0], market=perp().id, ticker=perp().ticker, side=Side.SELL, px=px("85746"),
        leaves=Qty(12_000),
    )  # fmt: skip
    _, row = holdings.orders(store(snapshot(orders=(hedge,))), NOW_S, 52, 5)
    assert plain(row).startswith("BTC perp          sell      85746 .00012 open")


def test_alerts_carry_their_level_as_a_word() -> None:
    made = store(halted())
    assert [plain(activity.alert_line(row, 40))[9:13] for row in activity.alerts(made)] == [
        "WARN",
        "CRIT",
        "WARN",
        "info",
    ]


def test_a_level_of_the_future_is_a_warning() -> None:
    odd = activity.alerts(store(wordy()))[0]
    assert tones(activity.alert_line(odd, 79), "cata") == {Tone.WARN}


def test_a_long_alert_wraps_under_itself_and_is_never_markup() -> None:
    long = activity.alerts(store(wordy()))[1]
    lines = activity.alert_lines(long, 60)
    assert all(len(plain(each)) <= 60 for each in lines)
    assert "[b]no[/b]" in text(lines)
    assert "\x1b" not in text(lines)
    assert plain(lines[1]).startswith(" " * 14)


def test_the_log_fills_its_height_and_no_more() -> None:
    assert len(activity.log(store(wordy()), 50, 6)) == 6


def test_positions_leave_out_what_is_flat_or_settled() -> None:
    rows = examples.positions((quarter(), daily()))
    settled = msgspec.structs.replace(rows[0], settled=px("1"))
    flat = msgspec.structs.replace(rows[0], no=Qty(0))
    shown = text(holdings.positions(store(snapshot(positions=(settled, flat, rows[1]))), 38, 9))
    assert "POSITIONS 1" in shown
    assert "120 YES    −1.20" in shown
    assert "flat: nothing is held" in text(holdings.positions(store(snapshot(())), 38, 9))


def test_both_tokens_of_a_market_are_named() -> None:
    both = msgspec.structs.replace(examples.positions((quarter(),))[0], yes=examples.qty("75"))
    assert holdings.tokens(both) == "75Y 40N"


def test_wide_positions_add_cost_and_result() -> None:
    assert plain(holdings.positions(store(), 60, 9)[0]).rstrip().endswith("COST      REAL")


def test_orders_show_the_token_and_its_own_price() -> None:
    shown = text(holdings.orders(store(), NOW_S, 53, 9))
    assert "BTC≥91905 01:00Z  buy NO   .45832    150 amend" in shown
    assert "no order rests" in text(holdings.orders(store(snapshot(())), NOW_S, 53, 9))


# -- lines


def test_the_window_moves_only_as_far_as_the_cursor_makes_it() -> None:
    assert [line.window(cursor, 0, 3, 10) for cursor in (0, 2, 3, 9)] == [0, 0, 1, 7]
    assert line.window(1, 4, 3, 10) == 1
    assert line.window(0, 4, 3, 2) == 0
    assert line.window(3, 0, 0, 10) == 0


def test_cutting_marks_the_cut_wherever_it_falls() -> None:
    parts = line.line("abc", "def")
    assert [plain(line.cut(parts, width)) for width in (6, 5, 3, 2)] == ["abcdef", "abcd…", "ab…", "a…"]


def test_spread_gives_way_at_the_end() -> None:
    assert plain(line.spread(line.line("left"), line.line("right"), 12)) == "left   right"
    assert plain(line.spread(line.line("left side"), line.line("right"), 12)) == "left side"


def test_old_data_keeps_its_alarms() -> None:
    mixed = line.line(line.Span("a", Tone.GAIN), line.Span("b", Tone.ALARM))
    assert [span.tone for span in line.retoned(mixed, Tone.DIM)] == [Tone.DIM, Tone.ALARM]


def test_pulled_markets_name_the_guard_once_when_both_sides_share_it() -> None:
    assert markets.why(pulled(), 0.1).text == "model"
