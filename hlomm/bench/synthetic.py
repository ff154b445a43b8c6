"""A market for the backtester, from the frames that the wire is fed with: the same books, touches and prints."""

from __future__ import annotations

from itertools import islice
from typing import Final

from hlomm.bench.frames import mixed
from hlomm.domain.ids import HYPERLIQUID, outcome_market
from hlomm.domain.inputs import BboUpdate, BookSnapshot, Input, MarkPrice, TradePrint
from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.research.recording import Event, Recording, perp_of
from hlomm.venues.hyperliquid.wire.frames import decode_frame
from hlomm.venues.hyperliquid.wire.public import Prints

T0_MS: Final = 1_778_385_600_000
"""2026-05-10 04:00 UTC."""
STEP_MS: Final = 100
"""From one frame to the next: a two-sided maker that quotes anew ten times a second."""
FEED_MS: Final = 100
LEFT_S: Final = 600
"""From the last frame to the end of the contract."""
SPOT: Final = 80_000
_OUTCOME: Final = 15
_MARK_EVERY: Final = 10


def recording(frames: int) -> Recording:
    """So many frames, eight of ten a book of 20 levels a side, and a mark every second."""
    events: list[Event] = []
    for number, frame in enumerate(islice(mixed(f"#{10 * _OUTCOME}", float(SPOT)), frames)):
        stamp = T0_MS + number * STEP_MS
        value = decode_frame(frame.at(stamp)).frame
        items: tuple[Input, ...] = ()
        if isinstance(value, Prints):
            items = value.trades
        elif isinstance(value, BookSnapshot | BboUpdate):
            items = (value,)
        if number % _MARK_EVERY == 0:
            items = (*items, MarkPrice(perp_of("BTC").id, Px(SPOT * SCALE), stamp))
        events += [_event(stamp, item, place) for place, item in enumerate(items)]
    books = sum(isinstance(event.item, BookSnapshot) for event in events)
    prints = sum(isinstance(event.item, TradePrint) for event in events)
    return Recording(
        outcome=_outcome(frames), perp=perp_of("BTC"), events=tuple(events), marks=(), books=books, prints_raw=prints,
        prints_replayed=0, mirrored=0, settled=Px(SCALE),
    )  # fmt: skip


def _event(stamp: int, item: Input, place: int) -> Event:
    at_ns = stamp * NS_PER_MS
    return Event(received_ns=at_ns + FEED_MS * NS_PER_MS + place, exchange_ns=at_ns, item=item)


def _outcome(frames: int) -> Market:
    return Market(
        id=outcome_market(HYPERLIQUID, _OUTCOME), venue=HYPERLIQUID, kind=MarketKind.OUTCOME,
        ticker="OUT:BTC-80000-2026-05-10T0600", underlying="BTC", tick=Px(1_000), lot=Qty(SCALE),
        min_notional=Cash(10 * SCALE), quote_token="USDC",  # noqa: S106 - a currency
        klass="priceBinary", strike=Px(SPOT * SCALE), period="1d",
        expiry_ns=(T0_MS + frames * STEP_MS) * NS_PER_MS + LEFT_S * NS_PER_S,
    )  # fmt: skip
