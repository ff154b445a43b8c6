"""Hourly funding of the perp (venue sheet 8): longs pay shorts while it trades above the oracle, and the reverse.

F over 8 h = P + clamp(0.0001 - P, -0.0005, 0.0005), P being the premium averaged over the hour, one sample each 5 s. An
eighth of it is due at each full hour on the value of the position at the oracle, which here is the mark. All rates are
in 1e-8.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

import attrs

from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE
from hlomm.sim.accounts import Account
from hlomm.sim.board import Board
from hlomm.sim.coins import PERP_GRID
from hlomm.sim.events import FundingRow
from hlomm.sim.perp_market import PerpMarket

_SAMPLE_NS: Final = 5 * NS_PER_S
_HOUR_NS: Final = 3600 * NS_PER_S
_HOURS: Final = 8
_INTEREST: Final = 10_000
_CLAMP: Final = 50_000
_CAP: Final = 4_000_000
_IMPACT: Final = 20_000 * SCALE
"""Cash notional at which the impact prices are read."""
_KEPT: Final = 5000


@attrs.frozen(kw_only=True)
class FundingPoint:
    """One hour of `fundingHistory`: hourly rate and mean premium in 1e-8."""

    rate: int
    premium: int
    time_ms: int


class Funding:
    """Samples the premium and pays at full hours. Call `on_block` once per block."""

    def __init__(self, board: Board, perp: PerpMarket) -> None:
        self._board = board
        self._perp = perp
        self._premiums = 0
        self._samples = 0
        self._next_sample_ns = 0
        self._next_hour_ns: int | None = None
        self.history: deque[FundingPoint] = deque(maxlen=_KEPT)

    def on_block(self) -> None:
        """Sample what is due; at a full hour pay. Hours without a block are skipped, not paid later."""
        now_ns = self._board.tape.now_ns
        if self._perp.mark_ticks <= 0:
            return
        if now_ns >= self._next_sample_ns:
            self._next_sample_ns = now_ns + _SAMPLE_NS
            self._premiums += self._premium_now()
            self._samples += 1
        if self._next_hour_ns is not None and now_ns >= self._next_hour_ns:
            self._pay()
        if self._next_hour_ns is None or now_ns >= self._next_hour_ns:
            self._next_hour_ns = now_ns // _HOUR_NS * _HOUR_NS + _HOUR_NS

    @property
    def premium(self) -> int:
        """Mean premium of the hour so far, in 1e-8 of the oracle price."""
        return _quotient(self._premiums, self._samples) if self._samples else 0

    @property
    def rate(self) -> int:
        """Hourly rate that would be charged now, in 1e-8; positive when longs pay."""
        fixed = self._board.rules.funding_hourly
        if fixed is not None:
            return fixed
        premium = self.premium
        over_8h = premium + min(max(_INTEREST - premium, -_CLAMP), _CLAMP)
        return min(max(_quotient(over_8h, _HOURS), -_CAP), _CAP)

    def _pay(self) -> None:
        rate, premium = self.rate, self.premium
        self._premiums = self._samples = 0
        if not self._board.rules.funding:
            return
        tape = self._board.tape
        tape.next_action()
        self.history.append(FundingPoint(rate=rate, premium=premium, time_ms=tape.now_ms))
        payments = funding_payments(self._board.accounts.values(), self._perp.mark_ticks, rate)
        self._board.ledger.fund(payments)
        for account, cash in payments:
            row = FundingRow(usdc=cash, lots=account.perp.lots, rate=rate, time_ms=tape.now_ms, hash=tape.hash)
            tape.funding(account, row)

    def _premium_now(self) -> int:
        """How far the impact prices are beyond the oracle, in 1e-8 of it; 0 without a book deep enough."""
        oracle = self._perp.mark_ticks
        bid, ask = self._impact_ticks(Side.BUY), self._impact_ticks(Side.SELL)
        above = 0 if bid is None else max(bid - oracle, 0)
        below = 0 if ask is None else max(oracle - ask, 0)
        return _quotient((above - below) * SCALE, oracle)

    def _impact_ticks(self, side: Side) -> int | None:
        """Average price at which the impact notional could be traded, in ticks."""
        left, lots_total, tick_lots = _IMPACT, 0, 0
        for ticks, lots, _ in self._perp.book.depth(side, 20):
            lots_taken = min(lots, -(-left // (ticks * PERP_GRID.cash)))
            lots_total += lots_taken
            tick_lots += lots_taken * ticks
            left -= lots_taken * ticks * PERP_GRID.cash
            if left <= 0:
                return tick_lots // lots_total
        return None


def funding_payments(accounts: Iterable[Account], mark_ticks: int, rate: int) -> list[tuple[Account, int]]:
    """What each position receives (negative: pays) at an hourly rate; the sum is zero to the unit.

    Payers owe their exact share rounded down; what they pay is divided among the others in proportion to position, the
    indivisible units falling where the running total crosses them. Positions add up to zero, so both sides are there.
    """
    holders = [account for account in accounts if account.perp.lots]
    paying = 1 if rate > 0 else -1
    payments: list[tuple[Account, int]] = []
    total = 0
    for account in holders:
        if account.perp.lots * paying > 0:
            cash = abs(account.perp.lots) * mark_ticks * PERP_GRID.cash * abs(rate) // SCALE
            total += cash
            payments.append((account, -cash))
    receivers = [account for account in holders if account.perp.lots * paying < 0]
    lots_all = sum(abs(account.perp.lots) for account in receivers)
    lots_done = 0
    for account in receivers:
        before, lots_done = lots_done, lots_done + abs(account.perp.lots)
        payments.append((account, total * lots_done // lots_all - total * before // lots_all))
    return [(account, cash) for account, cash in payments if cash]


def _quotient(value: int, count: int) -> int:
    """Division toward zero, so that the same premium above and below gives the same rate."""
    return value // count if value >= 0 else -(-value // count)
