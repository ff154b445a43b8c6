"""Orders and trades of the account as inputs, and what of the trades is not delivered yet. Pure.

Theory of operation. A trade is told with every status it passes. The first time it is a fill, told as pending unless it
is already CONFIRMED; CONFIRMED makes it final, FAILED undoes it, and either is told once. From MINED on the chain has
moved the tokens, so the venue's balances contain the fill; before, they do not. `undelivered` is that difference: what
must be added to the delivered balances for an account "as matched", which is what the engine's books hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import POLYMARKET, MarketId, VenueOrderId
from hlomm.domain.inputs import FillFinal, FillReceived, FillVoided, Input, OrderClosed, OrderOpened
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import Cash, Px, Qty, notional_ceil, notional_floor
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.counters import Counters
from hlomm.venues.polymarket.orders import OrderMap
from hlomm.venues.polymarket.registry import Registry, Token
from hlomm.venues.polymarket.wire.account_rows import FillNews, OrderNews, Standing, TradeNews, TradeStatus
from hlomm.venues.polymarket.wire.fees import taker_fee

CANCELED: Final = "canceled"
FILLED: Final = "filled"
OVERLAP_MS: Final = 60_000
"""Trades are asked for again over this span: match times are whole seconds, and lists are late."""

_DELIVERED: Final = frozenset({TradeStatus.MINED, TradeStatus.CONFIRMED})


@attrs.define(eq=False)
class _Told:
    fill: Fill
    status: TradeStatus
    over: bool
    """Final or void, and told so."""


@attrs.define(eq=False)
class AccountFeed:
    """State of the private stream over the whole session, connections included."""

    _registry: Registry
    _orders: OrderMap
    _counters: Counters
    _memory: int
    start_ms: int = 0
    """Venue time of the session's start; trades before it are history, unless their end is still to come."""
    complete_ms: int = 0
    """Match time of the newest trade that a list told."""
    deliveries: int = 0
    """How often a fill was found delivered or void: balances read across such a moment fit neither side of it."""
    unplaced: dict[str, TradeNews] = attrs.field(factory=dict)
    """Trades in markets that are not known: kept until somebody finds out."""
    moved: dict[tuple[MarketId, Leg], None] = attrs.field(factory=dict)
    """Tokens of which something was told since balances were last read."""
    _told: BoundedMap[str, _Told] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._told = BoundedMap(self._memory)

    @property
    def ask_from_ms(self) -> int:
        """From when on to list trades so that none is missed and none that is under way loses its end."""
        waiting = [one.fill.venue_ms for one in self._pending()]
        return max(min([self.complete_ms, *waiting]) - OVERLAP_MS, 0)

    def _pending(self) -> list[_Told]:
        return [one for one in self._told.values() if not one.over]

    @property
    def pending(self) -> int:
        return len(self._pending())

    # -- orders

    def on_order(self, news: OrderNews) -> list[Input]:
        """What became of an order of ours. One that this process did not place is the next reconciliation's."""
        placed = self._orders.of_order(news.id)
        if placed is None:
            self._counters.add("orders_of_other_runs")
            return []
        match news.standing:
            case Standing.RESTS:
                leaves = None if news.matched is None else Qty(news.qty - news.matched)
                return [self._opened(news, leaves)]
            case Standing.FILLED:
                return [self._closed(news, FILLED)]
            case Standing.ENDED:
                return [self._closed(news, CANCELED)]
            case Standing.WAITS | Standing.UNCLEAR:
                self._counters.add("order_news_unclear")
                return []

    def _opened(self, news: OrderNews, leaves: Qty | None) -> OrderOpened:
        return OrderOpened(
            client_id=self._orders.client_id(news.id),
            venue_order_id=VenueOrderId(news.id),
            leaves=leaves,
            venue_ms=news.venue_ms,
        )

    def _closed(self, news: OrderNews, status: str) -> OrderClosed:
        return OrderClosed(
            client_id=self._orders.client_id(news.id),
            venue_order_id=VenueOrderId(news.id),
            status=status,
            filled=news.matched,
            venue_ms=news.venue_ms,
        )

    # -- trades

    def on_listed(self, trades: Sequence[TradeNews]) -> list[Input]:
        """The answer to a request for trades since `ask_from_ms`, oldest first from here on."""
        news: list[Input] = []
        for trade in sorted(trades, key=lambda one: one.venue_ms):
            self.complete_ms = max(self.complete_ms, trade.venue_ms)
            news += self.on_trade(trade)
        return news

    def seed(self, trades: Sequence[TradeNews]) -> None:
        """Trades that the first account state contains: their fills are not told, their ends are awaited."""
        for trade in trades:
            self.complete_ms = max(self.complete_ms, trade.venue_ms)
            for part in trade.fills:
                token = self._registry.token(part.token)
                if token is not None:
                    fill = self._fill(trade, part, token)
                    over = trade.status in (TradeStatus.CONFIRMED, TradeStatus.FAILED)
                    self._told.put(fill.key, _Told(fill, trade.status, over))
                    self.moved[fill.market, fill.leg] = None

    def on_trade(self, trade: TradeNews) -> list[Input]:
        news: list[Input] = []
        for part in trade.fills:
            token = self._registry.token(part.token)
            if token is None:
                self.unplaced[trade.id] = trade
                self._counters.add("trades_in_unknown_markets")
                return []
            told = self._told.get(part.key)
            if told is None:
                news += self._first(trade, part, token)
            elif not told.over:
                news += self._further(told, trade)
        self.unplaced.pop(trade.id, None)
        return news

    def _first(self, trade: TradeNews, part: FillNews, token: Token) -> list[Input]:
        fill = self._fill(trade, part, token)
        over = trade.status in (TradeStatus.CONFIRMED, TradeStatus.FAILED)
        self._told.put(fill.key, _Told(fill, trade.status, over))
        self.moved[fill.market, fill.leg] = None
        self.deliveries += trade.status in _DELIVERED
        if trade.status is TradeStatus.FAILED:
            self._counters.add("fills_never_told_failed")
            return []
        if trade.venue_ms < self.start_ms:
            self._counters.add("old_fills")
            return []
        return [FillReceived(fill)]

    def _further(self, told: _Told, trade: TradeNews) -> list[Input]:
        if (trade.status in _DELIVERED) != (told.status in _DELIVERED) or trade.status is TradeStatus.FAILED:
            self.deliveries += 1
        if told.status is TradeStatus.MINED and trade.status is TradeStatus.MATCHED:
            self._counters.add("late_trade_news")
            return []
        told.status = trade.status
        self.moved[told.fill.market, told.fill.leg] = None
        if trade.status is TradeStatus.CONFIRMED:
            told.over = True
            return [FillFinal(POLYMARKET, told.fill.key)]
        if trade.status is TradeStatus.FAILED:
            told.over = True
            self._counters.add("fills_voided")
            return [FillVoided(told.fill, "the trade failed on the chain")]
        if trade.status is TradeStatus.RETRYING:
            self._counters.add("trades_retrying")
        return []

    def _fill(self, trade: TradeNews, part: FillNews, token: Token) -> Fill:
        return Fill(
            key=part.key,
            market=token.market,
            leg=token.leg,
            side=part.side,
            px=part.px,
            qty=part.qty,
            fee=self._fee(token.market, part),
            kind=FillKind.TRADE,
            maker=part.maker,
            client_id=self._orders.client_id(part.order_id),
            venue_order_id=VenueOrderId(part.order_id),
            venue_ms=trade.venue_ms,
            pending=trade.status is not TradeStatus.CONFIRMED,
        )

    def _fee(self, market: MarketId, part: FillNews) -> Cash:
        """The taker's by the curve, and what the chain's rounding takes beyond that of the books; below 0 if less."""
        rounding = part.side * part.cash - _taken(part.side, part.px, part.qty)
        return Cash(rounding if part.maker else rounding + self._taker_fee(market, part))

    def _taker_fee(self, market: MarketId, part: FillNews) -> Cash:
        listing = self._registry.listing(market)
        if listing is None or listing.market.fee is None:
            self._counters.add("fills_without_a_fee_curve")
            return Cash(0)
        return taker_fee(listing.market.fee, part.px, part.qty)

    # -- as matched

    def undelivered(self) -> tuple[int, dict[tuple[MarketId, Leg], int]]:
        """Cash and tokens (signed, 1e-8) that matched and are not in the balances yet."""
        cash, tokens = 0, dict[tuple[MarketId, Leg], int]()
        for one in self._pending():
            if one.status in _DELIVERED:
                continue
            fill = one.fill
            held = (fill.market, fill.leg)
            bought = 1 if fill.side is Side.BUY else -1
            tokens[held] = tokens.get(held, 0) + bought * fill.qty
            cash -= _taken(fill.side, fill.px, fill.qty) + fill.fee
        return cash, tokens

    def waiting(self) -> list[tuple[MarketId, Leg]]:
        """Tokens of fills that are neither final nor void."""
        return [(one.fill.market, one.fill.leg) for one in self._pending()]

    def leaving(self) -> dict[tuple[MarketId, Leg], int]:
        """Tokens that were sold and are still in the balances."""
        tokens: dict[tuple[MarketId, Leg], int] = {}
        for one in self._pending():
            if one.status not in _DELIVERED and one.fill.side is Side.SELL:
                held = (one.fill.market, one.fill.leg)
                tokens[held] = tokens.get(held, 0) + one.fill.qty
        return tokens

    def heard_of(self, order_id: str) -> int:
        """Shares of an order in the trades known here, whatever became of them."""
        return sum(one.fill.qty for one in self._told.values() if one.fill.venue_order_id == order_id)

    def filled_of(self, order_id: str) -> int:
        """Shares of an order in the trades known here, void ones left out."""
        return sum(
            one.fill.qty
            for one in self._told.values()
            if one.fill.venue_order_id == order_id and one.status is not TradeStatus.FAILED
        )


def _taken(side: Side, px: Px, qty: Qty) -> int:
    """Cash that a fill takes by the rounding of the engine's books, its fee apart; negative if it brings some."""
    return notional_ceil(px, qty) if side is Side.BUY else -notional_floor(px, qty)
