"""The live run once more, record by record: proves that the journal is what was decided, and knows what was ours.

What it hands on is what the world said, as it would have been without our own orders: they are taken out of every book
of an outcome. Prints stay, also those that filled us: whoever traded then would have traded with the next one.
"""

from __future__ import annotations

import attrs

from hlomm.assembly.engine import build_engine
from hlomm.domain.faults import JournalCorrupt
from hlomm.domain.ids import HYPERLIQUID, MarketId, is_outcome, venue_of
from hlomm.domain.inputs import (
    BboUpdate,
    BookSnapshot,
    Booted,
    FeeRates,
    Input,
    MarketChanged,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    MarkPrice,
    SessionUp,
    TradePrint,
)
from hlomm.domain.times import Now
from hlomm.domain.units import Cash
from hlomm.engine.core import Engine
from hlomm.journal.codec import InputRecord, Record, TurnRecord, encode_outputs
from hlomm.settings.load import engine_settings

_OF_MARKETS = MarketChanged | MarketDelisted | MarketSettled | BookSnapshot | BboUpdate | TradePrint | MarkPrice


@attrs.frozen
class Piece:
    """What the run decided on together."""

    now: Now
    items: tuple[Input, ...]


class Twin:
    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.boot: Booted | None = None
        self._items: list[Input] = []
        self._up = False

    def take(self, record: Record) -> Piece | None:
        """What a turn was about. JournalCorrupt where the run cannot be relived: then nothing of it proves anything."""
        if isinstance(record, InputRecord):
            self._input(record.item, record.now)
        elif isinstance(record, TurnRecord):
            return self._turn(record)
        return None

    @property
    def equity(self) -> Cash:
        """What the run has, all accounts together; 0 before its books are open."""
        return Cash(0) if self.engine is None else Cash(self.engine.state.equity())

    def _input(self, item: Input, now: Now) -> None:
        if self.engine is None:
            if not isinstance(item, Booted):
                raise JournalCorrupt("the run does not start with its boot record", offset=0, records=0)
            self.boot = item
            self.engine = build_engine(engine_settings(item.config, ()), tuple(item.account_of))
        self.engine.feed(item, now)
        if (public := self._public(item)) is not None:
            self._items.append(public)

    def _turn(self, record: TurnRecord) -> Piece | None:
        assert self.engine is not None
        outputs = self.engine.turn(record.now)
        if encode_outputs(outputs) != encode_outputs(record.outputs) or self.engine.digest() != record.digest:
            raise JournalCorrupt(f"record {record.seq} was decided by another program", offset=0, records=record.seq)
        items, self._items = tuple(self._items), []
        return Piece(record.now, items) if items else None

    def _public(self, item: Input) -> Input | None:
        match item:
            case SessionUp(venue=venue) | FeeRates(venue=venue):
                first = isinstance(item, FeeRates) or not self._up
                self._up |= isinstance(item, SessionUp) and venue == HYPERLIQUID
                return item if venue == HYPERLIQUID and first else None
            case MarketListed(market=market):
                return item if market.venue == HYPERLIQUID else None
            case MarketChanged(market=market):
                return item if market.venue == HYPERLIQUID else None
            case BookSnapshot(market=name) | BboUpdate(market=name) if is_outcome(name):
                return self._without_ours(name, item.venue_ms) if venue_of(name) == HYPERLIQUID else None
            case _ if isinstance(item, _OF_MARKETS):
                return item if venue_of(item.market) == HYPERLIQUID else None
        return None

    def _without_ours(self, name: MarketId, venue_ms: int) -> Input | None:
        assert self.engine is not None
        market = self.engine.state.markets.get(name)
        if market is None:
            return None
        assert self.boot is not None
        # On paper ours never were in them.
        others = market.book if self.boot.fill_model else self.engine.state.others(market)
        return BookSnapshot(name, tuple(others.bids), tuple(others.asks), venue_ms)
