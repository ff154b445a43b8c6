"""Functions of `hlomm.pricing` whose results have several parts, as compiled code can take them: tuples of numbers.

Each has its twin's name and does the same operations in the same order; what is None there is NaN here.
"""

from __future__ import annotations

import math
from typing import Final

from hlomm.pricing import horizon, normal, terminal
from hlomm.pricing.digital import YEAR_S, log_moneyness
from hlomm.pricing.quoter import QuoteModel
from hlomm.research.kernel.compiled import compiled

NAN: Final = math.nan
INF: Final = math.inf
GLFT, AS_PAPER, AS_SEED0 = 0, 1, 2
MODELS: Final = {QuoteModel.GLFT: GLFT, QuoteModel.AS_PAPER: AS_PAPER, QuoteModel.AS_SEED0: AS_SEED0}
_RELAX_S: Final = terminal.RELAX_S
_SPLIT: Final = 134217729.0
_SHAPE_SD: Final = 0.1
_SD_MIN, _SD_MAX = 1e-9, 1e6
_BIG, _TINY = 1e12, 1e-12
_Z_MAX: Final = 1e6
_TAIL: Final = 1e-290
_CLEAR: Final = 1e-6
_V_MIN, _V_MAX = 1e-12, 1e3
(_W0, _C0), (_W1, _C1) = terminal.KERNEL
_ROUNDING_SLACK: Final = 1e-9
SCALE: Final = 100_000_000


@compiled
def _squared(x: float) -> tuple[float, float]:
    """x^2 and what rounding lost of it (Dekker)."""
    square = x * x
    scaled = _SPLIT * x
    high = scaled - (scaled - x)
    low = x - high
    return square, ((high * high - square) + 2.0 * high * low) + low * low


@compiled
def hypot(x: float, y: float, z: float) -> float:
    """Square root of x^2 + y^2 + z^2, correctly rounded but for rare cases, as `math.hypot` is."""
    a, b, c = math.fabs(x), math.fabs(y), math.fabs(z)
    largest = max(a, b, c)
    if not 1e-140 < largest < 1e140:
        return math.sqrt(a * a + b * b + c * c)
    total = lost = 0.0
    for each in (a, b, c):
        square, rest = _squared(each)
        added = total + square
        part = added - total
        lost += (total - (added - part)) + (square - part) + rest
        total = added
    root = math.sqrt(total + lost)
    square, rest = _squared(root)
    return root + (((total - square) - rest) + lost) / (2.0 * root)


@compiled
def _bounded(x: float) -> float:
    return x if -_Z_MAX <= x <= _Z_MAX else min(max(x, -_Z_MAX), _Z_MAX)


@compiled
def _smaller(d0: float, d1: float) -> tuple[float, float]:
    """(the smaller of both probabilities, 1 if it is that of YES and else -1).

    Where both d lie clearly on one side it is known beforehand which that is, and the other one is not computed.
    """
    sign = -1.0 if d1 > 0.0 else 1.0
    found = _W0 * normal.cdf(sign * d0) + _W1 * normal.cdf(sign * d1)
    if sign * d0 < -_CLEAR and sign * d1 < -_CLEAR:
        return found, sign
    other = _W0 * normal.tail(sign * d0) + _W1 * normal.tail(sign * d1)
    p_yes, p_no = (found, other) if sign > 0.0 else (other, found)
    return (p_yes, 1.0) if p_yes < p_no else (p_no, -1.0)


@compiled
def odds(spot: float, strike: float, v: float, above: int) -> tuple[float, float, float]:
    """(z, dz/d ln v, dz/d ln S) of `terminal.odds` with its kernel; prices within 1e-30 and 1e30."""
    v = min(v, _V_MAX)
    if not v >= _V_MIN:
        yes = spot > strike if above else spot >= strike
        return (INF if yes else -INF), 0.0, 0.0
    moneyness = log_moneyness(spot, strike)
    s0, s1 = _C0 * v, _C1 * v
    d0, d1 = _bounded(moneyness / s0 - 0.5 * s0), _bounded(moneyness / s1 - 0.5 * s1)
    smaller, sign = _smaller(d0, d1)
    z = d1 - math.log(_W1) / d1 if smaller < _TAIL else sign * normal.inv_cdf(smaller)
    share0 = _W0 * math.exp(min(0.5 * (z - d0) * (z + d0), 700.0))
    share1 = _W1 * math.exp(min(0.5 * (z - d1) * (z + d1), 700.0))
    log_v = 0.0 - share0 * (d0 + s0) - share1 * (d1 + s1)
    log_s = share0 / s0 + share1 / s1
    return z, _bounded(log_v), _bounded(log_s)


@compiled
def variance(sigma: float, tau_s: float, long_run: float) -> float:
    """`terminal.variance` with its own time of relaxation."""
    if not tau_s > 0.0:
        return 0.0
    relaxed = -_RELAX_S * math.expm1(-tau_s / _RELAX_S)
    return (sigma * sigma * relaxed + long_run * long_run * max(tau_s - relaxed, 0.0)) / YEAR_S


@compiled
def model_sd(z: float, per_log_v: float, per_log_s: float, sd_log_v: float, sd_basis: float) -> float:
    """`Outlook.estimate`: its standard deviation, NaN where it says nothing."""
    if not -INF < z < INF:
        return NAN
    sd = hypot(per_log_v * sd_log_v, per_log_s * sd_basis, _SHAPE_SD)
    return max(sd, _SD_MIN) if sd < _SD_MAX else NAN


@compiled
def book_estimate(p: float, spread: float) -> tuple[float, float]:
    """(z, sd_z) of `fair.book_estimate`."""
    if not (0.0 < p < 1.0 and 0.0 < spread <= 1.0):
        return NAN, NAN
    z = normal.probit(p)
    sd = 0.5 * spread / normal.pdf(z)
    if not sd < _SD_MAX:
        return NAN, NAN
    return z, max(sd, _SD_MIN)


