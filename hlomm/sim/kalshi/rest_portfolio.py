"""Signed reads: balance, positions, orders, fills, settlements, limits (venue sheet section 7)."""

from __future__ import annotations

from typing import Any, Final

from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import parse
from hlomm.sim.kalshi import refusals
from hlomm.sim.kalshi.accounts import Account, Order
from hlomm.sim.kalshi.contracts import SHARDS
from hlomm.sim.kalshi.grid import CASH, CENT, LOT, PAIR, count_text, dollars, iso
from hlomm.sim.kalshi.refusals import Refused, bad_request
from hlomm.sim.kalshi.requests import Query, page
from hlomm.sim.kalshi.rows import Json
from hlomm.sim.kalshi.venue import KalshiVenue

DEFAULT_COST: Final = 10
CANCEL_COST: Final = 2
GET_ORDER_COST: Final = 2
UPGRADE_COST: Final = 30


class PortfolioReads:
    """Answers about one member, as of the portfolio's lag."""

    def __init__(self, venue: KalshiVenue) -> None:
        self._venue = venue
        self._exchange = venue.exchange

    def balance(self, account: Account, query: Query, now_ns: int) -> Json:
        folder = self._venue.portfolio.folder(account, now_ns)
        shard = query.number("exchange_index")
        if shard is not None and shard not in SHARDS:
            raise Refused(bad_request("exchange_index"))
        shown = {key: cash for key, cash in folder.balances.items() if shard in {None, key}}
        if not _main(query):
            shown = {}
        total = sum(shown.values())
        value = sum(self._value(row) for row in folder.positions.values() if shard in {None, row["exchange_index"]})
        return {
            "balance": total // CENT,
            "balance_dollars": dollars(total, 4),
            "portfolio_value": value // CENT,
            "updated_ts": folder.updated_ns // NS_PER_S,
            "balance_breakdown": [
                {"exchange_index": key, "balance": dollars(cash, 4)} for key, cash in sorted(shown.items())
            ],
        }

    def _value(self, row: Json) -> int:
        """What a position is worth at the middle of the book, or at the last trade."""
        market = self._exchange.markets.get(row["ticker"])
        if market is None:
            return 0
        bid, ask = market.book.best_ticks(Side.BUY), market.book.best_ticks(Side.SELL)
        ticks = (bid + ask) // 2 if bid is not None and ask is not None else (market.last_ticks or 0)
        lots = parse(row["position_fp"]) // LOT
        return lots * ticks * CASH if lots > 0 else -lots * (PAIR - ticks * CASH)

    def positions(self, account: Account, query: Query, now_ns: int) -> Json:
        folder = self._venue.portfolio.folder(account, now_ns)
        ticker, event, shard = query.text("ticker"), query.text("event_ticker"), query.number("exchange_index")
        filters = query.many("count_filter")
        found = [
            row
            for row in folder.positions.values()
            if _main(query)
            and ticker in {None, row["ticker"]}
            and event in {None, _event_of(row["ticker"])}
            and shard in {None, row["exchange_index"]}
            and ("position" not in filters or parse(row["position_fp"]))
            and ("total_traded" not in filters or parse(row["total_traded_dollars"]))
        ]
        shown, cursor = page(found, query, 100, 1000)
        return {"market_positions": shown, "event_positions": _by_event(shown), "cursor": cursor}

    def orders(self, account: Account, query: Query, now_ns: int) -> Json:
        status, ticker, events = query.text("status"), query.text("ticker"), query.many("event_ticker")
        if status not in {None, "resting", "canceled", "executed"}:
            raise Refused(bad_request("status"))
        low, high, shard = query.number("min_ts"), query.number("max_ts"), query.number("exchange_index")
        low_text = None if low is None else iso(low * NS_PER_S)
        high_text = None if high is None else iso((high + 1) * NS_PER_S)
        found = [
            row
            for row in reversed(self._venue.portfolio.folder(account, now_ns).orders.values())
            if _main(query)
            and status in {None, row["status"]}
            and ticker in {None, row["ticker"]}
            and (not events or _event_of(row["ticker"]) in events)
            and shard in {None, row["exchange_index"]}
            and (low_text is None or row["created_time"][:19] >= low_text[:19])
            and (high_text is None or row["created_time"][:19] < high_text[:19])
        ]
        shown, cursor = page(found, query, 100, 1000)
        return {"orders": shown, "cursor": cursor}

    def order(self, account: Account, order_id: str, now_ns: int) -> Json:
        row = self._venue.portfolio.folder(account, now_ns).orders.get(order_id)
        if row is None:
            raise Refused(refusals.NOT_FOUND)
        return {"order": row}

    def fills(self, account: Account, query: Query, now_ns: int) -> Json:
        ticker, order_id = query.text("ticker"), query.text("order_id")
        low, high = query.number("min_ts"), query.number("max_ts")
        found = [
            row
            for row in reversed(self._venue.portfolio.folder(account, now_ns).fills)
            if _main(query)
            and ticker in {None, row["ticker"]}
            and order_id in {None, row["order_id"]}
            and (low is None or row["ts"] >= low)
            and (high is None or row["ts"] <= high)
        ]
        shown, cursor = page(found, query, 100, 1000)
        return {"fills": shown, "cursor": cursor}

    def settlements(self, account: Account, query: Query, now_ns: int) -> Json:
        ticker, event = query.text("ticker"), query.text("event_ticker")
        found = [
            row
            for row in reversed(self._venue.portfolio.folder(account, now_ns).settlements)
            if _main(query) and ticker in {None, row["ticker"]} and event in {None, row["event_ticker"]}
        ]
        shown, cursor = page(found, query, 100, 1000)
        return {"settlements": shown, "cursor": cursor}

    def queue_positions(self, account: Account, query: Query) -> Json:
        tickers, event = query.many("market_tickers"), query.text("event_ticker")
        if not tickers and event is None:
            raise Refused(bad_request("market_tickers or event_ticker"))
        found = [
            {
                "order_id": order.order_id,
                "market_ticker": order.ticker,
                "queue_position_fp": count_text(self._ahead(order)),
            }
            for order in account.orders()
            if order.ticker in tickers or event == _event_of(order.ticker)
        ]
        return {"queue_positions": found}

    def queue_position(self, account: Account, order_id: str) -> Json:
        order = next((order for order in account.orders() if order.order_id == order_id), None)
        if order is None:
            raise Refused(refusals.NOT_FOUND)
        return {"queue_position_fp": count_text(self._ahead(order))}

    def _ahead(self, order: Order) -> int:
        """Lots that are served before an order."""
        ahead = 0
        for other in self._exchange.markets[order.ticker].book.orders(order.side):
            if other is order:
                break
            ahead += other.lots
        return ahead

    def as_of(self, now_ns: int) -> Json:
        return {"as_of_time": iso(self._venue.portfolio.as_of_ns(now_ns), micros=True)}

    # -- account

    def limits(self) -> Json:
        rules = self._venue.rules
        rate = {"read": rules.read_per_s, "write": rules.write_per_s}
        buckets = {
            name: {"refill_rate": value, "bucket_capacity": int(value * rules.bucket_s)} for name, value in rate.items()
        }
        grant = {"exchange_instance": "event_contract", "level": "advanced", "source": "manual"}
        return {"usage_tier": "advanced", **buckets, "grants": [grant]}

    def endpoint_costs(self) -> Json:
        costs = (
            ("DELETE", "/portfolio/events/orders/{order_id}", CANCEL_COST),
            ("DELETE", "/portfolio/events/orders/batched", CANCEL_COST),
            ("GET", "/portfolio/orders/{order_id}", GET_ORDER_COST),
        )
        return {
            "default_cost": DEFAULT_COST,
            "endpoint_costs": [{"method": method, "path": path, "cost": cost} for method, path, cost in costs],
        }

    def netting(self, account: Account) -> Json:
        configs = [
            {"subaccount_number": 0, "enabled": account.netting, "exchange_index": shard}
            for shard in sorted(account.cash)
        ]
        return {"netting_configs": configs}

    def groups(self, account: Account) -> Json:
        found = [
            {
                "id": group.group_id,
                "contracts_limit_fp": count_text(group.limit),
                "is_auto_cancel_enabled": group.triggered,
                "exchange_index": shard,
            }
            for shard, engine in self._exchange.engines.items()
            for group in engine.groups.values()
            if group.account is account
        ]
        return {"order_groups": found}

    def group(self, account: Account, group_id: str) -> Json:
        for shard, engine in self._exchange.engines.items():
            group = engine.groups.get(group_id)
            if group is not None and group.account is account:
                return {
                    "is_auto_cancel_enabled": group.triggered,
                    "orders": [order.order_id for order in group.orders.values()],
                    "contracts_limit_fp": count_text(group.limit),
                    "exchange_index": shard,
                }
        raise Refused(refusals.GROUP_NOT_FOUND)


def _main(query: Query) -> bool:
    """Whether the request is about the only subaccount there is."""
    return (query.number("subaccount") or 0) == 0


def _event_of(ticker: str) -> str:
    """Event of a market: all but the last part of its ticker."""
    return ticker.rpartition("-")[0]


def _by_event(positions: list[Json]) -> list[Json]:
    """Sums over the markets of each event."""
    sums: dict[str, list[int]] = {}
    for row in positions:
        total = sums.setdefault(_event_of(row["ticker"]), [0, 0, 0, 0, 0])
        figures: list[Any] = [
            row["total_traded_dollars"],
            row["position_fp"].removeprefix("-"),
            row["market_exposure_dollars"],
            row["realized_pnl_dollars"],
            row["fees_paid_dollars"],
        ]
        for index, text in enumerate(figures):
            total[index] += parse(text)
    return [
        {
            "event_ticker": event,
            "total_cost_dollars": dollars(cost),
            "total_cost_shares_fp": count_text(shares // LOT),
            "event_exposure_dollars": dollars(exposure),
            "realized_pnl_dollars": dollars(realized),
            "fees_paid_dollars": dollars(fees),
        }
        for event, (cost, shares, exposure, realized, fees) in sums.items()
    ]
