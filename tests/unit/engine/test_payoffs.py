"""Worst cases over settlements and interleavings, and the limits that rest on them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.domain.inputs import MarketListed
from hlomm.domain.markets import Comparator, Leg, Market
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE
from hlomm.engine import payoffs
from hlomm.engine.report import report
from tests.support.rig import Rig, placed
from tests.support.values import M, config, outcome, px, usd

LOW, HIGH = 79_000, 81_000


def ladder() -> list[Market]:
    """Two binaries, the three legs of a bucket, and its fallback, on one underlying."""
    legs = [(None, px(LOW)), (px(LOW), px(HIGH)), (px(HIGH), None)]
    return [
        outcome(),
        outcome(16, strike=px(HIGH)),
        *(
            outcome(20 + n, strike=None, floor=floor, ceiling=ceiling, klass="priceBucket", question=7)
            for n, (floor, ceiling) in enumerate(legs)
        ),
        outcome(23, strike=None, fallback=True, klass="priceBucket", question=7),
    ]


@pytest.mark.parametrize(
    ("market", "below", "at", "above"),
    [
        (outcome(), False, True, True),
        (outcome(comparator=Comparator.ABOVE), False, False, True),
        (outcome(strike=None, floor=px(80_000)), False, True, True),
        (outcome(strike=None, ceiling=px(80_000)), True, False, False),
    ],
)
def test_what_a_contract_pays_around_its_bound(market: Market, below: bool, at: bool, above: bool) -> None:
    strike = px(80_000)
    assert [payoffs.pays_yes(market, price) for price in (strike - 1, strike, strike + 1)] == [below, at, above]


def test_an_outcome_that_no_price_decides_is_an_event_of_its_own() -> None:
    rig = Rig(markets=ladder())
    fallback = rig.market(outcome(23).id)
    assert payoffs.group_of(rig.state, fallback) == (fallback,)
    assert len(payoffs.group_of(rig.state, rig.market())) == 5


def test_pairs_across_a_bucket_cannot_lose() -> None:
    rig = Rig(markets=ladder())
    for number in (20, 21, 22):
        rig.buy(100, "0.33", market=outcome(number).id)
    worst = payoffs.profile(rig.state, payoffs.group_of(rig.state, rig.market()))
    assert set(worst.losses) == {usd(-1)}


def test_a_spread_of_two_strikes_loses_least_between_them() -> None:
    rig = Rig(markets=ladder())
    rig.buy(100, "0.5")
    rig.buy(100, "0.6", Leg.NO, market=outcome(16).id)
    found = payoffs.profile(rig.state, payoffs.group_of(rig.state, rig.market()))
    by_price = dict(zip(found.at, found.losses, strict=True))
    assert by_price[px(80_000) - 1] == usd(10)
    assert by_price[px(80_500)] == usd(-90) if px(80_500) in by_price else True
    assert by_price[px(HIGH)] == usd(10)
    assert found.worst == usd(10)


def test_the_report_says_what_may_be_lost_beside_what_could_be() -> None:
    limits = {"max_loss_event": usd(1), "max_loss_underlying": usd(2), "max_loss_total": usd(3)}
    shown = report(Rig(config(limits={**limits, "max_hedge_notional": usd(4)})).state)
    assert (shown.event_loss_limit, shown.underlying_loss_limit, shown.loss_limit) == (usd(1), usd(2), usd(3))
    assert shown.hedge_limit == usd(4)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(list(Leg)), st.integers(5, 95), st.integers(1, 60)), max_size=6
    ),
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(list(Leg)), st.integers(5, 95), st.integers(1, 60)), max_size=4
    ),
)
@settings(max_examples=60)
def test_no_interleaving_at_any_price_loses_more_than_said(holdings: list[Any], orders: list[Any]) -> None:
    """Brute force: every subset of pending purchases, every settlement on a fine grid, both ways for the fallback."""
    markets = ladder()
    rig = Rig(markets=markets)
    for number, leg, cents, qty in holdings:
        rig.buy(qty, cents / 100, leg, market=markets[number].id)
    books = rig.state.portfolio
    pending = [(markets[number], leg, cents, qty) for number, leg, cents, qty in orders]
    profile = payoffs.profile(rig.state, payoffs.group_of(rig.state, rig.market()))
    group = [market for market in markets if payoffs.priced(market)]
    said = profile.worst + sum(
        max(payoffs.unit_loss(leg, Side.BUY, cents * SCALE // 100, yes=yes) for yes in (True, False)) * qty
        for market, leg, cents, qty in pending
        if payoffs.priced(market)
    )
    for at in range(78_000, 82_001, 250):
        base = sum(
            books.position(market.id).cost_yes + books.position(market.id).cost_no
            - books.position(market.id).held(Leg.YES if payoffs.pays_yes(market, at * SCALE) else Leg.NO)
            for market in group
        )  # fmt: skip
        assert base <= profile.worst
        for chosen in itertools.product((0, 1), repeat=len(pending)):
            extra = sum(
                payoffs.unit_loss(leg, Side.BUY, cents * SCALE // 100, yes=payoffs.pays_yes(market, at * SCALE)) * qty
                for pick, (market, leg, cents, qty) in zip(chosen, pending, strict=True)
                if pick and payoffs.priced(market)
            )
            assert base + extra <= said


# -- the limits


def limited(**limits: float) -> Rig:
    rules = config(limits={name: usd(value) for name, value in limits.items()}, quotes={"min_interval_ns": 0})
    return Rig(rules, markets=[outcome(), outcome(16, strike=px(HIGH))])


def bought(rig: Rig, price: str, number: float) -> float:
    (order,) = placed(rig.want(bid=(price, number)))
    return order.qty / SCALE


def test_an_event_may_not_lose_more_than_its_limit() -> None:
    rig = limited(max_loss_event=40)
    assert bought(rig, "0.50", 100) == 80
    note = rig.market().notes[1]
    assert note.guard == "ok"


def test_what_rests_elsewhere_on_the_underlying_counts() -> None:
    rig = limited(max_loss_underlying=60)
    rig.buy(80, "0.5", market=outcome(16).id)
    assert bought(rig, "0.50", 100) == 40


def test_a_hedge_between_strikes_makes_room() -> None:
    """NO of the higher strike wins wherever YES of the lower one loses."""
    rig = limited(max_loss_underlying=60)
    rig.buy(80, "0.5", Leg.NO, market=outcome(16, strike=px(HIGH)).id)
    assert bought(rig, "0.50", 100) == 100


def test_underlyings_are_not_netted() -> None:
    rig = limited(max_loss_total=60)
    rig.tell(MarketListed(outcome(30, underlying="ETH")))
    rig.buy(80, "0.5", market=outcome(30).id)
    assert bought(rig, "0.50", 100) == 40


def test_beyond_the_limit_only_what_makes_the_worst_better_passes() -> None:
    rig = limited(max_loss_event=40)
    rig.buy(200, "0.5")
    assert not placed(rig.want(bid=("0.50", 100)))
    assert rig.market().notes[1].guard == "max_loss_event"
    (sale,) = placed(rig.want(ask=("0.58", 100)))
    assert sale.side is Side.SELL
    assert sale.market == M


@given(
    st.lists(
        st.tuples(
            st.sampled_from([15, 16]), st.none() | st.tuples(st.integers(30, 54), st.integers(20, 200)),
            st.none() | st.tuples(st.integers(56, 80), st.integers(20, 200)), st.sampled_from(["ack", "fill", "close"]),
        ),
        max_size=10,
    )
)  # fmt: skip
@settings(max_examples=60)
def test_no_accepted_order_ever_lets_the_worst_case_pass_its_limit(steps: list[Any]) -> None:
    rig = limited(max_loss_event=70, max_loss_underlying=110, max_loss_total=130)

    def worst() -> None:
        state = rig.state
        for number in (15, 16):
            assert payoffs.event(state, rig.market(outcome(number).id)).worst <= usd(70)
        assert payoffs.profile(state, payoffs.group_of(state, rig.market())).worst <= usd(110)
        assert payoffs.total_worst(state) <= usd(130)

    for number, bid, ask, then in steps:
        market = outcome(number).id
        rig.want(bid and (bid[0] / 100, bid[1]), ask and (ask[0] / 100, ask[1]), market=market)
        worst()
        for order in list(rig.state.orders.live()):
            if then == "ack" and order.venue_order_id is None:
                rig.opened(order)
            elif then == "fill" and order.venue_order_id is not None and order.leaves:
                rig.filled(order, min(20, order.leaves // SCALE))
            elif then == "close":
                rig.closed(order, filled=0)
            worst()
        rig.jump(1)
        for each in (15, 16):
            rig.book(market=outcome(each).id)
        worst()
