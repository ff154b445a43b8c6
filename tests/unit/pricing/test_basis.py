"""Settlement basis: shared vectors, scipy's bivariate normal, and paths drawn at random."""

from __future__ import annotations

import math
from itertools import pairwise

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from hlomm.domain.event import LegTerms, OutcomeKey
from hlomm.domain.ids import KALSHI, kalshi_market
from hlomm.domain.markets import Comparator, Leg, Source
from hlomm.domain.times import NS_PER_S
from hlomm.pricing import basis, normal, settlement, terminal
from hlomm.pricing.basis import SettlesOn, Window, basis_edge, deviation, mean_min, mismatch, settles_on
from hlomm.pricing.digital import YEAR_S
from tests.support.values import px

PROPERTY = settings.get_profile("pricing")
MINUTE = 60.0 / YEAR_S
HOUR = 60.0 * MINUTE


def at(tau: float, strike: float | None = 78_213.0, **changes: object) -> SettlesOn:
    return SettlesOn(window=Window(tau, tau), strike=strike, **changes)  # type: ignore[arg-type]


def mean_of(tau: float, seconds: float, strike: float | None = 78_213.0, **changes: object) -> SettlesOn:
    return SettlesOn(window=Window(tau - seconds / YEAR_S, tau), strike=strike, **changes)  # type: ignore[arg-type]


@pytest.mark.quant("arb", "basis_joint")
def test_joint_probabilities_of_the_vectors(case, check):
    given_ = case.given
    a, b = at(given_["tauA"], given_["KA"]), at(given_["tauB"], given_["KB"], noise=given_["eta"])
    check(attrs.asdict(mismatch(given_["S"], given_["sigma"], a, b)))


@pytest.mark.quant("arb", "basis_edge")
def test_edge_of_a_pair(case, check):
    found = basis_edge(**case.given)
    check(
        {
            "locked_edge": found.locked, "expected_pnl": found.expected, "std": found.sd, "worst": found.worst,
            "p_loss_event": found.p_loss, "best": found.best,
        }
    )  # fmt: skip


def by_quadrature(h: float, k: float, rho: float) -> float:
    """P(Z_a <= h, Z_b > k) by integrating the conditional tail, broken where it turns."""
    width = math.sqrt(1.0 - rho * rho)
    turn = k / rho
    points = sorted({p for p in (turn - 8 * width / rho, turn, turn + 8 * width / rho) if -12 < p < h} | {-12.0, h})
    return sum(
        integrate.quad(
            lambda x: stats.norm.pdf(x) * stats.norm.sf((k - rho * x) / width), lo, hi, epsabs=1e-13, epsrel=1e-8
        )[0]
        for lo, hi in pairwise(points)
    )


@pytest.mark.parametrize("rho", [0.1, 0.7, 0.98, 0.9999, 0.999999])
@pytest.mark.parametrize(("h", "k"), [(0.0, 0.0), (0.3, 0.25), (-1.0, 0.4), (2.5, 2.5), (-3.0, -3.01), (1.0, -1.0)])
def test_the_integral_against_quadrature(h, k, rho):
    lead = max(normal.cdf(h) - normal.cdf(k), 0.0)
    found = lead + basis._integral(h, k, math.acos(rho))
    assert found == pytest.approx(by_quadrature(h, k, rho), rel=1e-7, abs=1e-12)


@PROPERTY
@given(
    st.floats(0.97, 1.03), st.floats(1.0, 600.0), st.floats(1.0, 600.0), st.floats(0.0, 0.001), st.floats(-0.002, 0.002)
)
def test_the_four_states_are_a_distribution_with_the_right_margins(spot, minutes_a, minutes_b, noise, shift):
    a, b = at(minutes_a * MINUTE, 1.0), at(minutes_b * MINUTE, 1.0 + shift, noise=noise)
    found = mismatch(spot, 0.5, a, b)
    assert min(found.p10, found.p01, found.p11, found.p00) >= 0.0
    assert found.p10 + found.p01 + found.p11 + found.p00 == pytest.approx(1.0, abs=1e-9)
    assert found.p10 + found.p11 == pytest.approx(found.p_a, abs=1e-9)
    assert found.p01 + found.p11 == pytest.approx(found.p_b, abs=1e-9)
    both = stats.multivariate_normal([0, 0], [[1, found.rho], [found.rho, 1]], allow_singular=True)
    if found.rho < 0.999:
        assert found.p11 == pytest.approx(float(both.cdf([found.d_a, found.d_b])), abs=2e-5)


def test_swapping_the_legs_swaps_the_states():
    a, b = at(2 * HOUR), mean_of(2 * HOUR, 60, 78_220.0, noise=2e-4)
    one, other = mismatch(78_300.0, 0.45, a, b), mismatch(78_300.0, 0.45, b, a)
    assert (one.p10, one.p01) == pytest.approx((other.p01, other.p10), rel=1e-9)