@compiled
def blend(model_z: float, model_sd: float, book_z: float, book_sd: float) -> float:
    """The p of `fair.blend`; an opinion whose standard deviation is NaN is absent."""
    if not model_sd > 0.0 or not book_sd > 0.0:
        if model_sd > 0.0:
            return normal.cdf(model_z)
        return normal.cdf(book_z) if book_sd > 0.0 else NAN
    model_var, book_var = model_sd * model_sd, book_sd * book_sd
    weight_model = book_var / (model_var + book_var)
    weight_book = model_var / (model_var + book_var)
    return normal.cdf(weight_model * model_z + weight_book * book_z)


@compiled
def premium_at(m: float, var: float, last_s: float, sd0: float, relax_s: float, t_s: float) -> tuple[float, float]:
    """(m, its standard deviation) of `VolPremium.at`."""
    gap_s = t_s - last_s
    if not 0.0 < gap_s < INF:
        return m, math.sqrt(var)
    keep = math.exp(-gap_s / relax_s)
    prior = sd0 * sd0
    return m * keep, math.sqrt(max(prior + (var - prior) * keep * keep, 0.0))


@compiled
def quote(
    model: int, p: float, z: float, density: float, q: float, tau_s: float, sigma_p: float, gamma: float,
    liquidity: float, glft_slope: float, lot: float, horizon_s: float, max_half: float, floor_half: float,
) -> tuple[float, float, float]:  # fmt: skip
    """(half, bid, ask) of `quoter.quote` for settings inside its domain; `z`: probit of p, `density`: pdf there.

    Settings alone decide `liquidity`, which is `liquidity_half(gamma lot, k)`, and `glft_slope`, c2 of the closed form.
    """
    if not (0.0 < p < 1.0 and -_BIG <= q <= _BIG and 0.0 < tau_s <= _BIG and _TINY <= sigma_p <= _BIG):
        return NAN, NAN, NAN
    if not floor_half >= 0.0:
        return NAN, NAN, NAN
    bound = p * (1.0 - p)
    if model == GLFT:
        slope = min(sigma_p * glft_slope, gamma * bound)
        risk = 0.5 * slope * lot
    else:
        root_nu = sigma_p / density
        digital = bound if horizon_s >= tau_s else horizon.arc(z * z, 0.5 * math.asin(horizon_s / tau_s))
        slope = gamma * min(bound, root_nu * root_nu * tau_s * digital)
        risk = (0.5 if model == AS_PAPER else 1.0) * slope * lot
    half = liquidity + risk
    reservation = _reservation(p, q, gamma, slope)
    if half > max_half:
        return half, NAN, NAN
    if floor_half > half:
        if floor_half > max_half:
            return half, NAN, NAN
        half = floor_half
    bid, ask = reservation - half, reservation + half
    return half, (bid if bid > 0.0 else NAN), (ask if ask < 1.0 else NAN)


@compiled
def _reservation(p: float, q: float, gamma: float, slope: float) -> float:
    if q == 0.0:
        return p
    tilt = math.log(p / (1.0 - p)) - gamma * q
    small = math.exp(-math.fabs(tilt))
    settled = (1.0 if tilt >= 0.0 else small) / (1.0 + small)
    linear = p - q * slope
    return max(linear, settled) if q > 0.0 else min(linear, settled)


@compiled
def quote_size(
    mu: float, sigma2: float, equity: float, fraction: float, cap: float, floor: float, scale: float
) -> tuple[float, bool]:  # fmt: skip
    """(contracts, whether the cap decided) of `kelly.quote_size`; `scale` is ten to the power of its decimals."""
    if not (mu > 0.0 and sigma2 > 0.0 and equity > 0.0 and fraction > 0.0):
        return 0.0, False
    wanted = fraction * equity * (mu / sigma2)
    capped = not wanted < cap
    if capped:
        wanted = cap
    if not 0.0 <= wanted < INF:
        return 0.0, False
    contracts = math.floor(wanted * scale + _ROUNDING_SLACK) / scale
    if contracts < floor or contracts <= 0.0:
        return 0.0, False
    return contracts, capped


# -- exact integers


@compiled
def notional_floor(px: int, qty: int) -> int:
    """Price times quantity, without a product that does not fit in 64 bits."""
    return px * (qty // SCALE) + px * (qty % SCALE) // SCALE


@compiled
def notional_ceil(px: int, qty: int) -> int:
    return px * (qty // SCALE) - (-(px * (qty % SCALE)) // SCALE)


@compiled
def share(part: int, whole: int, of: int) -> int:
    """Rounded down `part * whole / of`, where the product does not fit in 64 bits; none negative, result below 2^50.

    Below that a float is at most one off, and what is left fits even if the products do not.
    """
    quotient = int(part * 1.0 * whole / of)
    rest = part * whole - quotient * of
    if rest < 0:
        return quotient - 1
    return quotient + 1 if rest >= of else quotient


@compiled
def contracts(cash: int, px: int, wanted: int) -> int:
    """How many scaled contracts a sum buys, rounded down; at least as many as wanted where it buys clearly more."""
    if cash * 1e8 > wanted * 1.000001 * px:
        return wanted
    return cash // px * SCALE + cash % px * SCALE // px


@compiled
def scaled(value: float) -> int:
    """Nearest scaled integer of a plain number, half to even."""
    return round(value * 1e8)


@compiled
def floor_to(value: int, step: int) -> int:
    return value - value % step


@compiled
def ceil_to(value: int, step: int) -> int:
    return -(-value // step) * step
