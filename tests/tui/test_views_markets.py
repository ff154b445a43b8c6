"""Rung: pure functions from the store to text. The markets table, the ladder, the reasons."""

from __future__ import annotations

import msgspec
import pytest
from rich.cells import cell_len

from hlomm.domain.units import Qty, complement
from tests.tui import examples
from tests.tui.examples import (
    NOW_S,
    daily,
    many,
    one_sided,
    perp,
    px,
    quarter,
    snapshot,
    wordy,
)
from tests.tui.reading import store, text, tones
from tui.views import ladder, markets, why
from tui.views.line import Line, Tone, plain

# -- markets


def row_of(row: examples.MarketRow, lag_s: float = 0.0) -> Line:
    made = store(snapshot((row,)))
    return markets.rows(made, made.markets(), NOW_S + lag_s, 80)[0]


def test_a_market_row_has_every_figure_in_its_column() -> None:
    assert plain(row_of(quarter())) == (
        "▸BTC≥91905 01:00Z     2:53 .4961⊕ .4792 .5262 .4646/.5417   −40 bid max_position"
    )


def test_a_market_nobody_trades_says_so_and_a_perp_does_not() -> None:
    assert "not traded" in plain(row_of(daily(bid_note=None, ask_note=None, strategy="")))
    assert plain(row_of(perp())).rstrip().endswith("0")


@pytest.mark.parametrize(("held", "said"), [(-166_000, " −.001"), (120_000_000, " +1.20"), (0, "     0")])
def test_a_perp_is_held_in_coins(held: int, said: str) -> None:
    short = msgspec.structs.replace(perp(), yes=Qty(held))
    assert plain(row_of(short)).rstrip().endswith(said)


def test_an_empty_side_is_a_dash() -> None:
    shown = plain(row_of(one_sided()))
    assert "    — .0521     —/—" in shown
    assert shown.rstrip().endswith("one_sided")


@pytest.mark.parametrize(
    ("age_s", "tone", "said"), [(0.2, Tone.GOOD, "ok"), (2.2, Tone.WARN, "ok · book 2.2s"), (4.0, Tone.DIM, "4.0s"),
                                (6.5, Tone.STALE, "6.5s")],
)  # fmt: skip
def test_an_old_book_shows_its_age_then_dims_then_is_struck(age_s: float, tone: Tone, said: str) -> None:
    assert tones(row_of(daily(book_age_s=age_s)), said) == {tone}


def test_the_lag_of_the_link_makes_rows_old() -> None:
    assert tones(row_of(daily(), 7.0), ".6017") == {Tone.STALE}


def test_orders_under_way_are_no_reason_to_worry() -> None:
    assert plain(row_of(daily(bid_note=examples.AMENDING))).rstrip().endswith("ok")


def test_large_positions_fit_their_column() -> None:
    assert " −1204 " in plain(row_of(daily(yes=Qty(0), no=examples.qty("1204"))))


@pytest.mark.parametrize(
    "name", ["比特币今年会超过十万美元吗年底", "e\u0301te\u0301", "שלום עולם", "👩\u200d👧 [red]x[/]\x1b[2J"]
)
def test_no_name_moves_the_figures_behind_it(name: str) -> None:
    """Characters of two cells, of none, and those that are not drawn at all."""
    drawn = plain(row_of(quarter(ticker=name)))
    figures = "  2:53 .4961⊕ .4792 .5262 .4646/.5417   −40 bid max_position"
    assert drawn.endswith(figures)
    assert cell_len(drawn) == 80


def test_wide_tables_add_columns_after_the_reason() -> None:
    made = store(snapshot((daily(),)))
    assert plain(markets.rows(made, made.markets(), NOW_S, 100)[0]).endswith("ok               .00669  150 cap    ")
    assert plain(markets.head(made, 100)).startswith(plain(markets.head(made, 80)))


def test_the_head_counts_and_names_the_filter() -> None:
    made = store(snapshot(many()))
    assert plain(markets.head(made, 80)).startswith(" MARKETS 12 ")
    made.set_filter("91500")
    assert plain(markets.head(made, 80)).startswith(' "91500" 1/12')
    made.set_filter("nothing")
    assert markets.empty(made) == 'no market matches "nothing" — esc clears the filter'


def test_an_unknown_source_of_a_price_leaves_no_mark() -> None:
    assert ".6131  .6017" in plain(row_of(daily(fair_source="oracle")))


# -- ladder


def ladder_of(row: examples.MarketRow, *, as_no: bool = False, width: int = 38) -> str:
    made = store(snapshot((row,)))
    made.as_no = as_no
    return text(ladder.lines(made, width, 13))


