"""Rung: pure functions from the store to text. Orders, fills and their markouts, the split of the result."""

from __future__ import annotations

import msgspec
import pytest

from hlomm.domain.report import Pnl
from hlomm.domain.units import Cash, parse
from tests.tui.desk import MARKOUTS, PNL, desk, fills, knowing, resting
from tests.tui.examples import NOW_S, snapshot, wordy
from tests.tui.reading import store, text, tones
from tui.state import Store
from tui.views import trades
from tui.views.line import Tone, plain

WIDTHS = (20, 40, 79, 80, 119, 199)


def order_rows(made: Store, width: int = 79, words: str = "", now_s: float = NOW_S) -> list[str]:
    return [plain(each) for each in trades.order_lines(made, trades.orders(made, words), now_s, width)]


def fill_rows(made: Store, width: int = 79) -> list[str]:
    return [plain(each) for each in trades.fill_lines(made, trades.fills(made, ""), width)]


def test_an_order_says_where_what_how_long_whose_and_why() -> None:
    first, unknown, *_, hedge, leg = order_rows(knowing(), 119)
    words = first.split()
    assert words[:10] == ["HL", "BTC≥91905", "01:00Z", "buy", "YES", ".46468", "150", "25", "3.6s", "open"]
    assert " ".join(words[10:]) == "avellaneda quote: widen x2, BTC moved 1.2 %"
    assert "UNKNOWN" in unknown
    assert hedge.endswith(" —          hedge: hedging: sell 0.001 @ 91875")
    assert leg.startswith("KA ")
    assert leg.endswith("cross_ven… leg: working: o11802+KXBTC")


def test_eighty_columns_hold_every_column() -> None:
    row = order_rows(knowing())[0]
    assert len(row) <= 79
    for part in ("HL", "buy YES", ".46468", "150", "25", "3.6s", "open", "avellaneda", "quote"):
        assert part in row
    head = plain(trades.orders_head(knowing(), 6, "", 79))
    assert head.split() == ["ORDERS", "6", "SIDE", "PRICE", "LEFT", "FILLD", "AGE", "STATE", "OWNER", "FOR"]


def test_an_order_in_doubt_is_said_in_capitals_and_ages_go_on() -> None:
    made = knowing()
    lines = trades.order_lines(made, trades.orders(made, ""), NOW_S, 79)
    assert tones(lines[1], "UNKNOWN") == {Tone.WARN}
    assert " 12s " in order_rows(made)[1]
    assert " 14s " in order_rows(made, now_s=NOW_S + 2)[1]


@pytest.mark.parametrize(
    ("words", "count"), [("", 6), ("avellaneda", 4), ("unknown", 1), ("kalshi", 1), ("hedge 91875", 1), ("zzz", 0)]
)
def test_the_filter_finds_words_anywhere_in_an_order(words: str, count: int) -> None:
    made = knowing()
    assert len(trades.orders(made, words)) == count
    if words:
        assert f' ORDERS {count}/6 "{words[:5]}' in plain(trades.orders_head(made, count, words, 79))


def test_an_order_in_full() -> None:
    said = trades.order_text(resting()[0])
    for part in ("OUT:BTC-91905-2026-11-21T0100  at hyperliquid", "buy YES: 150 left at 0.46468, 25 filled",
                 "3.6 s old, quote of avellaneda", "why widen x2", resting()[0].client_id):  # fmt: skip
        assert part in said
    assert "why it stands where it is wanted" in trades.order_text(resting()[2])


def test_markouts_are_cents_with_their_sign_and_what_is_not_due_is_not_missing() -> None:
    newest, taker, recent, settled, old, *_ = fill_rows(knowing())
    assert newest.split()[-5:] == ["−0.30", "—", "…", "…", "…"], "4 s old, and without a figure after 1 s"
    assert taker.split()[-5:] == ["−0.30", "+0.21", "…", "…", "…"]
    assert recent.split()[-5:] == ["+0.35", "+0.21", "−0.07", "…", "…"]
    assert settled.split()[-5:] == ["—"] * 5
    assert "settled" in settled
    assert old.split()[-5:] == ["+0.10", "+0.21", "−0.07", "+12.3", "…"]
    assert all(len(row) <= 79 for row in fill_rows(knowing()))
    line = trades.fill_lines(knowing(), trades.fills(knowing(), ""), 79)[2]
    assert (tones(line, "+0.21"), tones(line, "−0.07")) == ({Tone.GAIN}, {Tone.LOSS})


def test_wide_terminals_add_venue_role_and_fee() -> None:
    row = fill_rows(knowing(), 119)[1]
    assert " HL sell YES" in row
    assert row.endswith("taker fee 0.0124")
    assert "60s ¢" in plain(trades.fills_head(knowing(), 79))


def test_a_fill_in_full_names_every_horizon() -> None:
    said = trades.fill_in_full(fills()[0])
    assert said.endswith("markout 1 s +0.21c, 5 s −0.07c, 30 s +12.34c, 60 s 0.00c")
    assert "markout" not in trades.fill_in_full(fills()[3])


def parts(made: Store, width: int) -> tuple[int, list[int]]:
    """(total, parts) as they are written on the glass."""
    said = " ".join(plain(each) for each in trades.split(made, width)[:-1])
    total, _, rest = said.partition(" = ")
    numbers = [word.replace("−", "-").lstrip("+") for word in rest.split()[1::2]]
    return parse(total.split()[1].replace("−", "-").lstrip("+")), [parse(each) for each in numbers]


@pytest.mark.parametrize("width", [40, 79, 119, 199])
@pytest.mark.parametrize("loss", [False, True])
def test_what_is_written_adds_up_to_the_last_unit(width: int, loss: bool) -> None:
    pnl = PNL if not loss else Pnl(**{name: Cash(-getattr(PNL, name)) for name in PNL.__struct_fields__})
    total, found = parts(knowing(desk(pnl=pnl)), width)
    assert total == sum(found) == pnl.total
    assert len(found) == 7


def test_the_means_are_said_with_their_number_or_that_there_are_none() -> None:
    said = plain(trades.split(knowing(), 119)[-1])
    assert said == " mean markout as maker  1s +0.11c n=41  5s −0.06c n=40"
    assert "no fill is old enough" in plain(trades.split(knowing(desk(markouts=MARKOUTS[2:])), 119)[-1])
    assert "no fill is old enough" in plain(trades.split(store(snapshot()), 119)[-1]), "of an older daemon"


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_its_place_and_nothing_unprintable_comes_through(width: int) -> None:
    long = msgspec.structs.replace(resting()[0], reason="no\x1b[31m\n" * 40, strategy="s" * 90, ticker="T" * 300)
    for made in (knowing(), store(wordy()), knowing(desk(orders=(long,), recent_fills=()))):
        lines = [*trades.split(made, width), *trades.order_lines(made, trades.orders(made, ""), NOW_S, width),
                 *trades.fill_lines(made, trades.fills(made, ""), width), trades.orders_head(made, 1, "", width),
                 trades.fills_head(made, width)]  # fmt: skip
        assert all(len(plain(each)) <= max(width, 30) for each in lines)
        assert text(lines).replace("\n", "").isprintable()


def test_before_the_first_word_there_is_nothing() -> None:
    made = Store.begin("/s", 0.0)
    assert (trades.split(made, 79), trades.orders(made, ""), trades.fills(made, "")) == ([], [], [])
    assert "ORDERS 0" in plain(trades.orders_head(made, 0, "", 79))
