"""Rung: pure. The price path, the digital, the sequencer, listing and the order flow's calibration."""

from __future__ import annotations

import math
import random
import statistics
from itertools import pairwise

import pytest

from hlomm.domain.faults import ConfigError
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.ticker import wall_ns_of
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Px
from hlomm.sim.config import FlowConfig, ListingConfig, PathConfig, SimConfig
from hlomm.sim.contracts import period_ns
from hlomm.sim.digital import Digital, digital, inverse_normal
from hlomm.sim.events import Traded
from hlomm.sim.faults import FaultArgs, FaultName
from hlomm.sim.flow_makers import draw_lots, typical_spread
from hlomm.sim.listing import Listing, Series, describe, first_origin, rounded_target
from hlomm.sim.path import YEAR_S, Mark, PricePath, settlement_ticks
from hlomm.sim.sequencer import ActionClass, MempoolFull, Sequencer
from hlomm.sim.world import Commit, World

ORIGIN = first_origin(ListingConfig(), 1_795_000_000 * NS_PER_S)


# -- path and fair value


def test_realised_volatility_is_the_configured_one() -> None:
    path = PricePath(random.Random("v"), PathConfig(annual_vol=0.45), step_s=1.0, first_step=0)
    prices = [path.price(step) for step in range(4000)]
    for start in range(4000, 80_000, 4000):
        prices += [path.price(step) for step in range(start, start + 4000)]
    returns = [math.log(b / a) for a, b in pairwise(prices)]
    annual = math.sqrt(statistics.fmean(r * r for r in returns) * YEAR_S)
    assert annual == pytest.approx(0.45, rel=0.15)


def test_path_depends_on_its_generator_only() -> None:
    def prices(ask: list[int]) -> list[float]:
        path = PricePath(random.Random("p"), PathConfig(), step_s=0.07, first_step=-10)
        return [path.price(step) for step in ask][-1:]

    assert prices([500]) == prices([-10, 3, 200, 500])


def test_forgotten_path_is_not_invented() -> None:
    path = PricePath(random.Random("p"), PathConfig(), step_s=0.07, first_step=0)
    path.price(20_000)
    with pytest.raises(AssertionError, match="forgotten"):
        path.price(0)


def test_mean_volatility_reverts_to_the_long_run() -> None:
    path = PricePath(random.Random("x"), PathConfig(annual_vol=0.4), step_s=1.0, first_step=0)
    assert path.mean_vol(0, 0.0) == pytest.approx(path.vol(0))
    assert path.mean_vol(0, 1e9) == pytest.approx(0.4, rel=1e-3)


@pytest.mark.parametrize(("price", "expected"), [(100.0, 0.5), (101.0, 0.95), (99.0, 0.05)])
def test_digital_is_a_probability(price: float, expected: float) -> None:
    tau = 180.0
    sigma = math.log(1.01) / 1.6449 / math.sqrt(tau / YEAR_S)
    assert digital(price, 100.0, sigma, tau).probability == pytest.approx(expected, abs=0.01)


def test_digital_moves_faster_near_expiry_and_is_certain_at_it() -> None:
    assert digital(100.0, 100.0, 0.45, 30.0).one_second_sd > digital(100.0, 100.0, 0.45, 900.0).one_second_sd
    assert digital(100.0, 100.0, 0.45, 0.0) == Digital(1.0, 0.0)
    assert digital(99.999, 100.0, 0.45, 0.0) == Digital(0.0, 0.0)


def test_inverse_normal() -> None:
    assert inverse_normal(0.5) == pytest.approx(0.0, abs=1e-9)
    assert inverse_normal(0.975) == pytest.approx(1.959964, abs=1e-5)


@pytest.mark.parametrize(("at", "expected"), [(0, 800_000), (10, 800_100), (5, 800_050), (3, 800_030)])
def test_settlement_interpolates_the_mark(at: int, expected: int) -> None:
    assert settlement_ticks(Mark(0, 800_000), Mark(10, 800_100), at) == expected


# -- sequencer


