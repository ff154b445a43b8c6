"""What the wire shows of books, orders and trades (venue sheet 6 to 9). Numbers are strings; the best level is last."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.sim.pm.chain import checksummed
from hlomm.sim.pm.events import OrderChanged, TradeChanged
from hlomm.sim.pm.market import Market
from hlomm.sim.pm.orders import MakerFill, Order, Trade
from hlomm.sim.pm.units import WHOLE, price_text, size_text

Json = dict[str, Any]

_ZERO_FEE: Final = "0"


def side_text(side: Side) -> str:
    return "BUY" if side is Side.BUY else "SELL"


def book(market: Market, leg: Leg, now_ms: int) -> Json:
    """One token's book as REST and the websocket show it, with its hash."""
    levels = {
        name: [
            {"price": price_text(ticks), "size": size_text(lots)} for ticks, lots in reversed(market.depth(leg, side))
        ]
        for name, side in (("bids", Side.BUY), ("asks", Side.SELL))
    }
    row: Json = {
        "market": market.spec.condition,
        "asset_id": market.spec.tokens[leg],
        "timestamp": str(now_ms),
        "hash": "",
        **levels,
        "min_order_size": size_text(market.min_lots),
        "tick_size": price_text(market.tick),
        "neg_risk": False,
        "last_trade_price": "" if market.last_ticks is None else price_text(own_ticks(market.last_ticks, leg)),
    }
    row["hash"] = book_hash(row)
    return row


def book_hash(row: Json) -> str:
    """SHA-1 of the compact JSON of a book whose hash is empty."""
    return hashlib.sha1(msgspec.json.encode(row | {"hash": ""}), usedforsecurity=False).hexdigest()


def own_ticks(yes_ticks: int, leg: Leg) -> int:
    """A price of the first outcome as one of the given token."""
    return yes_ticks if leg is Leg.YES else WHOLE - yes_ticks


def touch(market: Market, leg: Leg) -> tuple[str, str]:
    """Best bid and ask of a token; an empty side shows 0 or 1."""
    bid, ask = market.best(leg, Side.BUY), market.best(leg, Side.SELL)
    return price_text(0 if bid is None else bid), price_text(WHOLE if ask is None else ask)


# -- market stream


def price_changes(market: Market, wanted: set[str], now_ms: int) -> Json | None:
    """The levels that changed in this step, each for every wanted token; sizes are absolute."""
    changes: list[Json] = []
    touches = [touch(market, leg) for leg in Leg]
    for (side, ticks), order_id in market.touched.items():
        lots = market.book.lots_at(side, ticks)
        digest = hashlib.sha1(f"{order_id}{lots}".encode(), usedforsecurity=False).hexdigest()
        for leg in Leg:
            if market.spec.tokens[leg] not in wanted:
                continue
            shown = side if leg is Leg.YES else Side(-side)
            changes.append(
                {
                    "asset_id": market.spec.tokens[leg],
                    "price": price_text(own_ticks(ticks, leg)),
                    "size": size_text(lots),
                    "side": side_text(shown),
                    "hash": digest,
                    "best_bid": touches[leg][0],
                    "best_ask": touches[leg][1],
                }
            )
    if not changes:
        return None
    return {
        "market": market.spec.condition,
        "price_changes": changes,
        "timestamp": str(now_ms),
        "event_type": "price_change",
    }


def book_event(market: Market, leg: Leg, now_ms: int) -> Json:
    return book(market, leg, now_ms) | {"event_type": "book"}


def last_trade(market: Market, trade: Trade) -> Json:
    """The print of a trade, on the taker's token."""
    return {
        "market": market.spec.condition,
        "asset_id": market.spec.tokens[trade.taker.new.leg],
        "price": price_text(trade.ticks),
        "size": size_text(trade.lots),
        "side": side_text(trade.taker.new.side),
        "fee_rate_bps": _ZERO_FEE,
        "timestamp": str(trade.match_ms),
        "event_type": "last_trade_price",
    }


def tick_change(market: Market, leg: Leg, old: int, new: int, now_ms: int) -> Json:
    return {
        "market": market.spec.condition,
        "asset_id": market.spec.tokens[leg],
        "old_tick_size": price_text(old),
        "new_tick_size": price_text(new),
        "timestamp": str(now_ms),
        "event_type": "tick_size_change",
    }


