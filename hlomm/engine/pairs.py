"""The books of pairs and sets that are held; see `hlomm.engine.arbitrage` for what happens to them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

import attrs

from hlomm.domain.basket_rows import ArbitrageKind, SignalRow, TradeRow
from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Leg
from hlomm.domain.units import SCALE, Px, notional_floor
from hlomm.engine.basket import BasketState, Group

OPEN_MAX: Final = 500
"""Pairs held at a time; beyond it no new one is begun."""
ENDED_KEPT: Final = 500
SIGNALS_KEPT: Final = 100
DELAYS_KEPT: Final = 500


@attrs.define(eq=False, kw_only=True)
class Kept:
    """A complete pair or set. Amounts for all of it."""

    group: Group
    legs: tuple[tuple[MarketId, Leg], ...]
    qty: int
    spent: int
    """Cash, fees included."""
    expected: int
    """Least that it was to leave when it was sent."""
    began_ms: int
    maker: bool = False
    """It began with a leg that rested."""
    paid: dict[MarketId, int] = attrs.field(factory=dict)
    """What each leg brought at its settlement."""
    kind: ArbitrageKind = ArbitrageKind.CROSS
    worth: int = SCALE
    """What one of it pays at least."""
    basket: BasketState | None = None
    """That made it, in this run."""
    slippage: int = 0
    """Of a maker's, as it was counted."""

    @property
    def sure(self) -> int:
        """What all of it must pay."""
        return notional_floor(Px(self.worth), self.qty)


@attrs.define(eq=False)
class Tally:
    """Of one kind; as in `hlomm.domain.basket_rows.KindRow`."""

    taken: int = 0
    settled: int = 0
    mismatched: int = 0
    bonus: int = 0
    expected: int = 0
    realised: int = 0


@attrs.define(eq=False)
class Pairs:
    open: list[Kept] = attrs.field(factory=list)
    parted: list[Kept] = attrs.field(factory=list)
    """Those whose tokens are being sold with everything else: what is whole at the end of that is open again."""
    ended: deque[TradeRow] = attrs.field(factory=lambda: deque(maxlen=ENDED_KEPT))
    signals: deque[SignalRow] = attrs.field(factory=lambda: deque(maxlen=SIGNALS_KEPT))
    taken: int = 0
    settled: int = 0
    mismatched: int = 0
    """Those that did not pay what they must."""
    expected: int = 0
    """Of those that settled."""
    realised: int = 0
    legging: int = 0
    """Lost on legs that were not matched, over all baskets."""
    tallies: dict[ArbitrageKind, Tally] = attrs.field(factory=lambda: {kind: Tally() for kind in ArbitrageKind})
    made: int = 0
    """Of those taken: that began with a leg that rested."""
    slippage: int = 0
    """What their hedges cost beyond the worst price that was planned with; negative if less."""
    hedge_delays: deque[int] = attrs.field(factory=lambda: deque(maxlen=DELAYS_KEPT))
    """Nanoseconds from a fill of what rested to the last of its hedge."""

    def held(self, markets: Iterable[MarketId]) -> int:
        """Pairs or sets of these contracts that are held, whichever way round and however they began."""
        wanted = set(markets)
        return sum(kept.qty for kept in self.open if {market for market, _ in kept.legs} == wanted)

    def tokens(self, market: MarketId, leg: Leg) -> int:
        """Tokens that belong to complete pairs and sets."""
        return sum(kept.qty for kept in self.open if (market, leg) in kept.legs)
