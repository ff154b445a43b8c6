"""The venue's HTTP APIs as typed calls: order book, account and discovery (venue sheet sections 4, 6, 7, 10 and 13).

Every call ends within the request deadline: with a value, or with VenueUnavailable (NotSent if nothing left). Private
calls carry the HMAC of the API key, which is derived (or else created) by the wallet's signature on first need.
Actions go over lines that `keep_warm` has open, and over the pool where none is free.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import attrs

from hlomm.domain.faults import VenueRefused, VenueUnavailable
from hlomm.venues.anomalies import Anomaly
from hlomm.venues.counters import Counters
from hlomm.venues.http_client import HttpAnswer, NotSent
from hlomm.venues.http_host import HttpHost
from hlomm.venues.http_warm import Warming
from hlomm.venues.polymarket.auth import L2Signer, l1_headers
from hlomm.venues.polymarket.config import PolymarketConfig
from hlomm.venues.polymarket.limits import SignerBudget
from hlomm.venues.polymarket.wire import info, replies, requests, user_frames
from hlomm.venues.polymarket.wire.account_rows import Me, OrderNews, TradeNews
from hlomm.venues.polymarket.wire.books import TokenBook, decode_book
from hlomm.venues.polymarket.wire.errors import NO_MARKET, REFUSES_US, Failure
from hlomm.venues.polymarket.wire.gamma import GammaRow, decode_events
from hlomm.venues.transport import Transport
from hlomm.venues.venue_time import VenueTime

T = TypeVar("T")

_OK: Final = 200
_SERVER_FAULT: Final = 500
_NOT_FOUND: Final = 404
_TIME: Final = "/time"
PAGES_MAX: Final = 50
VERSION: Final = 2


@attrs.define(eq=False)
class PolymarketRest:
    """Requests of one key. Inside `opened` connections are kept; outside every call opens its own."""

    _config: PolymarketConfig
    _transport: Transport
    _time: VenueTime
    _counters: Counters
    budget: SignerBudget
    ok: bool | None = None
    """Whether requests are answered; None before the first."""
    signer: L2Signer | None = None
    _answered: int = 0
    _clob: HttpHost = attrs.field(init=False)
    _gamma: HttpHost = attrs.field(init=False)

    @_clob.default
    def _the_clob(self) -> HttpHost:
        return self._host(self._config.clob_url)

    @_gamma.default
    def _the_gamma(self) -> HttpHost:
        return self._host(self._config.gamma_url)

    def _host(self, url: str) -> HttpHost:
        return HttpHost.of(self._transport, url, self._config, self._counters, self._config.rest_tasks_max)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keep connections open between requests."""
        async with self._clob.opened(), self._gamma.opened():
            yield

    async def keep_warm(self) -> None:
        """Have lines for actions open until cancelled. The venue's time costs none of the signer's budget."""
        config = self._config
        warming = Warming(
            lines=config.warm_lines, after_s=config.warm_s, method="GET", path=_TIME, may_ask=lambda: True, pace=config
        )
        await self._clob.keep_warm(warming, self._time.clock)

    @property
    def me(self) -> Me:
        assert self.signer is not None, "private answers are read after private questions"
        return Me(self.signer.api_key.key, self._config.wallet.lower())

    # -- keys

    async def ensure_key(self) -> L2Signer:
        """The API key, for whoever needs it now. NotSent if the venue gives none: nothing private was asked."""
        try:
            return await self.claim_key()
        except VenueRefused as refused:
            raise NotSent(str(refused)) from refused

    async def claim_key(self) -> L2Signer:
        """The API key of this wallet key: given, else derived, else created. VenueRefused if there is none."""
        if self.signer is None and self._config.api_key is not None:
            self.signer = L2Signer(self._config.api_key, self._config.key.address)
        if self.signer is None:
            answer = await self._l1("GET", "/auth/derive-api-key")
            if answer.status != _OK:
                answer = await self._l1("POST", "/auth/api-key")
            if answer.status != _OK:
                failed = replies.decode_failure(answer.status, answer.body)
                if answer.status >= _SERVER_FAULT:
                    raise VenueUnavailable(f"no API key: {failed.text}")
                raise VenueRefused(
                    f"{self._config.clob_url} gives {self._config.key.address} no API key: {failed.text}"
                )
            key = self._value("api key", info.decode_api_key(answer.body))
            self.signer = L2Signer(key, self._config.key.address)
        return self.signer

    async def existing_key(self) -> bool:
        """Whether there is an API key, given or made before; none is made."""
        if self.signer is None and self._config.api_key is None:
            answer = await self._l1("GET", "/auth/derive-api-key")
            if answer.status >= _SERVER_FAULT:
                raise VenueUnavailable(f"/auth/derive-api-key answered HTTP {answer.status}")
            if answer.status != _OK:
                return False
            self.signer = L2Signer(self._value("api key", info.decode_api_key(answer.body)), self._config.key.address)
        return True

    async def _l1(self, method: str, path: str) -> HttpAnswer:
        headers = l1_headers(self._config.key, self._config.contracts.chain_id, self._seconds())
        return await self._request(method, path, b"", headers)

    # -- about the venue

    async def server_time(self) -> int:
        """Unix milliseconds of the venue's clock, which it tells in whole seconds."""
        return self._value("time", info.decode_time(await self._get(_TIME)))

    async def version(self) -> int:
        return self._value("version", info.decode_version(await self._get("/version")))

    async def book(self, token: str) -> TokenBook | None:
        """A token's book, None if the venue does not know it."""
        answer = await self._request("GET", requests.with_query("/book", token_id=token))
        if answer.status != _OK:
            failed = replies.decode_failure(answer.status, answer.body)
            if failed.code == NO_MARKET:
                return None
            raise VenueUnavailable(f"/book answered {failed.text}")
        return self._value("book", decode_book(answer.body))

    async def tokens(self, condition: str) -> info.Tokens:
        return self._value("tokens", info.decode_tokens(await self._get(f"/markets/{condition}")))

    async def compact(self, condition: str) -> info.Compact | None:
        """None for a market that the order book does not know: new ones are listed minutes before it does."""
        answer = await self._request("GET", f"/clob-markets/{condition}")
        if answer.status == _NOT_FOUND:
            return None
        return self._value("compact", info.decode_compact(self._good(f"/clob-markets/{condition}", answer)))

    async def events(self, tag: str, end_min: str, end_max: str) -> tuple[GammaRow, ...]:
        """Every market of the open events with a tag that end between two ISO times."""
        rows: list[GammaRow] = []
        fields: dict[str, str | int] = {
            "closed": "false", "tag_slug": tag, "end_date_min": end_min, "end_date_max": end_max, "limit": 100,
        }  # fmt: skip
        for _ in range(PAGES_MAX):
            body = await self._discover(requests.with_query("/events/keyset", **fields))
            page = self._value("events", decode_events(body))
            rows += page.rows
            if page.cursor is None:
                return tuple(rows)
            fields["after_cursor"] = page.cursor
        raise VenueUnavailable(f"more than {PAGES_MAX} pages of events")

    # -- about the account

    async def balance(self, token: str | None) -> int:
        """Delivered pUSD (None) or shares of a token, in 1e-8, after the venue has looked at the chain again."""
        fields: dict[str, str | int] = {"signature_type": int(self._config.signature_type)}
        if token is None:
            fields["asset_type"] = "COLLATERAL"
        else:
            fields |= {"asset_type": "CONDITIONAL", "token_id": token}
        await self._private("GET", requests.with_query("/balance-allowance/update", **fields))
        body = await self._private("GET", requests.with_query("/balance-allowance", **fields))
        return self._value("balance", info.decode_balance(body))

    async def check_key(self) -> str | None:
        """The venue's words if it refuses our key or wallet, None if it takes them."""
        try:
            signer = await self.claim_key()
        except VenueRefused as refused:
            return str(refused)
        path = "/data/orders"
        answer = await self._request("GET", path, b"", signer.headers(self._seconds(), "GET", path))
        if answer.status == _OK:
            return None
        failed = replies.decode_failure(answer.status, answer.body)
        if failed.code in REFUSES_US:
            return failed.text
        raise VenueUnavailable(f"inconclusive answer to a signed question: {failed.text}")

    async def open_orders(self) -> tuple[OrderNews, ...]:
        return await self._pages("/data/orders", {}, user_frames.decode_orders)

    async def trades_since(self, after_ms: int) -> tuple[TradeNews, ...]:
        """Trades that matched after that time, newest first as told."""
        await self.ensure_key()
        me = self.me
        return await self._pages(
            "/data/trades", {"after": max(after_ms // 1_000, 0)}, lambda body: user_frames.decode_trades(body, me)
        )

    async def order(self, order_id: str) -> OrderNews | None:
        """An order that the venue still lists; None for one that is over or never was."""
        signer = await self.ensure_key()
        path = f"/data/order/{order_id}"
        answer = await self._request("GET", path, b"", signer.headers(self._seconds(), "GET", path))
        if answer.status == 404:
            return None
        if answer.status != _OK:
            raise VenueUnavailable(f"/data/order answered {replies.decode_failure(answer.status, answer.body).text}")
        return self._optional("order", user_frames.decode_order(answer.body))

    async def _pages(
        self,
        path: str,
        fields: dict[str, str | int],
        decode: Callable[[bytes], tuple[user_frames.Page | None, tuple[Anomaly, ...]]],
    ) -> tuple[Any, ...]:
        rows: list[Any] = []
        for _ in range(PAGES_MAX):
            page = self._value(path, decode(await self._private("GET", requests.with_query(path, **fields))))
            rows += page.rows
            if page.cursor is None:
                return tuple(rows)
            fields["next_cursor"] = page.cursor
        raise VenueUnavailable(f"more than {PAGES_MAX} pages of {path}")

    # -- actions

    async def act(self, method: str, path: str, body: bytes) -> HttpAnswer | Failure:
        """A signed action: the answer if it has status 200, else what the venue said.

        VenueUnavailable means that nobody knows whether it was carried out, NotSent that it was not.
        """
        signer = await self.ensure_key()
        headers = signer.headers(self._seconds(), method, path, body)
        answer = await self._request(method, path, body, headers, acts=True)
        self.budget.told(answer.headers.get("poly-ratelimit-tier"))
        return answer if answer.status == _OK else replies.decode_failure(answer.status, answer.body)

    async def heartbeat(self, heartbeat_id: str) -> tuple[bool, str | None]:
        """Whether it counted, and the id to send next if the venue told one."""
        signer = await self.ensure_key()
        path, body = "/v1/heartbeats", requests.heartbeat_body(heartbeat_id)
        answer = await self._request("POST", path, body, signer.headers(self._seconds(), "POST", path, body))
        if answer.status >= _SERVER_FAULT:
            raise VenueUnavailable(f"{path} answered HTTP {answer.status}")
        next_id, _ = replies.decode_heartbeat(answer.body)
        return answer.status == _OK and next_id is not None, next_id

    # -- plumbing

    def _seconds(self) -> int:
        return self._time.wall_ms() // 1_000

    async def _get(self, path: str) -> bytes:
        return self._good(path, await self._request("GET", path))

    def _good(self, path: str, answer: HttpAnswer) -> bytes:
        if answer.status != _OK:
            raise VenueUnavailable(f"{path} answered {replies.decode_failure(answer.status, answer.body).text}")
        return answer.body

    async def _private(self, method: str, path: str) -> bytes:
        signer = await self.ensure_key()
        answer = await self._request(method, path, b"", signer.headers(self._seconds(), method, path))
        if answer.status != _OK:
            raise VenueUnavailable(f"{path} answered {replies.decode_failure(answer.status, answer.body).text}")
        return answer.body

    async def _discover(self, path: str) -> bytes:
        self._counters.add("rest_requests")
        answer = await self._gamma.request("GET", path)
        if answer.status != _OK:
            raise VenueUnavailable(f"{path} answered HTTP {answer.status}")
        return answer.body

    async def _request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, *, acts: bool = False
    ) -> HttpAnswer:
        self._counters.add("rest_requests")
        answered_before = self._answered
        carry = self._clob.act if acts else self._clob.request
        try:
            answer = await carry(method, path, body, headers)
        except VenueUnavailable:
            # A request that hung through an outage may fail after others were answered again: it proves nothing.
            if self._answered == answered_before:
                self.ok = False
            self._counters.add("rest_failures")
            raise
        self._answered += 1
        self.ok = answer.status < _SERVER_FAULT
        if answer.status != _OK:
            self._counters.add(f"http_{answer.status}")
        return answer

    def _value(self, what: str, decoded: tuple[T | None, Sequence[Anomaly]]) -> T:
        value = self._optional(what, decoded)
        if value is None:
            raise VenueUnavailable(f"{what}: empty answer")
        return value

    def _optional(self, what: str, decoded: tuple[T | None, Sequence[Anomaly]]) -> T | None:
        value, anomalies = decoded
        self._counters.note(anomalies, what)
        if value is None and anomalies:
            raise VenueUnavailable(f"{what}: unreadable answer ({anomalies[0].kind})")
        return value
