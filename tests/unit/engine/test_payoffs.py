"""Worst cases over settlements and interleavings, and the limits that rest on them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.domain.ids import HYPERLIQUID, perp_market
from hlomm.domain.inputs import (
    BookSnapshot,
    Booted,
    FundingPaid,
    MarketListed,
    MarketSettled,
    MarkPrice,
    SessionUp,
)
from hlomm.domain.markets import Comparator, Leg, Market
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.units import SCALE, Px, Qty
from hlomm.engine import gate, payoffs
from hlomm.engine.carry import carried
from hlomm.engine.gate import Verdict
from hlomm.engine.report import report
from hlomm.engine.stakes import Stakes, name_of
from tests.support.rig import Rig, amended, placed
from tests.support.values import (
    EPOCH_MS,
    PERP,
    M,
    account,
    config,
    earlier_run_id,
    levels,
    lots,
    outcome,
    perp,
    px,
    usd,
)
from tests.support.worst import Around, Chance, Holding, World

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
        (outcome(strike=None, fallback=True, question=7), False, False, False),
    ],
)
def test_what_a_contract_pays_around_its_bound(market: Market, below: bool, at: bool, above: bool) -> None:
    strike = px(80_000)
    paid = [payoffs.pays_yes(market, (price, False)) for price in (strike - 1, strike, strike + 1)]
    assert paid == [below, at, above]


def test_if_the_fallback_pays_no_leg_does_and_binaries_do_not_care() -> None:
    paid = [payoffs.pays_yes(market, (px(80_500), True)) for market in ladder()]
    assert paid == [True, False, False, False, False, True]


def bought_at(rig: Rig, number: int, price: str, leg: Leg = Leg.YES, qty: float = 100) -> None:
    rig.buy(qty, price, leg, market=outcome(number).id)


def worst(rig: Rig) -> int:
    return Stakes(rig.state).worst(PERP)


def test_an_outcome_that_no_price_decides_is_an_event_of_its_own() -> None:
    rig = Rig(markets=[*ladder(), outcome(24, strike=None)])
    bought_at(rig, 24, "0.4")
    assert Stakes(rig.state).worst(outcome(24).id) == usd(40)
    assert (worst(rig), Stakes(rig.state).total()) == (0, usd(40))


def test_all_legs_of_a_bucket_lose_only_if_its_fallback_pays() -> None:
    rig = Rig(markets=ladder())
    for number in (20, 21, 22):
        bought_at(rig, number, "0.33")
    assert worst(rig) == usd(99)
    bought_at(rig, 23, "0.02")
    assert worst(rig) == usd(1)


def test_no_of_two_legs_loses_one_of_them_at_most() -> None:
    rig = Rig(markets=ladder())
    bought_at(rig, 20, "0.7", Leg.NO)
    bought_at(rig, 21, "0.6", Leg.NO)
    assert worst(rig) == usd(30)


def test_a_spread_of_two_strikes_loses_least_between_them() -> None:
    rig = Rig(markets=ladder())
    bought_at(rig, 15, "0.5")
    bought_at(rig, 16, "0.6", Leg.NO)
    (found,) = Stakes(rig.state).ways(rig.market())
    by_price = {at: loss for (at, _), loss in zip(found.at, found.losses, strict=True)}
    assert by_price[px(80_000) - 1] == usd(10)
    assert by_price[px(80_000)] == by_price[px(HIGH) - 1] == usd(-90)
    assert by_price[px(HIGH)] == usd(10)
    assert found.worst == usd(10)


def test_the_report_says_what_may_be_lost_beside_what_could_be() -> None:
    limits = {"max_loss_event": usd(1), "max_loss_underlying": usd(2), "max_loss_total": usd(3)}
    shown = report(Rig(config(limits={**limits, "max_hedge_notional": usd(4)})).state)
    assert (shown.event_loss_limit, shown.underlying_loss_limit, shown.loss_limit) == (usd(1), usd(2), usd(3))
    assert shown.hedge_limit == usd(4)


@pytest.mark.parametrize(
    "apart",
    [{"tau_s": 7_200.0}, {"averaging_s": 60}, {"deployer": "out"}, {"underlying": "ETH"}],
    ids=["another expiry", "an average", "another key", "another underlying"],
)
def test_what_no_single_price_decides_is_not_netted(apart: dict[str, Any]) -> None:
    """YES and NO at the same strike are a pair only if they cannot settle on two prices."""
    together = Rig(markets=[outcome(), outcome(16)])
    other = Rig(markets=[outcome(), outcome(16, **apart)])
    for rig in (together, other):
        bought_at(rig, 15, "0.5")
        bought_at(rig, 16, "0.5", Leg.NO)
    assert Stakes(together.state).total() == 0
    assert Stakes(other.state).total() == usd(100)


def test_the_profile_for_people_names_every_settlement() -> None:
    rig = Rig(markets=[outcome(), outcome(16, tau_s=7_200.0), outcome(24, strike=None)])
    for number in (15, 16, 24):
        bought_at(rig, number, "0.5")
    shown = report(rig.state)
    assert len({row.name for row in shown.scenarios}) == 4
    assert shown.worst_loss == usd(150)
    assert [row.name for row in shown.scenarios if row.at is None] == [
        f"{outcome(24).ticker}-NO",
        f"{outcome(24).ticker}-YES",
    ]


MARKETS = [*ladder(), outcome(30, tau_s=7_200.0), outcome(40, underlying="ETH", strike=px(3_000))]
WORLD = World(MARKETS)
PLACES = st.integers(0, len(MARKETS) - 1)
LEGS, CENTS, LOTS = st.sampled_from(list(Leg)), st.integers(5, 95), st.integers(1, 60)


@given(
    st.lists(st.tuples(PLACES, LEGS, CENTS, LOTS), max_size=8),
    st.lists(st.tuples(PLACES, LEGS, st.sampled_from(list(Side)), CENTS, LOTS), max_size=6),
    st.integers(-30, 30),
    st.integers(76_000, 84_000),
)
@settings(max_examples=120, deadline=None)
def test_no_interleaving_at_any_ending_loses_more_or_less_than_said(
    holdings: list[Any], orders: list[Any], perps: int, mark: int
) -> None:
    """Brute force: every subset of the pending orders, every price around a bound, every way a question can end."""
    rig = Rig(config(limits={"max_drawdown": usd(10**6)}), markets=MARKETS)
    held = {market.id: Holding() for market in MARKETS}
    for place, leg, cents, qty in holdings:
        market = MARKETS[place].id
        rig.buy(qty, cents / 100, leg, market=market)
        held[market].spent += cents * qty * SCALE // 100
        setattr(held[market], leg.name.lower(), getattr(held[market], leg.name.lower()) + qty * SCALE)
    chances = []
    for number, (place, leg, side, cents, qty) in enumerate(orders):
        chances.append(Chance(MARKETS[place].id, leg, side, px(cents / 100), lots(qty)))
        rig.state.orders.placed(request(number, chances[-1]), None, 0)
    rig.tell(MarkPrice(PERP, px(mark), rig.ms))
    if perps:
        rig.buy(abs(perps) / 1_000, 80_000, side=Side.BUY if perps > 0 else Side.SELL, market=PERP)
    stakes = Stakes(rig.state)
    around = Around(qty=perps * 100_000, low=px(mark), high=px(mark))
    btc = WORLD.underlying("BTC", held, chances, around, PERP)
    eth = WORLD.underlying("ETH", held, chances, Around(low=px(3_000), high=px(3_000)), PERP)
    assert abs(stakes.worst(PERP) - btc) <= 1, "a perp's product is rounded"
    assert stakes.worst(perp_market(HYPERLIQUID, "ETH")) == eth
    assert abs(stakes.total() - max(btc, 0) - max(eth, 0)) <= 1
    for market in MARKETS:
        known = rig.market(market.id)
        assert payoffs.event(rig.state, known).worst == WORLD.event(market.id, held, chances)
        assert min(way.worst for way in stakes.ways(known)) == stakes.worst(name_of(known))


@pytest.mark.parametrize(("first", "then"), [("0.58", "0.80"), ("0.80", "0.58")])
def test_a_sale_whose_fill_is_still_due_may_have_sold_at_the_price_before_its_amend(first: str, then: str) -> None:
    rig = Rig(config(quotes={"min_interval_ns": 0}))
    rig.buy(100, "0.5")
    order = rig.resting_ask(first, 100)
    rig.opened(order, leaves=60, oid=rig.oid_of[order.client_id])  # 40 sold, the fill is on its way
    (amend,) = amended(rig.want(ask=(then, 60)))
    rig.opened(amend)
    assert (order.due, order.leaves) == (lots(40), lots(60))
    lost = 100 * 0.5 - 100 + 40 * (1 - min(float(first), float(then))) + 60 * (1 - float(then))
    assert payoffs.event(rig.state, rig.market()).losses[1] == usd(f"{lost:.8f}")


def request(number: int, chance: Chance) -> OrderRequest:
    return OrderRequest(
        client_id=earlier_run_id(number + 1), market=chance.market, leg=chance.leg, side=chance.side,
        px=Px(chance.px), qty=Qty(chance.qty), tif=Tif.ALO, reduce_only=False, purpose=Purpose.QUOTE,
    )  # fmt: skip


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


def test_what_was_lost_in_an_event_counts_on_after_a_restart_though_nothing_is_held() -> None:
    """Until the event is over: what was lost in it before is part of what it may lose."""
    rig = limited(max_loss_event=40)
    rig.buy(100, "0.60")
    rig.buy(100, "0.30", side=Side.SELL)
    assert bought(rig, "0.50", 100) == 20
    after = Rig(rig.state.config, boot=False)
    after.tell(
        Booted(
            epoch_ms=EPOCH_MS + 1, profile="sim", version="0", config="{}", halted=None, carried=carried(rig.state)
        ),
        account("9970", asked_ns=after.now.mono_ns), MarketListed(perp()), MarketListed(outcome()),
        SessionUp(HYPERLIQUID),
    )  # fmt: skip
    assert after.state.reconciled
    after.book()
    assert bought(after, "0.50", 100) == 20
    after.tell(MarketSettled(M, Px(0), "test"))
    assert carried(after.state).positions == ()


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
        assert Stakes(state).worst(PERP) <= usd(110)
        assert Stakes(state).total() <= usd(130)

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


# -- the hedge within them


def hedged(number: int, side: Side, **limits: float) -> tuple[Rig, Verdict]:
    """100 YES at 0.5 and a verdict on so many thousandths of a coin."""
    rig = limited(**limits)
    rig.tell(MarkPrice(PERP, px(80_000), rig.ms))
    rig.tell(FundingPaid(market=PERP, amount=usd(-10_000), key="wallet", venue_ms=rig.ms))
    bought_at(rig, 15, "0.5")
    rig.tell(BookSnapshot(PERP, levels((79_999.9, 9)), levels((80_000.1, 9)), rig.ms))
    return rig, judged(rig, number, side)


def judged(rig: Rig, number: int, side: Side) -> Verdict:
    want = gate.Proposal(
        market=rig.market(PERP), leg=Leg.YES, side=side, px=px(80_000), qty=lots(number / 1_000), tif=Tif.IOC,
        purpose=Purpose.HEDGE,
    )  # fmt: skip
    return gate.judge(rig.state, want)


def test_a_hedge_may_not_lose_more_than_the_limit_either() -> None:
    """Short at 80,000 it loses 16,000 a coin if the stress move goes up, where 100 YES at 0.5 gain 50."""
    _, verdict = hedged(20, Side.SELL, max_loss_underlying=100)
    assert isinstance(verdict, gate.Resize)
    assert (verdict.qty, verdict.limit) == (lots(0.00937), "max_loss_underlying")
    _, verdict = hedged(20, Side.SELL, max_loss_total=100)
    assert isinstance(verdict, gate.Resize)
    assert (verdict.qty, verdict.limit) == (lots(0.00937), "max_loss_total")
    _, verdict = hedged(9, Side.SELL, max_loss_underlying=100)
    assert isinstance(verdict, gate.Pass)


def test_a_perp_that_adds_to_what_the_outcomes_lose_has_less_room() -> None:
    _, verdict = hedged(20, Side.BUY, max_loss_underlying=100)
    assert isinstance(verdict, gate.Resize)
    assert verdict.qty == lots(0.00312), "50 more at 64,000"


def test_a_hedge_that_prices_took_beyond_the_limit_can_be_closed() -> None:
    rig, _ = hedged(5, Side.SELL, max_loss_underlying=100)
    rig.buy(0.02, 80_000, side=Side.SELL, market=PERP)
    assert worst(rig) == usd("270.0004"), "320 a fifth above the ask, where YES gains 50"
    assert isinstance(judged(rig, 20, Side.BUY), gate.Pass)


def test_a_perp_with_no_outcome_beside_it_counts() -> None:
    rig = Rig()
    rig.tell(MarkPrice(PERP, px(80_000), rig.ms), MarketSettled(M, px(0), "price:79000"))
    rig.buy(0.01, 80_000, market=PERP)
    assert (worst(rig), Stakes(rig.state).total()) == (usd(160), usd(160))
    assert {row.name for row in report(rig.state).scenarios} == {"BTC"}


def test_an_order_in_the_perp_counts_from_the_worse_of_its_price_and_the_market() -> None:
    """It may have filled when it was sent: what it has gained since can be lost again."""
    rig = limited()
    rig.tell(MarkPrice(PERP, px(80_000), rig.ms))
    rig.state.orders.placed(request(1, Chance(PERP, Leg.YES, Side.BUY, px(80_000), lots(0.01))), None, 0)
    assert worst(rig) == usd(160)
    rig.tell(MarkPrice(PERP, px(82_000), rig.ms))
    assert worst(rig) == usd(164)
