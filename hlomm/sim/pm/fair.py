"""What this venue's background traders believe a market to be worth."""

from __future__ import annotations

import math
from typing import Final

from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, to_float
from hlomm.sim.config import PolymarketConfig
from hlomm.sim.digital import Digital, digital
from hlomm.sim.path import PricePath
from hlomm.sim.pm.market import Family, Market
from hlomm.sim.pm.source import WINDOW_S, Source

CANDLE_S: Final = 60


class Fair:
    """Probabilities of the first outcome for somebody who knows the price of a given step."""

    def __init__(self, path: PricePath, source: Source, config: PolymarketConfig) -> None:
        self._path = path
        self._source = source
        self._candle_s = CANDLE_S if config.dislocations else 0

    def of(self, market: Market, step: int, now_ns: int) -> Digital:
        price = self._source.seen(step)
        if market.spec.family is Family.ABOVE:
            assert market.spec.strike is not None
            tau_s = (market.spec.end_ns - now_ns) / NS_PER_S + self._candle_s
            return digital(price, to_float(market.spec.strike), self._path.mean_vol(step, max(tau_s, 0.0)), tau_s)
        return self._updown(market, price, step, now_ns)

    def _updown(self, market: Market, price: float, step: int, now_ns: int) -> Digital:
        """An average against an average: even until the first begins, then ever more of both is fixed."""
        to_start = (market.spec.start_ns - now_ns) / NS_PER_S
        if to_start >= WINDOW_S:
            return Digital(0.5, 0.0)
        beat = market.beat / SCALE if market.beat is not None else self._blend(price, to_start, now_ns)
        tau_s = (market.spec.end_ns - now_ns) / NS_PER_S
        vol = self._path.mean_vol(step, max(tau_s, 0.0))
        if tau_s <= 0.0:
            return digital(self._source.average(market.spec.end_ns) / SCALE, beat, vol, 0.0)
        if tau_s >= WINDOW_S:
            # An average over w seconds that starts now moves with a third of the variance.
            return digital(price, beat, vol * math.sqrt((tau_s - WINDOW_S * 2.0 / 3.0) / tau_s), tau_s)
        blend = self._blend(price, tau_s, now_ns)
        open_share = tau_s / WINDOW_S
        return digital(blend, beat, max(vol * open_share * math.sqrt(1.0 / 3.0) * price / blend, 1e-9), tau_s)

    def _blend(self, price: float, left_s: float, now_ns: int) -> float:
        """Expected average of a window of which `left_s` seconds are still to come."""
        done = WINDOW_S - max(left_s, 0.0)
        if done < 1.0:
            return price
        fixed = self._source.average(now_ns, max(int(done), 1)) / SCALE
        share = done / WINDOW_S
        return share * fixed + (1.0 - share) * price
