"""Settlement basis: how likely two nearly equal digitals settle opposite ways, and what that costs a pair (QUANT 6.4).

Each leg compares a linear functional of the underlying's log path with a level: a print, an average over a window, or
either of these less the average that sets a floating strike. Both functionals are normal together with covariance
sigma^2 mean(min(s, t)) over their windows; a leg's own source adds independent noise. With Z standard normal the legs
pay for Z_a <= d_a and Z_b <= d_b at correlation rho, and

    p10 = max(Phi(d_a) - Phi(d_b), 0) + I,   p01 = max(Phi(d_b) - Phi(d_a), 0) + I,
    I = 1/(2 pi) integral_0^acos(rho) exp(-(d_a - d_b)^2/(2 sin^2 u) - d_a d_b/(1 + cos u)) du

(Plackett's identity from rho up to 1). I is positive and integrated directly: nothing cancels, however close rho is to
1. Units as in `hlomm.pricing.digital`: years, sigma per sqrt(year), zero drift; noise is a standard deviation of ln S.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

from hlomm.domain.event import LegTerms
from hlomm.domain.markets import Comparator
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import ceil_from_float, to_float
from hlomm.pricing import normal
from hlomm.pricing.digital import YEAR_S, log_moneyness
from hlomm.pricing.terminal import NORMAL

_NODES: Final = (
    0.0950125098376374, 0.2816035507792589, 0.4580167776572274, 0.6178762444026438, 0.7554044083550030,
    0.8656312023878318, 0.9445750230732326, 0.9894009349916499,
)  # fmt: skip
_WEIGHTS: Final = (
    0.1894506104550685, 0.1826034150449236, 0.1691565193950025, 0.1495959888165767, 0.1246289712555339,
    0.0951585116824928, 0.0622535239386479, 0.0271524594117541,
)  # fmt: skip
"""Gauss-Legendre, 16 points on [-1, 1]: the positive half."""
_NEGLIGIBLE: Final = 80.0
"""Twice the exponent below which a panel adds nothing to the sum."""
_HALVINGS: Final = 56


@attrs.frozen
class Window:
    """Prints between two times from now, in years; equal ends are a single print."""

    start: float
    end: float


@attrs.frozen(kw_only=True)
class SettlesOn:
    """One leg: YES if the mean over `window` reaches the strike."""

    window: Window
    """Of the prints still to come."""
    strike: float | None
    """None: the mean over `strike_window`, which is still to come."""
    strike_window: Window | None = None
    known_share: float = 0.0
    """Share of the averaged prints that is known already, and their mean."""
    known_mean: float = 0.0
    noise: float = 0.0
    """Of this leg's source against the price the model is run on."""
    comparator: Comparator = Comparator.AT_LEAST


@attrs.frozen(kw_only=True)
class Mismatch:
    """Joint probabilities of two legs: p10 is A paying and B not."""

    d_a: float
    d_b: float
    rho: float
    p_a: float
    p_b: float
    p10: float
    p01: float
    p11: float
    p00: float

    @property
    def apart(self) -> float:
        """Probability that they settle opposite ways, either way."""
        return self.p10 + self.p01

    def charge(self, weight: float) -> int:
        """Per contract long A and short B: weight times what a lost pair loses more than it locked, in 1e-8, up."""
        return ceil_from_float(weight * self.p01, 1)


@attrs.frozen(kw_only=True)
class BasisEdge:
    """A pair long A at its ask and short B at its bid, per contract."""

    locked: float
    """What is left if both settle alike."""
    expected: float
    sd: float
    worst: float
    p_loss: float
    """Probability of the worst."""
    best: float


def mismatch(
    spot: float,
    sigma: float,
    a: SettlesOn,
    b: SettlesOn,
    *,
    tick: float = 0.0,
    kernel: tuple[tuple[float, float], ...] = NORMAL,
) -> Mismatch:
    """Joint settlement of two legs on one underlying. `tick`: step of the settlement price, for ties.

    Where the comparators differ, a settlement exactly at the strike parts the legs; its probability, the density times
    the tick, is added to the state it makes. A `kernel` mixes path variances as in `hlomm.pricing.terminal`; d and rho
    are then those of its first component.
    """
    parts = [(w, _normal_mismatch(spot, c * sigma, a, b)) for w, c in kernel]
    first = parts[0][1]
    p10, p01, p11, p00, p_a, p_b = (
        math.fsum(w * getattr(part, name) for w, part in parts) for name in ("p10", "p01", "p11", "p00", "p_a", "p_b")
    )
    if a.comparator is not b.comparator:
        tie = min(math.fsum(w * _tie(spot, c * sigma, a, tick) for w, c in kernel), p11 + p00)
        if a.comparator is Comparator.AT_LEAST:
            p10, p_b = p10 + tie, max(p_b - tie, 0.0)
        else:
            p01, p_a = p01 + tie, max(p_a - tie, 0.0)
        p11, p00 = max(p11 - tie, 0.0), p00 if p11 >= tie else p00 - (tie - p11)
    return Mismatch(d_a=first.d_a, d_b=first.d_b, rho=first.rho, p_a=p_a, p_b=p_b, p10=p10, p01=p01, p11=p11, p00=p00)


