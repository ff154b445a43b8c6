"""How far venues stand apart on linked events: sampled on a coarse grid of time, kept for a while, for people only.

A turn that is the first one after a point of the grid samples; a replay has the same turns, so it shows the same.
Nothing is decided here: the arbitrage looks at the books.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hlomm.domain.edge_rows import DeviationRow, EventRow
from hlomm.domain.event import Grade
from hlomm.domain.ids import MarketId, venue_of
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import SCALE
from hlomm.engine.fees import curve_of, rates_of
from hlomm.engine.link_book import Link, distance
from hlomm.engine.standings import LinkedEvent
from hlomm.engine.state import MarketState, State
from hlomm.pricing.inefficiency import Inefficiency, Prices, nearest, take_in, told
from hlomm.pricing.leg_costs import LegFee

SAMPLE_S: Final = 5
SAMPLE_NS: Final = SAMPLE_S * NS_PER_S
LOOKBACK_S: Final = 900
CELLS: Final = 60
"""Of the heat map: a quarter of a minute each."""
EVENTS_MAX: Final = 32
DEVIATIONS_SHOWN: Final = 20
_MAX_AGE_S: Final = 2 * SAMPLE_S
"""A sample counts until the next one, and a bit longer if a quiet stretch delays that."""


def look(state: State) -> None:
    """Sample if it is time."""
    book, now_ns = state.standings, state.now.mono_ns
    if now_ns < book.next_ns:
        return
    book.next_ns = (now_ns // SAMPLE_NS + 1) * SAMPLE_NS
    book.samples += 1
    _gather(state)
    book.sampled_ns = now_ns
    for event in _events(state):
        take_in(event.view, now_ns, {market_id: _prices(state, market_id) for market_id in event.members})
        while event.view.signals:
            signal = event.view.signals.popleft()
            book.deviations.append((signal, _ticker(state, MarketId(signal.venue))))


def _gather(state: State) -> None:
    """Who belongs together now. An event goes on while one of its own is left."""
    book, groups = state.standings, _groups(state)
    found: dict[MarketId, LinkedEvent] = {}
    claimed: list[LinkedEvent] = []
    for links, members in groups[:EVENTS_MAX]:
        before = [book.by_market[one] for one in members if one in book.by_market]
        event = next((one for one in before if one not in claimed), None) or _new(links)
        claimed.append(event)
        event.members = members
        found |= dict.fromkeys(members, event)
    book.by_market = found
    book.overflow += max(len(groups) - EVENTS_MAX, 0)


def _groups(state: State) -> list[tuple[Link, dict[MarketId, None]]]:
    """Contracts with the closest link of each group, closest groups first; no venue is twice in one."""
    groups: list[tuple[Link, dict[MarketId, None]]] = []
    home: dict[MarketId, dict[MarketId, None]] = {}
    live = (link for link in state.links.links.values() if link.grade is not Grade.DIFFERENT)
    for link in sorted(live, key=lambda one: (distance(*one.terms), one.pair)):
        left, right = link.pair
        members = home.get(left, home.get(right))
        if members is None:
            members = {}
            groups.append((link, members))
        venues = {venue_of(one) for one in members}
        for market_id in (left, right):
            if market_id not in home and venue_of(market_id) not in venues:
                home[market_id] = members
                members[market_id] = None
    return groups


def _new(link: Link) -> LinkedEvent:
    view = Inefficiency(lookback_s=LOOKBACK_S, max_age_s=_MAX_AGE_S, min_edge=0)
    return LinkedEvent(key=str(link.terms[0].key), view=view)


def _events(state: State) -> Iterator[LinkedEvent]:
    """Each once, those whose contracts are closest first."""
    return iter(dict.fromkeys(state.standings.by_market.values()))


def _prices(state: State, market_id: MarketId) -> Prices | None:
    market = state.markets.get(market_id)
    if market is None or not market.book.seen:
        return None
    if state.now.mono_ns - market.book.received_ns > state.config.limits.stale_book_ns:
        return None
    others = state.others(market)
    if not others.bids or not others.asks:
        return None
    bid, ask = others.bids[0][0], others.asks[0][0]
    return bid, ask, _cost(state, market, bid, ask)


def _cost(state: State, market: MarketState, bid: int, ask: int) -> int:
    """Fee of the dearer of the two purchases that take there: YES at the ask, NO at one minus the bid."""
    curve, rates = curve_of(state, market.market), rates_of(state, market.market)
    rate = 0 if rates is None or curve is not None else rates.open_taker
    fee = LegFee(curve=curve, rate=rate, settle=0 if rates is None else rates.settle)
    return max(fee.each(ask), fee.each(SCALE - bid))


def _ticker(state: State, market_id: MarketId) -> str:
    market = state.markets.get(market_id)
    return market_id if market is None else market.market.ticker


# -- for people


def rows(state: State) -> tuple[tuple[EventRow, ...], tuple[DeviationRow, ...]]:
    """Events as of the last sample, and the latest deviations, oldest first."""
    book, now = state.standings, state.now
    if book.drawn[0] != book.samples:
        book.drawn = book.samples, tuple(_row(event, book.sampled_ns) for event in _events(state))
    latest = list(book.deviations)[-DEVIATIONS_SHOWN:]
    deviations = tuple(
        DeviationRow(
            wall_ms=now.wall_ms - (now.mono_ns - round(signal.t_s * NS_PER_S)) // NS_PER_MS,
            market=MarketId(signal.venue), ticker=ticker, deviation=nearest(signal.deviation),
            threshold=nearest(signal.threshold),
        )
        for signal, ticker in latest
    )  # fmt: skip
    return book.drawn[1], deviations


def _row(event: LinkedEvent, at_ns: int) -> EventRow:
    standings = (one for one in told(event.view, at_ns, CELLS) if one.market in event.members)
    return EventRow(key=event.key, lookback_s=LOOKBACK_S, standings=tuple(standings))