def best_bid_ask(market: Market, leg: Leg, now_ms: int) -> Json:
    bid, ask = market.best(leg, Side.BUY) or 0, market.best(leg, Side.SELL) or WHOLE
    return {
        "event_type": "best_bid_ask",
        "market": market.spec.condition,
        "asset_id": market.spec.tokens[leg],
        "best_bid": price_text(bid),
        "best_ask": price_text(ask),
        "spread": price_text(ask - bid),
        "timestamp": str(now_ms),
    }


def resolved(market: Market, now_ms: int) -> Json:
    """A void market names no winner."""
    winner = {WHOLE: 0, 0: 1}.get(-1 if market.yes_ticks is None else market.yes_ticks)
    return {
        "event_type": "market_resolved",
        "id": str(market.number),
        "market": market.spec.condition,
        "assets_ids": list(market.spec.tokens),
        "winning_asset_id": "" if winner is None else market.spec.tokens[winner],
        "winning_outcome": "" if winner is None else market.spec.outcomes[winner],
        "timestamp": str(now_ms),
        "tags": ["crypto", "bitcoin"],
    }


# -- private


def open_order(market: Market, order: Order) -> Json:
    new = order.new
    return {
        "id": new.id,
        "status": "LIVE",
        "owner": new.owner,
        "maker_address": checksummed(order.wallet.address),
        "market": market.spec.condition,
        "asset_id": market.spec.tokens[new.leg],
        "side": side_text(new.side),
        "original_size": size_text(order.lots_original),
        "size_matched": size_text(order.matched),
        "price": price_text(new.ticks),
        "outcome": market.spec.outcomes[new.leg],
        "expiration": str(new.expiration_s),
        "order_type": new.kind.value,
        "associate_trades": list(order.trades),
        "created_at": order.placed_ms // 1000,
    }


def order_event(market: Market, event: OrderChanged) -> Json:
    order = event.order
    row = open_order(market, order)
    return row | {
        "event_type": "order",
        "type": event.change.value,
        "status": event.status,
        "order_owner": order.new.owner,
        "size_matched": size_text(event.matched),
        "associate_trades": list(event.trades),
        "created_at": str(order.placed_ms // 1000),
        "timestamp": str(event.time_ms),
    }


def maker_row(market: Market, fill: MakerFill) -> Json:
    new = fill.order.new
    return {
        "order_id": new.id,
        "owner": new.owner,
        "maker_address": checksummed(fill.order.wallet.address),
        "matched_amount": size_text(fill.lots),
        "price": price_text(new.ticks),
        "fee_rate_bps": _ZERO_FEE,
        "asset_id": market.spec.tokens[new.leg],
        "outcome": market.spec.outcomes[new.leg],
        "side": side_text(new.side),
    }


def trade_row(market: Market, trade: Trade, owner: str) -> Json:
    """A trade as `/data/trades` shows it to one API key. The top level is the taker's whoever looks.

    The makers are in another order than on the stream: nobody promises one, so no client may rely on it.
    """
    taker = trade.taker
    return {
        "id": trade.id,
        "taker_order_id": taker.new.id,
        "market": market.spec.condition,
        "asset_id": market.spec.tokens[taker.new.leg],
        "side": side_text(taker.new.side),
        "size": size_text(trade.lots),
        "fee_rate_bps": _ZERO_FEE,
        "price": price_text(trade.ticks),
        "status": trade.status.value,
        "match_time": str(trade.match_ms // 1000),
        "last_update": str(trade.updated_ms // 1000),
        "outcome": market.spec.outcomes[taker.new.leg],
        "bucket_index": trade.bucket_index,
        "owner": taker.new.owner,
        "maker_address": checksummed(taker.wallet.address),
        "transaction_hash": trade.hash,
        "maker_orders": [maker_row(market, fill) for fill in reversed(trade.makers)],
        "trader_side": "TAKER" if taker.new.owner == owner else "MAKER",
    }


def trade_event(market: Market, event: TradeChanged, owner: str) -> Json:
    row = trade_row(market, event.trade, owner)
    return row | {
        "maker_orders": row["maker_orders"][::-1],
        "event_type": "trade",
        "type": "TRADE",
        "status": event.status.value,
        "transaction_hash": event.hash,
        "last_update": str(event.time_ms // 1000),
        "trade_owner": event.trade.taker.new.owner,
        "timestamp": str(event.time_ms),
    }