def basis_edge(ask_a: float, bid_b: float, fees: float, p10: float, p01: float) -> BasisEdge:
    """Long A, short B: 1 more than locked with p10, 1 less with p01."""
    locked = bid_b - ask_a - fees
    drift = p10 - p01
    return BasisEdge(
        locked=locked, expected=locked + drift, sd=deviation(p10, p01), worst=locked - 1.0, p_loss=p01,
        best=locked + 1.0,
    )  # fmt: skip


def deviation(p10: float, p01: float) -> float:
    """Standard deviation of a pair's result per contract."""
    return math.sqrt(max(p10 + p01 - (p10 - p01) ** 2, 0.0))


def settles_on(
    terms: LegTerms, now_ns: int, *, noise: float, known_share: float = 0.0, known_mean: float = 0.0
) -> SettlesOn | None:
    """A leg's own terms as the model's; None while a strike is not known though its window is over, or opened."""
    strike_window = None
    if terms.strike is None:
        if terms.floats_from_ns is None or terms.floats_from_ns - terms.averaging_s * NS_PER_S < now_ns:
            return None
        strike_window = _window(terms.floats_from_ns, terms.averaging_s, now_ns)
    return SettlesOn(
        window=_window(terms.key.expiry, terms.averaging_s, now_ns),
        strike=None if terms.strike is None else to_float(terms.strike), strike_window=strike_window,
        known_share=known_share, known_mean=known_mean, noise=noise, comparator=terms.key.comparator,
    )  # fmt: skip


def mean_min(one: Window, other: Window) -> float:
    """Mean of min(s, t) over two windows: the covariance of two averages of a Brownian path."""
    if one.end <= other.start:
        return 0.5 * (one.start + one.end)
    if other.end <= one.start:
        return 0.5 * (other.start + other.end)
    base = min(one.start, other.start)  # windows that overlap are short beside their distance from now
    a, b, c, d = one.start - base, one.end - base, other.start - base, other.end - base
    if a == b:
        return base + _mean_min_of(a, c, d)
    if c == d:
        return base + _mean_min_of(c, a, b)
    return base + (_corner(b, d) - _corner(a, d) - _corner(b, c) + _corner(a, c)) / ((b - a) * (d - c))


def _corner(x: float, y: float) -> float:
    """Integral of min(s, t) over [0, x] x [0, y]."""
    if x > y:
        x, y = y, x
    return x * x * (y / 2.0 - x / 6.0)


def _mean_min_of(at: float, start: float, end: float) -> float:
    """Mean of min(at, t) over start < at < end."""
    return ((at * at - start * start) / 2.0 + at * (end - at)) / (end - start)


def _window(end_ns: int, length_s: int, now_ns: int) -> Window:
    end = max(end_ns - now_ns, 0) / NS_PER_S / YEAR_S
    return Window(max(end - length_s / YEAR_S, 0.0), end)


def _covariance(sigma: float, a: SettlesOn, b: SettlesOn) -> float:
    total = mean_min(a.window, b.window)
    if a.strike_window is not None:
        total -= mean_min(a.strike_window, b.window)
    if b.strike_window is not None:
        total -= mean_min(a.window, b.strike_window)
    if a.strike_window is not None and b.strike_window is not None:
        total += mean_min(a.strike_window, b.strike_window)
    return sigma * sigma * total


def _level(spot: float, leg: SettlesOn) -> float:
    """ln(S/K) with the known prints taken out of the strike; infinite where they decide alone."""
    if leg.strike is None:
        assert leg.strike_window is not None
        return 0.0
    left = leg.strike - leg.known_share * leg.known_mean
    if left <= 0.0:
        return math.inf
    if leg.known_share >= 1.0:
        return -math.inf
    return log_moneyness(spot, left / (1.0 - leg.known_share))


