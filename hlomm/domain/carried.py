"""What the books of one run hand to the next, so that a crash costs no accounting.

Written to the journal together with the decision that changed it; the next run takes it over in its boot input, books
what the venue reports since, and compares the sum with the account before it quotes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

import msgspec

from hlomm.domain.basket_rows import ArbitrageKind
from hlomm.domain.fills import Fill
from hlomm.domain.ids import HYPERLIQUID, MarketId, StrategyId, VenueId
from hlomm.domain.markets import Leg
from hlomm.domain.units import SCALE, Cash, Px, Qty


class Sale(StrEnum):
    """Whether everything was to be sold, since somebody last resumed."""

    NONE = "none"
    OWED = "owed"
    """It is under way, or could not be brought to its end."""
    OVER = "over"
    """What could be sold is; what a fill that is undone, or comes late, leaves naked after that is sold as well."""


class CarriedPosition(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Tokens of one market with their exact cost. `ref2` is twice the last reference price, None if never priced.

    Without any tokens it says what was won or lost there so far, which counts in the market's limit until it is over.
    """

    market: MarketId
    yes: Qty
    no: Qty
    cost_yes: Cash
    cost_no: Cash
    realised: Cash
    fees: Cash
    volume: Cash
    fills: int
    ref2: int | None
    px_yes: Px | None = None
    """What a token could be sold for when a buyer was last seen; None if there never was one."""
    px_no: Px | None = None


