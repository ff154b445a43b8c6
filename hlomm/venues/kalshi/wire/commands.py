"""Commands to the websocket (venue sheet section 10). `use_yes_price` is always said: its default will change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

BOOKS: Final = "orderbook_delta"
TRADES: Final = "trade"
FILLS: Final = "fill"
ORDERS: Final = "user_orders"
POSITIONS: Final = "market_positions"
LIFECYCLE: Final = "market_lifecycle_v2"
GROUPS: Final = "order_group_updates"
INDEX: Final = "cfbenchmarks_value"
ACCOUNT: Final = (FILLS, ORDERS, POSITIONS)

ADD: Final = "add_markets"
DELETE: Final = "delete_markets"
SNAPSHOT: Final = "get_snapshot"


def subscribe(command_id: int, channels: Sequence[str], tickers: Sequence[str] = (), *, yes_prices: bool) -> str:
    """Subscribe to channels, of those markets if any are named."""
    params: dict[str, Any] = {"channels": list(channels)}
    if tickers:
        params["market_tickers"] = list(tickers)
    if BOOKS in channels:
        params["use_yes_price"] = yes_prices
    return _command(command_id, "subscribe", params)


def update(command_id: int, sid: int, action: str, tickers: Sequence[str]) -> str:
    """Add or delete markets of a subscription, or ask for their snapshots."""
    return _command(
        command_id, "update_subscription", {"sids": [sid], "market_tickers": list(tickers), "action": action}
    )


def unsubscribe(command_id: int, sid: int) -> str:
    return _command(command_id, "unsubscribe", {"sids": [sid]})


def list_subscriptions(command_id: int) -> str:
    """Changes nothing and is always answered: our way of asking whether anybody is there."""
    return _command(command_id, "list_subscriptions", {})


def _command(command_id: int, cmd: str, params: dict[str, Any]) -> str:
    return msgspec.json.encode({"id": command_id, "cmd": cmd, "params": params}).decode()
