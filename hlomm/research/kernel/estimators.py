"""What the strategy keeps between decisions, compiled: the state of its estimators, changed as they change it.

Twins: `UnderlyingVol` and `ProbitVol` over `EwmaVariance`, `VolPremium`, `BookGap`, `microprice.guarded`.
"""

from __future__ import annotations

import math
from typing import Any, Final

from hlomm.pricing import normal
from hlomm.pricing.digital import YEAR_S
from hlomm.research.kernel.compiled import compiled
from hlomm.research.kernel.formulas import INF, NAN, hypot, premium_at

_SAME_TIME_S: Final = 1e-9
_SPREAD_SLACK: Final = 1e-9
_FORGOTTEN: Final = 5.0
_SHAPE_SD: Final = 0.1
_TINY, _BIG = 1e-9, 1e6
_M_LIMIT: Final = math.log(4.0)
_NS_PER_S: Final = 1_000_000_000


@compiled
def seconds(ns: int) -> float:
    """Nearest float of ns / 10^9, as Python divides integers: the product of both parts is never near a tie."""
    return ns // _NS_PER_S + (ns % _NS_PER_S) / 1e9


@compiled
def vol_update(s: Any, p: Any, t_s: float, price: float) -> None:
    """`UnderlyingVol.update`."""
    cell = math.floor(t_s / p.sample_s)
    if cell > s.vol_cell:
        if s.vol_cell >= 0:
            _ewma_point(s.vol, p.vol_halflife_s, cell * p.sample_s, math.log(s.vol_last))
        s.vol_cell = cell
    s.vol_last = price


@compiled
def ewma_begin(e: Any, rate: float, prior_s: float) -> None:
    e.start_s = e.end_s = -INF
    e.start = e.end = 0.0
    e.n = e.n_committed = rate * prior_s
    e.d = e.d_committed = prior_s


@compiled
def _ewma_point(e: Any, half_life_s: float, t_s: float, y: float) -> None:
    """`EwmaVariance.update`."""
    if not e.end_s - _SAME_TIME_S < t_s:
        return
    if t_s >= e.end_s + _SAME_TIME_S:
        e.n_committed, e.d_committed = e.n, e.d
        e.start_s, e.start = e.end_s, e.end
        e.end_s = t_s
    e.end = y
    dt_s = e.end_s - e.start_s
    if dt_s < INF:
        step = y - e.start
        w = math.exp2(-dt_s / half_life_s)
        e.n = w * e.n_committed + step * step
        e.d = w * e.d_committed + dt_s


@compiled
def vol_annual(s: Any) -> float:
    return math.sqrt(s.vol.n / s.vol.d * YEAR_S)


@compiled
def nu_begin(s: Any, p: Any, expiry_s: float) -> None:
    """`ProbitVol` of a market seen for the first time; its prior is 1."""
    s.nu_known, s.nu_cell, s.nu_book, s.nu_expiry_s = 1, 0, -1, expiry_s
    s.nu_last_s, s.nu_last_p = -INF, NAN
    ewma_begin(s.nu, 1.0, p.nu_prior_s)


@compiled
def nu_update(s: Any, p: Any, t_s: float, mid: float) -> None:
    """`ProbitVol.update`."""
    if not (t_s < s.nu_expiry_s and s.nu_last_s <= t_s and 0.0 < mid < 1.0):
        return
    cell = math.floor(t_s / p.sample_s)
    if s.nu_last_s > -INF and cell > s.nu_cell:
        point_s = cell * p.sample_s
        tau_s = max(s.nu_expiry_s - point_s, 0.0)
        _ewma_point(s.nu, p.nu_halflife_s, point_s, math.sqrt(tau_s) * normal.probit(s.nu_last_p))
    s.nu_last_s, s.nu_last_p, s.nu_cell = t_s, mid, cell


@compiled
def gap_update(s: Any, p: Any, t_s: float, z_book: float, z_model: float) -> float:
    """`BookGap.update`."""
    passed_s, seen = t_s - s.gap_last_s, z_book - z_model
    if passed_s > _FORGOTTEN * p.follow_s:
        s.gap = seen
    elif passed_s > 0.0:
        s.gap += -math.expm1(-passed_s / p.follow_s) * (s.gap_stood - s.gap)
    s.gap_stood, s.gap_last_s = seen, max(t_s, s.gap_last_s)
    moved: float = z_model + s.gap
    return moved


@compiled
def premium_update(
    s: Any, p: Any, t_s: float, z_book: float, sd_book: float, z_model: float, slope: float, sd_model: float
) -> None:  # fmt: skip
    """`VolPremium.update`."""
    if not (-_BIG <= z_book <= _BIG and -_BIG <= z_model <= _BIG and -_BIG <= slope <= _BIG):
        return
    if not (_TINY <= sd_book <= _BIG and 0.0 <= sd_model <= _BIG and s.m_last_s <= t_s):
        return
    m, sd = premium_at(s.m, s.m_var, s.m_last_s, p.vol_error, p.relax_s, t_s)
    part = min((t_s - s.m_last_s) / p.apart_s, 1.0)
    s.m_last_s = t_s
    s.m, s.m_var = m, sd * sd
    if part <= 0.0 or sd <= 0.0:
        return
    noise = (sd_book * sd_book + sd_model * sd_model) / part
    explained = slope * slope * s.m_var
    step = s.m_var * slope / (explained + noise) * (z_book - z_model)
    step = min(max(step, -sd), sd)
    s.m = min(max(m + step, -_M_LIMIT), _M_LIMIT)
    s.m_var *= noise / (explained + noise)


@compiled
def learn(
    s: Any, p: Any, t_s: float, v: float, model: tuple[float, float, float], book: tuple[float, float]
) -> None:  # fmt: skip
    """`ExpectedVol.learn`; `model` is (z, dz/d ln v, dz/d ln S), `book` (z, its standard deviation)."""
    z, per_log_v, per_log_s = model
    if not v > 0.0 or math.isinf(z):
        return
    ratio = p.noise / v
    scaled = max(1.0 - ratio * ratio, 0.0)
    premium_update(
        s, p, t_s, book[0], book[1], z, per_log_v * scaled, hypot(per_log_s * p.noise, _SHAPE_SD, 0.0)
    )  # fmt: skip


@compiled
def guarded(bid: int, bid_qty: int, ask: int, ask_qty: int, tick: float) -> tuple[float, float, float]:
    """(price, spread, mid) of `microprice.guarded` for the levels that count; NaN for none."""
    b, bq, a, aq = bid / 1e8, bid_qty / 1e8, ask / 1e8, ask_qty / 1e8
    mid, spread = 0.5 * (b + a), a - b
    value = min(max((a * bq + b * aq) / (bq + aq), min(b, a)), max(b, a))
    if spread <= 0.0:
        return NAN, NAN, NAN
    if spread > (1.0 + _SPREAD_SLACK) * tick:
        return mid, spread, mid
    return value, spread, mid
