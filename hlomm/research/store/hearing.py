"""A store in which no order could ever have filled: every market of it, heard for what it is.

The simulated exchange fills orders in outcomes of Hyperliquid alone, from a book with sizes and the prints beside it.
What others recorded has prices without sizes, contracts without terms, or the perp of another venue. The engine is told
of all of it as it came, on accounts without money, and each market says why nothing could be traded in it.

Of a market that nothing describes only the name is known. The engine is told that there is such a market, since it
does not listen to news of others: no strike, no expiry, and the finest of all grids, which refuses no price.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from hlomm.domain.ids import HYPERLIQUID, MarketId, VenueId, is_outcome, perp_market, venue_of
from hlomm.domain.inputs import BboUpdate, BookSnapshot, MarketListed
from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.units import Cash, Px, Qty
from hlomm.research.recording import Event
from hlomm.research.store.tapes import Placed, Tape

UNKNOWN: Final = "unknown"
"""Class of a market of which only the name is known."""
NAMED: Final = 3
"""Of the markets of one reason, in a text."""


@attrs.frozen(kw_only=True)
class Heard:
    """What was heard of a market, and why nothing was traded in it."""

    market: MarketId
    ticker: str
    listed: bool
    """Something says what it is."""
    books: int
    touches: int
    prints: int
    why: str

    def document(self) -> dict[str, Any]:
        return {
            "ticker": self.ticker, "listed": self.listed, "books": self.books, "touches": self.touches,
            "prints": self.prints, "traded": False, "why": self.why,
        }  # fmt: skip


def said(markets: Sequence[Heard]) -> Iterator[str]:
    """A line for each reason, and for each venue that it holds for."""
    groups: dict[tuple[str, str], list[Heard]] = {}
    for one in markets:
        groups.setdefault((venue_of(one.market), one.why), []).append(one)
    for (venue, why), those in groups.items():
        books, touches, prints = (sum(getattr(one, what) for one in those) for what in ("books", "touches", "prints"))
        names = ", ".join(one.ticker or one.market for one in those[:NAMED])
        more = f" and {len(those) - NAMED} others" if len(those) > NAMED else ""
        yield f"heard at {venue}: {names}{more}: {books} books, {touches} touches, {prints} prints; not traded: {why}"


def heard(name: str, tape: Tape, others: Mapping[str, Tape]) -> Heard:
    """`others`: all markets of the store."""
    market = tape.market
    return Heard(
        market=MarketId(name), ticker="" if market is None else market.ticker, listed=market is not None,
        books=tape.books, touches=tape.touches, prints=tape.prints, why=_why_untraded(name, tape, others),
    )  # fmt: skip


def listing(name: str, tape: Tape) -> list[Placed]:
    """News, in front of its first row, that a market exists which nothing describes."""
    rows = [*tape.life[:1], *tape.events[:1]]
    if tape.market is not None or not rows:
        return []
    place, event = min(rows, key=lambda row: row[0])
    item = MarketListed(nameless(MarketId(name)))
    return [(place, Event(received_ns=event.received_ns, exchange_ns=event.received_ns, item=item))]


def nameless(market: MarketId) -> Market:
    """A market of which only the id is known. Without a strike no strategy wants it, and no model prices it."""
    name = market.partition(":")[2]
    outcome = is_outcome(market)
    return Market(
        id=market, venue=venue_of(market), kind=MarketKind.OUTCOME if outcome else MarketKind.PERP, ticker=name,
        underlying="" if outcome else name, tick=Px(1), lot=Qty(1), min_notional=Cash(0), quote_token="",
        klass=UNKNOWN,
    )  # fmt: skip


def venues_of(names: Mapping[str, Tape]) -> tuple[VenueId, ...]:
    """In order, the one that can be traded at first; it is there without a row of its own."""
    return tuple(dict.fromkeys((HYPERLIQUID, *(venue_of(MarketId(name)) for name in sorted(names)))))


def _why_untraded(name: str, tape: Tape, others: Mapping[str, Tape]) -> str:
    """The first of the things that it lacks, from the heaviest down."""
    market = tape.market
    if not is_outcome(MarketId(name)):
        return "a reference: prices of a perp, on which no outcome here stands"
    if not (tape.books or tape.touches):
        return "no book: prints or a settlement alone"
    if market is None:
        return "no terms: nothing says on what it settles, and when"
    if market.expiry_ns is None or (market.strike is None and market.floor is None and market.ceiling is None):
        return "no strike in its terms"
    perp = others.get(perp_market(HYPERLIQUID, market.underlying))
    if perp is None or not perp.touches:
        return f"no touch of its perp {market.underlying}: nothing to price it on"
    if not any(_sized(event) for _, event in tape.events):
        return "no sizes in its book"
    return f"no exchange fills orders of {market.venue} from a tape"


def _sized(event: Event) -> bool:
    match event.item:
        case BookSnapshot(bids=bids, asks=asks):
            return bool(bids or asks)
        case BboUpdate(bid=bid, ask=ask):
            return any(side is not None and side[1] > 0 for side in (bid, ask))
        case _:
            return False
