"""What a perp hedge would have done to a run that had none: H = -position x delta, rebalanced to the edge of a band.

An overlay on the fills of a backtest, not part of the engine: it takes the position as it was, the strategy's own
delta at each moment and the recorded best bid and offer of the perp. It trades when the hedge it holds leaves the
band of Whalley & Wilmott around the target (QUANT 4.6, 4.7), back to the band's edge, at the recorded touch plus the
taker fee, and closes at the last touch before settlement. It sees its fills at once and moves nothing: slightly
optimistic, by less than its spread. Contracts within `stop_s` of expiry are not hedged (QUANT 4.6: there delta outruns
any hedge): what is held then is closed.

Units: floats in USDC and coins; research only.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import attrs

from hlomm.pricing.hedge import HedgeLeg, perp_hedge, whalley_wilmott

TAKER_FEE: Final = 4.5e-4
"""Hyperliquid perps, tier 0 (QUANT 6.1)."""
STOP_S: Final = 600.0
"""QUANT 4.6: with |d| < 1 the next move can exceed the band from about ten minutes before expiry."""
LOT: Final = 1e-5
MIN_NOTIONAL: Final = 10.0


@attrs.frozen(kw_only=True)
class Moment:
    """What the overlay sees at one time."""

    at_s: float
    tau_s: float
    net: float
    """YES minus NO contracts."""
    delta: float | None
    """Of one YES contract per unit of the perp; None while no model has one: the hedge stays as it is."""
    gamma: float
    bid: float
    ask: float
    pnl: float
    """Of the run without a hedge, marked."""


@attrs.frozen(kw_only=True)
class Overlay:
    """Result of the hedge beside the run it was laid over."""

    unhedged: float
    hedge: float
    """Of the perp after costs."""
    fees: float
    spread: float
    """Half-spreads paid, in `hedge` already."""
    trades: int
    turnover: float
    max_notional: float
    unhedged_drawdown: float
    hedged_drawdown: float
    unhedged_sd: float | None
    hedged_sd: float | None
    """Of the changes of marked P&L per minute (a book follows its underlying with a lag)."""

    @property
    def hedged(self) -> float:
        return self.unhedged + self.hedge

    def document(self) -> dict[str, Any]:
        """Numbers for machines."""
        return {**attrs.asdict(self), "hedged": self.hedged}

    def text(self) -> str:
        """One line for people."""
        sd = "" if self.unhedged_sd is None else f", sd per minute {self.unhedged_sd:.3f} -> {self.hedged_sd:.3f}"
        return (
            f"hedge overlay: pnl unhedged {self.unhedged:+.2f}, hedged {self.hedged:+.2f} (perp {self.hedge:+.2f} "
            f"after fees {self.fees:.2f} and spread {self.spread:.2f}; {self.trades} trades, "
            f"turnover {self.turnover:.0f}, largest {self.max_notional:.0f}); "
            f"drawdown {self.unhedged_drawdown:.2f} -> {self.hedged_drawdown:.2f}{sd}"
        )


@attrs.define(eq=False)
class _Perp:
    held: float = 0.0
    cash: float = 0.0
    fees: float = 0.0
    spread: float = 0.0
    trades: int = 0
    turnover: float = 0.0

    def trade(self, qty: float, moment: Moment) -> None:
        px = moment.ask if qty > 0.0 else moment.bid
        notional = abs(qty) * px
        self.held += qty
        self.cash -= qty * px + notional * TAKER_FEE
        self.fees += notional * TAKER_FEE
        self.spread += abs(qty) * 0.5 * (moment.ask - moment.bid)
        self.trades += 1
        self.turnover += notional

    def value(self, moment: Moment) -> float:
        return self.cash + self.held * 0.5 * (moment.bid + moment.ask)


def overlay(moments: Sequence[Moment], *, final_pnl: float, risk_aversion: float, stop_s: float = STOP_S) -> Overlay:
    """Run the hedge over the moments of a finished run; `risk_aversion` per USDC, > 0, sets the band."""
    perp = _Perp()
    unhedged: list[float] = []
    hedged: list[float] = []
    largest = 0.0
    for moment in moments:
        _rebalance(perp, moment, risk_aversion, stop_s)
        largest = max(largest, abs(perp.held) * moment.ask)
        unhedged.append(moment.pnl)
        hedged.append(moment.pnl + perp.value(moment))
    if moments and perp.held:
        perp.trade(-perp.held, moments[-1])
    unhedged.append(final_pnl)
    hedged.append(final_pnl + perp.cash)
    times = [*(moment.at_s for moment in moments), moments[-1].at_s if moments else 0.0]
    return Overlay(
        unhedged=final_pnl, hedge=perp.cash, fees=perp.fees, spread=perp.spread, trades=perp.trades,
        turnover=perp.turnover, max_notional=largest, unhedged_drawdown=_drawdown(unhedged),
        hedged_drawdown=_drawdown(hedged), unhedged_sd=_sd(times, unhedged), hedged_sd=_sd(times, hedged),
    )  # fmt: skip


def _rebalance(perp: _Perp, moment: Moment, risk_aversion: float, stop_s: float) -> None:
    spot = 0.5 * (moment.bid + moment.ask)
    if moment.tau_s <= stop_s or moment.net == 0.0:
        # Nothing to hedge: home in one order, however small.
        if perp.held:
            perp.trade(-perp.held, moment)
        return
    if moment.delta is None:
        return
    wanted = perp_hedge([HedgeLeg(moment.net, moment.delta, moment.gamma)])
    cost = TAKER_FEE + 0.5 * (moment.ask - moment.bid) / spot
    # Without gamma the formula's band is 0: the least order is the floor. A band wider than the target would leave
    # every position unhedged just because it is curved.
    width = whalley_wilmott(wanted.net_gamma, spot, cost, risk_aversion)
    floor = max(LOT, MIN_NOTIONAL / spot)
    width = max(min(width, 0.5 * abs(wanted.hedge_qty)), floor)
    off = perp.held - wanted.hedge_qty
    if abs(off) <= width:
        return
    edge = wanted.hedge_qty + math.copysign(width, off)
    qty = math.trunc((edge - perp.held) / LOT) * LOT
    if abs(qty) * spot >= MIN_NOTIONAL:
        perp.trade(qty, moment)


def _drawdown(path: Sequence[float]) -> float:
    peak, worst = 0.0, 0.0
    for value in path:
        peak = max(peak, value)
        worst = max(worst, peak - value)
    return worst


def _sd(times: Sequence[float], path: Sequence[float]) -> float | None:
    """Of changes between the last values of whole minutes."""
    minutes = dict(zip((math.floor(t / 60.0) for t in times), path, strict=True))
    steps = [after - before for before, after in pairwise(minutes.values())]
    return statistics.pstdev(steps) if len(steps) > 1 else None
