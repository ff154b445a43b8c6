"""What contracts are worth to somebody who knows a price of the path: the background flow's only model."""

from __future__ import annotations

import math

from hlomm.domain.units import to_float
from hlomm.sim.average import MarkAverage
from hlomm.sim.digital import Digital, band
from hlomm.sim.outcome_market import OutcomeSpec
from hlomm.sim.path import PricePath


class FairValues:
    """Probabilities of YES. `average` is the venue's record of the mark, for contracts that settle on its average."""

    def __init__(self, path: PricePath, average: MarkAverage) -> None:
        self._path = path
        self._average = average

    def of(self, spec: OutcomeSpec, price_step: int, now_ns: int) -> Digital:
        """Value at `now_ns` for someone who knows the price of `price_step`."""
        tau_s = (spec.expiry_ns - now_ns) / 1e9
        price = self._path.price(price_step)
        vol = self._path.mean_vol(price_step, max(tau_s, 0.0))
        below = None if spec.below is None else to_float(spec.below)
        if spec.average_s and tau_s > 0.0:
            price, vol = self._averaged(spec, price, vol, now_ns, tau_s)
        return band(price, to_float(spec.target), below, vol, tau_s)

    def _averaged(self, spec: OutcomeSpec, price: float, vol: float, now_ns: int, tau_s: float) -> tuple[float, float]:
        """Price and volatility of an end point that behaves as the average will.

        An average over w seconds that starts now moves with a third of the variance; what of the window has passed is
        fixed and no longer moves at all.
        """
        window = float(spec.average_s)
        if tau_s >= window:
            return price, vol * math.sqrt((tau_s - window + window / 3.0) / tau_s)
        done = 1.0 - tau_s / window
        fixed = self._average.over(now_ns, max(round((window - tau_s) * 1e9), 1)) / 1e8
        blend = done * fixed + (1.0 - done) * price
        return blend, vol * (1.0 - done) * math.sqrt(1.0 / 3.0) * price / blend
