"""The books of pairs across venues; see `hlomm.engine.arbitrage` for what happens to them."""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from hlomm.domain.basket_rows import SignalRow, TradeRow
from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Leg
from hlomm.engine.basket import Group

OPEN_MAX: Final = 500
"""Pairs held at a time; beyond it no new one is begun."""
ENDED_KEPT: Final = 500
SIGNALS_KEPT: Final = 100


@attrs.define(eq=False, kw_only=True)
class Kept:
    """A complete pair. Amounts for all of it."""

    group: Group
    legs: tuple[tuple[MarketId, Leg], ...]
    qty: int
    spent: int
    """Cash, fees included."""
    expected: int
    """Least that it was to leave when it was sent."""
    began_ms: int
    paid: dict[MarketId, int] = attrs.field(factory=dict)
    """What each leg brought at its settlement."""


@attrs.define(eq=False)
class Pairs:
    open: list[Kept] = attrs.field(factory=list)
    ended: deque[TradeRow] = attrs.field(factory=lambda: deque(maxlen=ENDED_KEPT))
    signals: deque[SignalRow] = attrs.field(factory=lambda: deque(maxlen=SIGNALS_KEPT))
    taken: int = 0
    settled: int = 0
    mismatched: int = 0
    """Pairs that paid anything but 1."""
    expected: int = 0
    """Of those that settled."""
    realised: int = 0
    legging: int = 0
    """Lost on legs that were not matched, over all baskets."""

    def held(self, group: Group) -> int:
        """Pairs of a link that are held."""
        return sum(kept.qty for kept in self.open if kept.group == group)

    def tokens(self, market: MarketId, leg: Leg) -> int:
        """Tokens that belong to complete pairs."""
        return sum(kept.qty for kept in self.open if (market, leg) in kept.legs)
