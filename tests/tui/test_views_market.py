"""Rung: pure. One market: fair value and its parts, the quote, the queue, trades, the payoff, and why."""

from __future__ import annotations

import re

import msgspec
import pytest

from hlomm.domain.basket_rows import ArbitrageReport
from hlomm.domain.report import MarketRow, SideNote
from tests.tui.examples import NOW_S, OK, daily, halted, perp, pulled, px, qty, quarter, snapshot, wordy
from tests.tui.looking import UP, bare, look, seeing, wordy_look
from tests.tui.reading import store, text
from tests.tui.stocked import other, stocked
from tui.client import Up
from tui.formats import DASH
from tui.views import ladder, market, market_payoff, tape, why
from tui.views.line import Tone, plain


def head(row: MarketRow, **changes: object) -> list[str]:
    made = seeing(snapshot((msgspec.structs.replace(row, **changes), perp())), bare(row))
    return [plain(one) for one in market.head(made, NOW_S, 79)]


def test_the_head_says_what_it_settles_on_and_what_the_fair_value_is_made_of() -> None:
    first, second, third = (plain(one) for one in market.head(seeing(), NOW_S, 79))
    assert first.startswith("BTC≥91612 06:00Z HL  tte 5h02m53s  settles YES if BTC ≥ 91,612")
    assert second == "fair .61314 = 14% digital .60214 (σ 45.4% perp 91,881) ⊕ 86% book .61376→.61391"
    assert third == "ν 0.99  realised 45.4%  book 0.2s old  perp 0.2s old"


@pytest.mark.parametrize("weight", ["0.005", "0.5", "0.995", "1", "0"])
def test_the_weights_are_whole_and_together_all(weight: str) -> None:
    second = head(daily(), facts=(("model", "0.6"), ("book", "0.61"), ("weight_model", weight)))[1]
    assert sum(int(share) for share in re.findall(r"(\d+)% (?:digital|book)", second)) == 100


def test_one_source_alone_is_named_alone() -> None:
    assert "= digital .45673 (σ 45.4% perp 91,881)" in head(pulled())[1]
    assert "⊕" not in head(pulled())[1]
    assert head(daily(), fair=None)[1].startswith(f"fair {DASH}  nothing says")


@pytest.mark.parametrize(
    ("ticker", "strike", "said"),
    [
        ("OUT:BTC-91612-2026-11-21T0600", "91612", "YES if BTC ≥ 91,612"),
        ("OUT:BTC-above91640.99-2026-11-21T0600", "91640.99", "YES if BTC > 91,640.99"),
        ("OUT:BTC-79043~82270-2026-11-21T0600", None, "YES if 79,043 ≤ BTC < 82,270"),
        ("OUT:BTC-~79043-2026-11-21T0600", None, "YES if BTC < 79,043"),
        ("OUT:BTC-82270~-2026-11-21T0600", None, "YES if BTC ≥ 82,270"),
        ("OUT:BTC-other-2026-11-21T0600", None, "YES if no other outcome"),
        ("OUT:BTC-up15m-2026-11-21T0100", None, "YES if BTC is up over 15m"),
        ("will it rain?", None, "by terms that its name does not tell"),
    ],
)
def test_when_yes_pays(ticker: str, strike: str | None, said: str) -> None:
    assert said in market.settles(daily(ticker=ticker, strike=None if strike is None else px(strike)))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "0s"), (7.9, "7s"), (67.0, "1m07s"), (3600.0, "1h00m00s"), (90_061.0, "1d01h01m01s"), (None, DASH),
     (float("nan"), DASH), (float("inf"), DASH), (-1.0, DASH)],
)  # fmt: skip
def test_time_left_to_the_second(seconds: float | None, said: str) -> None:
    assert market.clock_left(seconds) == said


# -- the quote


def test_the_quote_in_figures() -> None:
    shown = text(market.band(seeing(), NOW_S, 35))
    assert "QUOTE in YES prices" in shown
    assert "avellaneda" in shown
    for part in ("reservation .61314  skew 0.00c", "half .00669  band .6064/.6198", "size 150 by cap  net +120",
                 "pulled below 19s  drains last 15s", "ahead bid ~818 · ask ?"):  # fmt: skip
        assert part in shown