class CarriedPerp(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A perp position; `qty` and `cost` signed alike, `realised` with the funding in it."""

    market: MarketId
    qty: Qty
    cost: Cash
    realised: Cash
    fees: Cash
    funding: Cash
    volume: Cash
    fills: int
    ref2: int | None
    px: Px | None = None
    """What it could be closed at, as last seen."""


class CarriedFill(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A fill that is in the books and not delivered. `released`: cost of the tokens that a sale took, if known."""

    fill: Fill
    released: int | None


class CarriedPair(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A complete pair or set that waits for its settlements. Amounts for all of it."""

    group: str
    legs: tuple[tuple[MarketId, Leg], ...]
    qty: Qty
    spent: Cash
    expected: Cash
    began_ms: int
    paid: tuple[tuple[MarketId, Cash], ...] = ()
    """What the legs that have settled brought."""
    kind: ArbitrageKind = ArbitrageKind.CROSS
    worth: Cash = Cash(SCALE)
    """What one of it pays at least."""
    maker: bool = False
    """It began with a leg that rested."""


class CarriedRest(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A token that an order of a pair's maker may have bought after these books were written."""

    market: MarketId
    leg: Leg
    held: Qty
    """Tokens of it that belong to no pair: more of them are naked."""


class CarriedBooks(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """The books of one venue's account; the identity of accounting holds within. Fields as in `Carried`."""

    venue: VenueId
    account: str
    cash: Cash
    deposits: Cash
    adjustments: Cash
    realised: Cash
    fees: Cash
    volume: Cash
    fills: int
    settlements: int
    settlements_held: int
    positions: tuple[CarriedPosition, ...]
    settled: tuple[tuple[MarketId, Px], ...]
    last_fill_ms: int
    fills_from_ms: int
    seen: tuple[str, ...]
    perp_cash: Cash | None = None
    perps: tuple[CarriedPerp, ...] = ()
    funding: Cash = Cash(0)
    awaited: tuple[CarriedFill, ...] = ()
    """Fills that are not delivered yet."""


class Carried(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """The books at one moment. All amounts as in the portfolio; the identity of accounting holds within.

    Older runs knew one account. So the figures of the first one stand here, those of the others in `others`; what is
    the same for all (high water, drawdown, earned, the day, the pauses) is here once.
    """

    account: str
    """Whose books: venue, address, and which simulator. Taken over only by a run of the same account."""
    epoch_ms: int
    """Boot epoch of the run that wrote it."""
    cash: Cash
    deposits: Cash
    adjustments: Cash
    realised: Cash
    fees: Cash
    volume: Cash
    fills: int
    settlements: int
    settlements_held: int
    high_water: Cash
    max_drawdown: Cash
    earned: tuple[tuple[Cash, int], tuple[Cash, int], tuple[Cash, int]]
    """Spread, inventory and settlement: whole cash, and the rest as the attribution counts (whose sums outgrow the 64
    bits of a record at some hundred dollars)."""
    positions: tuple[CarriedPosition, ...]
    settled: tuple[tuple[MarketId, Px], ...]
    """The latest settlement prices, for fills that come late."""
    last_fill_ms: int
    """Venue time of the newest fill in these books; of their opening if there was none."""
    fills_from_ms: int
    """From when on fills may be missing: a little before the last agreement with the account."""
    seen: tuple[str, ...]
    """Keys of the fills around that time: they are reported again and must not count twice."""
    day: int = -1
    """UTC day (since 1970) under way: a restart does not begin it anew. -1 for books that knew none."""
    day_start: Cash = Cash(0)
    """Result of trading, over all time and at conservative marks, with which it began."""
    day_stopped: bool = False
    """The day's loss has stopped quoting until it is over."""
    perp_cash: Cash | None = None
    """The perp wallet; None in books that knew none: it is then taken over as the venue first tells it."""
    perps: tuple[CarriedPerp, ...] = ()
    funding: Cash = Cash(0)
    """Funding paid, already part of `realised`."""
    paused: tuple[tuple[StrategyId, str], ...] = ()
    """Strategies that an operator paused, and what was said: they stay so until an operator says otherwise."""
    venue: VenueId = HYPERLIQUID
    """The first account's."""
    awaited: tuple[CarriedFill, ...] = ()
    """Fills of the first account that are not delivered yet."""
    others: tuple[CarriedBooks, ...] = ()
    pairs: tuple[CarriedPair, ...] = ()
    making: tuple[str, ...] = ()
    """Pairs and sets that were being made: whether their legs are equal was not known."""
    rested: tuple[CarriedRest, ...] = ()
    hedged: tuple[Cash, int] = (Cash(0), 0)
    """What perps brought, as in `earned`; it is inside the inventory there."""
    tuned: tuple[tuple[str, str], ...] = ()
    """(key, value) of settings an operator had changed: a restart is as configured, and says so."""
    stuck: str = ""
    """Why a pair may be on one leg: everything is sold once it runs, unless nothing is held by then."""
    sale: Sale = Sale.NONE

    @property
    def first(self) -> CarriedBooks:
        """The books of the first account by themselves."""
        return CarriedBooks(**{name: getattr(self, name) for name in CarriedBooks.__struct_fields__})

    def of(self, venue: VenueId) -> CarriedBooks | None:
        """The books of the account there; None if these know none."""
        return next((books for books in self.books if books.venue == venue), None)

    def fills_from_ms_of(self, venue: VenueId) -> int | None:
        """From when on fills of that venue may be missing; None if these books know no account there."""
        books = self.of(venue)
        return None if books is None else books.fills_from_ms

    @property
    def books(self) -> tuple[CarriedBooks, ...]:
        """Of all accounts."""
        return (self.first, *self.others)


_Books = TypeVar("_Books", Carried, CarriedBooks)


def without_flat(books: Carried) -> Carried:
    """The same as it was recorded before markets without tokens were carried."""
    lean = msgspec.structs.replace(books, positions=_held(books))
    return msgspec.structs.replace(
        lean, others=tuple(msgspec.structs.replace(other, positions=_held(other)) for other in books.others)
    )


def without_prices(books: Carried) -> Carried:
    """The same as it was recorded before prices were carried, and that pairs may be on one leg."""
    return msgspec.structs.replace(
        _unpriced(without_sale(books)), others=tuple(_unpriced(other) for other in books.others), stuck=""
    )  # fmt: skip


def without_sale(books: Carried) -> Carried:
    """The same as it was recorded before a sale was carried."""
    return msgspec.structs.replace(books, sale=Sale.NONE)


def _unpriced(books: _Books) -> _Books:
    return msgspec.structs.replace(
        books, positions=tuple(msgspec.structs.replace(one, px_yes=None, px_no=None) for one in books.positions),
        perps=tuple(msgspec.structs.replace(one, px=None) for one in books.perps),
    )  # fmt: skip


def _held(books: Carried | CarriedBooks) -> tuple[CarriedPosition, ...]:
    return tuple(one for one in books.positions if one.yes or one.no)
