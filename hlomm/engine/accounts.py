"""The books of every venue side by side: each with cash of its own, and the sums over them.

Money does not move between venues by itself, so what an order may spend and what an account is compared with is always
one venue's; drawdown, result and limits look at all of them together. A market's venue is known from its name.

Only Hyperliquid has perps: `perps` are its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from hlomm.domain.fills import Fill
from hlomm.domain.ids import HYPERLIQUID, MarketId, VenueId, venue_of
from hlomm.domain.units import Px
from hlomm.engine.exposure import locked_cost
from hlomm.engine.perps import Perps
from hlomm.engine.portfolio import Portfolio
from hlomm.engine.position import FLAT, Holdings, Position


class Locked(msgspec.Struct, frozen=True):
    """Cash sunk in unpaired tokens, as of some movement."""

    total: int
    single: int
    """Of that, in markets that hold no pairs."""
    paired: tuple[tuple[MarketId, Position], ...]
    """Markets that do."""


class Accounts:
    def __init__(self) -> None:
        self.by_venue: dict[VenueId, Portfolio] = {}
        self._index = Holdings()
        self.positions: dict[MarketId, Position] = self._index.positions
        """Of all venues; each portfolio enters its own."""
        self._locked: tuple[int, Locked] | None = None
        """With the number of movements it was reckoned after."""

    def of(self, venue: VenueId) -> Portfolio:
        """The books of one venue."""
        found = self.by_venue.get(venue)
        if found is None:
            found = self.by_venue[venue] = Portfolio(self._index)
        return found

    def at(self, market: MarketId) -> Portfolio:
        """The books that a market belongs to."""
        return self.of(venue_of(market))

    # -- queries

    @property
    def opened(self) -> bool:
        """Whether any of them is."""
        for books in self.by_venue.values():  # noqa: SIM110 - asked several times a turn: no generator is made
            if books.opened:
                return True
        return False

    @property
    def perps(self) -> Perps:
        return self.of(HYPERLIQUID).perps

    def position(self, market: MarketId) -> Position:
        """The market's position, to look at; a flat one for a market in which nothing ever moved."""
        return self.positions.get(market, FLAT)

    @property
    def moves(self) -> int:
        """Another one after everything that may change what is held, what it cost, or what it brought."""
        return self._index.moves

    def locked(self) -> Locked:
        """Added up once after every movement."""
        if self._locked is None or self._locked[0] != self._index.moves:
            self._locked = self._index.moves, _locked(self.positions)
        return self._locked[1]

    def settled_px(self, market: MarketId) -> Px | None:
        """What YES of a settled market paid; None while it trades, or if that is too long ago."""
        return self.at(market).settled.get(market)

    # -- movements

    def apply(self, fill: Fill) -> int | None:
        return self.at(fill.market).apply(fill)

    def void(self, fill: Fill, released: int | None) -> None:
        self.at(fill.market).void(fill, released)

    def convert(self, fills: Sequence[Fill]) -> None:
        self.at(fills[0].market).convert(fills)

    def fund(self, market: MarketId, amount: int) -> None:
        self.at(market).fund(market, amount)

    def charge(self, market: MarketId, fee: int) -> None:
        self.at(market).charge(market, fee)

    def settle(self, market: MarketId, yes_px: Px) -> bool:
        return self.at(market).settle(market, yes_px)

    def forget(self, market: MarketId) -> None:
        self.at(market).forget(market)

    def check(self) -> None:
        """The identity holds at every venue by itself, so it holds over all of them."""
        for books in self.by_venue.values():
            books.check()

    # -- sums

    @property
    def cash(self) -> int:
        total = 0
        for books in self.by_venue.values():
            total += books.cash
        return total

    @property
    def paid_in(self) -> int:
        """Deposits, and what was taken over by hand."""
        total = 0
        for books in self.by_venue.values():
            total += books.deposits + books.adjustments
        return total

    @property
    def deposits(self) -> int:
        return sum(books.deposits for books in self.by_venue.values())

    @property
    def adjustments(self) -> int:
        return sum(books.adjustments for books in self.by_venue.values())

    @property
    def realised(self) -> int:
        return sum(books.realised for books in self.by_venue.values())

    @property
    def fees(self) -> int:
        return sum(books.fees for books in self.by_venue.values())

    @property
    def volume(self) -> int:
        return sum(books.volume for books in self.by_venue.values())

    @property
    def fills(self) -> int:
        return sum(books.fills for books in self.by_venue.values())

    @property
    def cost(self) -> int:
        return sum(books.cost for books in self.by_venue.values())

    @property
    def settlements(self) -> int:
        return sum(books.settlements for books in self.by_venue.values())

    @property
    def settlements_held(self) -> int:
        return sum(books.settlements_held for books in self.by_venue.values())


def _locked(positions: Mapping[MarketId, Position]) -> Locked:
    total = single = 0
    paired = []
    for market_id, position in positions.items():
        locked = locked_cost(position)
        total += locked
        if position.pairs:
            paired.append((market_id, position))
        else:
            single += locked
    return Locked(total, single, tuple(paired))
