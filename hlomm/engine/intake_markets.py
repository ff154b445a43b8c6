"""Inputs about markets: which there are, how they end, what their books and marks say."""

from __future__ import annotations

from typing import Final

from hlomm.domain.faults import InvariantBroken
from hlomm.domain.ids import HYPERLIQUID, MarketId, perp_market, venue_of
from hlomm.domain.inputs import (
    BboUpdate,
    BookSnapshot,
    MarketChanged,
    MarketDelisted,
    MarketListed,
    MarketSettled,
    MarkPrice,
    TradePrint,
)
from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.outputs import AlertLevel
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import Px, to_text
from hlomm.domain.view import BookShape
from hlomm.engine import converting, quoting
from hlomm.engine.state import MarketState, State
from hlomm.strategy.base import Strategies

PLAIN: Final = frozenset(
    {
        "ticker", "tick", "ticks", "lot", "min_notional", "min_qty", "fee", "fee_scale", "klass", "period",
        "quote_token", "rewards", "exclusive",
    }
)  # fmt: skip
"""What may change in a market without changing what its tokens pay, or when."""
SCALED: Final = frozenset({"tick", "lot", "min_notional", "min_qty", "strike", "floor", "ceiling", "fee_scale"})


def underlying_of(market: Market) -> MarketId:
    """The perp that stands for the price which settles an outcome: that of the one venue which has perps.

    Other venues settle on sources of their own that follow the same coin; what moves, hedges and trips is the perp.
    """
    return perp_market(HYPERLIQUID, market.underlying)


def listed(state: State, item: MarketListed, strategies: Strategies) -> None:
    market = item.market
    known = state.markets.get(market.id)
    if known is not None:
        return
    settled_px = state.portfolio.settled_px(market.id)
    state.listing += 1
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
        underlying = underlying_of(market)
        series = (market.underlying, market.klass, market.period)
        if strategy is not None and any(
            other.settled is not None and (other.market.underlying, other.market.klass, other.market.period) == series
            for other in state.markets.values()
        ):
            state.counters.rolls += 1
    state.markets[market.id] = MarketState(market=market, strategy=strategy, underlying=underlying)
    state.attribution.own(market.id, strategy or "")
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
    state.memory(venue_of(market_id)).last_move_ns = state.now.mono_ns
    state.digest.mix(px, state.portfolio.cash)
    market = state.markets.get(market_id)
    if market is None:
        return
    state.counters.quoted_settled += bool(market.acted_ns)
    market.settled, market.gone = px, True
    state.listing += 1
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


def changed(state: State, item: MarketChanged, strategies: Strategies) -> None:
    """Other terms than told. What decides the payoff ends every quote made for the old terms before anything else."""
    new, market = item.market, state.markets.get(item.market.id)
    if market is None or market.market == new:
        return
    old = market.market
    fields = [name for name in new.__struct_fields__ if getattr(new, name) != getattr(old, name)]
    if "kind" in fields or "venue" in fields:
        raise InvariantBroken(f"{new.id} changed what it is: {', '.join(fields)}")
    market.market = new
    state.listing += 1
    market.underlying = None if market.underlying is None else underlying_of(new)
    state.digest.mix_text(f"{new.id} {','.join(fields)}")
    state.touch(new.id)
    settles_otherwise = not PLAIN.issuperset(fields)
    if settles_otherwise:
        market.desired = market.sensitivity = None
        quoting.cancel_quotes(state, new.id)
        if market.strategy is not None:
            strategies[market.strategy].forget(new.id)
    what = ", ".join(f"{name} {_told(old, name)} -> {_told(new, name)}" for name in fields)
    state.out.alert(
        AlertLevel.WARNING if settles_otherwise else AlertLevel.INFO,
        "terms_changed" if settles_otherwise else "market_changed",
        f"{new.ticker}: {what}" + (": its quotes are cancelled, then made anew" if settles_otherwise else ""), new.id,
    )  # fmt: skip


def _told(market: Market, name: str) -> str:
    value = getattr(market, name)
    if isinstance(value, int) and name in SCALED:
        return to_text(value)
    return f"{value}" if isinstance(value, str) and value else repr(value)


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
    now = state.now
    late_ms = now.wall_ms + state.venues[market.market.venue].skew_ms - venue_ms
    return now.mono_ns - late_ms * NS_PER_MS if late_ms > 0 else now.mono_ns


def _book_changed(state: State, market: MarketState) -> None:
    book, market_id = market.book, market.market.id
    state.digest.mix(book.count, book.bids[0][0] if book.bids else 0, book.asks[0][0] if book.asks else 0)
    if not market.is_outcome:
        if not market.mark_px and book.shape is BookShape.TWO_SIDED:
            state.attribution.moved(market_id, book.bids[0][0] + book.asks[0][0], max(book.depth_ms, book.touch_ms))
        _underlying_moved(state, market)
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


def _underlying_moved(state: State, perp: MarketState) -> None:
    """Decide anew on what stands on this perp, if its prices are others than told.

    Most of its news is of sizes, which no decision reads. That it was heard of at all is in its book's age, and
    `quotes.refresh_s` brings every market back soon enough to see that.
    """
    bids, asks = perp.book.bids, perp.book.asks
    told = perp.mark_px, bids[0][0] if bids else None, asks[0][0] if asks else None
    if told == perp.told:
        return
    perp.told = told
    state.stirred = True
    perp_id = perp.market.id
    for market_id, market in state.markets.items():
        if market.underlying == perp_id and not market.gone and market.strategy is not None:
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
    _underlying_moved(state, market)
