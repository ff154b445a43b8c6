"""Sets over the contracts of one event: exactly one of them pays, by the venue's word and by their own intervals.

A venue's metadata may call the contracts of an event exclusive (Kalshi's `mutually_exclusive`, Polymarket's neg-risk
events that are not augmented); that is `Market.exclusive`. Word alone is not enough: at most one need not be one at
least, and a range that is not listed here is missing from every set. So the intervals must tile the line without gap or
overlap, on the same source, instant, averaging and void rule. What is no set says why.

Outcomes of a question (`Market.question`) are not looked at here: there the venue's own conversions prove the set.
"""

from __future__ import annotations

from collections.abc import Sequence

from hlomm.domain.event import CENT
from hlomm.domain.markets import Comparator, Market, Source
from hlomm.domain.units import to_text

Interval = tuple[int | None, int | None]
"""YES pays from the first on and below the second; None: from zero on, however high."""


def flaw(markets: Sequence[Market]) -> str | None:
    """Why contracts of one event are no complete set, None if they are one."""
    first = markets[0]
    if len(markets) < 2:
        return "only one contract of the event is listed"
    if any(_terms(market) != _terms(first) for market in markets):
        return "its contracts settle on different terms"
    edge: int | None = None
    pieces = sorted(map(interval, markets), key=lambda piece: -1 if piece[0] is None else piece[0])
    for place, (low, high) in enumerate(pieces):
        if low != edge or (place and low is None):
            return f"its ranges do not tile the line: {_text(low)} does not follow {_text(edge)}"
        if high is None and place < len(pieces) - 1:
            return "its ranges do not tile the line: more than one has no upper end"
        edge = high
    return None if edge is None else f"its ranges do not tile the line: nothing pays from {_text(edge)} on"


def interval(market: Market) -> Interval:
    """Where YES pays. Kalshi's average has two decimals: above x.99 is from the next cent on."""
    if market.strike is None:
        return market.floor, market.ceiling
    if market.comparator is Comparator.AT_LEAST:
        return market.strike, None
    return market.strike + (CENT if market.source is Source.BRTI else 1), None


def _terms(market: Market) -> tuple[object, ...]:
    return (
        market.venue, market.exclusive, market.underlying, market.source, market.expiry_ns, market.settles_ns,
        market.averaging_s, market.averaging_from_ns, market.void, market.quote_token, market.deployer, market.klass,
    )  # fmt: skip


def _text(edge: int | None) -> str:
    return "the beginning" if edge is None else to_text(edge)
