"""Expected vol: premium filter against a batch solution, cold start, silence, inversion of books, rolling estimator."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from hlomm.pricing import digital, fair, terminal
from hlomm.pricing.digital import YEAR_S
from hlomm.pricing.expected import Contract, ExpectedVol, implied_vol
from hlomm.pricing.premium import COLD_SD, LIMIT, VolPremium
from hlomm.pricing.realized import two_scale
from hlomm.pricing.rolling import RollingTwoScale
from hlomm.pricing.volatility import Space

PROPERTY = settings.get_profile("pricing")
WEIRD = st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, math.inf, -math.inf, math.nan, 80_000.0, 0.5])


def expected(**changes):
    return ExpectedVol(**{"long_run": 0.45, "noise": 1.5e-4, "premium": VolPremium(sd0=0.25), **changes})


FAVOURITE = Contract(floor=80_000.0)


def look(vol, t=0.0, tau=3_600.0, sigma=0.15, spot=80_400.0, contract=FAVOURITE):
    return vol.outlook(t, sigma=sigma, tau_s=tau, spot=spot, contract=contract)


# -- the filter


def test_a_cold_start_knows_neither_premium_nor_regime():
    m, sd = VolPremium(sd0=0.25).at(5.0)
    assert (m, sd) == (0.0, pytest.approx(math.hypot(0.25, COLD_SD)))


@PROPERTY
@given(st.lists(st.tuples(st.floats(-0.02, 0.02), st.floats(0.5, 3.0)), min_size=1, max_size=8), st.floats(0.05, 0.5))
def test_linear_observations_at_one_pace_give_the_least_squares_answer(rows, sd_book):
    """With no relaxation and every book for itself the filter is Bayesian regression, whatever the order."""
    filter_ = VolPremium(sd0=0.3, relax_s=1e15, apart_s=1e-3)
    prior = 0.3**2 + COLD_SD**2
    for i, (error, slope) in enumerate(rows):
        m, _ = filter_.at(float(i))
        filter_.update(float(i), z_book=error, sd_book=sd_book, z_model=slope * m, slope=slope, sd_model=0.0)
    precision = 1.0 / prior + sum(slope**2 for _, slope in rows) / sd_book**2
    best = sum(error * slope for error, slope in rows) / sd_book**2 / precision
    m, sd = filter_.at(float(len(rows) - 1))
    assert m == pytest.approx(best, abs=1e-9)
    assert sd == pytest.approx(1.0 / math.sqrt(precision), rel=1e-9)


def test_silence_is_forgetting():
    filter_ = VolPremium(sd0=0.25, relax_s=3_600.0)
    for i in range(50):
        m, _ = filter_.at(60.0 * i)
        filter_.update(60.0 * i, z_book=0.5, sd_book=0.05, z_model=-m, slope=-1.0, sd_model=0.0)
    now, later, long_after = (filter_.at(3_000.0 + gap) for gap in (0.0, 3_600.0, 1e6))
    assert now[0] < later[0] < 0.0
    assert later[0] == pytest.approx(now[0] * math.exp(-1.0), rel=0.1)
    # An Ornstein-Uhlenbeck variance forgets twice as fast as its mean.
    keep = math.exp(-2.0)
    assert later[1] ** 2 == pytest.approx(0.25**2 + (filter_.at(2_940.0)[1] ** 2 - 0.25**2) * keep, rel=0.05)
    assert long_after == (pytest.approx(0.0), pytest.approx(0.25))


@pytest.mark.parametrize("count", [1, 10, 200])
def test_a_standing_quote_is_one_piece_of_evidence_however_often_it_is_repeated(count):
    once, often = VolPremium(sd0=0.25), VolPremium(sd0=0.25)
    for filter_, steps in ((once, 1), (often, count)):
        for i in range(steps + 1):
            at = 60.0 * i / steps
            m, _ = filter_.at(at)
            filter_.update(at, z_book=1.5, sd_book=0.1, z_model=1.9 - 2.0 * m, slope=-2.0, sd_model=0.1)
    assert often.at(60.0)[0] == pytest.approx(once.at(60.0)[0], rel=0.1)
    assert often.at(60.0)[1] == pytest.approx(once.at(60.0)[1], rel=0.2)


@PROPERTY
@given(st.lists(st.tuples(WEIRD, WEIRD, WEIRD, WEIRD, WEIRD, WEIRD), max_size=6))
def test_no_observation_breaks_the_filter(rows):
    filter_ = VolPremium(sd0=0.25)
    for t, z_book, sd_book, z_model, slope, sd_model in rows:
        filter_.update(t, z_book=z_book, sd_book=sd_book, z_model=z_model, slope=slope, sd_model=sd_model)
        for at in (t, 0.0, 1e9):
            m, sd = filter_.at(at)
            assert -LIMIT <= m <= LIMIT
            assert 0.0 <= sd < 1.0


# -- the outlook


def test_books_pull_the_model_to_themselves_and_nothing_else_is_learnt():
    vol = expected()
    before = look(vol)
    book = fair.book_estimate(0.93, 0.01)
    assert book is not None
    for i in range(200):
        vol.learn(5.0 * i, look(vol, 5.0 * i), book)
    after = look(vol, 1_000.0)
    assert before.odds.p_yes != pytest.approx(0.93, abs=0.02)
    assert after.odds.p_yes == pytest.approx(0.93, abs=0.005)
    assert look(vol, 1_000.0) == after, "looking is not learning"


def test_near_the_money_a_book_says_nothing_about_vol():
    vol = expected()
    book = fair.book_estimate(0.60, 0.01)
    assert book is not None
    vol.learn(0.0, look(vol, spot=80_000.0), book)
    assert abs(vol.premium.at(0.0)[0]) < 0.02


def test_a_premium_learnt_early_is_still_there_when_offers_are_gone():
    vol = expected()
    book = fair.book_estimate(0.97, 0.002)
    assert book is not None
    for i in range(600):
        tau = 7_200.0 - 10.0 * i
        vol.learn(10.0 * i, look(vol, 10.0 * i, tau, sigma=0.08), book)
    blind = look(vol, 6_300.0, 900.0, sigma=0.08)
    naive = look(expected(), 0.0, 900.0, sigma=0.08)
    assert blind.premium > 1.3
    assert naive.odds.p_no < blind.odds.p_no < 0.05


@PROPERTY
@given(st.floats(0.99, 1.01), st.floats(0.2, 1.0), st.floats(600.0, 1e5), st.floats(0.001, 0.02))
def test_the_opinions_error_is_the_spread_of_its_prices_when_vol_or_price_are_off(moneyness, sigma, tau, error):
    """Each of the two errors alone, with the shape's fixed part taken out; first order."""
    spot = 80_000.0 * moneyness
    v = math.sqrt(terminal.variance(sigma, tau, long_run=0.45))
    z = [terminal.odds(spot, 80_000.0, v * math.exp(side * 1e-6)).z for side in (1.0, -1.0)]
    made = look(ExpectedVol(long_run=0.45, noise=0.0, premium=VolPremium(sd0=error)), 0.0, tau, sigma, spot)
    by_vol = made.sd_log_v * abs(z[0] - z[1]) / 2e-6
    assert made.sd_z == pytest.approx(math.hypot(by_vol, 0.1), rel=1e-3)
    z = [terminal.odds(spot * math.exp(side * 1e-8), 80_000.0, v).z for side in (1.0, -1.0)]
    basis = structs.replace(made, sd_log_v=0.0, sd_basis=error * 1e-2)
    assert basis.sd_z == pytest.approx(math.hypot((z[0] - z[1]) / 2e-8 * error * 1e-2, 0.1), rel=1e-3)