def test_a_block_runs_passive_then_cancels_then_takers_each_in_order() -> None:
    sequencer, ran = Sequencer(10), []
    for name, arrival, klass in (
        ("ioc", 10, ActionClass.AGGRESSIVE),
        ("cancel-2", 30, ActionClass.CANCEL),
        ("cancel-1", 20, ActionClass.CANCEL),
        ("alo", 40, ActionClass.PASSIVE),
        ("late", 71, ActionClass.PASSIVE),
    ):
        sequencer.submit(arrival, klass, lambda name=name: ran.append(name))
    for run in sequencer.take(70):
        run()
    assert ran == ["alo", "cancel-1", "cancel-2", "ioc"]
    assert len(sequencer) == 1


def test_mempool_is_bounded() -> None:
    sequencer = Sequencer(1)
    sequencer.submit(0, ActionClass.PASSIVE, lambda: None)
    with pytest.raises(MempoolFull):
        sequencer.submit(0, ActionClass.PASSIVE, lambda: None)
    assert sequencer.refused == 1


# -- listing


def test_description_grammar() -> None:
    expiry = wall_ns_of(2026, 5, 26, 360)
    text = describe("BTC", expiry, Px(77_363 * SCALE), "1d")
    assert text == "class:priceBinary|underlying:BTC|expiry:20260526-0600|targetPrice:77363|period:1d"


@pytest.mark.parametrize(("ticks", "target"), [(768_769, 76_877), (999_994, 99_999), (1_023_456, 102_350)])
def test_next_target_has_five_significant_figures(ticks: int, target: int) -> None:
    assert rounded_target(ticks) == target * SCALE


def test_series_calendar() -> None:
    at = wall_ns_of(2026, 11, 20, 361)
    assert Series("1d", period_ns("1d")).expiry_after(at) == wall_ns_of(2026, 11, 21, 360)
    assert Series("1d", period_ns("1d")).expiry_after(wall_ns_of(2026, 11, 20, 360)) == wall_ns_of(2026, 11, 21, 360)
    assert Series("15m", period_ns("15m")).expiry_after(at) == wall_ns_of(2026, 11, 20, 375)


@pytest.mark.parametrize("period", ["", "3", "m", "0m", "3w", "3m "])
def test_unknown_periods_are_refused(period: str) -> None:
    with pytest.raises(ConfigError, match="periods"):
        period_ns(period)


def test_origin_is_near_the_hosts_clock_and_fits_the_first_expiry() -> None:
    for wall in range(1_795_000_000, 1_795_000_400, 37):
        origin = first_origin(ListingConfig(first_expiry_s=45.0), wall * NS_PER_S)
        assert abs(origin - wall * NS_PER_S) <= 90 * NS_PER_S
        assert (origin + 45 * NS_PER_S) % (180 * NS_PER_S) == 0


def quiet_world(**listing: float) -> World:
    config = SimConfig(flow=FlowConfig(enabled=False), listing=ListingConfig(warmup_s=6.0, **listing))
    return World(config, 3, first_origin(config.listing, ORIGIN))


def test_an_origin_that_makes_no_whole_minute_is_refused() -> None:
    with pytest.raises(ConfigError, match="whole minute"):
        World(SimConfig(), 3, ORIGIN + NS_PER_S)


def test_contracts_settle_at_expiry_and_the_next_follows() -> None:
    world = quiet_world(first_expiry_s=20.0, create_delay_s=2.0)
    first = next(m.spec for m in world.exchange.outcomes.values() if m.spec.period == "3m")
    assert first.expiry_ns == world.origin_ns + 20 * NS_PER_S
    times: dict[str, int] = {}

    def commit(block: Commit) -> None:
        for event in block.events:
            times.setdefault(type(event).__name__, block.time_ns)

    world.on_commit = commit
    world.advance(world.origin_ns + 40 * NS_PER_S)
    assert 0 <= times["OutcomeSettled"] - first.expiry_ns < 4.0 * NS_PER_S  # the next mark decides
    assert 2.0 * NS_PER_S <= times["OutcomeCreated"] - times["OutcomeSettled"] < 2.2 * NS_PER_S
    following = next(m.spec for m in world.exchange.outcomes.values() if m.spec.period == "3m")
    assert following.expiry_ns == first.expiry_ns + 180 * NS_PER_S
    assert following.outcome > first.outcome
    settled = world.exchange.settled[first.outcome]
    price = round(float(settled.details.partition(":")[2]) * 10)
    assert following.target == rounded_target(price)
    assert settled.fraction == (SCALE if price * 10**7 >= first.target else 0)


