"""Background makers of the outcome contracts: they quote around a price that is a little old.

The spread follows the recordings: about one cent at even odds far from expiry, less toward the tails, and more as the
contract's own volatility grows near expiry. Near-certain outcomes are no longer offered.
"""

from __future__ import annotations

import random
from typing import Final

import attrs

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.sim.accounts import Account
from hlomm.sim.coins import WHOLE
from hlomm.sim.config import FlowConfig
from hlomm.sim.digital import Digital
from hlomm.sim.exchange import Exchange
from hlomm.sim.orders import NewOrder, Resting, Target
from hlomm.sim.outcome_market import OutcomeMarket

SPREAD_MAX: Final = 0.40
_MERGE_AT_LOTS: Final = 5_000
_MIN_TICK_LOTS: Final = 1_000_000
"""Ten quote units in ticks times contracts: the smallest order."""
_TOLERANCE: Final = 0.3
"""Move of fair value, in half spreads, that makes a maker replace its quotes."""
_SIZE_SCALE: Final = 2.0
"""Makers show more than one taker usually wants: the recorded touch is worth about 100 quote units."""
_REFRESH_NS: Final = 8_000_000_000


def typical_spread(config: FlowConfig, fair: Digital) -> float:
    """Total spread the market asks for, in probability."""
    p = fair.probability
    calm = config.tail_spread + (config.base_spread - config.tail_spread) * 4.0 * p * (1.0 - p)
    return min(calm + config.vol_spread * fair.one_second_sd, SPREAD_MAX)


def draw_lots(rng: random.Random, config: FlowConfig, own_ticks: int, scale: float = 1.0) -> int:
    """A lognormal size, raised to the venue's minimum at that price of the own coin."""
    lots = round(config.size_median * scale * rng.lognormvariate(0.0, config.size_sigma))
    return max(lots, 1, -(-_MIN_TICK_LOTS // own_ticks))


@attrs.frozen
class Look:
    """What a maker knows about one market at one instant."""

    fair: Digital
    tau_s: float
    life_s: float
    blocked: tuple[bool, bool]
    """Bids and asks withdrawn by a fault."""
    extra: float = 0.0
    """Spread on top of the usual one, in probability."""

    def spread(self, config: FlowConfig) -> float:
        """Total spread asked for now."""
        return min(typical_spread(config, self.fair) + self.extra, SPREAD_MAX)


@attrs.define(eq=False)
class _Quoted:
    oids: list[int] = attrs.field(factory=list)
    anchor: float = -1.0
    at_ns: int = 0
    next_look_ns: int = 0
    blocked: tuple[bool, bool] = (False, False)
    extra: float = 0.0


class OutcomeMaker:
    """One maker in all markets. `width` scales its spread, `deep` makes it quote far away in size."""

    def __init__(self, account: Account, rng: random.Random, config: FlowConfig, *, width: float, deep: bool) -> None:
        self.account = account
        self._rng = rng
        self._config = config
        self._width = width
        self._step = 2.5 if deep else 0.8
        self._scale = _SIZE_SCALE * (4.0 if deep else 1.0)
        self._timid = rng.random() < 0.5
        self._quoted: dict[int, _Quoted] = {}

    def forget(self, outcome: int) -> None:
        self._quoted.pop(outcome, None)

    def quotes(self, outcome: int) -> bool:
        """Whether anything of this maker may rest in that market."""
        return bool(self._quoted.setdefault(outcome, _Quoted()).oids)

    def due(self, outcome: int, now_ns: int) -> bool:
        """Whether this maker looks at that market in this block."""
        quoted = self._quoted.setdefault(outcome, _Quoted())
        if now_ns < quoted.next_look_ns:
            return False
        pause = self._rng.expovariate(1.0 / self._config.maker_reaction_s)
        quoted.next_look_ns = now_ns + int(pause * 1e9)
        return True

    def wants(self, exchange: Exchange, outcome: int, look: Look, now_ns: int) -> bool:
        """Whether the standing quotes need replacing."""
        quoted = self._quoted[outcome]
        half = 0.5 * look.spread(self._config) * self._width
        open_orders = exchange.tape.blotter_of(self.account).open
        moved = quoted.extra != look.extra
        if moved or quoted.blocked != look.blocked or abs(look.fair.probability - quoted.anchor) > _TOLERANCE * half:
            return True
        return now_ns - quoted.at_ns > _REFRESH_NS or any(oid not in open_orders for oid in quoted.oids)

    def requote(self, exchange: Exchange, market: OutcomeMarket, look: Look) -> None:
        """Replace all quotes in one market: cancel and place in one go, as a modify does."""
        quoted = self._quoted[market.number]
        for oid in quoted.oids:
            order = exchange.tape.blotter_of(self.account).open.get(oid)
            if order is not None:
                market.cancel(order)
        quoted.oids.clear()
        quoted.anchor, quoted.at_ns = look.fair.probability, exchange.tape.now_ns
        quoted.blocked, quoted.extra = look.blocked, look.extra
        self._merge(exchange, market)
        for side, blocked in zip((Side.BUY, Side.SELL), self._pulled(look), strict=True):
            if not blocked:
                self._quote_side(exchange, market, look, side, quoted.oids)

    def _pulled(self, look: Look) -> tuple[bool, bool]:
        """Sides not quoted now: nobody offers what is nearly certain, and timid makers do not bid for it either."""
        p = look.fair.probability
        doubt = min(p, 1.0 - p)
        certain = doubt < 0.004 or (doubt < 0.02 and look.tau_s < min(900.0, 0.2 * look.life_s))
        bids, asks = look.blocked
        if certain and p > 0.5:
            asks, bids = True, bids or self._timid
        elif certain:
            bids, asks = True, asks or self._timid
        return bids, asks

    def _quote_side(self, exchange: Exchange, market: OutcomeMarket, look: Look, side: Side, oids: list[int]) -> None:
        half = 0.5 * look.spread(self._config) * self._width
        for level in range(self._config.levels):
            distance = half * (1.0 + level * self._step) * self._rng.uniform(0.92, 1.08)
            ticks = round((look.fair.probability - side * distance) * WHOLE)
            opposite = market.book.best_ticks(Side(-side))
            if opposite is not None and (ticks - opposite) * side >= 0:
                ticks = opposite - side
            if not 1 <= ticks < WHOLE:
                return
            placed = exchange.place(self.account, self._order(market, side, ticks))
            if isinstance(placed, Resting):
                oids.append(placed.oid)

    def _order(self, market: OutcomeMarket, side: Side, ticks: int) -> NewOrder:
        """A quote on one side of the merged book: a sale if enough tokens are held, else the dual buy."""
        sold = Leg.NO if side is Side.BUY else Leg.YES
        own = WHOLE - ticks if side is Side.BUY else ticks
        lots = draw_lots(self._rng, self._config, own, self._scale)
        if self.account.held(market.number, sold).free >= lots:
            return NewOrder(target=Target(market.number, sold), side=Side.SELL, ticks=own, lots=lots, tif=Tif.ALO)
        bought = Leg.YES if side is Side.BUY else Leg.NO
        lots = draw_lots(self._rng, self._config, WHOLE - own, self._scale)
        return NewOrder(target=Target(market.number, bought), side=Side.BUY, ticks=WHOLE - own, lots=lots, tif=Tif.ALO)

    def _merge(self, exchange: Exchange, market: OutcomeMarket) -> None:
        """Turn a large stock of pairs back into cash."""
        free = min(self.account.held(market.number, leg).free for leg in Leg)
        if free >= _MERGE_AT_LOTS:
            exchange.merge(self.account, market.number, free)
