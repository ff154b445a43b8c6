"""The books of every venue side by side: each with cash of its own, and the sums over them.

Money does not move between venues by itself, so what an order may spend and what an account is compared with is always
one venue's; drawdown, result and limits look at all of them together. A market's venue is known from its name.

Only Hyperliquid has perps: `perps` are its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from hlomm.domain.fills import Fill
from hlomm.domain.ids import HYPERLIQUID, MarketId, VenueId, venue_of
from hlomm.domain.units import Px
from hlomm.engine.perps import Perps
from hlomm.engine.portfolio import Portfolio
from hlomm.engine.position import Position


class Accounts:
    def __init__(self) -> None:
        self.by_venue: dict[VenueId, Portfolio] = {}
        self.positions: dict[MarketId, Position] = {}
        """Of all venues; each portfolio enters its own."""

    def of(self, venue: VenueId) -> Portfolio:
        """The books of one venue."""
        found = self.by_venue.get(venue)
        if found is None:
            found = self.by_venue[venue] = Portfolio(self.positions)
        return found

    def at(self, market: MarketId) -> Portfolio:
        """The books that a market belongs to."""
        return self.of(venue_of(market))

    # -- queries

    @property
    def opened(self) -> bool:
        """Whether any of them is."""
        return any(books.opened for books in self.by_venue.values())

    @property
    def perps(self) -> Perps:
        return self.of(HYPERLIQUID).perps

    def position(self, market: MarketId) -> Position:
        """The market's position, to look at; a flat one for a market in which nothing ever moved."""
        position = self.positions.get(market)
        return Position() if position is None else position

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
        return sum(books.cash for books in self.by_venue.values())

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
