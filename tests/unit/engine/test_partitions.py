"""Sets over the contracts of an event: proved by word and intervals, sent whole, mended or sold, held to the end."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from hlomm.cli import views
from hlomm.domain.basket_rows import ArbitrageKind
from hlomm.domain.inputs import MarketChanged, MarketSettled
from hlomm.domain.markets import Comparator, Leg, Market
from hlomm.domain.orders import Side
from hlomm.domain.outputs import HaltState
from hlomm.domain.report import Snapshot
from hlomm.domain.units import SCALE, Cash
from hlomm.domain.view import BasketLeg
from hlomm.engine.carry import carried
from hlomm.engine.partitions import flaw
from hlomm.engine.report import report
from tests.support.ranges import BOOK, GROUP, SetDesk, neg_risk, ranges, wanted
from tests.support.rig import alerts
from tests.support.values import levels, lots, px, usd

NOTHING = ((), ())


# -- what a set is


def changed(place: int, **changes: Any) -> list[Market]:
    markets = ranges()
    markets[place] = replace(markets[place], **changes)
    return markets


def test_ranges_that_tile_the_line_are_a_set_in_any_order() -> None:
    assert flaw(ranges()) is None
    assert flaw(ranges()[::-1]) is None
    buckets = [neg_risk(1, None, 90_000), neg_risk(2, 90_000, 92_000), neg_risk(3, 92_000, None)]
    assert flaw(buckets) is None


@pytest.mark.parametrize(
    ("markets", "said"),
    [
        (ranges()[:1], "only one contract"),
        (ranges()[1:], "90000 does not follow the beginning"),
        (ranges()[:2], "nothing pays from 92000 on"),
        (ranges()[::2], "92000 does not follow 90000"),
        (changed(1, floor=px(89_999)), "89999 does not follow 90000"),
        (changed(1, floor=px(90_001)), "90001 does not follow 90000"),
        (changed(1, ceiling=None), "more than one has no upper end"),
        (changed(1, floor=None), "does not follow"),
        (changed(2, strike=px(92_000)), "92000.01 does not follow 92000"),
        (changed(2, comparator=Comparator.AT_LEAST), "91999.99 does not follow 92000"),
    ],
)  # fmt: skip
def test_a_gap_an_overlap_or_an_open_end_is_none(markets: list[Market], said: str) -> None:
    assert said in (flaw(markets) or "")


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "binance_1m"}, {"expiry_ns": 1}, {"settles_ns": 1}, {"averaging_s": 0}, {"void": "another"},
        {"exclusive": "another"}, {"underlying": "ETH"}, {"deployer": "0xabc"}, {"averaging_from_ns": 1},
        {"quote_token": "USDC"}, {"klass": "KXBTCD"},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_a_term_that_differs_is_no_set(changes: dict[str, Any]) -> None:
    assert flaw(changed(1, **changes)) == "its contracts settle on different terms"


# -- bought whole


def bought(number: float = 100) -> SetDesk:
    desk = SetDesk.open()
    for order in desk.want(wanted(number=number)):
        desk.ends(order, number)
    return desk


def test_all_legs_leave_in_one_turn_in_equal_numbers() -> None:
    desk = SetDesk.open()
    orders = desk.want(wanted())
    assert [order.market for order in orders] == [market.id for market in desk.markets]
    assert {(order.leg, order.side, order.qty, order.tif) for order in orders} == {
        (Leg.YES, Side.BUY, lots(100), "Ioc")
    }


def test_without_the_venues_word_nothing_is_bought() -> None:
    desk = SetDesk.open(markets=ranges(exclusive=""))
    assert desk.want(wanted()) == []
    assert desk.rig.puppet.combined == []


def test_an_event_with_a_gap_is_not_traded_and_says_so() -> None:
    desk = SetDesk.open(markets=ranges()[:2])
    assert desk.want(wanted(2)) == []
    why = "set: its ranges do not tile the line: nothing pays from 92000 on"
    assert desk.known.why_not == why
    seen = Snapshot(
        profile="sim", version="0", pid=1, uptime_s=1.0, armed=Cash(0), engine=report(desk.rig.state), venues=(),
        alerts=(),
    )  # fmt: skip
    (row,), _ = views.explain(seen, desk.markets[0].id)
    assert row["groups"] == {GROUP: why}


def test_a_word_that_is_taken_back_ends_it() -> None:
    desk = SetDesk.open()
    desk.rig.tell(MarketChanged(replace(desk.markets[1], exclusive="")))
    assert desk.want(wanted()) == []
    assert "do not tile the line" in desk.known.why_not


def test_a_crossed_book_is_sick_and_no_offer_of_a_set() -> None:
    """YES for 0.30 and NO for 0.65: on a merged book that is a bid above an ask, which cannot rest."""
    desk = SetDesk.open()
    desk.book(desk.markets[0], (levels(("0.35", 300)), levels(("0.30", 300))))
    assert desk.want(wanted()) == []
    assert desk.known.why_not.startswith("crossed_book: touch and depth disagree, nobody can offer YES and NO")
    assert desk.known.why_not.endswith(f"({desk.markets[0].id})")


def test_a_set_is_held_and_its_tokens_are_nobody_elses() -> None:
    desk = bought()
    state = desk.rig.state
    assert desk.basket.phase.value == "done"
    assert state.pairs.held(market.id for market in desk.markets) == lots(100)
    assert {state.withheld(market.id, Leg.YES) for market in desk.markets} == {lots(100)}
    assert desk.want(wanted()) == [], "one basket of an event at a time"
    assert desk.known.why_not.startswith("held: 100 sets")


def test_whatever_settles_it_loses_nothing_in_the_scenarios() -> None:
    desk = bought()
    assert report(desk.rig.state).worst_loss <= 0


@pytest.mark.parametrize(("winners", "paid", "mismatched"), [((1,), 100, 0), ((), 0, 1)])
def test_what_a_set_brought_is_kept_beside_what_was_expected(
    winners: tuple[int, ...], paid: int, mismatched: int
) -> None:
    desk = bought()
    outputs = []
    for place, market in enumerate(desk.markets):
        outputs += desk.rig.tell(MarketSettled(market.id, px(int(place in winners)), "price"))
    shown = report(desk.rig.state).arbitrage
    (trade,) = shown.trades
    assert (trade.kind, trade.realised, trade.how) == (ArbitrageKind.SET, usd(paid - 93), "settled")
    row = shown.kinds[ArbitrageKind.SET]
    assert (row.taken, row.settled, row.mismatched, row.bonus) == (1, 1, mismatched, 0)
    assert bool(alerts(outputs, "pair_mismatched")) is bool(mismatched)


@pytest.mark.parametrize(("winner", "bonus"), [(0, 0), (2, 1)])
def test_no_of_two_pays_one_at_least(winner: int, bonus: int) -> None:
    """Two, if neither of the two is the one that pays."""
    desk = SetDesk.open()
    legs = tuple(BasketLeg(market.id, Leg.NO, px("0.71")) for market in desk.markets[:2])
    for order in desk.want(attrs.evolve(wanted(), legs=legs)):
        desk.ends(order, 100)
    (kept,) = carried(desk.rig.state).pairs
    assert (kept.kind, kept.worth) == (ArbitrageKind.SET, SCALE)
    for place, market in enumerate(desk.markets):
        desk.rig.tell(MarketSettled(market.id, px(int(place == winner)), "price"))
    row = report(desk.rig.state).arbitrage.kinds[ArbitrageKind.SET]
    assert (row.settled, row.bonus, row.mismatched) == (1, bonus, 0)
    assert row.realised == usd(100 + 100 * bonus - 142)


# -- a leg missed


def test_a_missed_leg_is_bought_after() -> None:
    desk = SetDesk.open()
    first, second, third = desk.want(wanted())
    desk.ends(first, 100)
    desk.ends(second, 100)
    (mend,) = desk.ends(third, 0)
    assert (mend.market, mend.side, mend.qty) == (desk.markets[2].id, Side.BUY, lots(100))
    desk.ends(mend, 100)
    assert desk.rig.state.pairs.held(market.id for market in desk.markets) == lots(100)


def test_what_cannot_be_completed_is_sold_back() -> None:
    desk = SetDesk.open()
    first, second, third = desk.want(wanted(deadline_ns=2_000_000_000))
    desk.ends(first, 100)
    desk.ends(second, 100)
    (mend,) = desk.ends(third, 0)
    desk.ends(mend, 0)
    desk.book(desk.markets[2], NOTHING)
    orders = desk.wait(4)
    assert {(order.market, order.side) for order in orders} == {
        (desk.markets[0].id, Side.SELL), (desk.markets[1].id, Side.SELL),
    }  # fmt: skip
    assert desk.rig.now.mono_ns - desk.basket.began_ns < 5_000_000_000


def test_what_can_be_neither_completed_nor_sold_is_flattened_with_everything_else() -> None:
    desk = SetDesk.open()
    first, second, third = desk.want(wanted(loss=0.01))
    desk.ends(first, 100)
    desk.ends(second, 100)
    for order in desk.ends(third, 0):
        desk.ends(order, 0)
    for market in desk.markets:
        desk.book(market, ((), BOOK[1]))
    desk.wait(20)
    assert desk.rig.state.halt in (HaltState.FLATTENING, HaltState.HALTED)
    assert "left on one leg" in desk.rig.state.halt_reason
