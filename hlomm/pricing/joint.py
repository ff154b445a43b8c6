"""Joint sizing of bets that settle on one event: several strikes and buckets of one underlying, one event on venues.

Sizing nested strikes one by one over-bets: they win and lose together. Here the outcomes are states (intervals of the
terminal price between all bounds, `states_of`), every token to be bought is an instrument with a payoff per state, and
the log-optimal portfolio of all of them is found at once (QUANT 5.8). Fraction, caps and rounding come after it
(`joint`). Research and slow loops: needs numpy, which is loaded on use. One more bet beside others that are already
held is a problem in one unknown (`beside`), which live strategies solve.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import attrs

from hlomm.pricing.kelly import Bet, BetSide, Size, bet_size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BARRIER_START: Final = 1e-2
_BARRIER_END: Final = 1e-14
_BARRIER_FALL: Final = 0.1
_NEWTON_MAX: Final = 60
_DIKIN: Final = 0.01
"""Squared Newton decrement (in units of the barrier) under which the full step is feasible and converging."""
_CONVERGED: Final = 1e-10
_HALVINGS: Final = 200
_SNAP: Final = 1e-9
"""Contracts per equity below which an instrument is out of the optimum, and slack at which the budget binds."""


@attrs.frozen
class Portfolio:
    """Simultaneous bets."""

    contracts: tuple[float, ...]
    growth: float
    min_wealth: float
    """Wealth after the worst state, starting from 1."""
    budget_used: float
    budget_binding: bool


@attrs.frozen
class Instrument:
    """Costs `cost` now and pays `payoff[s]` in state s; buying YES and buying NO are two instruments."""

    cost: float
    payoff: tuple[float, ...]


@attrs.frozen(kw_only=True)
class Offer:
    """A contract on the terminal price and what its two tokens cost, fees included; None where none is offered.

    YES pays for floor <= S < ceiling, None is an open end: a binary has only a floor.
    """

    floor: float | None
    ceiling: float | None = None
    yes_cost: float | None = None
    no_cost: float | None = None

    def pays(self, price: float) -> bool:
        return (self.floor is None or price >= self.floor) and (self.ceiling is None or price < self.ceiling)


@attrs.frozen
class Joint:
    """Sizes of the offers, in their order: contracts of YES and of NO."""

    yes: tuple[Size, ...]
    no: tuple[Size, ...]
    portfolio: Portfolio
    """Full Kelly, before fraction and caps; its instruments are all YES then NO tokens that are offered."""


def states_of(offers: Sequence[Offer], survival: Callable[[float], float]) -> tuple[list[float], list[float]]:
    """(probability, a price inside) of every interval between the bounds; `survival(k)` = P(S >= k), not rising.

    Exact: no payoff changes within an interval. Intervals without probability are left out.
    """
    bounds = sorted({bound for offer in offers for bound in (offer.floor, offer.ceiling) if bound is not None})
    above = [1.0, *(min(max(survival(bound), 0.0), 1.0) for bound in bounds), 0.0]
    inside = [bounds[0] - 1.0, *bounds] if bounds else [0.0]
    kept = [(high - low, price) for (high, low), price in zip(pairwise(above), inside, strict=True) if high > low]
    total = math.fsum(p for p, _ in kept)
    return [p / total for p, _ in kept], [price for _, price in kept]


def joint(
    offers: Sequence[Offer],
    survival: Callable[[float], float],
    equity: float,
    *,
    fraction: float,
    max_stake: float,
    cap: float,
    floor: float,
    decimals: int,
) -> Joint:
    """Contracts of every offer at `fraction` of the joint optimum, bounded one by one as `kelly.bet_size` does.

    A token that is not offered, costs nothing or costs 1 and more is no instrument. Buying both tokens of an offer is
    possible only below a cost of 1 together, which is an arbitrage and wanted.
    """
    states, prices = states_of(offers, survival)
    tokens = [
        (index, side, cost)
        for side in (BetSide.YES, BetSide.NO)
        for index, offer in enumerate(offers)
        if (cost := offer.yes_cost if side is BetSide.YES else offer.no_cost) is not None and 0.0 < cost < 1.0
    ]
    instruments = [
        Instrument(cost, tuple(float(offers[index].pays(price) is (side is BetSide.YES)) for price in prices))
        for index, side, cost in tokens
    ]
    found = simultaneous(states, instruments) if instruments else Portfolio((), 0.0, 1.0, 0.0, budget_binding=False)
    sizes = {
        (index, side): bet_size(
            Bet(side, cost, contracts, contracts * cost, 0.0), equity, fraction=fraction, max_stake=max_stake, cap=cap,
            floor=floor, decimals=decimals,
        )
        for (index, side, cost), contracts in zip(tokens, found.contracts, strict=True)
    }  # fmt: skip
    nothing = bet_size(Bet(BetSide.NONE, None, 0.0, 0.0, 0.0), 0.0, fraction=0.0, max_stake=0.0, cap=0.0, floor=0.0,
                       decimals=0)  # fmt: skip
    yes, no = (
        tuple(sizes.get((index, side), nothing) for index in range(len(offers))) for side in (BetSide.YES, BetSide.NO)
    )
    return Joint(yes, no, found)


def beside(states: Sequence[float], wealth: Sequence[float], instrument: Instrument) -> float:
    """Contracts to add to what is held: x >= 0 that maximises sum_s pi_s ln(w_s + x (a_s - c)), per unit of equity.

    `wealth` is what the account is worth per state if nothing is added, 1 without holdings. Concave, so bisection on
    the slope finds it to the last digits. 0 if nothing is gained, or if a state ruins whatever is added; where what is
    held ruins in states in which the instrument gains, as when it is sold, so much of it that none does is the least.
    No other bound is needed, because whatever can lose bounds itself, and what cannot lose anywhere is no bet but an
    arbitrage (0).
    """
    gains = [payoff - instrument.cost for payoff in instrument.payoff]
    if min(gains) >= 0.0 or any(w <= 0.0 and g <= 0.0 for w, g in zip(wealth, gains, strict=True)):
        return 0.0

    def slope(x: float) -> float:
        return math.fsum(p * g / (w + x * g) for p, w, g in zip(states, wealth, gains, strict=True))

    low = max((-w / g for w, g in zip(wealth, gains, strict=True) if w <= 0.0), default=0.0)
    high = min(w / -g for w, g in zip(wealth, gains, strict=True) if g < 0.0)
    if low >= high or (min(wealth) > 0.0 and not slope(0.0) > 0.0):
        return 0.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if min(w + middle * g for w, g in zip(wealth, gains, strict=True)) > 0.0 and slope(middle) > 0.0:
            low = middle
        else:
            high = middle
    return low


def simultaneous(states: Sequence[float], instruments: Sequence[Instrument]) -> Portfolio:
    """Bets on one event space: maximise sum_s pi_s ln(1 + sum_j x_j (a_js - c_j)), x >= 0, sum c_j x_j <= 1.

    Concave. Newton on the log-barrier of the constraints, lowered until it no longer matters; collinear payoffs, where
    the optimum is not unique, are separated by the barrier itself. Costs must be > 0.
    """
    import numpy as np  # noqa: PLC0415 - the live path must not load numpy

    pi = np.asarray(states, dtype=np.float64)
    cost = np.array([item.cost for item in instruments])
    gain = np.array([item.payoff for item in instruments]).T - cost
    n = len(cost)

    def objective(x: NDArray[np.float64], mu: float) -> float:
        wealth, slack = 1.0 + gain @ x, 1.0 - cost @ x
        if slack <= 0.0 or x.min() <= 0.0 or wealth.min() <= 0.0:
            return -math.inf
        return float(pi @ np.log(wealth) + mu * (np.log(x).sum() + math.log(slack)))

    x = np.full(n, 0.5) / (cost * n)
    mu = _BARRIER_START
    while mu >= _BARRIER_END:
        for _ in range(_NEWTON_MAX):
            wealth, slack = 1.0 + gain @ x, 1.0 - cost @ x
            rate = pi / wealth
            gradient = gain.T @ rate + mu * (1.0 / x - cost / slack)
            hessian = (gain.T * (rate / wealth)) @ gain + mu * (
                np.diag(1.0 / (x * x)) + np.outer(cost, cost) / slack**2
            )
            # In the variables x_j/x_j(current) the matrix stays well scaled while some x_j go to 0.
            step = x * np.linalg.solve(hessian * np.outer(x, x), gradient * x)
            decrement = float(gradient @ step)
            length = 1.0  # halved until the objective rises enough
            if decrement > _DIKIN * mu:
                here = objective(x, mu)
                for _ in range(_NEWTON_MAX):
                    if objective(x + length * step, mu) >= here + 0.25 * length * decrement:
                        break
                    length *= 0.5
            x = x + length * step
            if decrement <= _CONVERGED * mu:
                break
        mu *= _BARRIER_FALL
    x = np.where(x < _SNAP, 0.0, x)
    wealth = 1.0 + gain @ x
    used = float(cost @ x)
    growth = float(pi @ np.log(wealth))
    return Portfolio(tuple(x.tolist()), growth, float(wealth.min()), used, 1.0 - used < _SNAP)
