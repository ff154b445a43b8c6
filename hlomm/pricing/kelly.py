"""Kelly sizing of bets and of quotes.

Two scales that must not be mixed: `contracts` are contracts per unit of equity (x), `stake` is the fraction of equity
paid for them (x times cost). Caps act on the stake. Growth is the expected natural log of wealth per bet. A price is
per payoff of 1; p = 0 or 1 gives stake 1, so the caller always caps: `bet_size` does. Several bets on one event are
sized together (`hlomm.pricing.joint`), never one by one.

Bad input is answered by no bet, never by NaN or an exception: a price at or outside 0 and 1 is no offer, and a
variance of 0 is not a reason to bet everything but no statement.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Final

import attrs

_BPS: Final = 1e-4
_LEAST: Final = 1e-100
"""A gain or a loss below this is none: products of two stay above the subnormals."""
_ROUNDING_SLACK: Final = 1e-9
"""Steps by which a float product may miss the multiple it stands for before flooring."""


class BetSide(IntEnum):
    NONE = 0
    """No trade: both sides lose inside the spread and fees."""
    YES = 1
    NO = 2


@attrs.frozen
class Bet:
    """What to buy, at which cost per contract, and how much."""

    side: BetSide
    cost: float | None
    contracts: float
    stake: float
    growth: float


@attrs.frozen
class TwoPoint:
    raw: float
    """Negative: the bet loses. The other side at its own price is another bet, not -raw of this one."""
    contracts: float
    stake: float
    growth: float


@attrs.frozen
class MarginBet:
    """Frictionless form: signed contracts and the stake of the side that is bought."""

    contracts: float
    stake_yes: float | None
    stake_no: float | None


@attrs.frozen
class Fraction:
    """What betting c times the Kelly stake costs in growth and saves in risk."""

    growth_full: float
    growth_c: float
    growth_ratio: float
    growth_ratio_quadratic: float
    """2c - c^2: small-edge limit; the exact ratio is slightly lower."""
    vol_ratio: float
    variance_ratio: float


@attrs.frozen
class Shrunk:
    factor: float
    contracts: float


@attrs.frozen
class Posterior:
    p: float
    weight_model: float


@attrs.frozen
class Continuous:
    f: float
    growth: float


class SizeBound(IntEnum):
    """What decided a size."""

    KELLY = 0
    CAP = 1
    FLOOR = 2
    """Below the minimum order: nothing is quoted."""
    NO_EDGE = 3
    """mu <= 0, no variance, no equity, or a number that is none: nothing is quoted."""


@attrs.frozen
class Size:
    contracts: float
    bound: SizeBound


def two_point(p: float, win: float, loss: float) -> TwoPoint:
    """Bet that wins `win` with probability p and loses `loss` otherwise: x = (p win - (1-p) loss)/(win loss)."""
    if not (0.0 <= p <= 1.0 and _LEAST <= win < math.inf and _LEAST <= loss < math.inf):
        return TwoPoint(0.0, 0.0, 0.0, 0.0)
    raw = (p * win - (1.0 - p) * loss) / (win * loss)
    contracts = max(raw, 0.0)
    return TwoPoint(raw, contracts, contracts * loss, _growth(p, contracts * win, contracts * loss))


def binary(p: float, ask: float, bid: float, *, fee_buy: float = 0.0, fee_sell: float = 0.0) -> Bet:
    """Better side of a binary contract with spread and fees (per contract).

    YES costs c = ask + fee_buy, NO costs c' = 1 - bid + fee_sell; stake (p - c)/(1 - c) and ((1-p) - c')/(1 - c').
    At most one is positive while ask + fees >= bid.
    """
    yes_cost, no_cost = ask + fee_buy, 1.0 - bid + fee_sell
    if 0.0 < yes_cost < p <= 1.0:
        return _bet(BetSide.YES, p, yes_cost)
    if 0.0 < no_cost < 1.0 - p <= 1.0:
        return _bet(BetSide.NO, 1.0 - p, no_cost)
    return Bet(BetSide.NONE, None, 0.0, 0.0, 0.0)


def per_contract(p: float, m: float) -> MarginBet:
    """(p - m)/(m(1-m)) without fees or spread: CONTRACTS per unit of equity, although it is often called a fraction.

    The stake is (p - m)/(1 - m) on YES or (m - p)/m on NO.
    """
    if not (0.0 <= p <= 1.0 and 0.0 < m < 1.0):
        return MarginBet(0.0, None, None)
    return MarginBet(
        contracts=(p - m) / (m * (1.0 - m)),
        stake_yes=(p - m) / (1.0 - m) if p > m else None,
        stake_no=(m - p) / m if p < m else None,
    )


def fractional(p: float, cost: float, c: float) -> Fraction:
    """Exact growth of c times the full stake on a binary with p > cost; -inf growth once ruin is possible.

    Without an edge there is nothing to take a share of: no growth, and the small-edge ratio.
    """
    if not 0.0 < cost < p <= 1.0:
        return Fraction(0.0, 0.0, 2.0 * c - c * c, 2.0 * c - c * c, c, c * c)
    stake = (p - cost) / (1.0 - cost)
    odds = (1.0 - cost) / cost
    full, part = _growth(p, stake * odds, stake), _growth(p, c * stake * odds, c * stake)
    return Fraction(full, part, part / full, 2.0 * c - c * c, c, c * c)


def drawdown_probability(c: float, x: float) -> float:
    """P(wealth ever falls to the share x of its start) = x^(2/c - 1), continuous limit; 1 from c = 2 on, 0 at c = 0."""
    if c <= 0.0:
        return 0.0 if x < 1.0 else 1.0
    if c >= 2.0:
        return 1.0
    return min(math.pow(x, 2.0 / c - 1.0), 1.0)


def shrunk(p: float, m: float, sd_p: float) -> Shrunk:
    """Contracts for an edge known to +-sd_p: factor (p-m)^2/((p-m)^2 + sd^2) from the quadratic growth.

    The best of many edges needs more than this (winner's curse).
    """
    edge2 = (p - m) ** 2
    factor = edge2 / (edge2 + sd_p * sd_p) if edge2 > 0.0 else 0.0
    return Shrunk(factor, factor * per_contract(p, m).contracts)


def posterior(p_model: float, sd_model: float, p_market: float, sd_market: float) -> Posterior:
    """Precision-weighted mean: expected log utility is linear in p, so only this mean matters for one bet."""
    total = sd_model**2 + sd_market**2
    weight = sd_market**2 / total if 0.0 < total < math.inf else 0.5
    return Posterior(p_market + weight * (p_model - p_market), weight)


def continuous(mu: float, sigma2: float) -> Continuous:
    """Fraction mu/sigma^2, growth mu^2/(2 sigma^2); both of the same return on equity over the same interval.

    Without a variance nothing is known about the risk: no fraction.
    """
    if not (0.0 < sigma2 < math.inf and -math.inf < mu < math.inf):
        return Continuous(0.0, 0.0)
    return Continuous(mu / sigma2, mu * mu / (2.0 * sigma2))


def arbitrage_fraction(edge_bps: float, cost_bps: float, sd_bps: float) -> float:
    """(edge - cost)/sd^2 as fractions, 0 without a net edge: an upper bound only.

    A small sd makes it explode, while the real risk is the settlement mismatch: size with `joint.simultaneous` and
    mismatch states. `sd_bps` is a standard deviation and squared here; at 0 the bound says nothing (0).
    """
    net = (edge_bps - cost_bps) * _BPS
    variance = (sd_bps * _BPS) ** 2
    return max(net, 0.0) / variance if variance > 0.0 else 0.0


def quote_size(
    mu: float, sigma2: float, equity: float, *, fraction: float, cap: float, floor: float, decimals: int
) -> Size:
    """Contracts to quote: fraction * equity * mu/sigma2, capped, rounded down to `decimals`, 0 below `floor`.

    mu and sigma2: mean and variance of the P&L per contract over one holding horizon, net of markout and fees, in the
    unit of equity. The cap stands for every limit on size, the floor for the venue's minimum order.
    """
    if not (mu > 0.0 and sigma2 > 0.0 and equity > 0.0 and fraction > 0.0):
        return Size(0.0, SizeBound.NO_EDGE)
    wanted = fraction * equity * (mu / sigma2)
    return _bounded(wanted, cap, floor, decimals)


def bet_size(
    bet: Bet, equity: float, *, fraction: float, max_stake: float, cap: float, floor: float, decimals: int
) -> Size:
    """Contracts of a bet: `fraction` of its stake, at most `max_stake` of equity, then capped and rounded as a quote.

    The limit acts on the stake (QUANT 5.9): contracts = min(fraction * stake, max_stake) * equity/cost.
    """
    if bet.cost is None or not (bet.cost > 0.0 and bet.stake > 0.0 and equity > 0.0 and fraction > 0.0):
        return Size(0.0, SizeBound.NO_EDGE)
    stake = fraction * bet.stake
    capped = not stake <= max_stake
    made = _bounded((max_stake if capped else stake) * equity / bet.cost, cap, floor, decimals)
    return Size(made.contracts, SizeBound.CAP) if capped and made.bound is SizeBound.KELLY else made


def _bounded(wanted: float, cap: float, floor: float, decimals: int) -> Size:
    bound = SizeBound.KELLY
    if not wanted < cap:
        wanted, bound = cap, SizeBound.CAP
    if not 0.0 <= wanted < math.inf:
        return Size(0.0, SizeBound.NO_EDGE)
    scale = 10.0**decimals
    contracts = math.floor(wanted * scale + _ROUNDING_SLACK) / scale
    if contracts < floor or contracts <= 0.0:
        return Size(0.0, SizeBound.FLOOR)
    return Size(contracts, bound)


def _growth(p: float, gain: float, loss: float) -> float:
    """Expected log: p ln(1 + gain) + (1-p) ln(1 - loss), with 0 ln 0 = 0 and -inf for possible ruin."""
    growth = p * math.log1p(gain)
    if p < 1.0:
        growth += (1.0 - p) * math.log1p(-loss) if loss < 1.0 else -math.inf
    return growth


def _bet(side: BetSide, p: float, cost: float) -> Bet:
    stake = (p - cost) / (1.0 - cost)
    contracts = stake / cost
    return Bet(side, cost, contracts, stake, _growth(p, contracts * (1.0 - cost), stake))
