"""A recording as two time lines: what happened at the venue, and what the engine is told of it later.

The venue's line is ordered by the venue's stamps, prints before the snapshot of the same instant, because the snapshot
shows what they left. A stamp later than the receipt (two clocks) is taken back to it: what was known had happened. The
engine's line is the recorded receipts, each put off by what the feed is later than recorded; nothing overtakes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs
import msgspec

from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import BboUpdate, BookSnapshot, TradePrint
from hlomm.research.latency import Delay
from hlomm.research.recording import Event


class Told(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something the engine learns."""

    at_ns: int
    event: Event


class Happened(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A change of the book, or a trade, at the venue; of a perp that is traded there, a change of its touch."""

    at_ns: int
    told_ns: int
    """When the engine learns of it."""
    place: int
    """In the recording; numbers the draws that belong to it."""
    item: BookSnapshot | TradePrint | BboUpdate


@attrs.frozen(kw_only=True)
class Lines:
    """Both time lines, each in its order."""

    feed: tuple[Told, ...]
    tape: tuple[Happened, ...]


def lines(events: Sequence[Event], feed: Delay, perps: Collection[MarketId] = ()) -> Lines:
    """Time lines of events in the order of their receipt. `perps`: those that are traded."""
    told: list[Told] = []
    happened: list[Happened] = []
    latest = 0
    for place, event in enumerate(events):
        at_ns = event.received_ns + feed.at(place)
        latest = max(latest, at_ns)
        told.append(Told(at_ns=latest, event=event))
        item = event.item
        if isinstance(item, BookSnapshot | TradePrint) or (isinstance(item, BboUpdate) and item.market in perps):
            at_ns = min(event.exchange_ns, event.received_ns)
            happened.append(Happened(at_ns=at_ns, told_ns=latest, place=place, item=item))
    return Lines(feed=tuple(told), tape=ordered(happened))


def ordered(happened: Sequence[Happened]) -> tuple[Happened, ...]:
    """In the venue's order."""
    return tuple(sorted(happened, key=order_of))


def order_of(happened: Happened) -> tuple[int, bool, int]:
    """Prints before the snapshot of the same instant, which shows what they left."""
    return happened.at_ns, isinstance(happened.item, BookSnapshot), happened.place
