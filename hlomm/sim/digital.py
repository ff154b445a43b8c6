"""Fair value of a cash-or-nothing call on the mark, and how fast it moves."""

from __future__ import annotations

import math
from typing import Final

import attrs

from hlomm.sim.path import YEAR_S

_ROOT_HALF: Final = math.sqrt(0.5)
_DENSITY: Final = 1.0 / math.sqrt(2.0 * math.pi)


@attrs.frozen
class Digital:
    """Probability of YES, and its standard deviation over one second."""

    probability: float
    one_second_sd: float


def digital(price: float, target: float, vol: float, tau_s: float) -> Digital:
    """Value of YES with `tau_s` seconds to go at annualised volatility `vol`, drift-free.

    The probability is a martingale whose volatility is phi(d) / sqrt(tau): it explodes at the target as tau vanishes.
    """
    if tau_s <= 0.0:
        return Digital(1.0 if price >= target else 0.0, 0.0)
    spread = vol * math.sqrt(tau_s / YEAR_S)
    d = math.log(price / target) / spread - 0.5 * spread
    probability = 0.5 * math.erfc(-d * _ROOT_HALF)
    return Digital(probability, _DENSITY * math.exp(-0.5 * d * d) / math.sqrt(max(tau_s, 1.0)))


def band(price: float, low: float, high: float | None, vol: float, tau_s: float) -> Digital:
    """Value of YES where the price must end in [low, high); `high` None leaves the top open, `low` 0 the bottom."""
    above = digital(price, low, vol, tau_s) if low > 0.0 else Digital(1.0, 0.0)
    if high is None:
        return above
    beyond = digital(price, high, vol, tau_s) if high > 0.0 else Digital(1.0, 0.0)
    # Both move with the price and the same way, so what the one gains the other takes off.
    return Digital(max(above.probability - beyond.probability, 0.0), abs(above.one_second_sd - beyond.one_second_sd))


def inverse_normal(probability: float) -> float:
    """Quantile of the standard normal by bisection; exact enough to choose a strike."""
    low, high = -8.0, 8.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if 0.5 * math.erfc(-middle * _ROOT_HALF) < probability:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)
