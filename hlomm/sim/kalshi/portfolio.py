"""The read side of the portfolio: rows as of a little while ago (venue sheet sections 4 and 7).

What happened is written down at once and becomes visible late, in order. The lag of each step is drawn from the seed.
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any, Final

import attrs

from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.sim.faults import FaultName, Faults
from hlomm.sim.kalshi import events
from hlomm.sim.kalshi.accounts import Account, Order
from hlomm.sim.kalshi.contracts import CRYPTO_SHARD
from hlomm.sim.kalshi.exchange import Exchange
from hlomm.sim.kalshi.grid import CENT, WHOLE, count_text, dollars, iso, price6_text
from hlomm.sim.kalshi.rows import Json, side_words
from hlomm.sim.kalshi.world import Commit

ORDERS_KEPT: Final = 20_000
FILLS_KEPT: Final = 20_000
SETTLEMENTS_KEPT: Final = 5_000


@attrs.define(eq=False)
class Folder:
    """One member's visible rows, oldest first."""

    orders: dict[str, Json] = attrs.field(factory=dict)
    fills: deque[Json] = attrs.field(factory=lambda: deque(maxlen=FILLS_KEPT))
    settlements: deque[Json] = attrs.field(factory=lambda: deque(maxlen=SETTLEMENTS_KEPT))
    positions: dict[str, Json] = attrs.field(factory=dict)
    balances: dict[int, int] = attrs.field(factory=dict)
    updated_ns: int = 0


_Change = tuple[int, int, str, str, str, Any]
"""Due, when it happened, user, kind of row, key, row (None removes it)."""


class Portfolio:
    """Folders by user id. `note` is told of every step; `folder` answers as of the lag."""

    def __init__(self, exchange: Exchange, faults: Faults, seed: int, *, lag_s: float) -> None:
        self._exchange = exchange
        self._faults = faults
        self._rng = random.Random(f"{seed}/kalshi/portfolio")
        self._lag_ns = seconds_to_ns(lag_s)
        self._folders: dict[str, Folder] = {}
        self._waiting: deque[_Change] = deque()
        self._last_due_ns = 0

    def open(self, account: Account, now_ns: int) -> None:
        """A member's folder with what it starts with, visible at once."""
        self._folders[account.user_id] = Folder(balances=self._balances(account), updated_ns=now_ns)

    def note(self, commit: Commit) -> None:
        """Write down what a step did to members."""
        changes: list[tuple[Account, str, str, Any]] = []
        for event in commit.events:
            match event:
                case events.OrderChanged(account=account, order=order):
                    changes.append((account, "orders", order.order_id, order_row(event)))
                case events.Filled(account=account):
                    changes.append((account, "fills", event.trade_id, fill_row(event, commit.time_ns)))
                case events.PositionChanged(account, ticker):
                    changes.append((account, "positions", ticker, self._position(account, ticker)))
                case events.CashChanged(account):
                    changes.append((account, "balances", "", self._balances(account)))
                case events.Settled(account=account, ticker=ticker):
                    changes.append((account, "positions", ticker, None))
                    changes.append((account, "settlements", ticker, self._settlement(event, commit.time_ns)))
                    changes.append((account, "balances", "", self._balances(account)))
                case _:
                    pass
        if not changes:
            return
        lag_ns = int(self._rng.random() * self._lag_ns) + self._faults.delay_ns(FaultName.PORTFOLIO_LAGGING)
        self._last_due_ns = max(self._last_due_ns, commit.time_ns + lag_ns)
        for account, kind, key, row in changes:
            self._waiting.append((self._last_due_ns, commit.time_ns, account.user_id, kind, key, row))

    def folder(self, account: Account, now_ns: int) -> Folder:
        self._catch_up(now_ns)
        return self._folders[account.user_id]

    def as_of_ns(self, now_ns: int) -> int:
        """Everything before this instant is visible."""
        self._catch_up(now_ns)
        return self._waiting[0][1] - 1 if self._waiting else now_ns

    def _catch_up(self, now_ns: int) -> None:
        while self._waiting and self._waiting[0][0] <= now_ns:
            _, at_ns, user, kind, key, row = self._waiting.popleft()
            folder = self._folders[user]
            folder.updated_ns = at_ns
            match kind:
                case "orders":
                    folder.orders[key] = row
                    if len(folder.orders) > ORDERS_KEPT:
                        del folder.orders[next(iter(folder.orders))]
                case "fills":
                    folder.fills.append(row)
                case "settlements":
                    folder.settlements.append(row)
                case "positions" if row is None:
                    folder.positions.pop(key, None)
                case "positions":
                    folder.positions[key] = row
                case _:
                    folder.balances = row

    def _balances(self, account: Account) -> dict[int, int]:
        if self._exchange.rules.balance_available:
            return {shard: account.free(shard) for shard in account.cash}
        return dict(account.cash)

    def _position(self, account: Account, ticker: str) -> Json | None:
        position = account.positions.get(ticker)
        if position is None:
            return None
        market = self._exchange.markets[ticker]
        return {
            "ticker": ticker,
            "exchange_index": market.shard,
            "total_traded_dollars": dollars(position.traded),
            "position_fp": count_text(position.lots),
            "market_exposure_dollars": dollars(position.cost),
            "realized_pnl_dollars": dollars(position.realized),
            "fees_paid_dollars": dollars(position.fees),
            "last_updated_ts": iso(position.updated_ns),
        }

    def _settlement(self, event: events.Settled, now_ns: int) -> Json:
        market = self._exchange.markets[event.ticker]
        yes, no = max(event.lots, 0), max(-event.lots, 0)
        return {
            "ticker": event.ticker,
            "exchange_index": market.shard,
            "event_ticker": market.event_ticker,
            "market_result": "yes" if market.result else "no",
            "yes_count_fp": count_text(yes),
            "yes_total_cost_dollars": dollars(event.cost if yes else 0),
            "no_count_fp": count_text(no),
            "no_total_cost_dollars": dollars(event.cost if no else 0),
            "revenue": event.payout // CENT,
            "settled_time": iso(now_ns),
            "fee_cost": dollars(event.fees),
            "value": 100 if market.result else 0,
        }


