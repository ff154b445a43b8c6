"""Arithmetic of 0/1 contracts: vol conversions, exact quote rounding, YES/NO inventory, and the pull rule."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Final

import attrs

from hlomm.domain.units import ONE, Px, ceil_to, complement, floor_to
from hlomm.pricing import normal
from hlomm.pricing.horizon import p_vol

PULLED: Final = "latency risk: needed half-spread above the maximum"


class VolSpace(IntEnum):
    """Coordinate a vol of p was measured in."""

    LOG = 0
    LOGIT = 1
    PROBIT = 2


@attrs.frozen
class RoundedQuote:
    """Prices on the tick, in units of 1e-8; None where the side must not be quoted."""

    bid: Px | None
    ask: Px | None

    @property
    def no_bid(self) -> Px | None:
        """Bid of the NO token: the same level of the merged book as the YES ask."""
        return None if self.ask is None else complement(self.ask)

    @property
    def no_ask(self) -> Px | None:
        return None if self.bid is None else complement(self.bid)


@attrs.frozen
class Inventory:
    """Position in both tokens of one market."""

    net: float
    """YES minus NO contracts: the q of every quote formula."""
    pairs: float
    """min(YES, NO): worth exactly 1 each, to be merged or netted."""
    collateral_cost: float
    payoff_if_yes: float
    payoff_if_no: float
    pnl_if_yes: float
    pnl_if_no: float
    locked_pair_pnl: float


@attrs.frozen
class Width:
    """Half-spread after the latency floor; None when the market must be left."""

    half: float | None
    floor_half: float
    reason: str = ""


def sigma_p(p: float, sigma: float, space: VolSpace) -> float:
    """Absolute vol of p: p sigma (LOG), p(1-p) sigma (LOGIT), phi(PhiInv(p)) sigma (PROBIT); same time unit."""
    if space is VolSpace.LOG:
        return p * sigma
    if space is VolSpace.LOGIT:
        return p * (1.0 - p) * sigma
    return normal.pdf(normal.probit(p)) * sigma


def round_quote(
    raw_bid: int | None, raw_ask: int | None, *, tick: int, best_bid: int | None = None, best_ask: int | None = None
) -> RoundedQuote:
    """Bid floored and ask ceiled to the tick, then kept post-only, then dropped outside [tick, 1 - tick].

    Everything in units of 1e-8. Post-only: the bid at most best_ask - tick, the ask at least best_bid + tick; a
    missing best side does not constrain. A raw side of None stays None.
    """
    bid = ask = None
    if raw_bid is not None:
        limited = raw_bid if best_ask is None else min(raw_bid, best_ask - tick)
        bid = _inside(floor_to(limited, tick), tick)
    if raw_ask is not None:
        limited = raw_ask if best_bid is None else max(raw_ask, best_bid + tick)
        ask = _inside(ceil_to(limited, tick), tick)
    return RoundedQuote(bid, ask)


def inventory(yes: float, no: float, avg_yes: float, avg_no: float) -> Inventory:
    """From holdings (contracts, >= 0) and their average costs per contract."""
    cost = yes * avg_yes + no * avg_no
    pairs = min(yes, no)
    return Inventory(
        net=yes - no,
        pairs=pairs,
        collateral_cost=cost,
        payoff_if_yes=yes,
        payoff_if_no=no,
        pnl_if_yes=yes - cost,
        pnl_if_no=no - cost,
        locked_pair_pnl=pairs * (1.0 - avg_yes - avg_no),
    )


def latency_risk(p: float, tau_s: float, nu: float, reaction_s: float) -> float:
    """Sd of the price while a stale quote can be hit: nu phi(z)/sqrt(tau) sqrt(reaction); inf at tau = 0."""
    return nu * p_vol(p, tau_s) * math.sqrt(reaction_s) if tau_s > 0.0 else math.inf


def latency_floor(sigma_p_s: float, reaction_s: float, c: float) -> float:
    """Smallest half-spread that latency risk allows: sigma_p sqrt(reaction)/c, c about 0.5, sigma_p per sqrt(s)."""
    return sigma_p_s * math.sqrt(reaction_s) / c


def pulled_below_s(p: float, nu: float, reaction_s: float, c: float, max_half: float) -> float:
    """Time to settlement at which the latency floor reaches `max_half`, at this p and nu; 0 where it never does.

    The vol of p grows as 1/sqrt(tau), so (nu phi(z) sqrt(reaction)/(c max_half))^2 is where `latency_floor` meets it.
    """
    return (nu * p_vol(p, 1.0) * math.sqrt(reaction_s) / (c * max_half)) ** 2


def widen_or_pull(half: float, risk: float, c: float, max_half: float) -> Width:
    """Pull rule: quote only while `risk` < c half. Widens to risk/c up to `max_half`, beyond that pulls."""
    floor_half = risk / c
    if not (half <= max_half and floor_half <= max_half):
        return Width(None, floor_half, PULLED)
    return Width(max(half, floor_half), floor_half)


def _inside(px: int, tick: int) -> Px | None:
    return Px(px) if tick <= px <= ONE - tick else None