def test_equal_legs_never_part_and_small_noise_follows_the_rule_of_thumb():
    same = mismatch(78_213.0, 0.45, at(HOUR), at(HOUR))
    assert (same.p10, same.p01) == (0.0, 0.0)
    noisy = mismatch(78_213.0, 0.45, at(HOUR), at(HOUR, noise=3e-4))
    rule = 3e-4 * normal.pdf(noisy.d_a) / (0.45 * math.sqrt(HOUR) * math.sqrt(2 * math.pi))
    assert noisy.p10 == pytest.approx(rule, rel=0.01)
    assert noisy.p10 == pytest.approx(0.0099, abs=1e-4)  # QUANT 6.4: .99 % at one hour


def test_both_sources_are_noisy_on_their_own():
    two = mismatch(78_213.0, 0.45, at(HOUR, noise=3e-4), at(HOUR, noise=4e-4))
    one = mismatch(78_213.0, 0.45, at(HOUR), at(HOUR, noise=5e-4))
    assert two.apart == pytest.approx(one.apart, rel=2e-3)


@PROPERTY
@given(st.tuples(*[st.floats(0.0, 10.0)] * 4))
def test_mean_of_the_smaller_time_against_a_grid(times):
    (a, b), (c, d) = sorted(times[:2]), sorted(times[2:])
    n = 400
    s, t = a + (b - a) * (np.arange(n) + 0.5) / n, c + (d - c) * (np.arange(n) + 0.5) / n
    grid = float(np.minimum(s[:, None], t[None, :]).mean())
    assert mean_min(Window(a, b), Window(c, d)) == pytest.approx(grid, abs=2e-3)


def test_mean_of_the_smaller_time_keeps_its_digits_for_short_windows_far_ahead():
    tau, w = 30 / 365, MINUTE
    own = mean_min(Window(tau - w, tau), Window(tau - w, tau))
    assert own - (tau - w) == pytest.approx(w / 3, rel=1e-9)
    assert settlement.average_tau(tau, w, 10**9) == pytest.approx(own, rel=1e-12)


