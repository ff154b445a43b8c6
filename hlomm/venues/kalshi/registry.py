"""What is listed: documents, the markets read from them, and what changed. Pure.

A market is told once when it can be read, again when it reads differently, and as delisted when it can no longer be
read. One that never could (no strike yet, another source) waits here under the reason.
"""

from __future__ import annotations

from typing import Final

import attrs
import msgspec
import structlog

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import MarketId, kalshi_market
from hlomm.domain.inputs import Input, MarketChanged, MarketDelisted, MarketListed
from hlomm.domain.markets import Market
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Cash
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.counters import Counters
from hlomm.venues.kalshi.terms import NotTraded, Why, read_market
from hlomm.venues.kalshi.wire.documents import EventDoc, MarketDoc, SeriesDoc
from hlomm.venues.kalshi.wire.frames import EventFeeMsg, LifecycleMsg
from hlomm.venues.kalshi.wire.tickers import read_ticker
from hlomm.venues.kalshi.wire.times import wall_ns

DOCS_MAX: Final = 4_096

_log = structlog.get_logger("hlomm.venues.kalshi")


@attrs.define(eq=False)
class Registry:
    """Markets of the series that are followed."""

    allowed: frozenset[str]
    shard: int
    fee_precision: Cash
    counters: Counters
    series: dict[str, SeriesDoc] = attrs.field(factory=dict)
    events: BoundedMap[str, EventDoc] = attrs.field(factory=lambda: BoundedMap(DOCS_MAX))
    docs: BoundedMap[str, MarketDoc] = attrs.field(factory=lambda: BoundedMap(DOCS_MAX))
    markets: dict[MarketId, Market] = attrs.field(factory=dict)
    """Told as listed and not over."""
    refused: BoundedMap[str, Why] = attrs.field(factory=lambda: BoundedMap(DOCS_MAX))
    strikeless: dict[str, None] = attrs.field(factory=dict)
    """Those of them that only lack their strike."""
    over: BoundedMap[str, None] = attrs.field(factory=lambda: BoundedMap(DOCS_MAX))
    """Settled or given up: never listed again."""

    def follows(self, ticker: str) -> bool:
        return ticker.partition("-")[0] in self.allowed

    def shard_of(self, ticker: str) -> int:
        """Shard of a market: its own word, its event's, or the configured one."""
        doc = self.docs.get(ticker)
        event = None if doc is None else self.events.get(doc.event_ticker)
        for said in (doc, event):
            if said is not None and said.exchange_index is not None:
                return said.exchange_index
        return self.shard

    def market(self, ticker: str) -> Market | None:
        return self.markets.get(kalshi_market(ticker))

    def take(self, doc: MarketDoc, wall_now_ns: int) -> list[Input]:
        """A document of a market whose series and event are known."""
        event, series = self.events.get(doc.event_ticker), self.series.get(doc.ticker.partition("-")[0])
        if event is None or series is None or doc.ticker in self.over:
            return []
        self.docs.put(doc.ticker, doc)
        read = read_market(doc, event, series, allowed=self.allowed, fee_precision=self.fee_precision)
        told = self.market(doc.ticker)
        if isinstance(read, NotTraded):
            return self._refuse(doc.ticker, read, told)
        if told is None:
            # A market past its close only waits to be settled; nobody could trade it.
            if (read.expiry_ns or 0) <= wall_now_ns:
                return []
            self.refused.pop(doc.ticker)
            self.strikeless.pop(doc.ticker, None)
            self.markets[read.id] = read
            _log.info("market listed", ticker=doc.ticker, name=read.ticker)
            return [MarketListed(read)]
        if read == told:
            return []
        self.markets[read.id] = read
        _log.warning("market changed", ticker=doc.ticker)
        return [MarketChanged(read)]

    def _refuse(self, ticker: str, why: NotTraded, told: Market | None) -> list[Input]:
        if self.refused.get(ticker) is not why.why:
            self.counters.add(f"not_traded.{why.why}")
            if why.why is not Why.STRIKE_UNKNOWN:
                _log.warning("market not traded", ticker=ticker, why=why.why, detail=why.detail)
        self.refused.put(ticker, why.why)
        if why.why is Why.STRIKE_UNKNOWN:
            self.strikeless[ticker] = None
        else:
            self.strikeless.pop(ticker, None)
        if told is None:
            return []
        del self.markets[told.id]
        return [MarketDelisted(told.id, f"{why.why}: {why.detail}"[:160])]

    def end(self, ticker: str) -> Market | None:
        """A market is over."""
        self.over.put(ticker, None)
        self.docs.pop(ticker)
        return self.markets.pop(kalshi_market(ticker), None)

    def changed(self, msg: LifecycleMsg) -> MarketDoc | None:
        """The known document with what a lifecycle frame says of it, None for an unknown one."""
        doc = self.docs.get(msg.market_ticker)
        if doc is None:
            return None
        news = {
            name: value
            for name in ("floor_strike", "cap_strike", "strike_type", "yes_sub_title", "price_ranges")
            if (value := getattr(msg, name)) is not None
        }
        return msgspec.structs.replace(doc, **news)

    def recharge(self, msg: EventFeeMsg, wall_now_ns: int) -> list[Input]:
        """An event has other fees."""
        event = self.events.get(msg.event_ticker)
        if event is None:
            return []
        self.events.put(
            msg.event_ticker,
            msgspec.structs.replace(
                event, fee_type_override=msg.fee_type_override, fee_multiplier_override=msg.fee_multiplier_override
            ),
        )
        events: list[Input] = []
        for market in list(self.markets.values()):
            doc = self.docs.get(market.id.partition(":")[2])
            if doc is not None and doc.event_ticker == msg.event_ticker:
                events += self.take(doc, wall_now_ns)
        return events

    def due(self, wall_now_ns: int) -> list[str]:
        """Listed markets past their close."""
        return [
            market.id.partition(":")[2]
            for market in self.markets.values()
            if market.expiry_ns is not None and market.expiry_ns <= wall_now_ns
        ]

    def waiting(self, wall_now_ns: int) -> list[str]:
        """Markets that are open but had no strike when last looked at."""
        found = []
        for ticker in list(self.strikeless):
            doc = self.docs.get(ticker)
            try:
                over = doc is None or wall_ns(doc.close_time, "market.close_time") <= wall_now_ns
                if doc is not None and not over and wall_ns(doc.open_time, "market.open_time") <= wall_now_ns:
                    found.append(ticker)
            except ProtocolViolation:
                over = True
            if over:
                del self.strikeless[ticker]
        return found


def closes_within(doc: MarketDoc, wall_now_ns: int, horizon_s: float) -> bool:
    """Whether it closes from now on and soon enough; ProtocolViolation for times that are none."""
    close_ns = wall_ns(doc.close_time, "market.close_time")
    return wall_now_ns < close_ns <= wall_now_ns + int(horizon_s * NS_PER_S) and read_ticker(doc.ticker) is not None