def test_the_skew_has_a_sign() -> None:
    facts = (
        ("fair", "0.61314"),
        ("reservation", "0.61224"),
        ("half", "0.0066"),
        ("size", "18"),
        ("size_bound", "kelly"),
    )
    made = seeing(snapshot((daily(facts=facts),)), look())
    assert "skew −0.09c" in text(market.band(made, NOW_S, 35))
    assert "size 18 by kelly" in text(market.band(made, NOW_S, 35))


def test_the_queue_is_an_estimate_or_a_reason() -> None:
    picture = stocked()
    assert "queue not known while our orders move" in text(market.band(seeing(picture, look(queues=())), NOW_S, 60))
    idle = seeing(snapshot((daily(own_bid=None, own_ask=None),)), look(queues=()))
    assert "queue no order of ours rests" in text(market.band(idle, NOW_S, 60))
    old = seeing(picture, look(), up=Up("sim", 1))
    old.looked.connected(able=False)
    assert "start it anew" in text(market.band(old, NOW_S, 60))
    assert market.ahead(seeing(picture), +1) == "~818 ahead"
    assert market.ahead(seeing(picture), -1) == "ahead ?"


def test_the_ladder_marks_the_queue_behind_each_order_and_in_either_view() -> None:
    made = seeing()
    yes = text(ladder.lines(made, 43, 11))
    assert "bid ▸ buy YES 150 @ .60167 ~818 ahead" in yes
    assert "ask ◂ sell YES 30 @ .61851 ahead ?" in yes
    made.as_no = True
    no = text(ladder.lines(made, 43, 11)).split("\n")
    assert no[-2].startswith("bid ▸ sell YES 30 @ .61851 ahead ?") or "ahead ?" in no[-2]
    assert "~818 ahead" in no[-1]


def test_which_leg_carries_a_side_is_said_even_where_the_queue_needs_the_room() -> None:
    row = quarter(ask_note=OK)
    made = seeing(snapshot((row,)), look(row, queues=(msgspec.structs.replace(look().queues[0], direction=-1),)))
    assert "ask ◂ buy NO 150 @ .45832 amending ~818 ahead" in text(ladder.lines(made, 60, 11)).replace(" (=.54168)", "")
    assert all(len(plain(one)) <= 43 for one in ladder.lines(made, 43, 11))


# -- trades


def test_trades_come_newest_first_with_the_takers_side() -> None:
    shown = [plain(one) for one in tape.lines(seeing(), NOW_S, 35, 20)]
    assert shown[0].startswith("TRADES, taker's side")
    assert shown[0].endswith("last 13s ago")
    assert shown[1].split() == ["00:56:54", "buy", ".61423", "291"]
    assert len(shown) == 11


def test_seen_from_no_they_are_mirrored() -> None:
    made = seeing()
    made.as_no = True
    assert plain(tape.lines(made, NOW_S, 35, 20)[1]).split() == ["00:56:54", "sell", ".38577", "291"]


def test_without_trades_it_says_why() -> None:
    assert tape.NO_TRADES in text(tape.lines(seeing(stocked(), look(trades=())), NOW_S, 60, 9))
    gone = seeing(stocked(), look(trades=(), note="this market is not listed any more"))
    assert "not listed any more" in text(tape.lines(gone, NOW_S, 60, 9))
    assert text(tape.lines(store(snapshot(())), NOW_S, 60, 9)).strip() == "TRADES"


# -- the payoff


def payoff(row: MarketRow, yes: str, no: str, cost: str, **changes: object) -> list[str]:
    position = next(one for one in stocked().engine.positions if one.market == daily().id)
    held = msgspec.structs.replace(
        position, market=row.id, yes=qty(yes), no=qty(no), cost=px(cost), realised=px("12.05"), fees=px("0.31")
    )
    made = seeing(snapshot((msgspec.structs.replace(row, **changes), perp()), positions=(held,)), bare(row))
    return [plain(one) for one in market_payoff.lines(made, 60)]


def test_a_position_pays_a_step_at_the_strike() -> None:
    lines = payoff(daily(), "172", "100", "142.10")
    assert lines[0].startswith("PAYOFF of 172Y 100N")
    assert lines[0].endswith("cost 142.10")
    assert lines[1].startswith("YES    +29.90 ┤")
    assert lines[2].startswith("NO     −42.10 ┤")
    assert lines[1].index("┌") == lines[2].index("┘")
    assert "91,612" in lines[3]
    assert lines[3].index("▲now") > lines[3].index("91,612"), "the perp is above the strike"
    assert lines[4] == "whole life YES +41.64 NO −30.36"