def test_the_ladder_marks_our_orders_by_a_glyph() -> None:
    shown = ladder_of(quarter())
    assert "150▸   150 .46468 │" in shown
    assert "│ .54168    150 ◂150" in shown
    assert "bid ▸ buy YES 150 @ .46468" in shown
    assert "ask ◂ buy NO 150 @ .45832 (=.54168)" in shown


def test_seen_from_no_sides_change_and_prices_complement() -> None:
    bids, asks = ladder.rungs(quarter(), mirrored=True)
    yes_bids, yes_asks = ladder.rungs(quarter(), mirrored=False)
    assert [rung.px for rung in bids] == [complement(rung.px) for rung in yes_asks]
    assert [rung.own for rung in asks] == [rung.own for rung in yes_bids]
    assert sorted((rung.px for rung in bids), reverse=True) == [rung.px for rung in bids]
    shown = ladder_of(quarter(), as_no=True, width=44)
    assert "NO view" in shown
    assert "bid ▸ buy NO 150 @ .45832 amending" in shown
    assert "ask ◂ buy YES 150 @ .46468 (=.53532)" in shown


def test_an_order_missing_from_the_book_is_shown_in_its_place() -> None:
    bids, _ = ladder.rungs(
        daily(own_bid=examples.quote("0.6015", "10", examples.Leg.YES, examples.Side.BUY)), mirrored=False
    )
    assert [(rung.px, rung.size) for rung in bids if rung.own is not None] == [(px("0.6015"), None)]
    assert [rung.px for rung in bids] == sorted((rung.px for rung in bids), reverse=True)


def test_a_one_sided_book_says_which_side_is_missing() -> None:
    assert "no bids" in ladder_of(one_sided())
    assert "no asks" in ladder_of(daily(asks=(), own_ask=None))
    both = ladder_of(daily(bids=(), asks=(), own_bid=None, own_ask=None))
    assert "no bids" in both
    assert "no asks" in both


def test_an_order_nobody_knows_the_fate_of_stands_out() -> None:
    lost = examples.quote("0.60167", "150", examples.Leg.YES, examples.Side.BUY, examples.OrderState.UNKNOWN)
    assert "UNKNOWN" in ladder_of(daily(own_bid=lost))


def test_a_perp_has_neither_legs_nor_another_view() -> None:
    shown = ladder_of(perp(), as_no=True)
    assert "view" not in shown
    assert "91875.00 │ 91876.00" in shown


def test_without_a_market_there_is_only_a_heading() -> None:
    assert text(ladder.lines(store(snapshot(())), 38, 13)).strip() == "LADDER"


# -- why


def test_why_says_the_whole_guard_for_both_sides() -> None:
    made = store()
    made.select(quarter().id)
    bid, ask = why.short(made, 79)
    assert plain(bid).startswith("bid  max_position — worst case 400 of 400")
    assert plain(bid).endswith("BTC≥91905 01:00Z")
    assert plain(ask) == "ask  quoting: the order is being amended"


def test_why_in_full_loses_nothing() -> None:
    made = store(wordy())
    made.select(wordy().engine.markets[0].id)
    whole = " ".join(text(why.full(made, NOW_S, 60)).split())
    assert whole.count("and then said it again") == 12
    assert plain(why.short(made, 79)[1]).endswith("…")


def test_why_is_silent_without_a_market() -> None:
    empty = store(snapshot(()))
    assert (why.short(empty, 79), why.full(empty, NOW_S, 79), why.facts(empty, 79)) == ([(), ()], [], [])


def test_a_market_without_a_strategy_has_no_guard() -> None:
    made = store(snapshot((perp(),)))
    assert "no strategy trades this market" in text(why.full(made, NOW_S, 79))
    assert "not traded" in text(why.facts(made, 79))


@pytest.mark.parametrize("name", ["vol", "implied", "expected"])
def test_every_volatility_is_a_percentage(name: str) -> None:
    row = msgspec.structs.replace(wordy().engine.markets[0], facts=((name, "0.45392"), ("premium", "1.0412")))
    assert why.facts_of(row) == {name: "45.4%", "premium": "1.04"}


def test_facts_are_written_like_prices_and_unknown_ones_as_they_came() -> None:
    made = store(wordy())
    made.select(wordy().engine.markets[0].id)
    shown = text(why.facts(made, 60))
    for part in (
        "fair .61314 blend",
        "vol 45.4%",
        "nu 0.99",
        "size 150 (cap)",
        "something new a value nobody",
        "1e-09",
    ):
        assert part in shown


def test_part_of_a_contract_is_not_nothing_and_both_legs_round_alike() -> None:
    row = snapshot().engine.markets[0]
    for yes, no, said in ((50_000_000, 0, "+<1"), (0, 50_000_000, "−<1"), (1_960_000_000, 0, "+19"),
                          (0, 1_960_000_000, "−19")):  # fmt: skip
        assert markets._position(msgspec.structs.replace(row, yes=yes, no=no)).text.strip() == said
