"""Keeps the links up to date with what the engine is told of markets, and says what became of them.

Nothing here trades: `state.links.links_of(market)` is what a strategy asks, and only a reviewed link may trade.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hlomm.domain.event import Grade
from hlomm.domain.fills import FillKind
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import FillReceived, Input, MarketChanged, MarketDelisted, MarketListed, MarketSettled
from hlomm.domain.link_rows import LinkRow, TermRow
from hlomm.domain.links import LinkState
from hlomm.domain.outputs import AlertLevel
from hlomm.engine.link_book import Link, Moved
from hlomm.engine.state import State

ROWS_SHOWN: Final = 200
_STATES: Final = (LinkState.SUSPENDED, LinkState.REVIEWED, LinkState.PROPOSED, LinkState.GONE)


def heed(state: State, item: Input) -> None:
    """Show one input, already applied, to the links."""
    watcher = _WATCHERS.get(type(item))
    if watcher is not None:
        watcher(state, item)


def _told(state: State, item: MarketListed | MarketChanged) -> None:
    market = state.markets.get(item.market.id)
    if market is not None and not market.gone:
        # A venue that lists a market again may have changed it meanwhile: what it says now is looked at, not what was.
        _say(state, state.links.told(item.market))


def _settled(state: State, item: MarketSettled) -> None:
    _left(state, item.market, "settled")


def _delisted(state: State, item: MarketDelisted) -> None:
    _left(state, item.market, f"is gone ({item.reason})")


def _paid(state: State, item: FillReceived) -> None:
    for fill in item.fills:
        if fill.kind is FillKind.SETTLEMENT:
            _left(state, fill.market, "settled")


def _left(state: State, market: MarketId, reason: str) -> None:
    _say(state, state.links.left(market, reason))


_WATCHERS: Final[dict[type, Callable[[State, Any], None]]] = {
    MarketListed: _told,
    MarketChanged: _told,
    MarketSettled: _settled,
    MarketDelisted: _delisted,
    FillReceived: _paid,
}


def _say(state: State, moves: list[Moved]) -> None:
    for moved in moves:
        link = moved.link
        for part in (*link.pair, link.state.value, link.grade.value):
            state.digest.mix_text(part)
        if link.state is LinkState.SUSPENDED:
            state.out.alert(
                AlertLevel.WARNING, "link_suspended",
                f"{link.pair[0]} <-> {link.pair[1]} trades no more until it is reviewed again: {link.reason}",
                link.pair[0],
            )  # fmt: skip
        elif link.state is LinkState.REVIEWED and moved.was is not LinkState.REVIEWED:
            state.out.alert(
                AlertLevel.INFO, "link_reviewed",
                f"{link.pair[0]} <-> {link.pair[1]} is {link.grade.value}, {link.reason}: it may trade", link.pair[0],
            )  # fmt: skip
        for market_id in link.pair:
            market = state.markets.get(market_id)
            if link.state is LinkState.REVIEWED and market is not None and market.strategy is None:
                state.out.subscribe(market_id)  # nobody quotes it, and it is to be traded
            state.touch(market_id)


def rows(state: State) -> tuple[tuple[LinkRow, ...], int]:
    """Links by state and grade, those that ended lately last, and how many had no room."""
    every = sorted((*state.links.links.values(), *state.links.ended), key=_rank)
    return tuple(_row(link) for link in every[:ROWS_SHOWN]), max(len(every) - ROWS_SHOWN, 0)


def _rank(link: Link) -> tuple[int, bool, MarketId]:
    return _STATES.index(link.state), link.grade is Grade.DIFFERENT, link.pair[0]


def _row(link: Link) -> LinkRow:
    left, right = link.markets
    review = link.review
    return LinkRow(
        left=left.id, right=right.id, left_ticker=left.ticker, right_ticker=right.ticker, key=str(link.terms[0].key),
        grade=link.grade.value, state=link.state.value, reason=link.reason,
        terms=tuple(
            TermRow(term=one.term, left=one.left, right=one.right, makes=one.makes.value) for one in link.differences
        ),
        review="" if review is None else review.name,
        reviewed_by="" if review is None else review.reviewed_by,
        reviewed_on="" if review is None else review.reviewed_on,
        left_rules=link.terms[0].rules, right_rules=link.terms[1].rules, any_text=link.unread,
        left_template=link.terms[0].template, right_template=link.terms[1].template,
        left_terms=str(link.terms[0]), right_terms=str(link.terms[1]),
    )  # fmt: skip
