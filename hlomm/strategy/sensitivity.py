"""How a contract moves with its underlying, for whoever hedges it."""

from __future__ import annotations

from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import to_float
from hlomm.domain.view import MarketView, Sensitivity
from hlomm.pricing import digital


def sensitivity(view: MarketView, spot: float | None, sigma: float) -> Sensitivity | None:
    """Delta and gamma of one YES contract by the digital at annual vol `sigma` (QUANT 4.1).

    None without a price, a strike or time to go: then nothing is said, and nothing is hedged.
    """
    strike, tau_s = view.market.strike, view.tau_ns / NS_PER_S
    if spot is None or strike is None or tau_s <= 0.0 or sigma <= 0.0:
        return None
    greeks = digital.greeks(spot, to_float(strike), sigma, tau_s / digital.YEAR_S)
    return Sensitivity(round(greeks.delta * 1e8), round(greeks.gamma * 1e16))
