"""Risk numbers over equity and prices: locked collateral, drawdown, move breaker, stop-based size.

The engine's gate counts scaled integers; these are the reference forms for research, reports and cross-checks. The
worst case over settlement values lives in `hlomm.pricing.payoff`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final

import attrs

_BPS: Final = 1e-4
_LOT_SLACK: Final = 1e-9
"""Lots by which a float quotient may miss the whole number it stands for before flooring."""


class Token(IntEnum):
    YES = 0
    NO = 1


@attrs.frozen
class LockedOrder:
    token: Token
    price: float
    """In YES space for both tokens."""
    qty: float


@attrs.frozen
class Collateral:
    locked: tuple[float, ...]
    total: float


@attrs.define(eq=False)
class Drawdown:
    """Running high-water mark of equity; percentages are of a positive high-water mark, 0 otherwise."""

    peak: float = attrs.field(default=-math.inf, init=False)
    current_abs: float = attrs.field(default=0.0, init=False)
    current_pct: float = attrs.field(default=0.0, init=False)
    max_abs: float = attrs.field(default=0.0, init=False)
    max_pct: float = attrs.field(default=0.0, init=False)
    peak_index: int = attrs.field(default=0, init=False)
    """Where the largest absolute drawdown began, and where it was deepest."""
    trough_index: int = attrs.field(default=0, init=False)
    longest_underwater: int = attrs.field(default=0, init=False)
    """Most consecutive observations below the high-water mark."""
    _index: int = attrs.field(default=-1, init=False)
    _peak_at: int = attrs.field(default=0, init=False)
    _underwater: int = attrs.field(default=0, init=False)

    def update(self, equity: float) -> None:
        """Take the next equity: cash plus positions marked on the conservative side."""
        self._index += 1
        if equity >= self.peak:
            self.peak, self._peak_at = equity, self._index
            self.current_abs = self.current_pct = 0.0
            self._underwater = 0
            return
        self._underwater += 1
        self.longest_underwater = max(self.longest_underwater, self._underwater)
        self.current_abs = self.peak - equity
        self.current_pct = self.current_abs / self.peak if self.peak > 0.0 else 0.0
        self.max_pct = max(self.max_pct, self.current_pct)
        if self.current_abs > self.max_abs:
            self.max_abs, self.peak_index, self.trough_index = self.current_abs, self._peak_at, self._index


@attrs.frozen
class Move:
    """State of a breaker after one price."""

    move: float
    """max over the window of |p_t/p_s - 1|."""
    trigger: bool
    active: bool


@attrs.define(eq=False, kw_only=True)
class MoveBreaker:
    """Trips when the UNDERLYING moved more than `threshold` (strictly) within `window_s`; a new trip extends.

    Percent moves of a probability mean nothing in its tails: never feed it one. Prices must be positive and times not
    descending. Memory is bounded by the prices of one window.
    """

    window_s: float = attrs.field(validator=attrs.validators.ge(0.0))
    threshold: float = attrs.field(validator=attrs.validators.gt(0.0))
    cooldown_s: float = attrs.field(validator=attrs.validators.ge(0.0))
    _lows: deque[tuple[float, float]] = attrs.field(factory=deque, init=False)
    _highs: deque[tuple[float, float]] = attrs.field(factory=deque, init=False)
    _until_s: float = attrs.field(default=-math.inf, init=False)

    def update(self, t_s: float, price: float) -> Move:
        """Take the price at a time; the window includes both of its ends."""
        for extremes in (self._lows, self._highs):
            while extremes and extremes[0][0] < t_s - self.window_s:
                extremes.popleft()
        while self._lows and self._lows[-1][1] >= price:
            self._lows.pop()
        while self._highs and self._highs[-1][1] <= price:
            self._highs.pop()
        self._lows.append((t_s, price))
        self._highs.append((t_s, price))
        move = max(price / self._lows[0][1] - 1.0, 1.0 - price / self._highs[0][1])
        trigger = move > self.threshold
        if trigger:
            self._until_s = t_s + self.cooldown_s
        return Move(move, trigger, self.active(t_s))

    def active(self, t_s: float) -> bool:
        """Whether the last trip still counts."""
        return t_s < self._until_s


@attrs.frozen
class RSize:
    """Size of a trade with a stop."""

    risk_per_unit: float
    """|entry - stop| plus fees and slippage of both sides."""
    raw_qty: float
    qty: float
    risk_if_stopped: float
    notional: float


def gross_collateral(orders: Iterable[LockedOrder]) -> Collateral:
    """Each order locks its full cost: YES p qty, NO (1-p) qty; merged pairs lock nothing and do not appear."""
    locked = tuple((order.price if order.token is Token.YES else 1.0 - order.price) * order.qty for order in orders)
    return Collateral(locked, math.fsum(locked))


def drawdown(equity: Sequence[float]) -> Drawdown:
    """Drawdown of a finished record."""
    running = Drawdown()
    for value in equity:
        running.update(value)
    return running


def r_size(
    equity: float,
    risk_fraction: float,
    entry: float,
    stop: float,
    *,
    fee_bps: float,
    slip_bps: float,
    lot: float,
    max_notional: float | None = None,
) -> RSize:
    """Quantity equity risk_fraction/risk_per_unit, floored to the lot after a cap on the notional at entry."""
    risk = abs(entry - stop) + (entry + stop) * (fee_bps + slip_bps) * _BPS
    raw = equity * risk_fraction / risk
    allowed = raw if max_notional is None else min(raw, max_notional / entry)
    qty = math.floor(allowed / lot + _LOT_SLACK) * lot
    return RSize(risk, raw, qty, qty * risk, qty * entry)
