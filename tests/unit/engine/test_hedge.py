"""The maintained hedge: one target per underlying, a band around it, one order at a time, home at the end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hlomm.domain.ids import HYPERLIQUID, MarketId
from hlomm.domain.inputs import (
    BookSnapshot,
    Input,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    OperatorAction,
    SessionUp,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import HaltState, Output
from hlomm.domain.units import SCALE
from hlomm.domain.view import Sensitivity
from hlomm.engine.report import report
from hlomm.pricing.hedge import HedgeTerms, maintained, whalley_wilmott
from tests.support.puppet import desire
from tests.support.rig import ASKS, BIDS, Rig, placed
from tests.support.values import M2, PERP, M, account, config, levels, lots, outcome, perp, px, usd

DELTA = 30_000
"""0.0003 BTC a contract: 100 contracts are worth hedging with 0.03 BTC."""
TERMS = HedgeTerms(cost=60_000, risk_aversion=400_000_000, cap=usd(5_000), lot=px("0.00001"), least=usd(10))


def up(
    *, cap: float = 5_000, interval_s: float = 0.1, min_tau_s: float = 0, wallet: float = 10_000, inner: float = 1,
    **markets: Any,
) -> Rig:  # fmt: skip
    rules = config(
        limits={"max_hedge_notional": usd(cap)},
        hedge={
            "enabled": True, "min_tau_ns": round(min_tau_s * 1e9), "interval_ns": round(interval_s * 1e9),
            "inner": px(inner),
        },
    )  # fmt: skip
    rig = Rig(rules, boot=False)
    rig.boot()
    rig.tell(MarketListed(perp()), MarketListed(outcome(**markets)), MarketListed(outcome(16, **markets)))
    rig.tell(account(10_000, perp_cash=wallet), SessionUp(HYPERLIQUID))
    for market in (M, M2):
        rig.book(market=market)
    price(rig, 80_000)
    return rig


def price(rig: Rig, at: float) -> list[Output]:
    return rig.tell(BookSnapshot(PERP, levels((at - 1, 5)), levels((at + 1, 5)), rig.ms))


def fresh(rig: Rig) -> list[Input]:
    """All books again."""
    perps = BookSnapshot(PERP, levels((79_999, 5)), levels((80_001, 5)), rig.ms)
    return [perps, *(BookSnapshot(market, BIDS, ASKS, rig.ms) for market in (M, M2))]


def feel(rig: Rig, delta: int = DELTA, gamma: int = 0, market: MarketId = M) -> list[Output]:
    """The strategy says how the contract moves with its underlying."""
    rig.puppet.desired[market] = replace(desire(fair="0.55"), sensitivity=Sensitivity(delta, gamma))
    rig.state.touch(market)
    return rig.turn()


def hedges(outputs: list[Output]) -> list[OrderRequest]:
    return [order for order in placed(outputs) if order.purpose is Purpose.HEDGE]


def done(rig: Rig, order: OrderRequest, number: float | None = None) -> list[Output]:
    """The order fills (or not) and is over."""
    qty = order.qty / SCALE if number is None else number
    outputs = rig.filled(order, qty, at=80_000) if qty else []
    return outputs + rig.closed(order, status="filled" if qty else "iocCancelRejected", filled=qty)


def held(rig: Rig) -> float:
    return rig.state.portfolio.perps.position(PERP).qty / SCALE


# -- the target


def test_long_yes_is_offset_by_a_short_perp_and_no_by_a_long_one() -> None:
    rig = up()
    rig.buy(100, "0.5")
    (order,) = hedges(feel(rig))
    assert (order.side, order.tif, order.market) == (Side.SELL, Tif.IOC, PERP)
    # To the edge of the band, which is the smallest order worth sending: 10 USDC at 80,000.
    assert order.qty == lots(0.03) - 13_000, "the band in whole lots"
    done(rig, order)
    rig.buy(300, "0.5", Leg.NO)
    feel(rig)
    (order,) = hedges(price(rig, 80_010)) or [None]  # type: ignore[list-item]
    assert order is None or order.side is Side.BUY


def test_one_target_for_all_contracts_on_an_underlying() -> None:
    rig = up()
    rig.buy(100, "0.5")
    rig.buy(60, "0.5", Leg.NO, market=M2)
    rig.puppet.desired[M2] = replace(desire(fair="0.55"), sensitivity=Sensitivity(DELTA, 0))
    rig.state.touch(M2)
    outputs = feel(rig)
    row = report(rig.state).hedges[0]
    assert row.target == -round((100 - 60) * DELTA / 1000) * 1000
    assert len(hedges(outputs)) == 1


def test_within_the_band_nothing_is_sent_and_outside_it_the_edge_is_enough() -> None:
    rig = up()
    rig.buy(100, "0.5")
    (order,) = hedges(feel(rig))
    done(rig, order)
    rig.jump(1)
    assert not hedges(feel(rig)), "at the edge"
    assert not hedges(feel(rig, DELTA - 100)), "a little less to hedge: still within the band"
    rig.jump(1)
    (again,) = hedges(feel(rig, DELTA + 8_000))
    assert again.qty == lots(0.008), "from edge to edge"


def test_an_order_brings_it_back_inside_so_that_the_next_tick_needs_none() -> None:
    rig = up(inner=0.5)
    rig.buy(100, "0.5")
    (order,) = hedges(feel(rig))
    assert order.qty == lots(0.03) - 6_000, "half of a band of 13 lots, rounded to a lot beyond it"
    done(rig, order)
    rig.jump(1)
    assert not hedges(feel(rig, DELTA + 60)), "as far on as to the edge"
    rig.jump(1)
    (again,) = hedges(feel(rig, DELTA + 80))
    assert again.qty == 13_000, "and from beyond it the smallest order there is"


def test_one_order_at_a_time_and_what_did_not_fill_is_tried_again_after_the_interval() -> None:
    rig = up(interval_s=5)
    rig.buy(100, "0.5")
    (order,) = hedges(feel(rig))
    assert not hedges(feel(rig, DELTA * 2)), "the first is still on its way"
    assert not hedges(done(rig, order, 0))
    assert not hedges(price(rig, 80_000))
    rig.jump(5)
    (again,) = hedges(rig.tell(*fresh(rig)))
    assert again.side is Side.SELL


def test_a_contract_close_to_its_end_is_left_out_and_the_hedge_goes_home() -> None:
    rig = up(min_tau_s=600, tau_s=700)
    rig.buy(100, "0.5")
    (order,) = hedges(feel(rig))
    done(rig, order)
    rig.jump(200)
    (home,) = hedges([*rig.tell(*fresh(rig)), *feel(rig)])
    assert (home.side, home.qty, home.reduce_only) == (Side.BUY, order.qty, True)
    done(rig, home)
    assert held(rig) == 0


def test_after_the_last_settlement_no_perp_is_left() -> None:
    rig = up()
    rig.buy(100, "0.5")
    (order,) = hedges(feel(rig))
    done(rig, order)
    rig.jump(1)
    (home,) = hedges(rig.tell(MarketSettled(M, px(1), "price:81000")))
    assert (home.side, home.qty) == (Side.BUY, order.qty)
    done(rig, home)
    assert held(rig) == 0
    row = report(rig.state).hedges[0]
    assert (row.target, row.naked, row.contracts) == (0, 0, 1)


def test_a_perp_that_outlives_its_contracts_is_told_as_naked_and_timed() -> None:
    rig = up()
    rig.buy(100, "0.5")
    (order,) = hedges(feel(rig))
    done(rig, order)
    assert report(rig.state).hedges[0].naked == 0
    rig.tell(MarketSettled(M, px(1), "price:81000"))
    rig.jump(2)
    price(rig, 80_000)
    row = report(rig.state).hedges[0]
    assert (row.naked, row.naked_ms) == (-order.qty, 2_000)


def test_a_pause_after_failed_requests_keeps_no_perp_from_going_home() -> None:
    rig = up()
    rig.buy(100, "0.5")
    (order,) = hedges(feel(rig))
    done(rig, order)
    breaker = rig.state.breakers.errors_of(HYPERLIQUID)
    breaker.until_ns, breaker.why = rig.state.now.mono_ns + 60 * 10**9, "six requests failed"
    rig.jump(1)
    assert not hedges([*rig.tell(*fresh(rig)), *feel(rig, DELTA * 2)]), "held as it was: nobody can be asked now"
    rig.jump(1)
    rig.buy(100, "0.5")
    assert not hedges(price(rig, 80_000)), "more of it is not sent"
    assert report(rig.state).hedges[0].note.guard == "breaker"
    rig.jump(1)
    (home,) = hedges(rig.tell(MarketSettled(M, px(1), "price:81000")))
    assert (home.side, home.qty, home.reduce_only) == (Side.BUY, order.qty, True)


def test_while_nothing_is_maintained_no_time_counts() -> None:
    rig = up()
    rig.buy(100, "0.5")
    (order,) = hedges(feel(rig))
    done(rig, order)
    before = report(rig.state).hedges[0]
    rig.command(OperatorAction.KILL)
    rig.jump(100)
    price(rig, 80_000)
    after = report(rig.state).hedges[0]
    assert (after.inside_ms, after.outside_ms) == (before.inside_ms, before.outside_ms)


# -- bounds


def test_the_hedge_is_capped_near_the_singularity() -> None:
    rig = up(cap=800)
    rig.buy(300, "0.5")
    (order,) = hedges(feel(rig, 600_000))
    assert order.qty <= lots(0.01)
    row = report(rig.state).hedges[0]
    assert abs(row.target) * 80_000 <= 800 * SCALE


def test_the_wallet_bounds_it_too() -> None:
    rig = up(wallet=100)
    rig.buy(100, "0.5")
    (order,) = hedges(feel(rig))
    assert order.qty * 80_001 <= 5 * 100 * SCALE


@pytest.mark.parametrize("how", ["stale", "one_sided", "no_model", "halted"])
def test_without_what_it_takes_nothing_is_sent(how: str) -> None:
    rig = up()
    rig.buy(100, "0.5")
    if how == "stale":
        rig.jump(7)
        rig.book()
    elif how == "one_sided":
        rig.tell(BookSnapshot(PERP, (), levels((80_001, 5)), rig.ms))
    elif how == "halted":
        rig.command(OperatorAction.KILL)
    if how == "no_model":
        rig.puppet.desired[M] = desire(fair="0.55")
        rig.state.touch(M)
        assert not hedges(rig.turn())
    else:
        assert not hedges(feel(rig))
    assert held(rig) == 0


def test_a_kill_closes_the_hedge_with_the_outcomes() -> None:
    rig = up()
    rig.buy(100, "0.5")
    (order,) = hedges(feel(rig))
    done(rig, order)
    outputs = rig.command(OperatorAction.KILL)
    assert rig.halt is HaltState.FLATTENING
    orders = [one for one in placed(outputs) if one.market == PERP]
    assert all(one.purpose is Purpose.FLATTEN and one.side is Side.BUY and one.reduce_only for one in orders)


def test_time_within_the_band_is_counted() -> None:
    rig = up(interval_s=1)
    rig.buy(100, "0.5")
    (order,) = hedges(feel(rig))
    rig.jump(2)
    done(rig, order)
    rig.jump(2)
    rig.book()
    price(rig, 80_000)
    row = report(rig.state).hedges[0]
    assert row.outside_ms >= 2_000
    assert row.inside_ms >= 1_000


# -- the arithmetic


@given(
    st.lists(
        st.tuples(st.integers(-400, 400), st.integers(-900_000, 900_000), st.integers(-(10**11), 10**11)), max_size=5
    ),
    st.integers(10_000, 200_000),
    st.integers(0, 20_000),
)
def test_a_target_is_whole_lots_within_the_cap_and_the_band_is_never_nothing(
    legs: list[tuple[int, int, int]], spot: int, cap: int
) -> None:
    terms = replace(TERMS, cap=usd(cap))
    wanted = maintained([(qty * SCALE, delta, gamma) for qty, delta, gamma in legs], spot * SCALE, terms)
    assert wanted.target % terms.lot == 0
    assert abs(wanted.target) * spot <= cap * SCALE
    assert abs(wanted.target) <= abs(wanted.uncapped)
    assert wanted.target * wanted.uncapped >= 0
    exact = -sum(qty * delta for qty, delta, _ in legs)
    assert 0 <= abs(exact) - abs(wanted.uncapped) < terms.lot
    assert wanted.band >= terms.lot
    assert wanted.band * spot >= terms.least


def test_the_band_is_whalley_and_wilmotts_where_it_is_wider_than_the_least_order() -> None:
    gamma = 2e-7 * 400
    legs = [(400 * SCALE, DELTA * 4, round(2e-7 * 1e16))]
    wanted = maintained(legs, 80_000 * SCALE, replace(TERMS, cap=usd(100_000)))
    width = whalley_wilmott(gamma, 80_000, 0.0006, 0.0004)
    assert wanted.band == pytest.approx(width * 1e8, abs=1_000)  # whole lots


@pytest.mark.parametrize("spot", [0, -5])
def test_without_a_price_there_is_no_hedge(spot: int) -> None:
    assert maintained([(SCALE, DELTA, 0)], spot, TERMS).target == 0


def test_a_perp_without_a_fresh_price_when_its_last_contract_settles_goes_home_later() -> None:
    rig = up()
    rig.buy(100, "0.5")
    (order,) = hedges(feel(rig))
    done(rig, order)
    rig.tell(MarketSettled(M2, px(0), "price:81000"))
    rig.jump(7)
    assert not hedges(rig.tell(MarketSettled(M, px(1), "price:81000"))), "its book is stale"
    outputs = price(rig, 80_000)
    for _ in range(3):
        rig.jump(1)
        outputs += price(rig, 80_000)
    (home,) = hedges(outputs)
    assert (home.side, home.qty) == (Side.BUY, order.qty)


def test_a_perp_that_is_gone_before_anybody_looked_at_its_hedge_ends_nothing() -> None:
    rig = Rig(config(hedge={"enabled": True}), boot=False)
    rig.boot()
    rig.tell(MarketListed(perp()), MarketListed(outcome()), MarketDelisted(PERP, "not in the list any more"))
    rig.tell(account(10_000), SessionUp(HYPERLIQUID))
    rig.book()
    assert rig.halt is HaltState.RUNNING
    assert not rig.state.hedges
