"""Where the money came from: the parts must add up to the result of the books, at every moment and to the unit.

`Both` keeps an account and an attribution side by side and compares them after every step, in the finest unit the
attribution knows. The result on the other side is computed here from cash, tokens and reference prices alone.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Qty
from hlomm.engine.attribution import HISTORY, Attribution
from hlomm.engine.portfolio import Portfolio
from tests.support.values import M2, M, account, lots, px, token, usd

COUNT = itertools.count(1)
TWO = 2 * SCALE


class Both:
    def __init__(self, *tokens: TokenBalance) -> None:
        self.portfolio = Portfolio()
        self.attribution = Attribution()
        self.fees = 0
        self.portfolio.open_with(account("10000", tokens))
        self.start = self.portfolio.cash
        self.found_cost = sum(one.cost for one in tokens)
        self.refs: dict[MarketId, int] = {}
        self.settled: dict[MarketId, int] = {}
        for one in tokens:
            yes, no = (one.total, 0) if one.leg is Leg.YES else (0, one.total)
            self.attribution.found(one.market, yes, no, one.cost)

    def fill(
        self, number: float, price: str, leg: Leg = Leg.YES, side: Side = Side.BUY, *, ms: int = 0, fee: str = "0",
        kind: FillKind = FillKind.TRADE, market: MarketId = M,
    ) -> Both:  # fmt: skip
        item = Fill(
            key=f"{next(COUNT)}", market=market, leg=leg, side=side, px=px(price), qty=lots(number), fee=usd(fee),
            kind=kind, maker=True, client_id=None, venue_order_id=None, venue_ms=ms,
        )  # fmt: skip
        self.attribution.filled(item)
        self.portfolio.apply(item)
        self.fees += usd(fee)
        own = item.px if leg is Leg.YES else SCALE - item.px
        self.refs.setdefault(market, self.settled.get(market, 2 * own))
        return self.check()

    def move(self, bid: str, ask: str, *, ms: int = 0, market: MarketId = M) -> Both:
        self.attribution.moved(market, px(bid) + px(ask), ms)
        if market not in self.settled:
            self.refs[market] = px(bid) + px(ask)
        return self.check()

    def settle(self, price: str, market: MarketId = M) -> Both:
        self.portfolio.settle(market, px(price))
        self.attribution.settled(market, px(price))
        self.refs[market] = self.settled[market] = 2 * px(price)
        return self.check()

    def check(self) -> Both:
        """Spread + inventory + settlement = what the account is worth now minus what it was worth at the start."""
        worth2 = (self.portfolio.cash + self.fees - self.start - self.found_cost) * TWO
        for market, position in self.portfolio.positions.items():
            ref2 = self.refs.get(market)
            if ref2 is None:
                worth2 += (position.cost_yes + position.cost_no) * TWO
            else:
                worth2 += position.yes * ref2 + position.no * (TWO - ref2)
        assert self.attribution.total2() == worth2
        assert sum(self.attribution.parts()) == worth2 // TWO
        return self

    def parts(self) -> tuple[float, float, float]:
        spread, inventory, settlement = self.attribution.parts()
        return spread / SCALE, inventory / SCALE, settlement / SCALE


def test_a_bid_hit_below_the_mid_earns_the_distance() -> None:
    assert Both().move("0.50", "0.60").fill(100, "0.52").parts() == (3.0, 0.0, 0.0)


def test_an_ask_lifted_as_a_purchase_of_no_earns_the_distance_too() -> None:
    assert Both().move("0.50", "0.60").fill(100, "0.42", Leg.NO).parts() == (3.0, 0.0, 0.0)


def test_the_move_of_the_mid_earns_on_the_net_position() -> None:
    both = Both().move("0.50", "0.60").fill(100, "0.52", ms=1).move("0.48", "0.58", ms=2)
    assert both.parts() == (3.0, -2.0, 0.0)
    both.fill(100, "0.40", Leg.NO, ms=3).move("0.10", "0.80", ms=4)
    assert both.parts()[1] == -2.0, "pairs do not move"


def test_settlement_is_the_last_move() -> None:
    assert Both().move("0.50", "0.60").fill(100, "0.52").settle("1").parts() == (3.0, 0.0, 45.0)
    assert Both().move("0.50", "0.60").fill(100, "0.42", Leg.NO).settle("1").parts() == (3.0, 0.0, -45.0)


def test_the_reference_of_a_fill_is_the_one_that_stood_before_it() -> None:
    """The book's reaction reaches us before the fill: taken at 'now' every adverse move would be negative spread."""
    both = Both().move("0.50", "0.60", ms=100).move("0.40", "0.50", ms=200)
    both.fill(100, "0.52", ms=200)
    assert both.parts() == (3.0, -10.0, 0.0)


