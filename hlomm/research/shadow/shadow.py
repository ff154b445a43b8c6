"""The engine with other settings, told what a live run was told, trading on a tape's venue.

Everything is taken `LAG_NS` after it was journalled, so that a print that came late stands in its place before anything
of ours could have met it: followed or run again afterwards, the result is the same. Only Hyperliquid's outcomes fill;
the run's halts, pauses and commands are its own.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from hlomm.domain.ids import HYPERLIQUID, MarketId
from hlomm.domain.inputs import (
    BookSnapshot,
    FeeRates,
    FillReceived,
    Input,
    MarketListed,
    MarketSettled,
    TradePrint,
)
from hlomm.domain.markets import MarketKind
from hlomm.domain.times import NS_PER_MS, NS_PER_S, Now
from hlomm.domain.units import Cash
from hlomm.engine.core import Engine
from hlomm.research.driver import Driver
from hlomm.research.fill_model import FillModel
from hlomm.research.onlooker import Onlooker
from hlomm.research.shadow.twin import Piece
from hlomm.research.tape import Happened
from hlomm.research.tape_venue import FREE, TapeVenue
from hlomm.research.usable import MAX_PRINT_AGE_NS
from hlomm.settings.load import Loaded

LAG_NS: Final = MAX_PRINT_AGE_NS + NS_PER_S
FORGOTTEN_NS: Final = 600 * NS_PER_S
"""After its settlement: nothing of a contract is under way any more."""
WAITING_MAX: Final = 1_000_000
"""Pieces within the lag; more means that the journal's clock stands still."""


class Shadow:
    """One set of settings beside one run."""

    def __init__(self, loaded: Loaded, model: FillModel, cash: Cash, began: Now, onlooker: Onlooker) -> None:
        self._tape: list[Happened] = []
        self._venue = TapeVenue((), cash, model, self._tape, ahead_ns=began.wall_ns - began.mono_ns)
        self._driver = Driver(loaded, self._venue, onlooker)
        self._driver.boot(began.wall_ns)
        self._driver.feed(self._venue.account(began.wall_ns), began.wall_ns)
        self._rates: FeeRates = FREE
        self._waiting: deque[Piece] = deque()
        self._over: deque[tuple[int, MarketId]] = deque()
        """Contracts that have settled, and when they are let go of."""
        self._places = 0
        self._latest_ns = began.wall_ns
        """Of what the driver was told."""

    @property
    def engine(self) -> Engine:
        return self._driver.engine

    def take(self, piece: Piece) -> None:
        """What the run was told; it takes effect once all that could come before it has."""
        self._waiting.append(piece)
        assert len(self._waiting) <= WAITING_MAX, "the journal's clock stands still"
        for item in piece.items:
            if isinstance(item, BookSnapshot | TradePrint):
                self._expect(item, piece.now.wall_ns)
        while self._waiting[0].now.wall_ns <= piece.now.wall_ns - LAG_NS:
            self._tell(self._waiting.popleft())

    def finish(self) -> None:
        """Everything that still waits."""
        while self._waiting:
            self._tell(self._waiting.popleft())

    def _expect(self, item: BookSnapshot | TradePrint, told_ns: int) -> None:
        at_ns = min(item.venue_ms * NS_PER_MS or told_ns, told_ns)
        if isinstance(item, TradePrint) and told_ns - at_ns > MAX_PRINT_AGE_NS:
            return  # history that a subscription repeats
        self._places += 1
        self._venue.expect(Happened(at_ns=at_ns, told_ns=told_ns, place=self._places, item=item))

    def _tell(self, piece: Piece) -> None:
        at_ns = self._latest_ns = max(piece.now.wall_ns, self._latest_ns)
        while self._over and self._over[0][0] <= at_ns:
            _, gone = self._over.popleft()
            if gone in self._venue.markets:
                self._venue.forget(gone)
        news: list[Input] = []
        for item in piece.items:
            self._know(item, at_ns)
            news.append(item)
        self._driver.told(news, at_ns)

    def _know(self, item: Input, at_ns: int) -> None:
        """What changes at the venue before the engine hears of it."""
        match item:
            case FeeRates():
                self._rates = item
            case MarketListed(market=market) if market.kind is MarketKind.OUTCOME and market.venue == HYPERLIQUID:
                self._venue.open(market, self._rates)
            case MarketSettled(market=name, yes_px=yes_px) if name in self._venue.markets:
                self._over.append((at_ns + FORGOTTEN_NS, name))
                self._driver.advance(at_ns)
                for part in self._venue.settle(name, yes_px, at_ns):
                    self._driver.feed(FillReceived(part), at_ns)
