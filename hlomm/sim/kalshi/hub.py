"""From executed steps to websocket frames: who is told what, and under which number (venue sheet section 10)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.sim.faults import FaultName
from hlomm.sim.kalshi import events, rows
from hlomm.sim.kalshi.channels import Channel, Subscription
from hlomm.sim.kalshi.contracts import Market, yes_words
from hlomm.sim.kalshi.events import LifecycleKind
from hlomm.sim.kalshi.fees import FeeTerms
from hlomm.sim.kalshi.grid import WHOLE, count_text, dollars, iso, price_text
from hlomm.sim.kalshi.index import WINDOW_S
from hlomm.sim.kalshi.portfolio import money_words
from hlomm.sim.kalshi.venue import KalshiVenue
from hlomm.sim.kalshi.world import Commit

OVERFLOW_CODE: Final = 25
_QUARTER_NS: Final = 900 * NS_PER_S
_INDEX: Final = "BRTI"

Json = dict[str, Any]


class Hub:
    """Subscriptions of all connections. Listens to its venue, step by step."""

    def __init__(self, venue: KalshiVenue) -> None:
        self._venue = venue
        self._exchange = venue.exchange
        self._subscriptions: dict[Channel, dict[Subscription, None]] = {channel: {} for channel in Channel}
        self._last_ticker: dict[str, Json] = {}
        self.overflows = 0
        self.gaps = 0
        venue.listener = self.on_commit

    def join(self, subscription: Subscription) -> None:
        self._subscriptions[subscription.channel][subscription] = None

    def leave(self, subscription: Subscription) -> None:
        self._subscriptions[subscription.channel].pop(subscription, None)

    def on_commit(self, commit: Commit) -> None:
        now_ns = commit.time_ns
        self._spoil(now_ns)
        touched: dict[str, None] = {}
        for event in commit.events:
            match event:
                case events.BookChanged():
                    touched[event.ticker] = None
                    self._delta(event, now_ns)
                case events.Traded():
                    touched[event.ticker] = None
                    self._trade(event, now_ns)
                case events.BookWiped(ticker):
                    touched[ticker] = None
                    self._wiped(ticker, now_ns)
                case events.Filled():
                    self._fill(event, now_ns)
                case events.OrderChanged():
                    self._order(event, now_ns)
                case events.PositionChanged():
                    self._position(event, now_ns)
                case events.Lifecycle():
                    self._lifecycle(event, now_ns)
                case events.FeesChanged():
                    self._fees(event, now_ns)
                case events.GroupChanged():
                    self._group(event, now_ns)
                case events.IndexPrinted():
                    self._index(event, now_ns)
                case _:
                    pass
        if self._subscriptions[Channel.TICKER]:
            for ticker in touched:
                self._ticker(ticker, now_ns)

    # -- books

    def snapshot(self, subscription: Subscription, ticker: str, now_ns: int, **more: Any) -> None:
        """The whole book of a market; a side without orders has no key. Unknown markets have no book."""
        market = self._exchange.markets.get(ticker)
        if market is None:
            return
        msg: Json = {"market_ticker": ticker, "market_id": market.market_id}
        yes, no = rows.ladders(market, 0, yes_price=subscription.yes_price)
        if yes:
            msg["yes_dollars_fp"] = yes
        if no:
            msg["no_dollars_fp"] = no
        subscription.frame("orderbook_snapshot", msg, now_ns, **more)

    def _delta(self, event: events.BookChanged, now_ns: int) -> None:
        market = self._exchange.markets[event.ticker]
        for subscription in list(self._subscriptions[Channel.ORDERBOOK]):
            if not subscription.wants(event.ticker):
                continue
            ticks = event.ticks
            if event.side is Side.SELL and not subscription.yes_price:
                ticks = WHOLE - ticks
            msg: Json = {
                "market_ticker": event.ticker,
                "market_id": market.market_id,
                "price_dollars": price_text(ticks),
                "delta_fp": count_text(event.lots),
                "side": "yes" if event.side is Side.BUY else "no",
                "ts": iso(now_ns),
                "ts_ms": now_ns // NS_PER_MS,
            }
            if event.owner is subscription.listener.account and event.client_id is not None:
                msg["client_order_id"] = event.client_id
            if self._venue.faults.take(FaultName.SEQUENCE_GAP) is not None:
                self.gaps += 1
                subscription.seq += 1
                continue
            subscription.frame("orderbook_delta", msg, now_ns)

    def _wiped(self, ticker: str, now_ns: int) -> None:
        for subscription in list(self._subscriptions[Channel.ORDERBOOK]):
            if subscription.wants(ticker):
                self.snapshot(subscription, ticker, now_ns)

    def _spoil(self, now_ns: int) -> None:
        """End one numbered subscription as the venue does with a reader that is too slow."""
        if self._venue.faults.active(FaultName.BUFFER_OVERFLOW) is None:
            return
        subscription = next(iter(self._subscriptions[Channel.ORDERBOOK]), None)
        if subscription is not None and self._venue.faults.take(FaultName.BUFFER_OVERFLOW) is not None:
            self.overflows += 1
            subscription.frame("error", {"code": OVERFLOW_CODE, "msg": "Subscription buffer overflow"}, now_ns)
            self.leave(subscription)
            subscription.listener.drop(subscription.sid)

    # -- trades and tickers

    def _trade(self, event: events.Traded, now_ns: int) -> None:
        words = rows.side_words(event.taker)
        msg = {
            "trade_id": event.trade_id,
            "market_ticker": event.ticker,
            "yes_price_dollars": price_text(event.ticks),
            "no_price_dollars": price_text(WHOLE - event.ticks),
            "count_fp": count_text(event.lots),
            "taker_side": words["outcome_side"],
            "taker_outcome_side": words["outcome_side"],
            "taker_book_side": words["book_side"],
            "is_block_trade": False,
            "ts": now_ns // NS_PER_S,
            "ts_ms": now_ns // NS_PER_MS,
        }
        self._public(Channel.TRADE, event.ticker, "trade", msg, now_ns)

    def ticker_msg(self, ticker: str, now_ns: int) -> Json | None:
        market = self._exchange.markets.get(ticker)
        return None if market is None else rows.ticker_row(market, self._venue.open_interest(ticker), now_ns)

    def _ticker(self, ticker: str, now_ns: int) -> None:
        msg = self.ticker_msg(ticker, now_ns)
        if msg is None:
            self._last_ticker.pop(ticker, None)
            return
        figures = {key: value for key, value in msg.items() if key not in {"ts", "ts_ms", "time"}}
        if figures != self._last_ticker.get(ticker):
            self._last_ticker[ticker] = figures
            self._public(Channel.TICKER, ticker, "ticker", msg, now_ns)

    def _public(self, channel: Channel, ticker: str, kind: str, msg: Json, now_ns: int) -> None:
        for subscription in list(self._subscriptions[channel]):
            if subscription.wants(ticker):
                subscription.frame(kind, msg, now_ns)

    # -- private

    def _private(self, channel: Channel, account: object, ticker: str, kind: str, msg: Json, now_ns: int) -> None:
        for subscription in list(self._subscriptions[channel]):
            if subscription.listener.account is account and subscription.wants(ticker):
                subscription.frame(kind, msg, now_ns)

    def _fill(self, event: events.Filled, now_ns: int) -> None:
        order = event.order
        words = rows.side_words(order.side)
        msg: Json = {
            "trade_id": event.trade_id,
            "order_id": order.order_id,
            "market_ticker": order.ticker,
            "exchange_index": self._exchange.markets[order.ticker].shard,
            "is_taker": event.is_taker,
            "side": "yes",
            "yes_price_dollars": price_text(event.ticks),
            "count_fp": count_text(event.lots),
            "fee_cost": dollars(event.fee),
            "action": "buy" if order.side is Side.BUY else "sell",
            "ts": now_ns // NS_PER_S,
            "ts_ms": now_ns // NS_PER_MS,
            "post_position_fp": count_text(event.position),
            "purchased_side": words["outcome_side"],
            **words,
            "subaccount": 0,
        }
        if order.client_id is not None:
            msg["client_order_id"] = order.client_id
        self._private(Channel.FILL, event.account, order.ticker, "fill", msg, now_ns)

    def _order(self, event: events.OrderChanged, now_ns: int) -> None:
        order = event.order
        words = rows.side_words(order.side)
        msg: Json = {
            "order_id": order.order_id,
            "user_id": order.account.user_id,
            "ticker": order.ticker,
            "exchange_index": self._exchange.markets[order.ticker].shard,
            "status": event.status.value,
            "side": words["outcome_side"],
            "is_yes": order.side is Side.BUY,
            **words,
            "yes_price_dollars": price_text(order.ticks),
            "fill_count_fp": count_text(event.filled),
            "remaining_count_fp": count_text(event.lots),
            "initial_count_fp": count_text(order.lots_initial),
            **money_words(order),
            "self_trade_prevention_type": order.self_trade.value,
            "created_time": iso(order.created_ns),
            "created_ts_ms": order.created_ns // NS_PER_MS,
            "subaccount_number": 0,
        }
        if order.client_id is not None:
            msg["client_order_id"] = order.client_id
        if order.group is not None:
            msg["order_group_id"] = order.group.group_id
        if order.expires_ns is not None:
            msg["expiration_ts_ms"] = order.expires_ns // NS_PER_MS
        if event.reason is not None:
            msg["last_update_reason"] = event.reason.value
            msg["last_updated_ts_ms"] = now_ns // NS_PER_MS
        self._private(Channel.USER_ORDERS, event.account, order.ticker, "user_order", msg, now_ns)

    def _position(self, event: events.PositionChanged, now_ns: int) -> None:
        position = event.account.positions.get(event.ticker)
        if position is None:
            return
        msg = {
            "user_id": event.account.user_id,
            "market_ticker": event.ticker,
            "position_fp": count_text(position.lots),
            "position_cost_dollars": dollars(position.cost, 4),
            "realized_pnl_dollars": dollars(position.realized, 4),
            "fees_paid_dollars": dollars(position.fees, 4),
            "position_fee_cost_dollars": dollars(position.fees, 4),
            "volume_fp": count_text(position.volume),
        }
        self._private(Channel.POSITIONS, event.account, event.ticker, "market_position", msg, now_ns)

    def _group(self, event: events.GroupChanged, now_ns: int) -> None:
        msg: Json = {
            "event_type": event.kind.value,
            "order_group_id": event.group_id,
            "ts_ms": now_ns // NS_PER_MS,
        }
        if event.kind in {events.GroupKind.CREATED, events.GroupKind.LIMIT}:
            msg["contracts_limit_fp"] = count_text(event.limit)
        for subscription in list(self._subscriptions[Channel.GROUPS]):
            if subscription.listener.account is event.account:
                subscription.frame("order_group_updates", msg, now_ns)

    # -- life of markets

    def _lifecycle(self, event: events.Lifecycle, now_ns: int) -> None:
        market = self._exchange.markets.get(event.ticker)
        if market is None or not self._subscriptions[Channel.LIFECYCLE]:
            return
        msg: Json = {"event_type": event.kind.value, "market_ticker": event.ticker}
        msg |= _life_words(event, market, now_ns)
        for subscription in list(self._subscriptions[Channel.LIFECYCLE]):
            subscription.frame("market_lifecycle_v2", msg, now_ns)

    def _fees(self, event: events.FeesChanged, now_ns: int) -> None:
        msg = {
            "event_ticker": event.event_ticker,
            "fee_type_override": event.kind,
            "fee_multiplier_override": rows.multiplier(FeeTerms(event.kind, event.multiplier)),
        }
        for subscription in list(self._subscriptions[Channel.LIFECYCLE]):
            subscription.frame("event_fee_update", msg, now_ns)

    # -- the index

    def _index(self, event: events.IndexPrinted, now_ns: int) -> None:
        subscriptions = self._subscriptions[Channel.INDEX]
        if not subscriptions:
            return
        at_ms = event.time_ns // NS_PER_MS
        value = _cents(event.cents)
        data = {"type": "value", "id": _INDEX, "time": at_ms, "value": value}
        msg: Json = {
            "index_id": _INDEX,
            "received_at": now_ns // NS_PER_MS,
            "data": msgspec.json.encode(data).decode(),
            "avg_60s_data": _average(self._venue.world.index.window(event.time_ns), at_ms - WINDOW_S * 1000, at_ms),
        }
        close_ns = -(-event.time_ns // _QUARTER_NS) * _QUARTER_NS
        start_ns = close_ns - WINDOW_S * NS_PER_S
        if event.time_ns > start_ns:
            count = (event.time_ns - start_ns) // NS_PER_S
            values = self._venue.world.index.window(event.time_ns + 1, count)
            msg["last_60s_windowed_average_15min"] = _average(values, start_ns // NS_PER_MS, at_ms + 1)
        for subscription in list(subscriptions):
            if subscription.wants(_INDEX):
                subscription.frame("cfbenchmarks_value", msg, now_ns)


def _cents(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _average(values: list[int], start_ms: int, end_ms: int) -> Json:
    """An average over prints as the venue shows it, cut off after eight decimals."""
    scaled = sum(values) * 1_000_000 // max(len(values), 1)
    return {
        "value": f"{scaled // 100_000_000}.{scaled % 100_000_000:08d}",
        "window_size": len(values),
        "window_start_ts_ms": start_ms,
        "window_end_ts_exclusive": end_ms,
    }


def _life_words(event: events.Lifecycle, market: Market, now_ns: int) -> Json:
    """What a lifecycle frame says beyond its kind."""
    match event.kind:
        case LifecycleKind.CREATED:
            return rows.lifecycle_created(market)
        case LifecycleKind.DETERMINED:
            return {
                "result": "yes" if market.result else "no",
                "settlement_value": "1.0000" if market.result else "0.0000",
                "determination_ts": now_ns // NS_PER_S,
            }
        case LifecycleKind.SETTLED:
            return {"settled_ts": now_ns // NS_PER_S}
        case LifecycleKind.LEVELS:
            return {"price_level_structure": market.structure, "price_ranges": rows.ranges(market.structure)}
        case LifecycleKind.METADATA if event.aspect == "strike" and market.strike is not None:
            return {"strike_type": market.series.strike_type.value, "floor_strike": market.strike / 100}
        case LifecycleKind.METADATA if event.aspect == "title":
            return {"yes_sub_title": yes_words(market)}
        case LifecycleKind.METADATA:
            return {"rules_primary": rows.rules_text(market)}
        case _:
            return {}
