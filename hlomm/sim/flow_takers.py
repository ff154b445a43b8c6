"""Background takers: noise that prefers good prices, and informed traders who know the price a second ahead."""

from __future__ import annotations

import math
import random

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.sim.accounts import Account
from hlomm.sim.coins import WHOLE
from hlomm.sim.config import FlowConfig
from hlomm.sim.digital import Digital
from hlomm.sim.flow_makers import draw_lots, typical_spread
from hlomm.sim.orders import NewOrder, Target
from hlomm.sim.outcome_market import OutcomeMarket


class NoiseTakers:
    """People who want to be long or short for their own reasons, the sooner the better the price."""

    def __init__(self, accounts: list[Account], rng: random.Random, config: FlowConfig, *, block_s: float) -> None:
        self._accounts = accounts
        self._rng = rng
        self._config = config
        self._chance = min(config.noise_per_s * block_s, 1.0)

    def order(self, market: OutcomeMarket, fair: Digital) -> tuple[Account, NewOrder] | None:
        """At most one order per block and market, None if nobody wants to trade at these prices."""
        rng = self._rng
        if rng.random() >= self._chance:
            return None
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        touch = market.book.best_ticks(Side(-side))
        if touch is None:
            return None
        patience = 0.9 * typical_spread(self._config, fair)
        cost = (touch / WHOLE - fair.probability) * side
        if cost > 0.0 and rng.random() >= math.exp(-cost / patience):
            return None
        slip = round(rng.uniform(0.0, 0.3) * patience * WHOLE)
        account = self._accounts[rng.randrange(len(self._accounts))]
        return account, aggressive(account, market, side, touch + side * slip, rng, self._config)


class InformedTakers:
    """They see fair value a moment ahead and take what is stale by more than it costs them to bother."""

    def __init__(self, account: Account, rng: random.Random, config: FlowConfig, *, block_s: float) -> None:
        self._account = account
        self._rng = rng
        self._config = config
        self._chance = min(config.informed_per_s * block_s, 1.0)

    def order(self, market: OutcomeMarket, future: Digital) -> tuple[Account, NewOrder] | None:
        """At most one order per block and market; `future` is fair value as it will be."""
        if self._rng.random() >= self._chance:
            return None
        edge = 0.003 + 0.15 * typical_spread(self._config, future)
        for side in (Side.BUY, Side.SELL):
            touch = market.book.best_ticks(Side(-side))
            if touch is None or (future.probability - touch / WHOLE) * side <= edge:
                continue
            limit = round((future.probability - side * 0.5 * edge) * WHOLE)
            return self._account, aggressive(self._account, market, side, limit, self._rng, self._config)
        return None


def aggressive(
    account: Account, market: OutcomeMarket, side: Side, ticks: int, rng: random.Random, config: FlowConfig
) -> NewOrder:
    """An IOC on one side of the merged book: half of the time tokens are sold if they are held."""
    ticks = min(max(ticks, 1), WHOLE - 1)
    sold = Leg.NO if side is Side.BUY else Leg.YES
    own = WHOLE - ticks if side is Side.BUY else ticks
    lots = draw_lots(rng, config, own)
    sells = rng.random() < 0.5 and account.held(market.number, sold).free >= lots
    if sells:
        return NewOrder(target=Target(market.number, sold), side=Side.SELL, ticks=own, lots=lots, tif=Tif.IOC)
    bought = Leg.YES if side is Side.BUY else Leg.NO
    lots = draw_lots(rng, config, WHOLE - own)
    return NewOrder(target=Target(market.number, bought), side=Side.BUY, ticks=WHOLE - own, lots=lots, tif=Tif.IOC)