def test_a_fill_older_than_all_that_is_remembered_takes_the_oldest() -> None:
    both = Both()
    for step in range(HISTORY + 10):
        both.move("0.50", f"0.6{step:03d}", ms=1_000 + step)
    both.fill(100, "0.52", ms=1)
    oldest2 = px("0.50") + px(f"0.6{10:03d}")
    assert both.attribution.parts()[0] == 100 * (oldest2 - 2 * px("0.52")) // 2


def test_a_market_never_priced_is_priced_by_its_first_fill() -> None:
    assert Both().fill(100, "0.52").parts() == (0.0, 0.0, 0.0)
    assert Both().fill(100, "0.52").move("0.50", "0.60").parts() == (0.0, 3.0, 0.0)


def test_a_found_position_counts_from_its_cost_once_it_is_priced() -> None:
    both = Both(token(100, "40"), token(30, "18", Leg.NO))
    both.check()
    assert both.parts() == (0.0, 0.0, 0.0)
    both.move("0.50", "0.60")
    assert both.parts() == (0.0, pytest.approx(100 * 0.55 - 40 + 30 * 0.45 - 18), 0.0)
    both.settle("1")


def test_a_found_position_that_settles_unpriced() -> None:
    assert Both(token(100, "40")).settle("0").parts() == (0.0, -40.0, 0.0)


def test_a_position_found_after_the_book_was_already_there() -> None:
    """Books may arrive before the account: the position must be tracked all the same."""
    both = Both()
    both.attribution.moved(M, px("0.50") + px("0.60"), 0)
    portfolio = Portfolio()
    portfolio.open_with(account("10000", (token(100, "40"),)))
    both.portfolio, both.found_cost = portfolio, usd("40")
    both.attribution.found(M, lots(100), 0, usd("40"))
    both.refs[M] = px("1.10")
    both.check()
    both.move("0.60", "0.70")
    assert both.parts() == (0.0, 25.0, 0.0)


def test_a_book_that_arrives_after_the_settlement_moves_nothing() -> None:
    both = Both().move("0.50", "0.60").fill(100, "0.52").settle("1")
    before = both.parts()
    both.move("0.10", "0.20")
    both.move("0.98", "0.99")
    assert both.parts() == before


def test_late_fills_are_measured_against_the_settlement() -> None:
    both = Both().move("0.50", "0.60").settle("1").fill(10, "0.90").fill(10, "0.05", Leg.NO)
    assert both.parts() == (0.5, 0.0, 0.0)
    both.move("0.1", "0.2")


def test_a_forgotten_market_keeps_what_it_earned() -> None:
    both = Both().move("0.50", "0.60").fill(100, "0.52").settle("1")
    before = both.attribution.parts()
    both.attribution.forget(M)
    both.attribution.forget(M2)
    assert both.attribution.parts() == before
    assert both.attribution.reference2(M) is None


@pytest.mark.parametrize("kind", [FillKind.SPLIT, FillKind.MERGE])
@pytest.mark.parametrize("prices", [("0.5", "0.5"), ("0.55", "0.45"), ("0.33333333", "0.66666667")])
def test_pairs_are_neutral_once_both_halves_are_in_and_the_sum_holds_between_them(
    kind: FillKind, prices: tuple[str, str]
) -> None:
    both = Both().move("0.50", "0.60").fill(100, "0.52").fill(100, "0.42", Leg.NO)
    before = both.attribution.total2()
    side = Side.BUY if kind is FillKind.SPLIT else Side.SELL
    for leg, price in zip(Leg, prices, strict=True):
        both.fill(40, price, leg, side, kind=kind)
    assert both.attribution.total2() == before