def test_three_series_are_listed_and_open_at_the_start() -> None:
    for seed in range(12):
        world = World(SimConfig(), seed, ORIGIN)
        assert [m.spec.period for m in world.exchange.outcomes.values()] == ["3m", "15m", "1d"]
        for market in world.exchange.outcomes.values():
            bid, ask = (market.book.best_ticks(side) for side in (Side.BUY, Side.SELL))
            assert bid is not None
            assert ask is not None
            assert 0.1 < (bid + ask) / 200_000 < 0.9


def test_late_void_and_missing_settlements() -> None:
    world = quiet_world(first_expiry_s=10.0)
    outcome = next(iter(world.exchange.outcomes))
    world.faults.arm(FaultName.SETTLEMENT_LATE, FaultArgs(delay_s=20.0))
    world.faults.arm(FaultName.SETTLEMENT_VOID)
    world.advance(world.origin_ns + 29 * NS_PER_S)
    assert outcome in world.exchange.outcomes
    world.advance(world.origin_ns + 35 * NS_PER_S)
    assert world.exchange.settled[outcome].fraction == SCALE // 2
    assert world.faults.injected == {FaultName.SETTLEMENT_LATE: 1, FaultName.SETTLEMENT_VOID: 1}

    world.advance(world.origin_ns + 60 * NS_PER_S)
    following = next(m.number for m in world.exchange.outcomes.values() if m.spec.period == "3m")
    world.faults.arm(FaultName.SETTLEMENT_MISSING)
    world.advance(world.origin_ns + 400 * NS_PER_S)
    assert following in world.exchange.outcomes
    world.faults.clear(FaultName.SETTLEMENT_MISSING)
    world.advance(world.origin_ns + 401 * NS_PER_S)
    assert following in world.exchange.settled


@pytest.mark.parametrize(("mark", "fraction"), [(800_000, SCALE), (799_999, 0), (800_001, SCALE)])
def test_a_price_at_the_target_pays_yes(mark: int, fraction: int) -> None:
    world = quiet_world()
    listing = Listing(world.exchange, ListingConfig(first_outcome=500), world.faults)
    listing.create(listing.series[0], 100 * NS_PER_S, Px(80_000 * SCALE))
    for second in (99, 101):
        listing.on_mark(Mark(second * NS_PER_S, mark))
    listing.on_block(101 * NS_PER_S)
    assert world.exchange.settled[500].fraction == fraction
    assert world.exchange.settled[500].details == f"price:{mark / 10:.10g}"


def test_listing_ignores_marks_that_do_not_enclose_an_expiry() -> None:
    world = quiet_world()
    listing = Listing(world.exchange, ListingConfig(first_outcome=500), world.faults)
    series = listing.series[0]
    listing.create(series, 100 * NS_PER_S, Px(80_000 * SCALE))
    listing.on_mark(Mark(98 * NS_PER_S, 1))
    listing.on_mark(Mark(99 * NS_PER_S, 2))
    assert series.around is None
    listing.on_mark(Mark(101 * NS_PER_S, 3))
    assert series.around == (Mark(99 * NS_PER_S, 2), Mark(101 * NS_PER_S, 3))


# -- order flow


def test_sizes_follow_the_recorded_quantiles() -> None:
    rng = random.Random("sizes")
    sizes = sorted(draw_lots(rng, FlowConfig(), 99_000) for _ in range(20_000))
    assert sizes[10_000] == pytest.approx(35, rel=0.06)
    assert sizes[18_000] == pytest.approx(166, rel=0.08)


def test_spread_by_price_and_time_to_expiry() -> None:
    flow = FlowConfig()
    middle, tail = (typical_spread(flow, Digital(p, 0.0)) for p in (0.5, 0.97))
    assert 0.008 < middle < 0.015
    assert tail < 0.4 * middle
    assert typical_spread(flow, digital(100.0, 100.0, 0.45, 20.0)) > 4 * middle


