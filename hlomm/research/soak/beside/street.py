"""What stands beside Hyperliquid's contracts at the other venues, and other people there.

A contract of Hyperliquid is listed again at both, with nearly the same strike and the same end, and settles by each
venue's own rule a little later: a pair of legs may part. The makers of each venue believe something of their own; now
and then so much that the prices of two venues are worth a trade.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from hlomm.domain.ids import MarketId
from hlomm.research.soak.beside.door import Contract, Door
from hlomm.research.soak.crowd import VOL, Crowd
from hlomm.research.soak.timeline import S, Timeline
from hlomm.sim.digital import digital

WHOLE: Final = 10_000
LISTED_S: Final = (1.0, 8.0)
CANDLE_S: Final = 60
SETTLED_S: Final = (2.0, 20.0)
NOISE: Final = 0.00003
"""Standard deviation of a venue's settlement price against the price itself."""
APART: Final = (0.05, 0.13)
"""How far the makers of one venue go astray, in probability."""
APART_LOOKS: Final = 3
TAKES: Final = 0.2
AGAIN_S: Final = (0.8, 3.0)


@attrs.define(eq=False)
class _Listed:
    market: MarketId
    door: Door
    contract: Contract
    astray: float = 0.0
    left: int = 0
    """Looks of the crowd for which that lasts."""


class Street:
    """`on_news` hears of every door whose list has changed."""

    def __init__(
        self, timeline: Timeline, rng: random.Random, crowd: Crowd, doors: Sequence[Door], apart: float
    ) -> None:
        self._timeline = timeline
        self._rng = rng
        self._crowd = crowd
        self._doors = doors
        self._apart = apart
        """Probability that the makers of a market go astray at one look."""
        self._live: list[_Listed] = []
        self.settled = 0
        self.on_news: Callable[[Door], None] = lambda _door: None
        self.on_book: Callable[[Door, MarketId], None] = lambda _door, _market: None

    # -- contracts

    def beside(self, contract: Contract) -> None:
        """Hyperliquid has listed one."""
        for door in self._doors:
            delay_s = self._rng.uniform(*LISTED_S)
            self._timeline.after(round(delay_s * S), lambda door=door: self._list(door, contract))  # type: ignore[misc]

    def _list(self, door: Door, contract: Contract) -> None:
        left_ns = contract.expiry_ns - door.now_ns
        market = door.stand(contract) if left_ns > 0 else None
        if market is None:
            return
        listed = _Listed(market, door, contract)
        self._live.append(listed)
        self._quote(listed)
        self._timeline.after(left_ns, lambda: self._end(listed))
        self.on_news(door)

    def _end(self, listed: _Listed) -> None:
        self._live.remove(listed)
        listed.door.end(listed.market)
        decided_s = CANDLE_S if listed.door.own.minimum is not None else 0
        delay_s = decided_s + self._rng.uniform(*SETTLED_S)
        self._timeline.after(round(decided_s * S), lambda: self._decide(listed, delay_s - decided_s))

    def _decide(self, listed: _Listed, delay_s: float) -> None:
        """The price is made now and told later."""
        price = round(self._crowd.price * (1 + self._rng.gauss(0.0, NOISE)) * 10**8)

        def settle() -> None:
            listed.door.settle(listed.market, price)
            self.settled += 1
            self.on_news(listed.door)

        self._timeline.after(round(delay_s * S), settle)

    # -- others

    def look(self) -> None:
        """The crowd has looked at Hyperliquid: now it looks here."""
        for listed in self._live:
            self._quote(listed)
            if self._rng.random() < TAKES:
                side = 1 if self._rng.random() < 0.5 else -1
                listed.door.hit(listed.market, side, max(round(self._rng.lognormvariate(3.0, 0.8)), 5))

    def again(self, market: MarketId) -> None:
        """Somebody took what they offered: soon they offer again."""
        listed = next((one for one in self._live if one.market == market), None)
        if listed is not None:
            self._timeline.after(round(self._rng.uniform(*AGAIN_S) * S), lambda: self._offer(listed))

    def _offer(self, listed: _Listed) -> None:
        if listed in self._live:
            self._quote(listed)
            self.on_book(listed.door, listed.market)

    def _quote(self, listed: _Listed) -> None:
        listed.door.quote(listed.market, self._levels(listed))

    def _levels(self, listed: _Listed) -> list[tuple[int, int]]:
        contract, rng = listed.contract, self._rng
        tau_s = (contract.expiry_ns - listed.door.now_ns) / S
        fair = digital(self._crowd.price, contract.strike / 10**8, VOL, max(tau_s, 1.0)).probability
        if listed.left:
            listed.left -= 1
        else:
            listed.astray = 0.0
        if not listed.left and rng.random() < self._apart:
            listed.astray = rng.choice((-1, 1)) * rng.uniform(*APART)
            listed.left = APART_LOOKS
        centre = fair + listed.astray + rng.gauss(0.0, 0.003)
        half = 0.01 * 4 * fair * (1 - fair) + 0.004
        levels = []
        for level in (1.0, 1.8):
            for side in (1, -1):
                ticks = round((centre - side * half * level) * WHOLE / 100) * 100
                size = max(round(rng.lognormvariate(4.2, 0.6)), 20)
                levels.append((min(max(ticks, 100), WHOLE - 100), side * size))
        return levels
