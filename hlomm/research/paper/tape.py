"""What is heard, onto the tape of the exchange at home: by the rules by which a backtest takes rows of a recording."""

from __future__ import annotations

import attrs

from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import BboUpdate, BookSnapshot, TradePrint
from hlomm.domain.times import NS_PER_MS
from hlomm.research.tape import Happened
from hlomm.research.tape_venue import TapeVenue
from hlomm.research.usable import MAX_PRINT_AGE_NS, nonsense
from hlomm.venues.counters import Counters

News = BookSnapshot | TradePrint | BboUpdate


@attrs.define(eq=False)
class LiveTape:
    """Hands on what the exchange trades on, and keeps the last book of each market."""

    _exchange: TapeVenue
    _hold_ns: int
    """How far behind the clock the exchange is."""
    _counters: Counters
    books: dict[MarketId, BookSnapshot] = attrs.field(factory=dict)
    _places: int = 0

    def happened(self, item: News, now_ns: int) -> None:
        """Received now; what a backtest would leave out of a recording is left out here."""
        if isinstance(item, BookSnapshot):
            self.books[item.market] = item
        elif isinstance(item, BboUpdate) and item.market in self._exchange.perps:
            bids, asks = (() if level is None else (level,) for level in (item.bid, item.ask))
            self.books[item.market] = BookSnapshot(item.market, bids, asks, item.venue_ms)
        traded = self._exchange.perps if isinstance(item, BboUpdate) else self._exchange.markets
        if item.market not in traded:
            return
        if crossed(item) or nonsense(item) is not None:
            self._counters.add("rows_not_used")
            return
        at_ns = min(item.venue_ms * NS_PER_MS or now_ns, now_ns)
        if isinstance(item, TradePrint) and now_ns - at_ns > MAX_PRINT_AGE_NS:
            self._counters.add("prints_replayed")
            return
        if now_ns - at_ns > self._hold_ns:
            self._counters.add("fed_late")
        self._places += 1
        self._exchange.expect(Happened(at_ns=at_ns, told_ns=now_ns, place=self._places, item=item))


def crossed(item: News) -> bool:
    """Whether its best bid is no lower than its best offer."""
    match item:
        case BookSnapshot(bids=bids, asks=asks):
            return bool(bids and asks) and bids[0][0] >= asks[0][0]
        case BboUpdate(bid=bid, ask=ask):
            return bid is not None and ask is not None and bid[0] >= ask[0]
    return False
