"""Formulas written again for compiled code are those of `hlomm.pricing`, to the bit."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from hlomm.domain.inputs import BookSnapshot, TradePrint
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Px, Qty, ceil_from_float, floor_from_float
from hlomm.domain.units import notional_ceil as ceil
from hlomm.domain.units import notional_floor as floor
from hlomm.pricing import fair, kelly, microprice, normal, quoter, terminal
from hlomm.pricing.avellaneda import liquidity_half
from hlomm.pricing.book_gap import BookGap
from hlomm.pricing.digital import Comparator
from hlomm.pricing.glft import coefficients
from hlomm.pricing.premium import COLD_SD, VolPremium
from hlomm.pricing.probit_vol import ProbitVol
from hlomm.pricing.queues import QueueModel, QueuePosition
from hlomm.research.kernel import estimators, formulas, matching
from hlomm.research.kernel.compiled import quantile
from hlomm.research.kernel.layout import BID, RESTING, SETTINGS, STATE, Tape, records
from hlomm.research.kernel.tape import _flat, _venue
from hlomm.research.tape import Happened
from hlomm.strategy.signals import UnderlyingVol
from tests.support.recordings import OUTCOME

MANY = 2_000


@pytest.fixture
def chance() -> random.Random:
    return random.Random(11)


def probability(chance: random.Random) -> float:
    p = chance.random() ** chance.choice((1, 4, 12))
    return min(max(p if chance.random() < 0.5 else 1.0 - p, 1e-12), 1.0 - 1e-12)


def test_quantile(chance):
    for _ in range(MANY):
        p = probability(chance)
        assert quantile(p) == normal.inv_cdf(p)


def test_hypot(chance):
    for _ in range(MANY):
        x, y = (chance.gauss(0.0, 1.0) * 10.0 ** chance.uniform(-9, 5) for _ in range(2))
        assert formulas.hypot(x, y, 0.1) == math.hypot(x, y, 0.1)
        assert formulas.hypot(x, 0.1, 0.0) == math.hypot(x, 0.1)


@pytest.mark.parametrize("comparator", Comparator)
def test_odds(chance, comparator):
    above = int(comparator is Comparator.ABOVE)
    for _ in range(MANY):
        spot = chance.uniform(5e4, 1e5)
        strike, v = spot * math.exp(chance.gauss(0.0, 0.02)), 10.0 ** chance.uniform(-6, -0.5)
        strike, v = chance.choice(((strike, v), (spot, v), (strike, 0.0), (spot, 0.0)))
        its = terminal.odds(spot, strike, v, comparator=comparator)
        assert formulas.odds(spot, strike, v, above) == (its.z, its.z_per_log_v, its.z_per_log_s)


def test_variance_and_premium(chance):
    for _ in range(MANY):
        sigma, tau_s = chance.uniform(0.1, 2.0), chance.choice((0.0, chance.uniform(1e-3, 1e5)))
        assert formulas.variance(sigma, tau_s, 0.45) == terminal.variance(sigma, tau_s, long_run=0.45)


def test_book_and_blend(chance):
    for _ in range(MANY):
        p, spread = probability(chance), chance.choice((0.0, chance.uniform(0.0, 1.2)))
        book = fair.book_estimate(p, spread)
        assert (
            formulas.book_estimate(p, spread) == (book.z, book.sd_z)
            if book
            else math.isnan(formulas.book_estimate(p, spread)[1])
        )
        model = chance.choice((None, fair.Estimate(chance.gauss(0.0, 2.0), chance.uniform(0.01, 1.0))))
        value = fair.blend(model, book).p
        opinions = [(one.z, one.sd_z) if one else (0.0, math.nan) for one in (model, book)]
        made = formulas.blend(*opinions[0], *opinions[1])
        assert made == value if value is not None else math.isnan(made)


@pytest.mark.parametrize("model", quoter.QuoteModel)
def test_quote(chance, model):
    sides = 0
    for _ in range(MANY):
        p, tau_s, q = probability(chance), chance.uniform(0.1, 1e5), chance.choice((0.0, chance.uniform(-400, 400)))
        sigma_p, gamma, k = 10.0 ** chance.uniform(-5, -1), 10.0 ** chance.uniform(-5, -2), chance.uniform(50, 400)
        a, lot, horizon_s = chance.uniform(0.1, 2.0), chance.uniform(1, 100), chance.uniform(1, 1e4)
        widest, least = chance.uniform(0.01, 0.3), chance.uniform(0.0, 0.1)
        its = quoter.quote(
            model, p=p, q=q, tau_s=tau_s, sigma_p=sigma_p, gamma=gamma, a=a, k=k, lot=lot, horizon_s=horizon_s,
            max_half=widest, floor_half=least,
        )  # fmt: skip
        z = normal.probit(p)
        mine = formulas.quote(
            formulas.MODELS[model], p, z, normal.pdf(z), q, tau_s, sigma_p, gamma, liquidity_half(gamma * lot, k),
            coefficients(gamma, a, k, lot, gamma)[1], lot, horizon_s, widest, least,
        )  # fmt: skip
        assert [None if math.isnan(x) else x for x in mine] == [its.half, its.bid, its.ask]
        sides += its.bid is not None
    assert sides > MANY // 20


def test_size(chance):
    for _ in range(MANY):
        mu, sigma2, equity = chance.uniform(-0.01, 0.1), chance.uniform(0.0, 0.2), chance.uniform(0.0, 2e4)
        cap, least, decimals = chance.uniform(1, 500), chance.uniform(0, 50), chance.choice((0, 1, 2))
        its = kelly.quote_size(mu, sigma2, equity, fraction=0.05, cap=cap, floor=least, decimals=decimals)
        mine, capped = formulas.quote_size(mu, sigma2, equity, 0.05, cap, least, 10.0**decimals)
        assert mine == its.contracts
        assert not mine or capped == (its.bound is kelly.SizeBound.CAP)


def test_integers(chance):
    for _ in range(MANY):
        px, qty, of = chance.randrange(1, 10**8), chance.randrange(10**13), chance.randrange(1, 10**13)
        part, whole = chance.randrange(of + 1), chance.randrange(of + 1)
        assert formulas.notional_floor(px, qty) == floor(px, qty)
        assert formulas.notional_ceil(px, qty) == ceil(px, qty)
        assert formulas.share(part, whole, of) == part * whole // of
        assert min(formulas.contracts(qty, px, of), of) == min(qty * 10**8 // px, of)
        assert min(formulas.contracts(floor(px, of), px, of), of) == min(floor(px, of) * 10**8 // px, of)
        value = chance.uniform(0.0, 1.0)
        assert formulas.floor_to(formulas.scaled(value), 1_000) == floor_from_float(value, 1_000)
        assert formulas.ceil_to(formulas.scaled(value), 1_000) == ceil_from_float(value, 1_000)
        now_ns = 1_778_385_600_000_000_000 + chance.randrange(10**14)
        assert estimators.seconds(now_ns) == now_ns / 10**9


def test_queue(chance):
    """Snapshots shorten the queue ahead, though they are looked at only when a trade comes to its price."""
    px, filled = Px(40_000_000), 0
    settings = records(1, SETTINGS)[0]
    settings.lot = SCALE
    for _ in range(40):
        tape, sizes = shrinking(chance, px)
        own = records(1, RESTING)[0]
        own.id, own.yes_px, own.left, own.remaining, own.ahead = 1, px, 30 * SCALE, 30.0, 400.0
        its = QueuePosition(model=QueueModel.BACK, level_qty=400.0, remaining=30.0)
        for at, size in enumerate(sizes):
            if size is not None:
                its.depth(size)
            if tape.venue[at].trade == 1:
                made = matching.hit(settings, tape, own, at, BID)
                assert made == round(its.trade(tape.venue[at].qty / SCALE) * SCALE)
                own.left -= made
                filled += made
    assert filled > 0


def shrinking(chance: random.Random, px: Px) -> tuple[Tape, list[float | None]]:
    """(a venue's tape of snapshots and of trades at a price, per row the size there that a snapshot shows)."""
    happened: list[Happened] = []
    sizes: list[float | None] = []
    for place in range(25):
        size = chance.choice((0, chance.randrange(1, 400)))
        deep = chance.random() < 0.8
        at_it = ((px, Qty(size * SCALE)),) if size else ()
        better, worse = (Px(px + 1_000), Qty(SCALE)), (Px(px - 1_000), Qty(SCALE))
        bids = (better, *at_it, worse) if deep else (better,)
        shows = chance.random() < 0.7
        item = (
            BookSnapshot(OUTCOME.id, bids, (), place)
            if shows
            else TradePrint(OUTCOME.id, px, Qty(chance.randrange(1, 60) * SCALE), Side.SELL, str(place), place)
        )
        happened.append(Happened(at_ns=place, told_ns=place, place=place, item=item))
        sizes.append(float(size) if shows and deep else None)
    venue, snapshots = _venue(happened)
    shown, depth = _flat(snapshots)
    nothing = np.zeros((1, 1), np.int64)
    tape = Tape(
        at=nothing, heard=nothing, heard_ns=nothing, marked=nothing, books=nothing, levels=nothing, values=nothing,
        venue_at=nothing, venue=venue, shown=shown, depth=depth,
    )  # fmt: skip
    return tape, sizes


def test_microprice(chance):
    for _ in range(MANY):
        bid, ask = chance.randrange(10**6, 5 * 10**7), chance.randrange(4 * 10**7, 9 * 10**7)
        sizes = [chance.randrange(1, 1_000) * 10**8 for _ in range(2)]
        its = microprice.guarded(
            [(bid / 1e8, sizes[0] / 1e8)], [(ask / 1e8, sizes[1] / 1e8)], size_floor=0.0, tick=0.02, max_ticks=1.0
        )
        mine = estimators.guarded(bid, sizes[0], ask, sizes[1], 0.02)
        assert mine == (its.value, its.spread, its.mid) if its.value is not None else math.isnan(mine[0])


@pytest.fixture
def kept():
    """(state, settings) of estimators at their beginning."""
    state, settings = records(1, STATE)[0], records(1, SETTINGS)[0]
    settings.sample_s, settings.vol_halflife_s, settings.nu_halflife_s, settings.nu_prior_s = 2.0, 900.0, 600.0, 120.0
    settings.follow_s, settings.vol_error, settings.relax_s, settings.apart_s = 10.0, 0.25, 7200.0, 60.0
    return state, settings


def test_estimators(chance, kept):
    state, settings = kept
    vol = UnderlyingVol.with_prior(annual=0.45, prior_s=300.0, halflife_s=900.0, grid_s=2.0)
    state.vol_cell = -1
    estimators.ewma_begin(state.vol, vol.ewma.v0, vol.ewma.tau0_s)
    t_s, spot = 1.7e9, 80_000.0
    nu = ProbitVol(expiry_s=t_s + 3_000.0, half_life_s=600.0, nu0=1.0, tau0_s=120.0, grid_s=2.0)
    estimators.nu_begin(state, settings, t_s + 3_000.0)
    gap, premium = BookGap(follow_s=10.0), VolPremium(sd0=0.25)
    state.gap_last_s = state.m_last_s = -math.inf
    state.m_var = 0.25 * 0.25 + COLD_SD * COLD_SD
    for _ in range(MANY):
        t_s += chance.choice((0.0, 0.1, 0.7, chance.expovariate(0.2)))
        spot *= math.exp(chance.gauss(0.0, 1e-4))
        vol.update(t_s, spot)
        estimators.vol_update(state, settings, t_s, spot)
        assert estimators.vol_annual(state) == vol.annual
        mid = chance.uniform(0.0, 1.0)
        nu.update(t_s, mid)
        estimators.nu_update(state, settings, t_s, mid)
        assert math.sqrt(state.nu.n / state.nu.d) == nu.nu
        z_book, z_model = chance.gauss(0.0, 1.0), chance.gauss(0.0, 1.0)
        assert estimators.gap_update(state, settings, t_s, z_book, z_model) == gap.update(t_s, z_book, z_model)
        told = {"z_book": z_book, "sd_book": 0.1, "z_model": z_model, "slope": chance.gauss(0.0, 1.0), "sd_model": 0.2}
        premium.update(t_s, **told)
        estimators.premium_update(state, settings, t_s, *told.values())
        assert formulas.premium_at(state.m, state.m_var, state.m_last_s, 0.25, 7200.0, t_s + 5.0) == premium.at(
            t_s + 5.0
        )
