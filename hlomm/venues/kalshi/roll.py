"""Markets come and go: the list by series, life-cycle frames, and what settled markets paid (venue sheet section 12).

Opening and closing are silent: they are known by the clock. `determined` says what a market pays, `settled` that it was
paid; only then is it told, so that the account and the books move together. Whatever frames are missed, the list and
the market's own document are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import structlog
import trio

from hlomm.domain.faults import ProtocolViolation, VenueUnavailable
from hlomm.domain.ids import kalshi_market
from hlomm.domain.inputs import Input, MarketDelisted, MarketListed, MarketSettled
from hlomm.domain.units import ONE, Px
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.counters import Counters
from hlomm.venues.kalshi.account_feed import AccountFeed
from hlomm.venues.kalshi.config import KalshiConfig
from hlomm.venues.kalshi.purse import Purse
from hlomm.venues.kalshi.registry import Registry, closes_within
from hlomm.venues.kalshi.rest import KalshiRest
from hlomm.venues.kalshi.wire.documents import MarketDoc
from hlomm.venues.kalshi.wire.exchange import settlement_px
from hlomm.venues.kalshi.wire.frames import EventFeeMsg, LifecycleMsg
from hlomm.venues.venue_time import VenueTime

FETCHES_MAX: Final = 256
OPEN: Final = ("open", "unopened")
FINAL: Final = "finalized"
_RESULTS: Final = {"yes": ONE, "no": Px(0)}
_REREAD: Final = frozenset(
    {"created", "metadata_updated", "close_date_updated", "price_level_structure_updated", "activated"}
)

_log = structlog.get_logger("hlomm.venues.kalshi")


@attrs.define(eq=False)
class MarketRoll:
    """Takes news of markets and tells what follows from it."""

    _config: KalshiConfig
    _time: VenueTime
    _counters: Counters
    _rest: KalshiRest
    _registry: Registry
    _purse: Purse
    _feed: AccountFeed
    _emit: Callable[[Sequence[Input]], None]
    _forget: Callable[[str], None]
    """Stops the streams of a market that is over."""
    _values: BoundedMap[str, Px] = attrs.field(factory=lambda: BoundedMap(FETCHES_MAX))
    """What determined markets pay."""
    _fetch: dict[str, None] = attrs.field(factory=dict)
    """Markets whose document is to be read."""
    wanted: trio.Event = attrs.field(factory=trio.Event)
    """Set when there is something to fetch."""

    def _wall_ns(self) -> int:
        return self._time.wall_ms() * 1_000_000

    # -- lists

    async def read_lists(self) -> None:
        """All series: their terms, their markets that close soon, and what became of those past their close."""
        for name in self._config.series:
            series = await self._rest.series(name)
            if series is None:
                self._counters.add("series_unknown_to_the_venue")
                continue
            self._registry.series[name] = series
            for status in OPEN:
                for doc in await self._rest.markets(name, status):
                    await self._take_row(doc)
        await self.settle_due()

    async def _take_row(self, doc: MarketDoc) -> None:
        """A row of a list. Lists may show a strike later than the market's own document: that one is asked in time."""
        await trio.lowlevel.checkpoint()
        try:
            soon = closes_within(doc, self._wall_ns(), self._config.horizon_s)
        except ProtocolViolation:
            self._counters.add("market_rows_unreadable")
            return
        if not soon or doc.ticker in self._registry.over:
            return
        if doc.event_ticker not in self._registry.events:
            page = await self._rest.event(doc.event_ticker)
            if page is None:
                self._counters.add("events_unknown_to_the_venue")  # the next list asks for it again
                return
            for event in page.events:
                self._registry.events.put(event.event_ticker, event)
        known = self._registry.docs.get(doc.ticker)
        if known is not None and known.floor_strike is not None and doc.floor_strike is None:
            return  # the list lags behind
        self._emit(self._registry.take(doc, self._wall_ns()))

    def _want(self, ticker: str) -> None:
        if len(self._fetch) < FETCHES_MAX:
            self._fetch[ticker] = None
            self.wanted.set()

    async def fetch(self) -> None:
        """Read the documents that news asked for, as far as the read budget goes; the rest waits for the next round."""
        for ticker in list(self._fetch):
            if not self._rest.affords(1):
                self._counters.add("documents_put_off", len(self._fetch))
                return
            self._fetch.pop(ticker, None)
            try:
                doc = await self._rest.market(ticker)
            except VenueUnavailable:
                self._counters.add("market_questions_failed")
                continue
            if doc is None:
                self._counters.add("markets_unknown_to_the_venue")
                continue
            if doc.event_ticker not in self._registry.events:
                await self._take_row(doc)
                continue
            self._emit(self._registry.take(doc, self._wall_ns()))

    async def fetch_waiting(self) -> None:
        """Open markets without a strike are looked at again.

        Nobody is woken for them: whoever reads them would wake itself, and ask as fast as the venue answers.
        """
        for ticker in self._registry.waiting(self._wall_ns()):
            if len(self._fetch) < FETCHES_MAX:
                self._fetch[ticker] = None
        await self.fetch()

    # -- frames

    def on_lifecycle(self, msg: LifecycleMsg) -> list[Input]:
        """News of a market; ProtocolViolation for figures that are none."""
        ticker = msg.market_ticker
        if not self._registry.follows(ticker):
            return []
        self._counters.add(f"lifecycle.{msg.event_type}")
        if msg.event_type == "determined" and msg.settlement_value is not None:
            self._values.put(ticker, settlement_px(msg.settlement_value))
            return []
        if msg.event_type == "settled":
            value = self._values.get(ticker)
            return [] if value is None else self.settled(ticker, value, "settled")
        if msg.event_type in _REREAD:
            changed = self._registry.changed(msg)
            self._want(ticker)
            return [] if changed is None else self._registry.take(changed, self._wall_ns())
        return []

    def on_fees(self, msg: EventFeeMsg) -> list[Input]:
        return self._registry.recharge(msg, self._wall_ns())

    # -- ends

    def settled(self, ticker: str, yes_px: Px, why: str) -> list[Input]:
        """A market has paid."""
        if ticker in self._registry.over:
            return []
        now_ms = self._time.wall_ms()
        self._registry.end(ticker)
        self._purse.settle(ticker, yes_px, now_ms)
        self._feed.active(now_ms)
        self._forget(ticker)
        _log.info("market settled", ticker=ticker, yes_px=yes_px, why=why)
        return [MarketSettled(kalshi_market(ticker), yes_px, why)]

    async def settle_due(self) -> None:
        """Ask after listed and held markets that are past their close."""
        held = [ticker for ticker, qty in self._purse.positions.items() if qty]
        for ticker in dict.fromkeys((*self._registry.due(self._wall_ns()), *held)):
            market = self._registry.market(ticker)
            if market is not None and (market.expiry_ns or 0) > self._wall_ns():
                continue
            doc = await self._rest.market(ticker)
            if doc is None:
                self._counters.add("markets_unknown_to_the_venue")
                await self._settle_by_record(ticker)
            elif doc.status == FINAL:
                try:
                    value = _value_of(doc)
                except ProtocolViolation:
                    value = None
                if value is None:
                    self._counters.add("settlements_unreadable")
                else:
                    self._emit(self.settled(ticker, value, "document"))

    async def _settle_by_record(self, ticker: str) -> None:
        """A market whose document is gone: the account's own record says what it paid, if anything of it was held."""
        if not self._purse.positions.get(ticker):
            market = self._registry.end(ticker)
            self._forget(ticker)
            self._emit([] if market is None else [MarketDelisted(market.id, "closed, and the venue knows it no more")])
            return
        for row in await self._rest.settlements():
            pays = _RESULTS.get(row.result)
            if row.ticker == ticker and pays is not None:
                self._emit(self.settled(ticker, pays, "settlement"))
                return

    def tell_all(self) -> None:
        """Every listed market again: a later run has an engine of its own."""
        self._emit([MarketListed(market) for market in self._registry.markets.values()])


def _value_of(doc: MarketDoc) -> Px | None:
    if doc.settlement_value_dollars:
        return settlement_px(doc.settlement_value_dollars)
    return _RESULTS.get(doc.result)