def draw(spot: float, sigma: float, legs: tuple[SettlesOn, SettlesOn], paths: int) -> list[float]:
    """States 10, 01, 11, 00 from simulated log paths on a grid of the windows' own times."""
    rng = np.random.default_rng(20_261_120)
    prints = []
    for leg in legs:
        for window in (leg.window, leg.strike_window):
            if window is not None:
                n = 1 if window.start == window.end else 240
                prints.append(window.start + (window.end - window.start) * (np.arange(n) + 0.5) / n)
    times = np.unique(np.concatenate(prints))
    counts = np.zeros(4)
    for _ in range(20):
        steps = rng.standard_normal((paths // 20, len(times))) * np.sqrt(np.diff(times, prepend=0.0)) * sigma
        price = spot * np.exp(np.cumsum(steps, axis=1) - 0.5 * sigma**2 * times)
        pays = []
        turn = iter(prints)
        for leg in legs:
            value = price[:, np.searchsorted(times, next(turn))].mean(axis=1)
            value = leg.known_share * leg.known_mean + (1 - leg.known_share) * value
            if leg.strike_window is not None:
                strike = price[:, np.searchsorted(times, next(turn))].mean(axis=1)
            else:
                strike = np.full(len(value), leg.strike)
            pays.append(value * np.exp(leg.noise * rng.standard_normal(len(value))) >= strike)
        a, b = pays
        counts += [(a & ~b).sum(), (~a & b).sum(), (a & b).sum(), (~a & ~b).sum()]
    return list(counts / paths)


CASES = {
    "noon close against the mean of the minute before": (
        at(15 * MINUTE, noise=2e-4), mean_of(15 * MINUTE, 60.0, noise=1e-4),
    ),
    "a minute apart": (at(5 * MINUTE), at(6 * MINUTE)),
    "half the prints known": (at(0.5 * MINUTE), SettlesOn(
        window=Window(0.0, 0.5 * MINUTE), strike=78_213.0, known_share=0.5, known_mean=78_220.0,
    )),
    "strike still an average to come": (
        SettlesOn(window=Window(15 * MINUTE, 16 * MINUTE), strike=None, strike_window=Window(0.0, MINUTE), noise=1e-4),
        SettlesOn(window=Window(15 * MINUTE, 16 * MINUTE), strike=None, strike_window=Window(MINUTE, MINUTE)),
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_states_against_simulated_paths(name):
    paths = 200_000
    found = mismatch(78_215.0, 0.45, *CASES[name])
    drawn = draw(78_215.0, 0.45, CASES[name], paths)
    for got, seen in zip((found.p10, found.p01, found.p11, found.p00), drawn, strict=True):
        assert abs(got - seen) <= 4.0 * math.sqrt(max(got * (1 - got), 1e-6) / paths) + 2e-4


def test_a_floating_strike_agrees_with_the_price_of_one_leg():
    leg = SettlesOn(window=Window(15 * MINUTE, 16 * MINUTE), strike=None, strike_window=Window(0.0, MINUTE))
    assert mismatch(1.0, 0.5, leg, leg).p_a == pytest.approx(settlement.forward_start(0.5, 16 * MINUTE - MINUTE, MINUTE), abs=1e-6)  # fmt: skip # noqa: E501


def test_ties_part_legs_whose_comparators_differ():
    strict = at(HOUR, comparator=Comparator.ABOVE)
    alike, unlike = mismatch(78_213.0, 0.45, at(HOUR), at(HOUR), tick=0.01), mismatch(78_213.0, 0.45, at(HOUR), strict, tick=0.01)  # fmt: skip # noqa: E501
    assert alike.p10 == alike.p01 == 0.0
    density = normal.pdf(unlike.d_a) / (0.45 * math.sqrt(HOUR) * 78_213.0)
    assert unlike.p10 == pytest.approx(0.01 * density, rel=1e-6)
    assert unlike.p01 == 0.0
    assert unlike.p10 + unlike.p01 + unlike.p11 + unlike.p00 == pytest.approx(1.0, abs=1e-12)
    assert mismatch(78_213.0, 0.45, strict, at(HOUR), tick=0.01).p01 == pytest.approx(unlike.p10, rel=1e-9)
    now = mismatch(78_213.0, 0.45, at(0.0), at(0.0, comparator=Comparator.ABOVE), tick=0.01)
    assert (now.p10, now.p11) == (1.0, 0.0)  # it stands at the strike, and that is the settlement


def test_what_is_certain_is_certain():
    above = mismatch(80_000.0, 0.45, at(0.0), at(HOUR, noise=1e-4))
    assert (above.p_a, above.p01) == (1.0, 0.0)
    assert above.p10 == pytest.approx(1.0 - above.p_b, abs=1e-12)
    known = SettlesOn(window=Window(0.0, 1e-7), strike=78_213.0, known_share=0.99, known_mean=80_000.0)
    assert mismatch(78_213.0, 0.45, known, at(HOUR)).p_a == 1.0
    all_known = attrs.evolve(known, known_share=1.0, known_mean=78_000.0)
    assert mismatch(78_213.0, 0.45, all_known, at(HOUR)).p_a == 0.0


def test_fat_tails_mix_the_states_of_their_parts():
    legs = at(HOUR), at(HOUR, noise=3e-4)
    mixed = mismatch(78_300.0, 0.45, *legs, kernel=terminal.KERNEL)
    parts = [(w, mismatch(78_300.0, c * 0.45, *legs)) for w, c in terminal.KERNEL]
    assert mixed.p10 == pytest.approx(sum(w * part.p10 for w, part in parts), rel=1e-12)
    assert mixed.p10 + mixed.p01 + mixed.p11 + mixed.p00 == pytest.approx(1.0, abs=1e-9)


def test_the_charge_is_rounded_up_and_the_deviation_never_fails():
    found = mismatch(78_213.0, 0.45, at(HOUR), at(HOUR, noise=3e-4))
    assert found.charge(2.0) == math.ceil(round(2.0 * found.p01 * 1e8, 6))
    assert deviation(0.0, 0.0) == 0.0
    assert deviation(1.0, 0.0) == 0.0
    assert found.apart == found.p10 + found.p01


def terms(**changes: object) -> LegTerms:
    now = 1_795_000_000 * NS_PER_S
    values: dict[str, object] = {
        "market": kalshi_market("KXBTC15M-X"), "venue": KALSHI,
        "key": OutcomeKey(underlying="BTC", strike=7_821_300, expiry=now + 900 * NS_PER_S, comparator=Comparator.ABOVE),
        "polarity": Leg.YES, "source": Source.BRTI, "strike": px("78213"), "upper": None, "averaging_s": 60,
        "floats_from_ns": None, "void": "", "quote_token": "USD", "deployer": None, "rules": "",
    }  # fmt: skip
    return LegTerms(**(values | changes))  # type: ignore[arg-type]


def test_terms_become_the_leg_of_the_model():
    now = 1_795_000_000 * NS_PER_S
    leg = settles_on(terms(), now, noise=1e-4)
    assert leg is not None
    assert (leg.window.start * YEAR_S, leg.window.end * YEAR_S) == pytest.approx((840.0, 900.0))
    assert (leg.strike, leg.noise, leg.comparator) == (78_213.0, 1e-4, Comparator.ABOVE)
    floating = settles_on(terms(strike=None, floats_from_ns=now + 120 * NS_PER_S), now, noise=0.0)
    assert floating is not None
    assert floating.strike_window is not None
    assert floating.strike_window.start * YEAR_S == pytest.approx(60.0)
    assert settles_on(terms(strike=None, floats_from_ns=now), now, noise=0.0) is None