def test_a_model_that_says_nothing_is_absent_and_none_is_certain():
    assert look(expected(), tau=0.0).estimate() is None
    assert look(expected(), spot=0.0).estimate() is None
    assert look(expected(noise=1e9)).estimate() is None, "an index off by more than any price"
    sure = look(ExpectedVol(long_run=0.45, noise=0.0, premium=VolPremium(sd0=0.0))).estimate()
    assert sure is not None
    assert sure.sd_z >= 0.1


def test_the_noise_of_the_settlement_keeps_the_last_second_open():
    seen = look(expected(), tau=1.0, spot=80_008.0)
    assert 0.5 < seen.odds.p_yes < 0.9
    assert look(expected(noise=0.0), tau=1.0, spot=80_008.0).odds.p_yes > 0.93
    assert look(expected(), tau=0.0, spot=80_008.0).odds.p_yes == 1.0


@PROPERTY
@given(WEIRD, WEIRD, WEIRD, WEIRD, WEIRD)
def test_no_input_gives_nan(t, sigma, tau, spot, strike):
    if math.isnan(spot) or math.isinf(spot) or math.isnan(sigma) or abs(sigma) > 1e100 or not abs(strike) < math.inf:
        return  # a view carries finite integers; sigma comes from an estimator that is never NaN
    if tau == math.inf:
        return
    seen = look(expected(), t, tau, sigma, spot, Contract(floor=strike))
    assert not math.isnan(seen.odds.p_yes + seen.odds.z)
    estimate = seen.estimate()
    assert estimate is None or (math.isfinite(estimate.z) and 0.0 < estimate.sd_z < math.inf)


