"""The market that is looked at in full: what the daemon is asked for, and what it showed. No Textual, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from hlomm.domain.ids import MarketId
from hlomm.domain.look_rows import LookRow


class Drawn(StrEnum):
    """Figures of a quote that a map may show."""

    HALF = "half-spread"
    RESERVATION = "reservation"
    BID = "bid"
    ASK = "ask"

    @property
    def next(self) -> Drawn:
        every = list(Drawn)
        return every[(every.index(self) + 1) % len(every)]


@dataclass
class Looked:
    able: bool = False
    """Whether the daemon shows one market in full."""
    last: MarketId | None = None
    """The market that was last opened in full."""
    drawn: Drawn = Drawn.HALF
    _seen: LookRow | None = None
    _held: LookRow | None = None
    """What had been shown when the display was frozen."""
    _frozen: bool = False

    def connected(self, *, able: bool) -> None:
        """What another daemon showed, or another run, is of no use."""
        self.able, self._seen = able, None

    def showed(self, look: LookRow | None) -> None:
        """An answer to an order comes without: that takes nothing away."""
        self._seen = self._seen if look is None else look

    def freeze(self, *, frozen: bool) -> None:
        self._held, self._frozen = self._seen, frozen

    def of(self, market: MarketId | None) -> LookRow | None:
        """None while the daemon has not shown it."""
        row = self._held if self._frozen else self._seen
        return row if row is not None and row.market == market else None


class Ask(Protocol):
    def __call__(self, market: MarketId | None, *, surfaces: bool = False) -> None: ...


@dataclass
class Asked:
    """What the daemon was asked for last: it is asked again only for something else."""

    _market: MarketId | None = None
    _surfaces: bool = False

    def want(self, ask: Ask, market: MarketId | None, *, surfaces: bool) -> None:
        if (market, surfaces) != (self._market, self._surfaces):
            self._market, self._surfaces = market, surfaces
            ask(market, surfaces=surfaces)