def _old_words(side: Side) -> Json:
    """Deprecated names of the direction, which the venue still sends."""
    return {"side": "yes", "action": "buy" if side is Side.BUY else "sell"}


def order_row(event: events.OrderChanged) -> Json:
    order = event.order
    expires_ns = order.expires_ns
    return {
        "order_id": order.order_id,
        "user_id": order.account.user_id,
        "client_order_id": order.client_id or "",
        "ticker": order.ticker,
        **_old_words(order.side),
        **side_words(order.side),
        "type": "limit",
        "status": event.status.value,
        "yes_price_dollars": price6_text(order.ticks),
        "no_price_dollars": price6_text(WHOLE - order.ticks),
        "fill_count_fp": count_text(event.filled),
        "remaining_count_fp": count_text(event.lots),
        "initial_count_fp": count_text(order.lots_initial),
        **money_words(order),
        "expiration_time": None if expires_ns is None else iso(expires_ns),
        "created_time": iso(order.created_ns),
        "last_update_time": iso(order.updated_ns),
        "self_trade_prevention_type": order.self_trade.value,
        "order_group_id": None if order.group is None else order.group.group_id,
        "cancel_order_on_pause": order.cancel_on_pause,
        "subaccount_number": 0,
        "exchange_index": CRYPTO_SHARD,
    }


def money_words(order: Order) -> Json:
    return {
        "taker_fill_cost_dollars": dollars(order.taker_cost),
        "maker_fill_cost_dollars": dollars(order.maker_cost),
        "taker_fees_dollars": dollars(order.taker_fees),
        "maker_fees_dollars": dollars(order.maker_fees),
    }


def fill_row(event: events.Filled, now_ns: int) -> Json:
    order = event.order
    return {
        "fill_id": event.trade_id,
        "trade_id": event.trade_id,
        "order_id": order.order_id,
        "ticker": order.ticker,
        "market_ticker": order.ticker,
        "exchange_index": CRYPTO_SHARD,
        **_old_words(order.side),
        **side_words(order.side),
        "count_fp": count_text(event.lots),
        "yes_price_dollars": price6_text(event.ticks),
        "no_price_dollars": price6_text(WHOLE - event.ticks),
        "is_taker": event.is_taker,
        "created_time": iso(now_ns),
        "fee_cost": dollars(event.fee),
        "subaccount_number": 0,
        "ts": now_ns // NS_PER_S,
    }