# -- implied


@PROPERTY
@given(st.floats(0.9, 1.1), st.floats(0.05, 2.0), st.floats(60.0, 1e6))
def test_a_binary_gives_back_the_vol_it_was_priced_with_or_a_smaller_one(moneyness, sigma, tau):
    spot = 80_000.0 * moneyness
    p = digital.price(spot, 80_000.0, sigma, tau / YEAR_S).p_yes
    if not 1e-6 < p < 1.0 - 1e-6:
        return
    found = implied_vol(FAVOURITE, spot, tau, p)
    if found is not None:
        assert digital.price(spot, 80_000.0, found, tau / YEAR_S).p_yes == pytest.approx(p, abs=1e-9)
        assert found <= sigma * (1.0 + 1e-6)


@PROPERTY
@given(st.floats(0.98, 1.02), st.floats(0.1, 1.0))
def test_a_bucket_gives_back_a_vol_that_prices_it(moneyness, sigma):
    spot, tau, bucket = 80_000.0 * moneyness, 3_600.0, Contract(floor=79_800.0, ceiling=80_200.0)
    v = sigma * math.sqrt(tau / YEAR_S)
    p = terminal.between(spot, 79_800.0, 80_200.0, v, kernel=terminal.NORMAL).p_yes
    if not 1e-6 < p < 1.0 - 1e-6:
        return
    found = implied_vol(bucket, spot, tau, p)
    assert found is not None
    again = terminal.between(spot, 79_800.0, 80_200.0, found * math.sqrt(tau / YEAR_S), kernel=terminal.NORMAL).p_yes
    assert again == pytest.approx(p, abs=1e-9)
    assert found <= sigma * (1.0 + 1e-6)


def test_a_price_no_vol_reaches_has_none():
    assert implied_vol(Contract(floor=81_000.0), 80_000.0, 3_600.0, 0.7) is None
    assert implied_vol(Contract(floor=81_000.0, ceiling=81_100.0), 80_000.0, 3_600.0, 0.5) is None


@PROPERTY
@given(WEIRD, WEIRD, WEIRD, WEIRD, WEIRD, st.booleans())
def test_no_input_of_an_inversion_gives_nan(floor, ceiling, spot, tau, p, bucket):
    found = implied_vol(Contract(floor=floor, ceiling=ceiling if bucket else None), spot, tau, p)
    assert found is None or not math.isnan(found)


# -- the rolling two-scale estimator


def path(seed, sigma, noise, n=1_000, step=2.0):
    rng = np.random.default_rng(seed)
    log = np.cumsum(rng.standard_normal(n)) * sigma * math.sqrt(step / YEAR_S)
    return 80_000.0 * np.exp(log + noise * rng.standard_normal(n))


def run(prices, **changes):
    vol = RollingTwoScale(**{"prior": 0.45, "prior_s": 60.0, "window_s": 1_800.0, **changes})
    for i, price in enumerate(prices):
        vol.update(2.0 * i, float(price))
    return vol


def test_rolling_two_scale_is_the_batch_estimator_over_its_window():
    prices = path(1, 0.3, 1e-5, n=300)
    vol = run(prices)
    seen = two_scale([float(p) for p in prices[:-1]], 15, Space.LOG).tsrv_adj
    span = 298 * 2.0
    assert vol.annual == pytest.approx(math.sqrt((0.45**2 / YEAR_S * 60.0 + seen) / (60.0 + span) * YEAR_S), rel=1e-9)


def test_noise_is_not_volatility():
    noisy = [run(path(seed, 0.15, 5e-5)).annual for seed in range(6)]
    naive = [
        math.sqrt(float((np.diff(np.log(path(seed, 0.15, 5e-5))) ** 2).mean()) / 2.0 * YEAR_S) for seed in range(6)
    ]
    assert np.mean(noisy) == pytest.approx(0.15, abs=0.025)
    assert np.mean(naive) > 0.25


def test_a_flat_price_forgets_the_prior_and_stays_a_number():
    vol = run([80_000.0] * 950)
    assert 0.0 < vol.annual < 0.1
    assert RollingTwoScale(prior=0.45, prior_s=60.0).annual == 0.45


@PROPERTY
@given(st.lists(st.tuples(WEIRD | st.floats(0.0, 1e4), WEIRD | st.floats(1.0, 1e6)), max_size=60))
def test_no_feed_makes_the_estimator_nan(rows):
    vol = RollingTwoScale(prior=0.45, prior_s=60.0, window_s=60.0)
    for t, price in rows:
        vol.update(t, price)
        assert 0.0 < vol.annual < math.inf
