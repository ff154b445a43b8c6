"""Rung: pure functions from the store to text. What is held, what the treasury does with it, the hedges."""

from __future__ import annotations

import msgspec
import pytest

from hlomm.domain.ids import MarketId
from hlomm.domain.report import SetRow
from hlomm.domain.units import Cash
from tests.tui.examples import NOW_S, daily, perp, pulled, qty, quarter, snapshot
from tests.tui.reading import store, text, tones
from tests.tui.stocked import hedge as hedge_row
from tests.tui.stocked import note, other, positions, stocked
from tui.state import Store
from tui.views import hedge, holdings, inventory
from tui.views.line import Tone, plain


def rows(made: Store, width: int = 79, now_s: float = NOW_S) -> list[str]:
    return [plain(each) for each in inventory.row_lines(made, inventory.holdings(made), now_s, width)]


def row_of(made: Store, name: str, width: int = 79, now_s: float = NOW_S) -> str:
    return next(row for row in rows(made, width, now_s) if row.startswith(name))


# -- what is held


def test_pairs_and_what_is_left_of_them_are_told_apart() -> None:
    made = store(stocked())
    assert row_of(made, "BTC≥91612").split()[2:6] == ["100", "+72", "YES", "142.10"]
    assert row_of(made, "BTC≥91905").split()[2:5] == ["80", "+40", "NO"]
    assert row_of(made, "BTC perp").split() == ["BTC", "perp", "−0.01774", "−1,628.70", "−1,629.88"]
    even = positions()[0]
    made = store(stocked(positions=(msgspec.structs.replace(even, yes=even.no),), sets=()))
    assert row_of(made, "BTC≥91612").split()[2:5] == ["100", "0", "142.10"]


def test_soonest_expiry_first_and_the_perp_last_and_nothing_that_has_settled() -> None:
    held = inventory.holdings(store(stocked()))
    assert [holding.id for holding in held] == [pulled().id, quarter().id, daily().id, other().id, perp().id]


def test_what_is_wanted_but_not_held_has_a_row() -> None:
    wanted = store(stocked(positions=()))
    assert [holding.id for holding in inventory.holdings(wanted)] == [pulled().id, quarter().id, daily().id]
    assert row_of(wanted, "BTC≥91886").split()[2:5] == ["0", "0", "0.00"]


def test_what_is_listed_no_more_is_held_all_the_same() -> None:
    gone = msgspec.structs.replace(positions()[0], market=MarketId("hyperliquid:o5"))
    made = store(stocked(positions=(gone,), sets=()))
    (drawn,) = inventory.row_lines(made, inventory.holdings(made), NOW_S, 79)
    assert plain(drawn).startswith("BTC≥91612")
    assert {span.tone for span in drawn} == {Tone.DIM}, "there is no book to value it by"
    assert "its book was never seen" in inventory.whole(made, inventory.holdings(made)[0], NOW_S)


@pytest.mark.parametrize(
    ("row", "word", "tone"),
    [
        ({"note": note("ok", "closing is free")}, "kept", Tone.GOOD),
        ({"note": note("ok")}, "nothing to do", Tone.LABEL),
        ({"note": note("merge_fee", "merging costs more")}, "merge_fee", Tone.WARN),
        ({"note": note("converting", "split of 20")}, "requested", Tone.PLAIN),
        ({"note": note("ok"), "converting": "split", "qty": qty("20")}, "splitting 20", Tone.STRONG),
        ({"note": note("ok"), "converting": "merge_question", "qty": qty("5")}, "merging all 5", Tone.STRONG),
        ({"note": note("ok"), "converting": "some\nthing", "qty": qty("5")}, "some thing 5", Tone.STRONG),
    ],
)
def test_what_the_treasury_does_is_one_word(row: dict[str, object], word: str, tone: Tone) -> None:
    made = SetRow(market=daily().id, ticker=daily().ticker, pairs=qty("20"), **row)
    assert inventory.treasury(made)[::2] == (word, tone)


def test_without_sets_the_treasury_has_nothing_to_say() -> None:
    assert inventory.treasury(None) == ("", "", Tone.LABEL)
    assert row_of(store(stocked()), "BTC other").endswith(" " * 14)


def test_the_age_of_a_book_appears_grows_and_takes_the_row_with_it() -> None:
    made = store(stocked())
    assert "s " not in row_of(made, "BTC≥91612")
    assert " 2.2s " in row_of(made, "BTC≥91612", now_s=NOW_S + 2)
    for later_s, tone in ((0, Tone.DIM), (2, Tone.STALE)):
        drawn = inventory.row_lines(made, inventory.holdings(made)[:1], NOW_S + later_s, 79)[0]
        assert {span.tone for span in drawn} == {tone}


def test_wider_terminals_add_to_the_right() -> None:
    made = store(stocked())
    for narrow, wide in zip(rows(made, 79), rows(made, 119), strict=True):
        assert wide.startswith(narrow.rstrip())
        assert len(narrow) <= 79
        assert len(wide) <= 119
    assert plain(inventory.head(made, 119)).startswith(plain(inventory.head(made, 79)).rstrip())
    assert "12.5 free of 100" in row_of(made, "BTC≥91886", 119)
    assert row_of(made, "BTC≥91612", 200).endswith("+1.22 closing is free: sales rank first")


def test_large_figures_keep_their_columns() -> None:
    huge = msgspec.structs.replace(positions()[0], yes=qty("123456"), no=qty("23456"), cost=Cash(10**18))
    made = store(stocked(positions=(huge,), sets=()))
    assert [len(row) for row in rows(made)] == [78]
    assert rows(made)[0].split()[2:5] == ["23,456", "+100,000Y", "10,000.0M"]


