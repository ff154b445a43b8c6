"""Expected volatility of one underlying to the expiry of one contract, and the contract's odds under it.

Realised vol and its long-run level give the structure (`hlomm.pricing.terminal`), the books of its contracts the
premium on top (`hlomm.pricing.premium`):

    v^2 = e^(2m) W(tau) + noise^2

Pure and deterministic: times come with the observations. Units: sigma per sqrt(year of 365 days), times in seconds,
`noise` relative to the price (1.5 bp = 1.5e-4).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import attrs
import msgspec

from hlomm.domain.markets import Comparator as Rule
from hlomm.domain.markets import Market
from hlomm.domain.units import to_float
from hlomm.pricing import digital, terminal
from hlomm.pricing.digital import YEAR_S, Comparator
from hlomm.pricing.fair import Estimate
from hlomm.pricing.premium import VolPremium
from hlomm.pricing.terminal import Odds

_SHAPE_SD: Final = 0.1
"""Error of z that the kernel's shape leaves: the two files behind it differ by .05 to .15 for |z| between 1 and 3."""
_CONTRACTS_KEPT: Final = 1_024
_SD_MIN: Final = 1e-9
_SD_MAX: Final = 1e6


class Contract(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Pays 1 for floor <= S < ceiling; None is an open end, a binary has only a floor."""

    floor: float | None
    ceiling: float | None = None
    comparator: Comparator = Comparator.AT_LEAST
    """Of a binary; buckets are half-open everywhere."""


class Outlook(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One contract seen with one expected vol."""

    odds: Odds
    v: float
    """Total standard deviation of ln S at settlement."""
    sigma: float
    """The same per sqrt(year), v/sqrt(tau): comparable with realised and implied; 0 at expiry."""
    premium: float
    """e^m, the market's factor on the expected vol; 1 before any book was seen."""
    sd_log_v: float
    sd_basis: float
    """Standard deviation of the settlement value against our price, relative."""

    @property
    def sd_z(self) -> float:
        """Standard deviation of z: errors of vol, of the price, and of the kernel's shape."""
        return math.hypot(self.odds.z_per_log_v * self.sd_log_v, self.odds.z_per_log_s * self.sd_basis, _SHAPE_SD)

    def estimate(self) -> Estimate | None:
        """The model's opinion for `hlomm.pricing.fair.blend`; None once it is certain or says nothing."""
        if not (self.v > 0.0 and -math.inf < self.odds.z < math.inf):
            return None
        sd = self.sd_z
        return Estimate(self.odds.z, max(sd, _SD_MIN)) if sd < _SD_MAX else None


@attrs.define(eq=False, kw_only=True)
class ExpectedVol:
    """The structure's constants and the running premium of one underlying."""

    long_run: float = attrs.field(validator=attrs.validators.gt(0.0))
    noise: float = attrs.field(validator=attrs.validators.ge(0.0))
    premium: VolPremium
    relax_s: float = terminal.RELAX_S

    def outlook(self, t_s: float, *, sigma: float, tau_s: float, spot: float, contract: Contract) -> Outlook:
        """Odds at a time with realised vol `sigma`; nothing is learnt. At expiry the venue's comparison decides."""
        m, sd = self.premium.at(t_s)
        w = terminal.variance(sigma, tau_s, long_run=self.long_run, relax_s=self.relax_s)
        v = math.sqrt(math.exp(2.0 * m) * w + self.noise * self.noise) if w > 0.0 else 0.0
        annual = v / math.sqrt(tau_s / YEAR_S) if v > 0.0 else 0.0
        return Outlook(
            odds=odds_of(contract, spot, v), v=v, sigma=annual, premium=math.exp(m), sd_log_v=sd, sd_basis=self.noise
        )

    def learn(self, t_s: float, seen: Outlook, book: Estimate) -> None:
        """Take a book's price of the contract of an outlook of the same time."""
        if not seen.v > 0.0 or math.isinf(seen.odds.z):
            return
        # Only the part of the variance that the premium scales moves with it.
        scaled = max(1.0 - (self.noise / seen.v) ** 2, 0.0)
        self.premium.update(
            t_s, z_book=book.z, sd_book=book.sd_z, z_model=seen.odds.z, slope=seen.odds.z_per_log_v * scaled,
            sd_model=math.hypot(seen.odds.z_per_log_s * seen.sd_basis, _SHAPE_SD),
        )  # fmt: skip


def odds_of(contract: Contract, spot: float, v: float) -> Odds:
    """Odds of a contract at a price of its underlying, with a total standard deviation v of ln S."""
    if contract.ceiling is None:
        floor = 0.0 if contract.floor is None else contract.floor
        return terminal.odds(spot, floor, v, comparator=contract.comparator)
    return terminal.between(spot, contract.floor, contract.ceiling, v)


def contract_of(market: Market) -> Contract | None:
    """What a market pays on, by strike or by the bounds of its bucket; None if it names neither."""
    if market.strike is not None:
        return _binary(market.strike, market.comparator)
    if market.floor is None and market.ceiling is None:
        return None
    return _bucket(market.floor, market.ceiling)


@lru_cache(maxsize=_CONTRACTS_KEPT)
def _binary(strike: int, comparator: Rule) -> Contract:
    """Kept, because every decision asks for it several times."""
    above = comparator is Rule.ABOVE
    return Contract(floor=to_float(strike), comparator=Comparator.ABOVE if above else Comparator.AT_LEAST)


@lru_cache(maxsize=_CONTRACTS_KEPT)
def _bucket(floor: int | None, ceiling: int | None) -> Contract:
    low, high = (None if px is None else to_float(px) for px in (floor, ceiling))
    return Contract(floor=low, ceiling=high)


def implied_vol(contract: Contract, spot: float, tau_s: float, p: float) -> float | None:
    """Black-Scholes vol of a contract's price, per sqrt(year); None where the price has none.

    A binary is inverted in closed form, the smaller root (QUANT 4.2). The probability of a bucket around the spot
    falls with vol; that of one beside it rises to a maximum and falls again, and the rising branch is meant. Bisection
    in ln v, 60 steps: to the last digits, and unable to run away.
    """
    floor, ceiling = contract.floor or 0.0, contract.ceiling
    if not (0.0 < spot < math.inf and tau_s > 0.0 and 0.0 < p < 1.0 and 0.0 <= floor < math.inf):
        return None
    if ceiling is None:
        roots = digital.implied_sigma(spot, floor, tau_s / YEAR_S, p).roots if floor > 0.0 else ()
        return roots[0] if roots else None
    if not floor < ceiling < math.inf:
        return None

    def price(log_v: float) -> float:
        return terminal.between(spot, floor, ceiling, math.exp(log_v), kernel=terminal.NORMAL).p_yes

    low, high = _LOG_V_RANGE
    rising = not floor <= spot < ceiling
    if rising:
        high = _peak(price, low, high)
    if not min(price(low), price(high)) < p < max(price(low), price(high)):
        return None
    for _ in range(60):
        middle = 0.5 * (low + high)
        if (price(middle) < p) is rising:
            low = middle
        else:
            high = middle
    return math.exp(0.5 * (low + high)) / math.sqrt(tau_s / YEAR_S)


_LOG_V_RANGE: Final = (math.log(1e-6), math.log(3.0))
"""From a hundredth of a basis point to a price that may be anywhere."""
_GOLDEN: Final = 0.5 * (math.sqrt(5.0) - 1.0)


def _peak(price: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one maximum has it (golden section)."""
    for _ in range(60):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        # Equal values are the flat start, where nothing reaches the bucket yet: the peak is to the right.
        if price(left) > price(right):
            high = right
        else:
            low = left
    return 0.5 * (low + high)