def test_negating_tokens_keeps_the_sum_over_all_markets() -> None:
    """Ten NO of one outcome become YES of the others, at synthetic prices that only mean something in sum."""
    both = Both(token(10, "7", Leg.NO)).move("0.30", "0.40").move("0.20", "0.30", market=M2)
    both.fill(10, "1", Leg.NO, Side.SELL, kind=FillKind.NEGATE)
    both.fill(10, "0.5", Leg.YES, kind=FillKind.NEGATE, market=M2)
    both.move("0.50", "0.60", market=M2).settle("0.0", M).settle("1", M2)


def test_fees_stay_outside() -> None:
    both = Both().move("0.50", "0.60").fill(100, "0.52", fee="0.7").fill(100, "0.58", side=Side.SELL, fee="0.3")
    assert both.parts() == (6.0, 0.0, 0.0)
    assert both.portfolio.fees == usd("1")


def test_rounding_is_carried_by_inventory_so_that_the_parts_add_up() -> None:
    both = Both().move("0.50001", "0.50002").fill(1, "0.50001").move("0.33333", "0.66666").fill(1, "0.5", Leg.NO)
    spread, inventory, settlement = both.attribution.parts()
    assert spread + inventory + settlement == both.attribution.total2() // TWO


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("fill"), st.integers(1, 500), st.integers(1, 99_999), st.sampled_from(list(Leg)),
            st.sampled_from(list(Side)), st.integers(0, 50), st.integers(0, 1),
        ),
        st.tuples(
            st.just("move"), st.integers(1, 99_999), st.integers(1, 99_999), st.integers(0, 50), st.integers(0, 1)
        ),
        st.tuples(st.just("settle"), st.sampled_from(["0", "1", "0.5", "0.33333333"]), st.integers(0, 1)),
    ),
    max_size=40,
)  # fmt: skip


@given(STEPS, st.lists(st.tuples(st.integers(1, 300), st.integers(0, 30_000)), max_size=2))
def test_the_parts_add_up_whatever_happens(steps: list[Any], found: list[tuple[int, int]]) -> None:
    markets = (M, M2)
    tokens = tuple(
        TokenBalance(market, leg, Qty(number * SCALE), usd(cost / 100))
        for (number, cost), market, leg in zip(found, markets, (Leg.YES, Leg.NO), strict=False)
    )
    both = Both(*tokens)
    for kind, *values in steps:
        market = markets[values[-1]]
        if kind == "fill":
            number, price, leg, side, ms, _ = values
            both.fill(number, f"{price / 100_000:.5f}", leg, side, ms=ms, market=market)
        elif kind == "move":
            bid, ask, ms, _ = values
            both.move(f"{bid / 100_000:.5f}", f"{ask / 100_000:.5f}", ms=ms, market=market)
        elif market not in both.settled:
            both.settle(values[0], market)


# -- whose it was


def test_each_strategys_markets_bring_what_they_earn_less_their_fees() -> None:
    both = Both()
    both.attribution.own(M, "one")
    both.move("0.50", "0.60").fill(100, "0.52", fee="0.25")
    both.attribution.own(M2, "other")  # it had no owner until then
    both.move("0.20", "0.30", market=M2).fill(40, "0.30", market=M2, fee="0.10").move("0.30", "0.40", market=M2)
    both.move("0.40", "0.50").settle("1")
    both.attribution.charged(M, usd("0.05"))
    assert both.attribution.brought("one") == usd("3") + usd("45") - usd("0.30")
    assert both.attribution.brought("other") == usd("-2") + usd("4") - usd("0.10")
    assert both.attribution.brought("nobody") == 0
    total = sum(both.attribution.parts()) - both.fees - usd("0.05")
    assert both.attribution.brought("one") + both.attribution.brought("other") == total
    both.attribution.forget(M)
    assert both.attribution.brought("one") == usd("3") + usd("45") - usd("0.30"), "it stays when the market goes"


def test_a_fill_undone_takes_back_what_it_brought() -> None:
    both = Both()
    both.attribution.own(M, "one")
    both.move("0.50", "0.60").fill(100, "0.52", fee="0.25")
    both.fill(100, "0.52", side=Side.SELL, fee="-0.25")
    assert both.attribution.brought("one") == 0