def test_a_row_in_full_says_where_its_numbers_come_from() -> None:
    made = store(stocked())
    full = inventory.whole(made, inventory.holdings(made)[2], NOW_S)
    for part in (
        "OUT:BTC-91612-2026-11-21T0600   hyperliquid:o11802",
        "100 sets and +72 YES (172 YES, 100 NO)",
        "cost 142.10, value 143.32 (what the best bids pay; its book is 0.2s old): if sold +1.22",
        "realised +12.05, fees 0.31",
        "treasury: kept — closing is free: sales rank first",
        "converted in this run, all events: merge 61, split 500",
    ):
        assert part in full
    assert "hedge:" not in full


def test_a_perp_in_full_is_a_hedge() -> None:
    made = store(stocked(converted={}, hedges=(hedge_row(note=note("hedge", "no fresh price of the perp")),)))
    full = inventory.whole(made, inventory.holdings(made)[-1], NOW_S)
    assert "−0.01774 held" in full
    assert "value −1,629.88 (at the price of closing it; its book is 0.2s old): if sold −1.18" in full
    assert "hedge: −0.01774 held, target −0.02210 ±0.00436; 93 % of its life within the band" in full
    assert "now: hedge — no fresh price of the perp" in full
    assert "treasury" not in full
    assert "converted" not in full


def test_nothing_known_is_nothing_held() -> None:
    blank = Store.begin("/run/hlomm.sock", NOW_S)
    assert inventory.holdings(blank) == []
    assert inventory.row_lines(blank, [], NOW_S, 79) == []
    assert plain(inventory.head(blank, 79)).startswith(" HELD 0")
    assert hedge.rows(blank) == ()


# -- hedges


def hedged(*changes: dict[str, object], width: int = 79, now_s: float = NOW_S, **report: object) -> str:
    made = store(stocked(hedges=tuple(hedge_row(**each) for each in changes or ({},)), **report))
    return text(hedge.lines(made, now_s, width)[1:])


def test_a_hedge_is_held_against_its_target() -> None:
    said = hedged()
    assert said.split() == ["BTC", "perp", "−0.01774", "−0.02210", "±0.00436", "1,629/5,000", "93", "%", "in", "band"]
    assert hedged({"held": qty("1.5"), "target": qty("2"), "band": qty("0.25")}).split()[2:5] == [
        "+1.50", "+2.00", "±0.25",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "said", "tone"),
    [
        ({}, "in band", Tone.GOOD),
        ({"band": qty("0.00435")}, "outside", Tone.WARN),
        ({"held": qty("-0.03")}, "outside", Tone.WARN),
        ({"note": note("hedging", "sell 0.001 @ 91875")}, "hedging — sell 0.001 @ 91875", Tone.PLAIN),
        ({"note": note("hedge", "no fresh price of the perp")}, "hedge — no fresh price of the perp", Tone.WARN),
        ({"note": note("max_hedge_notional")}, "max_hedge_notional", Tone.WARN),
    ],
)
def test_what_a_hedge_does_or_what_keeps_it_from_that(row: dict[str, object], said: str, tone: Tone) -> None:
    assert hedge.note(hedge_row(**row)) == (said, tone)
    assert hedged(row, width=119).endswith(said)
    assert hedge.note(hedge_row(**row), 13).text == said.partition(" — ")[0]


def test_the_share_of_time_within_the_band_is_never_rounded_up() -> None:
    assert " 99 % " in hedged({"inside_ms": 99_999, "outside_ms": 1})
    assert " 100 % " in hedged({"inside_ms": 1, "outside_ms": 0})
    assert " — " in hedged({"inside_ms": 0, "outside_ms": 0})


def test_a_hedge_near_its_limit_is_marked_and_no_limit_is_no_alarm() -> None:
    made = store(stocked(hedges=(hedge_row(notional=Cash(4_500 * 10**8)),)))
    assert tones(hedge.lines(made, NOW_S, 79)[1], "4,500/5,000") == {Tone.ALARM}
    assert "1,629.88 " in hedged(hedge_limit=Cash(0))


def test_a_hedge_is_as_old_as_the_book_of_its_perp() -> None:
    assert " 2.2s " in hedged(now_s=NOW_S + 2)
    made = store(stocked())
    assert {span.tone for span in hedge.lines(made, NOW_S + 3.5, 79)[1]} == {Tone.DIM}
    assert hedged({"market": MarketId("hyperliquid:ETH")}).startswith(" ETH  ")


def test_no_hedge_is_said_in_words() -> None:
    assert text(hedge.lines(store(), NOW_S, 79)).split("\n")[1] == " no hedge is maintained"


def test_positions_name_what_the_hedges_should_be() -> None:
    made = store(stocked())
    *_, last = holdings.positions(made, 38, 10)
    assert plain(last) == "BTC target −0.02210 ±0.00436 in band"
    short = holdings.positions(made, 38, 3)
    assert len(short) == 3
    assert plain(short[-1]).startswith("BTC target")
    flat = text(holdings.positions(store(stocked(positions=())), 38, 10)).split("\n")
    assert flat[1:] == ["flat: nothing is held", "BTC target −0.02210 ±0.00436 in band"]
    assert "target" not in text(holdings.positions(store(snapshot()), 38, 10))


def test_a_perp_is_no_token() -> None:
    assert holdings.tokens(positions()[4]) == "−0.01774"
