"""Background quotes of the BTC perp: a ladder one tick wide that follows the path, and small takers."""

from __future__ import annotations

import math
import random
from typing import Final

from hlomm.domain.orders import Side, Tif
from hlomm.sim.accounts import Account
from hlomm.sim.coins import PERP_GRID
from hlomm.sim.config import FlowConfig
from hlomm.sim.exchange import Exchange
from hlomm.sim.orders import PERP, NewOrder, Order, Resting

LADDER: Final = 8
"""Levels per side."""
USD_TICKS: Final = 10
"""Grid ticks in the effective tick of 1 USD."""
_LOTS_PER_BTC: Final = 100_000
_REFRESH_CHANCE: Final = 0.42
"""Per block of 70 ms; makes the median gap between changes of the touch about 130 ms as recorded."""


class PerpMakers:
    """Keeps the ladder where the path is and lets the price trade through whatever stands in its way."""

    def __init__(self, maker: Account, arbitrageur: Account, rng: random.Random) -> None:
        self._maker = maker
        self._arbitrageur = arbitrageur
        self._rng = rng
        self._ladder: dict[tuple[Side, int], int] = {}

    def due(self) -> bool:
        return self._rng.random() < _REFRESH_CHANCE

    def follow(self, exchange: Exchange, price: float, blocked: tuple[bool, bool]) -> None:
        """Re-centre on the path: the bid is the whole USD at or below it, the ask one above."""
        bid = math.floor(price) * USD_TICKS
        ask = bid + USD_TICKS
        wanted: dict[tuple[Side, int], None] = {}
        for side, first, off in ((Side.BUY, bid, blocked[0]), (Side.SELL, ask, blocked[1])):
            if not off:
                wanted |= dict.fromkeys((side, first - side * level * USD_TICKS) for level in range(LADDER))
        book = exchange.tape.blotter_of(self._maker).open
        refreshed = (Side.BUY, bid) if self._rng.random() < 0.5 else (Side.SELL, ask)
        for key, oid in list(self._ladder.items()):
            order = book.get(oid)
            if order is None or key not in wanted or key == refreshed:
                if order is not None:
                    exchange.perp.cancel(order)
                del self._ladder[key]
        self._sweep(exchange, Side.BUY, bid, off=blocked[0])
        self._sweep(exchange, Side.SELL, ask, off=blocked[1])
        for side, ticks in wanted:
            if (side, ticks) not in self._ladder:
                self._place(exchange, side, ticks)

    def _place(self, exchange: Exchange, side: Side, ticks: int) -> None:
        btc = min(self._rng.lognormvariate(1.2, 1.3), 60.0)
        lots = max(round(btc * _LOTS_PER_BTC), 100)
        new = NewOrder(target=PERP, side=side, ticks=ticks, lots=lots, tif=Tif.ALO)
        placed = exchange.place(self._maker, new)
        if isinstance(placed, Resting):
            self._ladder[(side, ticks)] = placed.oid

    def _sweep(self, exchange: Exchange, side: Side, ticks: int, *, off: bool) -> None:
        """Trade with foreign orders the path has moved through."""
        if off or not exchange.perp.book.crosses(side, ticks):
            return
        lots = exchange.perp.book.lots_within(Side(-side), ticks)
        exchange.place(self._arbitrageur, NewOrder(target=PERP, side=side, ticks=ticks, lots=lots, tif=Tif.IOC))


class PerpTakers:
    """Small market orders, for prints and for the queue at the touch."""

    def __init__(self, account: Account, rng: random.Random, config: FlowConfig, *, block_s: float) -> None:
        self._account = account
        self._rng = rng
        self._chance = min(config.perp_takers_per_s * block_s, 1.0)

    def order(self, exchange: Exchange) -> tuple[Account, NewOrder] | None:
        rng = self._rng
        if rng.random() >= self._chance:
            return None
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        best: Order | None = exchange.perp.book.best(Side(-side))
        if best is None:
            return None
        btc = min(rng.lognormvariate(-4.0, 1.8), 5.0)
        lots = max(round(btc * _LOTS_PER_BTC), -(-11 * 10**8 // (best.ticks * PERP_GRID.cash)))
        return self._account, NewOrder(target=PERP, side=side, ticks=best.ticks, lots=lots, tif=Tif.IOC)