@pytest.mark.slow
def test_market_is_calibrated_and_sound() -> None:
    """A quarter of an hour of market: spreads, prints and the cadence of the perp's touch, against the sheet."""
    world = World(SimConfig(), 5, ORIGIN)
    prints: list[int] = []
    spreads: dict[str, list[float]] = {"1d": [], "15m": [], "3m": []}
    touches: list[int] = []
    last = None

    def commit(block: Commit) -> None:
        nonlocal last
        prints.extend(e.trade.lots for e in block.events if isinstance(e, Traded) and e.trade.outcome is not None)
        touch = (world.exchange.perp.book.depth(Side.BUY, 1), world.exchange.perp.book.depth(Side.SELL, 1))
        if touch != last:
            touches.append(block.time_ns)
            last = touch
        for market in world.exchange.outcomes.values():
            bid, ask = (market.book.best_ticks(side) for side in (Side.BUY, Side.SELL))
            if bid and ask and 0.2 < (bid + ask) / 2e5 < 0.8 and market.spec.expiry_ns - block.time_ns > 60e9:
                spreads[market.spec.period].append((ask - bid) / 1e5)

    world.on_commit = commit
    seconds = 900
    world.advance(world.origin_ns + seconds * NS_PER_S)
    assert world.exchange.audit() == []
    assert 0.008 < statistics.median(spreads["1d"]) < 0.015
    assert statistics.median(spreads["1d"]) < statistics.median(spreads["3m"]) < 0.06
    per_market_and_second = len(prints) / seconds / 3
    assert 0.4 < per_market_and_second < 2.0
    assert 25 < statistics.median(prints) < 60
    gaps = [(b - a) / 1e6 for a, b in pairwise(touches)]
    assert statistics.median(gaps) == pytest.approx(130, abs=25)
    perp = world.exchange.perp.book
    best_bid, best_ask = perp.best_ticks(Side.BUY), perp.best_ticks(Side.SELL)
    assert best_bid is not None
    assert best_ask is not None
    assert best_ask - best_bid == 10  # one USD


def test_near_certain_outcomes_are_no_longer_offered() -> None:
    """Near expiry the recorded books have no ask for what is nearly certain to pay."""
    one_sided = total = 0
    for seed in range(4):
        world = World(SimConfig(), seed, ORIGIN)
        for second in range(20, 45):
            world.advance(world.origin_ns + second * NS_PER_S)
            market = next(m for m in world.exchange.outcomes.values() if m.spec.period == "3m")
            sides = [market.book.best_ticks(side) for side in (Side.BUY, Side.SELL)]
            total += 1
            one_sided += None in sides
    assert 0 < one_sided < total


@pytest.mark.parametrize("side", ["bid", "ask", "both"])
def test_makers_withdraw_on_demand(side: str) -> None:
    world = World(SimConfig(), 1, ORIGIN)
    world.faults.arm(FaultName.MAKERS_WITHDRAWN, FaultArgs(side=side))
    world.advance(world.origin_ns + 20 * NS_PER_S)
    daily = next(m for m in world.exchange.outcomes.values() if m.spec.period == "1d")
    bid, ask = (daily.book.best_ticks(s) for s in (Side.BUY, Side.SELL))
    assert (bid is None) == (side in {"bid", "both"})
    assert (ask is None) == (side in {"ask", "both"})
    assert world.exchange.perp.book.best_ticks(Side.BUY) is not None
    world.faults.clear()
    world.advance(world.origin_ns + 30 * NS_PER_S)
    assert daily.book.best_ticks(Side.BUY) is not None


def test_a_newcomer_at_the_touch_trades_within_a_minute() -> None:
    from hlomm.domain.orders import Tif
    from hlomm.sim.orders import NewOrder, Target

    world = World(SimConfig(), 2, ORIGIN)
    me = world.exchange.open_account("0x" + "9" * 40, "newcomer", spot=10_000 * SCALE, perp=0)
    daily = next(m for m in world.exchange.outcomes.values() if m.spec.period == "1d")
    for second in range(60):
        world.advance(world.origin_ns + second * NS_PER_S)
        for order in list(world.exchange.open_orders(me)):
            daily.cancel(order)
        bid, ask = daily.book.best_ticks(Side.BUY), daily.book.best_ticks(Side.SELL)
        assert bid is not None
        assert ask is not None
        for leg, ticks in ((Leg.YES, bid + 1), (Leg.NO, 100_000 - ask + 1)):
            target = Target(daily.number, leg)
            world.exchange.place(me, NewOrder(target=target, side=Side.BUY, ticks=ticks, lots=60, tif=Tif.ALO))
    assert len(world.exchange.tape.blotter_of(me).fills) >= 3
    assert world.exchange.audit() == []