def _argument(level: float, path: float, noise: float, comparator: Comparator) -> float:
    """The d of a leg: its level in standard deviations; infinite for a certain one."""
    sd = math.sqrt(path + noise * noise)
    if math.isinf(level):
        return level
    if sd > 0.0:
        return (level - 0.5 * path) / sd
    reached = level >= 0.0 if comparator is Comparator.AT_LEAST else level > 0.0
    return math.inf if reached else -math.inf


def _normal_mismatch(spot: float, sigma: float, a: SettlesOn, b: SettlesOn) -> Mismatch:
    path_a, path_b = max(_covariance(sigma, a, a), 0.0), max(_covariance(sigma, b, b), 0.0)
    d_a = _argument(_level(spot, a), path_a, a.noise, a.comparator)
    d_b = _argument(_level(spot, b), path_b, b.noise, b.comparator)
    p_a, p_b = normal.cdf(d_a), normal.cdf(d_b)
    if math.isinf(d_a) or math.isinf(d_b):
        return Mismatch(
            d_a=d_a, d_b=d_b, rho=0.0, p_a=p_a, p_b=p_b, p10=p_a * normal.tail(d_b), p01=normal.tail(d_a) * p_b,
            p11=p_a * p_b, p00=normal.tail(d_a) * normal.tail(d_b),
        )  # fmt: skip
    var_a, var_b = path_a + a.noise**2, path_b + b.noise**2
    sd = math.sqrt(var_a * var_b)
    covariance = _covariance(sigma, a, b)
    # 1 - rho from the variance of the difference: rho itself has no digits left for it.
    apart = max(path_a + path_b - 2.0 * covariance, 0.0) + a.noise**2 + b.noise**2
    gap = (path_a - path_b + (a.noise - b.noise) * (a.noise + b.noise)) / (math.sqrt(var_a) + math.sqrt(var_b))
    one_less_rho = min(max((apart - gap * gap) / (2.0 * sd), 0.0), 2.0)
    both = _integral(d_a, d_b, 2.0 * math.asin(math.sqrt(0.5 * one_less_rho)))
    lead = _between(d_b, d_a)
    return Mismatch(
        d_a=d_a, d_b=d_b, rho=1.0 - one_less_rho, p_a=p_a, p_b=p_b, p10=max(lead, 0.0) + both,
        p01=max(-lead, 0.0) + both, p11=max(min(p_a, p_b) - both, 0.0),
        p00=max(min(normal.tail(d_a), normal.tail(d_b)) - both, 0.0),
    )  # fmt: skip


def _between(low: float, high: float) -> float:
    """Phi(high) - Phi(low), taken of the smaller tails."""
    if low > 0.0 or high > 0.0:
        return normal.tail(low) - normal.tail(high)
    return normal.cdf(high) - normal.cdf(low)


def _integral(h: float, k: float, angle: float) -> float:
    """I above. Panels halve towards 0, where the integrand falls off faster than any power."""
    if angle <= 0.0:
        return 0.0
    apart = (h - k) * (h - k)
    least = apart / (math.sin(min(angle, 0.5 * math.pi)) ** 2)
    total, high = 0.0, angle
    for _ in range(_HALVINGS):
        low = 0.5 * high
        total += _panel(h, k, apart, low, high)
        high = low
        if apart == 0.0 or apart / math.sin(high) ** 2 > least + _NEGLIGIBLE:
            break
    return (total + _panel(h, k, apart, 0.0, high)) / (2.0 * math.pi)


def _panel(h: float, k: float, apart: float, low: float, high: float) -> float:
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    total = 0.0
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        for u in (middle - half * node, middle + half * node):
            s = math.sin(u)
            exponent = h * k / (1.0 + math.cos(u)) + (0.5 * apart / (s * s) if apart else 0.0)
            total += weight * math.exp(-exponent) if exponent < 745.0 else 0.0
    return total * half


def _tie(spot: float, sigma: float, leg: SettlesOn, tick: float) -> float:
    """P(settlement within the tick at the strike): density of the settlement price times the tick, at most 1."""
    path = max(_covariance(sigma, leg, leg), 0.0)
    sd, level = math.sqrt(path + leg.noise**2), _level(spot, leg)
    if math.isinf(level) or tick <= 0.0:
        return 0.0
    if sd <= 0.0:
        return 1.0 if abs(level) * spot < tick else 0.0
    at = spot if leg.strike is None else leg.strike
    # The known prints move the level, not the step of the mean: the missing ones must make up for a whole tick.
    step = tick / (1.0 - leg.known_share) / at
    return min(normal.pdf((level - 0.5 * path) / sd) * step / sd, 1.0)
