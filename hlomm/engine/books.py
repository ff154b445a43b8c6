"""Book cache of one market: the newest snapshot, patched by newer best-bid-offer updates.

The stream of depth lags the stream of the touch, so whichever carries the later venue stamp wins (venue sheet,
section 3). Prices are in YES space, best level first. The cache knows four honest states: never seen, empty,
one-sided, two-sided; a crossed picture (touch and depth disagreeing for a moment) is kept but not quoted on.
"""

from __future__ import annotations

from collections.abc import Mapping

from hlomm.domain.inputs import BboUpdate, BookSnapshot, Level
from hlomm.domain.units import Px
from hlomm.domain.view import BookShape


class Book:
    __slots__ = ("asks", "bids", "count", "depth_ms", "received_ns", "seen", "shape", "touch_ms")

    def __init__(self) -> None:
        self.bids: tuple[Level, ...] = ()
        self.asks: tuple[Level, ...] = ()
        self.shape = BookShape.UNKNOWN
        self.depth_ms = -1
        self.touch_ms = -1
        self.received_ns = 0
        """Monotonic time at which the last word on this book was sent, whether or not it changed."""
        self.seen = False
        self.count = 0

    def apply_snapshot(self, item: BookSnapshot, mono_ns: int) -> bool:
        """Take a snapshot of that time; False if it is older than what is known."""
        self.received_ns = max(self.received_ns, mono_ns)
        if item.venue_ms < self.depth_ms:
            return False
        self.depth_ms = item.venue_ms
        if item.venue_ms < self.touch_ms and self.seen:
            # Older than the touch: keep the touch, take the depth behind it.
            bids = _behind(self.bids[:1], item.bids, bid=True)
            asks = _behind(self.asks[:1], item.asks, bid=False)
        else:
            bids, asks = item.bids, item.asks
        return self._replace(bids, asks)

    def apply_bbo(self, item: BboUpdate, mono_ns: int) -> bool:
        """Take a touch update of that time; False if it is older than what is known."""
        self.received_ns = max(self.received_ns, mono_ns)
        if item.venue_ms < self.touch_ms or item.venue_ms < self.depth_ms:
            return False
        self.touch_ms = item.venue_ms
        bids: tuple[Level, ...] = () if item.bid is None else (item.bid,)
        asks: tuple[Level, ...] = () if item.ask is None else (item.ask,)
        # Without a snapshot there is no depth: touches of the past are not it, and would pile up for ever.
        if self.depth_ms >= 0:
            bids, asks = _behind(bids, self.bids, bid=True), _behind(asks, self.asks, bid=False)
        return self._replace(bids, asks)

    def _replace(self, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> bool:
        if self.seen and bids == self.bids and asks == self.asks:
            return False
        self.bids, self.asks, self.shape = bids, asks, shape_of(bids, asks)
        self.seen = True
        self.count += 1
        return True

    def forget(self) -> None:
        """Drop everything: the stream was lost, what follows is a new picture."""
        self.bids = self.asks = ()
        self.depth_ms = self.touch_ms = -1
        self.seen, self.shape = False, BookShape.UNKNOWN

    @property
    def best_bid(self) -> Px | None:
        return Px(self.bids[0][0]) if self.bids else None

    @property
    def best_ask(self) -> Px | None:
        return Px(self.asks[0][0]) if self.asks else None


def shape_of(bids: tuple[Level, ...], asks: tuple[Level, ...]) -> BookShape:
    if bids and asks:
        return BookShape.CROSSED if bids[0][0] >= asks[0][0] else BookShape.TWO_SIDED
    if bids:
        return BookShape.BID_ONLY
    return BookShape.ASK_ONLY if asks else BookShape.EMPTY


def shape_without_own(shape: BookShape, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> BookShape:
    """Shape of a book of that shape once our own orders are taken out of it."""
    return shape if shape in (BookShape.UNKNOWN, BookShape.CROSSED) else shape_of(bids, asks)


def without_own(levels: tuple[Level, ...], own: Mapping[int, int]) -> tuple[Level, ...]:
    """The levels with our own resting quantities (by price) taken out."""
    if not own:
        return levels
    others = list(levels)
    for px, mine in own.items():
        for place, (at, qty) in enumerate(others):
            if at == px:  # near the touch, as a rule
                if qty > mine:
                    others[place] = at, qty - mine
                else:
                    del others[place]
                break
    return tuple(others)


def _behind(touch: tuple[Level, ...], depth: tuple[Level, ...], *, bid: bool) -> tuple[Level, ...]:
    """The touch followed by the depth levels strictly worse than it."""
    if not touch:
        return ()
    best = touch[0][0]
    if bid:
        return (*touch, *[level for level in depth if level[0] < best])
    return (*touch, *[level for level in depth if level[0] > best])
