"""What the strategy wants, compiled: the twin of `Avellaneda.decide` for a contract on a strike."""

from __future__ import annotations

import math
from typing import Any

from hlomm.pricing import horizon, normal
from hlomm.research.kernel import books
from hlomm.research.kernel.compiled import compiled
from hlomm.research.kernel.estimators import gap_update, learn, nu_begin, nu_update, seconds, vol_annual, vol_update
from hlomm.research.kernel.formulas import (
    INF,
    NAN,
    SCALE,
    blend,
    ceil_to,
    floor_to,
    model_sd,
    odds,
    premium_at,
    quote,
    quote_size,
    scaled,
    variance,
)
from hlomm.research.kernel.layout import ASK, BID

_NU_LOW, _NU_HIGH = 0.25, 4.0


@compiled
def underlying(s: Any, p: Any) -> tuple[float, int]:
    """(price, how old it is in ns) of the underlying as a view has it; no price is NaN."""
    if s.mid2 >= 0 and (s.mark < 0 or s.now - s.perp_ns <= p.stale_ns):
        return s.mid2 / 2e8, s.now - s.perp_ns
    return (s.mark / 1e8 if s.mark > 0 else NAN), s.now - s.mark_ns


@compiled
def fair_value(s: Any, p: Any, t: Any, w: Any, tau_s: float, two_sided: bool) -> float:
    """The blend of model and book, and all that is learned on the way; NaN where there is neither."""
    t_s = seconds(s.now)
    spot, age_ns = underlying(s, p)
    if spot > 0.0:
        vol_update(s, p, t_s, spot)
    value = mid = book_z = book_sd = NAN
    if two_sided:
        value, mid, book_z, book_sd = books.priced(t, w, p, s.book)
    if not s.nu_known:
        nu_begin(s, p, t_s + tau_s)
    fresh = s.book != s.nu_book and not math.isnan(value)
    if fresh:
        s.nu_book = s.book
        nu_update(s, p, t_s, mid)
    seen = spot > 0.0 and not age_ns > p.max_underlying_age_ns
    z, per_log_v, per_log_s, v, sd_z = NAN, 0.0, 0.0, 0.0, NAN
    if seen:
        m, sd_m = premium_at(s.m, s.m_var, s.m_last_s, p.vol_error, p.relax_s, t_s)
        left = variance(vol_annual(s), tau_s, p.vol_annual)
        v = math.sqrt(math.exp(2.0 * m) * left + p.noise * p.noise) if left > 0.0 else 0.0
        z, per_log_v, per_log_s = odds(spot, p.strike, v, p.above)
        if v > 0.0:
            sd_z = model_sd(z, per_log_v, per_log_s, sd_m, p.noise)
    now_z = book_z
    if p.follows and sd_z > 0.0 and book_sd > 0.0:
        now_z = gap_update(s, p, t_s, book_z, z)
    found = blend(z, sd_z, now_z, book_sd)
    if fresh and seen and book_sd > 0.0:
        learn(s, p, t_s, v, (z, per_log_v, per_log_s), (book_z, book_sd))
    return found


@compiled
def wishes(s: Any, p: Any, t: Any, w: Any, two_sided: bool) -> None:
    """Sets the wish of either side (price -1: none), the fair value (-1: none) and the tolerance."""
    w.orders[BID].wish_px = w.orders[ASK].wish_px = -1
    s.fair, s.tolerance = -1, 0
    tau_ns = p.expiry_ns - s.now
    if tau_ns <= 0:
        return
    tau_s = tau_ns / 1e9
    fair = fair_value(s, p, t, w, tau_s, two_sided)
    if math.isnan(fair):
        return
    nu = min(max(math.sqrt(s.nu.n / s.nu.d), _NU_LOW), _NU_HIGH)
    z = normal.probit(fair)
    density = normal.pdf(z)
    sigma_p = nu * (density / math.sqrt(tau_s))  # `horizon.p_vol`, whose parts the quote needs too
    floor_half = max(sigma_p * p.root_reaction / p.pull_ratio, p.min_half)
    half, bid, ask = quote(
        p.model, fair, z, density, (s.yes - s.no) / 1e8, tau_s, sigma_p, p.gamma, p.liquidity, p.glft_slope, p.lot_size,
        p.holding_s, p.max_half, floor_half,
    )  # fmt: skip
    s.fair = min(max(scaled(fair), 0), SCALE)
    known = not math.isnan(half)
    s.tolerance = floor_to(scaled(p.requote_share * half), p.tick) if known else 0
    qty = floor_to(scaled(_size(s, p, half, fair, tau_s, nu)), p.lot) if known else 0
    if qty <= 0:
        return
    if bid > -INF:
        px = floor_to(scaled(bid), p.tick)
        if px >= p.tick:
            w.orders[BID].wish_px, w.orders[BID].wish_qty = px, _stretched(p, qty, px)
    if ask < INF:
        px = ceil_to(scaled(ask), p.tick)
        if px <= SCALE - p.tick:
            w.orders[ASK].wish_px, w.orders[ASK].wish_qty = px, _stretched(p, qty, SCALE - px)


@compiled
def _size(s: Any, p: Any, half: float, fair: float, tau_s: float, nu: float) -> float:
    edge = half - p.close_maker / 1e8 * max(fair, 1.0 - fair)
    equity, held_s = s.equity / 1e8, min(p.holding_s, tau_s)
    if held_s > 0.0:
        least, capped = quote_size(
            edge, nu * nu * (fair * (1.0 - fair)), equity, p.kelly_fraction, p.max_size, p.min_size, p.size_scale
        )
        if capped:
            return least
    made, _ = quote_size(
        edge, nu * nu * horizon.variance(fair, tau_s, held_s), equity, p.kelly_fraction, p.max_size, p.min_size,
        p.size_scale,
    )  # fmt: skip
    return made


@compiled
def _stretched(p: Any, qty: int, cost: int) -> int:
    if qty >= p.min_qty and qty * 1.0 * cost > p.min_notional * 1.000001e8:
        return qty
    least = max(ceil_to(-(-p.min_notional * SCALE // max(cost, 1)), p.lot), p.min_qty)
    return least if qty < least <= qty * p.stretch else qty