def test_held_no_pays_the_other_way_round() -> None:
    lines = payoff(daily(), "0", "100", "40")
    assert lines[1].startswith("NO     +60.00 ┤─")
    assert lines[2].startswith("YES    −40.00 ┤ ")
    assert lines[1].index("┐") == lines[2].index("└")


def test_a_bucket_pays_between_its_bounds() -> None:
    lines = payoff(daily(), "50", "0", "20", ticker="OUT:BTC-91000~92000-2026-11-21T0600", strike=None)
    assert lines[1].startswith("YES    +30.00 ┤ ")
    assert "┌" in lines[1]
    assert "┐" in lines[1]
    assert "91,000" in lines[3]
    assert "92,000" in lines[3]
    assert lines[3].index("91,000") < lines[3].index("▲now") < lines[3].index("92,000")


def test_what_no_price_decides_has_two_ends() -> None:
    lines = payoff(other(), "40", "0", "3.60")
    assert lines[1:3] == ["YES     +36.40", "NO       −3.60"]


def test_flat_says_so() -> None:
    assert market_payoff.FLAT in "\n".join(payoff(daily(), "0", "0", "0"))
    assert "3 shows perps" in text(market_payoff.lines(seeing(stocked(), bare(perp())), 60))


# -- why


def test_the_whole_chain_is_told_as_the_command_tells_it() -> None:
    row = daily(bid_note=SideNote(guard="inventory", detail="net 340 of 400 = 85 %, only reductions"))
    group = f"{row.id} <-> kalshi:X"
    report = ArbitrageReport(why_not={group: "no_edge: leaves 0.01", "elsewhere": "stale_book"})
    made = store(snapshot((row,), ladder="warning", ladder_reasons=("drawdown 80 % of its limit",), arbitrage=report))
    said = {name: (words, tone) for name, words, tone in why.chain(made, NOW_S)}
    assert said["bid"][0] == "inventory — net 340 of 400 = 85 %, only reductions"
    assert said["ask"] == ("quoting", Tone.GOOD)
    assert said["book"][0] == "two sided, 0.2s old"
    assert said["warning"] == ("drawdown 80 % of its limit", Tone.WARN)
    assert said["pair"][0] == f"{group}: no_edge: leaves 0.01"
    assert "elsewhere" not in why.whole(made, NOW_S)


def test_a_halt_is_part_of_it() -> None:
    made = store(halted())
    made.select(daily().id)
    assert ("halted", "kill by uid 1000 from 10.0.0.7 (book looks wrong)", Tone.ALARM) in why.chain(made, NOW_S)


def test_later_worth_is_the_mean_by_size() -> None:
    fills = snapshot().engine.recent_fills[:2]
    known = tuple(
        msgspec.structs.replace(one, qty=qty(size), markouts=(px(later), None, None, None))
        for one, size, later in zip(fills, ("10", "30"), ("0.01", "0.03"), strict=True)
    )
    made = store(snapshot((daily(),), recent_fills=known))
    assert ("later", "fills here were worth 1s +2.50c (n=2)", Tone.PLAIN) in why.chain(made, NOW_S)
    assert "later" not in {name for name, _, _ in why.chain(store(snapshot((quarter(),), recent_fills=known)), NOW_S)}


def test_why_a_window_is_not_traded() -> None:
    row = daily(ticker="OUT:BTC-up15m-2026-11-21T0100", strike=None, strategy="", bid_note=None, ask_note=None)
    assert "price at the beginning of its 15m" in why.whole(store(snapshot((row,))), NOW_S)


@pytest.mark.parametrize("width", [20, 35, 79])
def test_nothing_is_wider_than_its_place_whatever_is_said(width: int) -> None:
    row = wordy().engine.markets[0]
    for made in (seeing(wordy(), wordy_look(row.id)), seeing(snapshot(()), look()), seeing(halted(), look())):
        lines = [
            *market.head(made, NOW_S, width), *market.band(made, NOW_S, width), *tape.lines(made, NOW_S, width, 9),
            *market_payoff.lines(made, width), *why.full(made, NOW_S, width),
        ]  # fmt: skip
        assert all(len(plain(one)) <= width for one in lines)


def test_a_link_that_is_up_but_silent_about_looks_waits() -> None:
    made = store(stocked())
    made.apply(UP, NOW_S)
    made.select(daily().id)
    assert "waiting for the daemon" in text(tape.lines(made, NOW_S, 60, 9))
