"""Kalshi over HTTP, as typed calls. Every request is signed, charged to its bucket and ends within the deadline.

A read that cannot be had raises VenueUnavailable (NotSent if nothing left); a write returns the venue's answer or its
refusal, and raises only where nobody knows what became of it. Writes go over lines that `keep_warm` has open,
and over the pool of the reads where none is free.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

import attrs
import trio

from hlomm.domain.faults import ProtocolViolation, VenueUnavailable
from hlomm.domain.units import Qty
from hlomm.venues.counters import Counters
from hlomm.venues.http_client import HttpAnswer
from hlomm.venues.http_host import HttpHost
from hlomm.venues.http_warm import Warming
from hlomm.venues.kalshi.config import KalshiConfig
from hlomm.venues.kalshi.dates import Dates
from hlomm.venues.kalshi.limits import Budgets
from hlomm.venues.kalshi.signing import Signer
from hlomm.venues.kalshi.wire import account, documents, exchange, groups, orders
from hlomm.venues.kalshi.wire.errors import RATE_LIMITED, Refusal, refusal
from hlomm.venues.transport import Transport
from hlomm.venues.venue_time import VenueTime

T = TypeVar("T")

PAGE: Final = 200
PAGES_MAX: Final = 50
TRADES_PAGE: Final = 1_000
_SERVER_FAULT: Final = 500
_UNSIGNED: Final = 401
_STATUS: Final = "/exchange/status"
_ORDER: Final = "/portfolio/orders/{order_id}"
EVENT_ORDER: Final = "/portfolio/events/orders/{order_id}"


@attrs.define(eq=False)
class KalshiRest:
    """Requests of one account. Inside `opened` connections are kept; outside every call opens its own."""

    _config: KalshiConfig
    _transport: Transport
    _time: VenueTime
    _counters: Counters
    _signer: Signer | None
    """None: only what is public can be asked for."""
    budgets: Budgets = attrs.field(factory=Budgets)
    ok: bool | None = None
    """Whether requests are answered; None before the first."""
    _answered: int = 0
    dates: Dates = attrs.field(init=False)
    _host: HttpHost = attrs.field(init=False)
    # One signature at a time: they take a core for a millisecond, and more threads would only queue for it.
    _signing: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(1))

    @dates.default
    def _what_dates_tell(self) -> Dates:
        return Dates(self._time, self._counters)

    @_host.default
    def _the_host(self) -> HttpHost:
        return HttpHost.of(self._transport, self._config.rest_url, self._config, self._counters)

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Keep connections open between requests."""
        return self._host.opened()

    async def keep_warm(self) -> None:
        """Have lines for writes open until cancelled. The question they are asked is public, so it is not signed."""
        config = self._config
        warming = Warming(
            lines=config.warm_lines, after_s=config.warm_s, method="GET", path=_STATUS, may_ask=self._may_warm,
            pace=config,
        )  # fmt: skip
        await self._host.keep_warm(warming, self._time.clock)

    def _may_warm(self) -> bool:
        cost = self.budgets.cost("GET", _STATUS)
        return self.budgets.read.try_take(cost, self._now_ns(), keep=self._config.read_reserve)

    def affords(self, requests: int) -> bool:
        """Whether so many reads of the usual cost leave the reserve untouched."""
        level = self.budgets.read.level(self._now_ns())
        return level - requests * self.budgets.costs.default >= self._config.read_reserve

    # -- the venue

    async def status(self) -> exchange.ExchangeStatus:
        """State of our shard. The document also comes with server errors."""
        answer = await self._send("GET", _STATUS, None, _STATUS)
        return self._read("status", exchange.status, answer.body, self._config.shard)

    async def series(self, ticker: str) -> documents.SeriesDoc | None:
        """Terms of a series, None if the venue has none of that name."""
        return await self._if_any("/series/{series_ticker}", ticker, documents.decode_series)

    async def event(self, ticker: str) -> documents.Page | None:
        """An event with its markets, None if the venue has none of that name, or not yet."""
        return await self._if_any("/events/{event_ticker}", ticker, documents.decode_event)

    async def market(self, ticker: str) -> documents.MarketDoc | None:
        """The document of a market, None if the venue has none of that name: not yet, or no more."""
        return await self._if_any("/markets/{ticker}", ticker, documents.decode_market)

    async def markets(self, series: str, status: str) -> list[documents.MarketDoc]:
        """Markets of a series. The filter's words are not those of the documents."""
        found: list[documents.MarketDoc] = []
        cursor = ""
        for _ in range(PAGES_MAX):
            query = {"series_ticker": series, "status": status, "limit": str(PAGE)}
            page = await self._get("markets", _query("/markets", query, cursor), documents.decode_markets)
            self._counters.add("market_rows_unreadable", page.unreadable)
            found += page.markets
            cursor = page.cursor
            if not cursor:
                return found
        raise VenueUnavailable(f"/markets: more than {PAGES_MAX} pages")

    async def book(self, ticker: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]] | None:
        """Rows of both sides, None if the venue does not know the market."""
        path = f"/markets/{ticker}/orderbook"
        answer = await self._send("GET", path, None, path)
        if answer.status == 404:
            return None
        return self._read("book", exchange.book, self._good("book", answer))

    async def trades(self, ticker: str, from_s: int) -> list[exchange.PublicTrade]:
        """Public trades of a market since then, newest first."""
        query = {"ticker": ticker, "min_ts": str(from_s), "limit": str(TRADES_PAGE)}
        rows, unreadable = await self._get("trades", _query("/markets/trades", query, ""), exchange.trades)
        self._counters.add("trade_rows_unreadable", unreadable)
        return rows

    # -- the account

    async def balance(self) -> account.Balance:
        return await self._get("balance", "/portfolio/balance", account.balance)

    async def positions(self) -> list[account.PositionRow]:
        return await self._all("/portfolio/positions", {"count_filter": "position"}, account.positions)

    async def list_orders(self, **query: str) -> list[account.OrderRow]:
        """Orders of all shards, newest first."""
        return await self._all("/portfolio/orders", query, account.orders)

    async def order(self, order_id: str) -> account.OrderRow | None:
        """One order, None if the venue knows none of that id."""
        answer = await self._send("GET", f"/portfolio/orders/{order_id}", None, _ORDER)
        if answer.status == 404:
            return None
        return self._read("order", account.one_order, self._good("order", answer))

    async def fills(self, from_s: int) -> list[account.FillRow]:
        return await self._all("/portfolio/fills", {"min_ts": str(max(from_s, 0))}, account.fills)

    async def settlements(self) -> list[account.SettlementRow]:
        """The newest page; older ones are history."""
        rows, _ = await self._get("settlements", f"/portfolio/settlements?limit={PAGE}", account.settlements)
        return rows

    async def as_of_ms(self) -> int:
        """Up to when portfolio reads are complete."""
        return await self._get("as_of", "/exchange/user_data_timestamp", exchange.as_of_ms)

    async def groups(self) -> list[groups.GroupRow]:
        """Order groups on all shards."""
        return await self._get("groups", groups.GROUPS, groups.groups)

    async def netting(self) -> bool:
        """Whether opposite positions cancel out on our shard."""
        path = "/portfolio/subaccounts/netting"
        answer = await self._send("GET", path, None, path)
        return self._read("netting", exchange.netting, self._good("netting", answer), self._config.shard)

    async def learn_limits(self) -> None:
        limits = await self._get("limits", "/account/limits", exchange.limits)
        self.budgets.costs = await self._get("costs", "/account/endpoint_costs", exchange.costs)
        self.budgets.told(limits)

    async def check_access(self) -> Refusal | None:
        """The refusal of a signed read, None if it was taken."""
        answer = await self._send("GET", "/account/limits", None, "/account/limits")
        return None if answer.status == 200 else refusal(answer.status, answer.body)

    # -- writes

    async def create(self, order: orders.Create) -> orders.Answer | Refusal:
        body = orders.body_bytes(orders.create_body(order))
        return await self._write("POST", orders.ORDERS, body, orders.ORDERS, order.shard)

    async def amend(self, amend: orders.Amend) -> orders.Answer | Refusal:
        body = orders.body_bytes(orders.amend_body(amend))
        template = f"{EVENT_ORDER}/amend"
        return await self._write("POST", orders.amend_path(amend.order_id), body, template, amend.shard)

    async def cancel(self, order_id: str, ticker: str, shard: int) -> orders.Answer | Refusal:
        """Always routed: without its shard a cancel ends at shard 0 and the order lives on."""
        return await self._write("DELETE", orders.cancel_path(order_id, ticker, shard), None, EVENT_ORDER, shard)

    async def create_group(self, limit: Qty, shard: int) -> str | Refusal:
        """The id of a new order group."""
        body = orders.body_bytes(groups.create_body(limit, shard))
        answer = await self._carry("POST", f"{groups.GROUPS}/create", body, f"{groups.GROUPS}/create", None)
        return answer if isinstance(answer, Refusal) else self._read("group", groups.created, answer)

    async def group_action(self, group_id: str, action: str) -> str | Refusal:
        """`reset` or `trigger`; the id again if it was done."""
        template = groups.action_path("{order_group_id}", action)
        answer = await self._carry("PUT", groups.action_path(group_id, action), b"{}", template, None)
        return answer if isinstance(answer, Refusal) else group_id

    async def _write(
        self, method: str, path: str, body: bytes | None, template: str, shard: int
    ) -> orders.Answer | Refusal:
        answer = await self._carry(method, path, body, template, shard)
        if isinstance(answer, Refusal):
            return answer
        try:
            return orders.decode_answer(answer)
        except ProtocolViolation as error:
            self._counters.add(f"malformed.{error.kind}")
            raise VenueUnavailable(f"{method} {template}: unreadable answer") from None

    async def _carry(
        self, method: str, path: str, body: bytes | None, template: str, shard: int | None
    ) -> bytes | Refusal:
        """The body of a write's success, or its refusal."""
        self.budgets.write(shard).take(self.budgets.cost(method, template), self._now_ns())
        answer = await self._send(method, path, body, None)
        if answer.status in (200, 201):
            return answer.body
        refused = refusal(answer.status, answer.body)
        self._counters.add(f"refused.{refused.code}")
        if refused.code == RATE_LIMITED:
            self.budgets.write(shard).drain(self._now_ns())
        if answer.status >= _SERVER_FAULT:
            raise VenueUnavailable(f"{method} {template}: HTTP {answer.status} {refused.text}")
        return refused

    # -- plumbing

    async def upgrade_headers(self, url: str) -> tuple[tuple[str, str], ...]:
        """Headers of the websocket's upgrade."""
        return await self._sign("GET", url)

    async def _sign(self, method: str, url: str) -> tuple[tuple[str, str], ...]:
        if self._signer is None:
            return ()
        return await trio.to_thread.run_sync(
            self._signer.headers, self._time.wall_ms(), method, url, limiter=self._signing
        )

    async def _get(self, what: str, path: str, decode: Callable[[bytes], T]) -> T:
        answer = await self._send("GET", path, None, path.partition("?")[0])
        return self._read(what, decode, self._good(what, answer))

    async def _if_any(self, template: str, name: str, decode: Callable[[bytes], T]) -> T | None:
        path = f"{template.partition('{')[0]}{name}"
        answer = await self._send("GET", path, None, template)
        return None if answer.status == 404 else self._read(path, decode, self._good(path, answer))

    async def _all(self, path: str, query: dict[str, str], decode: Callable[[bytes], tuple[list[T], str]]) -> list[T]:
        """All pages: a short page does not end a list, an empty cursor does."""
        found: list[T] = []
        cursor = ""
        for _ in range(PAGES_MAX):
            rows, cursor = await self._get(path, _query(path, {**query, "limit": str(PAGE)}, cursor), decode)
            found += rows
            if not cursor:
                return found
        raise VenueUnavailable(f"{path}: more than {PAGES_MAX} pages")

    async def _send(self, method: str, path: str, body: bytes | None, read: str | None) -> HttpAnswer:
        """`read`: template of a read, charged here; writes are charged by their caller.

        A signature that is refused while the clocks differ is made once more, by the venue's: whoever has no session to
        measure them learns the time like this, and nothing was done.
        """
        believed_ms = self._time.ahead_ms or 0
        answer = await self._send_once(method, path, body, read)
        if answer.status == _UNSIGNED and self.dates.correct(believed_ms):
            answer = await self._send_once(method, path, body, read)
        return answer

    async def _send_once(self, method: str, path: str, body: bytes | None, read: str | None) -> HttpAnswer:
        if read is not None:
            self.budgets.read.take(self.budgets.cost(method, read), self._now_ns())
        self._counters.add("rest_requests")
        answered_before = self._answered
        headers = await self._sign(method, urlsplit(self._config.rest_url).path + path)
        sent_ms = self._time.clock.wall_ms()
        try:
            carry = self._host.act if read is None else self._host.request
            answer = await carry(method, path, body or b"", dict(headers))
        except VenueUnavailable:
            # A request that hung through an outage may fail after others were answered again: it proves nothing.
            if self._answered == answered_before:
                self.ok = False
            self._counters.add("rest_failures")
            raise
        self._answered += 1
        self.ok = answer.status < _SERVER_FAULT
        self.dates.note(answer.headers.get("date", ""), sent_ms)
        if answer.status >= 400:
            self._counters.add(f"http_{answer.status}")
        if answer.status == 429 and read is not None:
            self.budgets.read.drain(self._now_ns())
        return answer

    def _good(self, what: str, answer: HttpAnswer) -> bytes:
        if answer.status != 200:
            refused = refusal(answer.status, answer.body)
            raise VenueUnavailable(f"{what} answered HTTP {answer.status}: {refused.text}")
        return answer.body

    def _read(self, what: str, decode: Callable[..., T], *args: Any) -> T:
        try:
            return decode(*args)
        except ProtocolViolation as error:
            self._counters.add(f"malformed.{error.kind}")
            raise VenueUnavailable(f"{what}: unreadable answer ({error.kind})") from None

    def _now_ns(self) -> int:
        return self._time.clock.now().mono_ns


def _query(path: str, query: dict[str, str], cursor: str) -> str:
    return f"{path}?{urlencode({**query, 'cursor': cursor} if cursor else query)}"
