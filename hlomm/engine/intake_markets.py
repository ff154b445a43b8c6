"""Inputs about markets: which there are, how they end, what their books and marks say."""

from __future__ import annotations

from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import (
    BboUpdate,
    BookSnapshot,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    MarkPrice,
    TradePrint,
)
from hlomm.domain.markets import MarketKind
from hlomm.domain.outputs import AlertLevel
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import Px, to_text
from hlomm.domain.view import BookShape
from hlomm.engine import converting
from hlomm.engine.state import MarketState, State
from hlomm.strategy.base import Strategies


def listed(state: State, item: MarketListed, strategies: Strategies) -> None:
    market = item.market
    known = state.markets.get(market.id)
    if known is not None:
        return
    settled_px = state.portfolio.settled.get(market.id)
    if settled_px is not None:
        # Told of its end before its beginning. Known from now on, so that what it left can be looked at; never quoted.
        state.markets[market.id] = MarketState(
            market=market, strategy=None, underlying=None, settled=settled_px, gone=True
        )
        return
    strategy = None
    underlying = None
    if market.kind is MarketKind.OUTCOME:
        strategy = next((key for key, candidate in strategies.items() if candidate.wants(market)), None)
        underlying = MarketId(f"{market.venue}:{market.underlying}")
        series = (market.underlying, market.klass, market.period)
        if strategy is not None and any(
            other.settled is not None and (other.market.underlying, other.market.klass, other.market.period) == series
            for other in state.markets.values()
        ):
            state.counters.rolls += 1
    state.markets[market.id] = MarketState(market=market, strategy=strategy, underlying=underlying)
    if strategy is not None or market.kind is MarketKind.PERP:
        state.out.subscribe(market.id)
    state.touch(market.id)


def settled(state: State, item: MarketSettled, strategies: Strategies) -> None:
    settle(state, item.market, item.yes_px, item.detail, strategies)


def settle(state: State, market_id: MarketId, px: Px, detail: str, strategies: Strategies) -> None:
    position = state.portfolio.position(market_id)
    yes, no = position.yes, position.no
    if not state.portfolio.settle(market_id, px):
        return
    state.attribution.settled(market_id, px)
    state.books_moved = True
    state.last_move_ns = state.now.mono_ns
    state.digest.mix(px, state.portfolio.cash)
    market = state.markets.get(market_id)
    if market is None:
        return
    state.counters.quoted_settled += bool(market.acted_ns)
    market.settled, market.gone = px, True
    market.desired = None
    converting.forget(state, market_id)
    if market.strategy is not None:
        strategies[market.strategy].forget(market_id)
    state.out.unsubscribe(market_id)
    state.touch(market_id)
    held = f", held {to_text(yes)} YES {to_text(no)} NO" if yes or no else ""
    state.out.alert(
        AlertLevel.INFO,
        "settled",
        f"{market.market.ticker} settled, YES pays {to_text(px)} ({detail}){held}",
        market_id,
    )


def delisted(state: State, item: MarketDelisted, _: Strategies) -> None:
    market = state.markets.get(item.market)
    if market is None or market.gone:
        return
    market.gone = True
    state.out.unsubscribe(item.market)
    state.touch(item.market)
    state.out.alert(
        AlertLevel.WARNING, "delisted", f"{market.market.ticker} is gone ({item.reason}): waiting for its settlement",
        item.market,
    )  # fmt: skip


def snapshot(state: State, item: BookSnapshot, _: Strategies) -> None:
    market = state.markets.get(item.market)
    if market is not None and market.book.apply_snapshot(item, _sent_ns(state, market, item.venue_ms)):
        _book_changed(state, market)


def bbo(state: State, item: BboUpdate, _: Strategies) -> None:
    market = state.markets.get(item.market)
    if market is not None and market.book.apply_bbo(item, _sent_ns(state, market, item.venue_ms)):
        _book_changed(state, market)


def _sent_ns(state: State, market: MarketState, venue_ms: int) -> int:
    """Our monotonic time of a venue stamp: a feed that has fallen behind brings old books, however fast they come."""
    if not venue_ms:
        return state.now.mono_ns
    late_ms = state.now.wall_ms + state.venues[market.market.venue].skew_ms - venue_ms
    return state.now.mono_ns - max(late_ms, 0) * NS_PER_MS


def _book_changed(state: State, market: MarketState) -> None:
    book, market_id = market.book, market.market.id
    state.digest.mix(book.count, book.bids[0][0] if book.bids else 0, book.asks[0][0] if book.asks else 0)
    if not market.is_outcome:
        if not market.mark_px and book.shape is BookShape.TWO_SIDED:
            state.attribution.moved(market_id, book.bids[0][0] + book.asks[0][0], max(book.depth_ms, book.touch_ms))
        _underlying_moved(state, market_id)
        return
    others = state.others(market)
    if others.bids:
        market.mark_bid = Px(others.bids[0][0])
    if others.asks:
        market.mark_ask = Px(others.asks[0][0])
    if others.shape is BookShape.TWO_SIDED:
        mid2 = others.bids[0][0] + others.asks[0][0]
        state.attribution.moved(market_id, mid2, max(book.depth_ms, book.touch_ms))
    state.touch(market_id)


def _underlying_moved(state: State, perp: MarketId) -> None:
    for market_id, market in state.markets.items():
        if market.underlying == perp and not market.gone:
            state.touch(market_id)


def printed(state: State, item: TradePrint, _: Strategies) -> None:
    market = state.markets.get(item.market)
    if market is not None:
        market.prints.append(item)


def mark(state: State, item: MarkPrice, _: Strategies) -> None:
    market = state.markets.get(item.market)
    if market is None:
        return
    market.mark_px, market.mark_ns = item.px, state.now.mono_ns
    state.digest.mix(item.px)
    if item.px and not market.is_outcome:
        state.attribution.moved(item.market, 2 * item.px, item.venue_ms)
    _underlying_moved(state, item.market)
