"""`/info` and `/exchange` over HTTP, as typed calls (venue sheet sections 1, 2 and 4).

Every call ends within the request deadline: with a value, or with VenueUnavailable (NotSent if nothing left). An
answer that cannot be read counts as no answer. Requests are charged to the IP's weight budget as they leave; `affords`
tells optional work (polls) to stand back so that orders and cancels always find room, `affords_again` has those of an
outage become rarer.

Actions go over lines that `keep_warm` has open, and over the pool of the polls where no line is free.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final, TypeVar

import attrs

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.fills import Fill
from hlomm.domain.ids import ClientId
from hlomm.domain.inputs import BookSnapshot, FundingPaid, RestingOrder
from hlomm.domain.times import NS_PER_S
from hlomm.venues.anomalies import Anomaly
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.http_client import HttpAnswer
from hlomm.venues.http_host import HttpHost
from hlomm.venues.http_warm import Warming
from hlomm.venues.hyperliquid.config import HyperliquidConfig
from hlomm.venues.hyperliquid.limits import IP_WEIGHT_PER_MIN, exchange_weight, info_extra_weight, info_weight
from hlomm.venues.hyperliquid.wire import info, standing
from hlomm.venues.hyperliquid.wire.account import Balances
from hlomm.venues.hyperliquid.wire.candles import CANDLES, CandleRows, candles_request, decode_candles
from hlomm.venues.hyperliquid.wire.fills import FillRows
from hlomm.venues.hyperliquid.wire.outcomes import PerpRow, Settlement
from hlomm.venues.hyperliquid.wire.perps import PerpAccount
from hlomm.venues.hyperliquid.wire.replies import ExchangeReply, decode_exchange
from hlomm.venues.pacing import WindowBudget
from hlomm.venues.transport import Transport

T = TypeVar("T")

_OK: Final = 200
_REFUSES: Final = 300
"""From here to `_SERVER_FAULT` nothing was done. A success that is not 200 does not say what was."""
_TOO_MANY: Final = 429
_SERVER_FAULT: Final = 500
_EXCHANGE: Final = "/exchange"
_WARMING: Final = "exchangeStatus"
_MINUTE_S: Final = 60
FILL_PAGES_MAX: Final = 16
"""The venue has 10,000 fills in all: five full pages, and what lies around them."""
FUNDING_PAGES_MAX: Final = 16
"""Most of a year of one perp that is held all the time, of weight 720 in all."""
_HASTE: Final = 16
"""Polls of an outage come as often as would use up so many times what is left in a minute, if it did not become less:
every second at first, every five or six seconds in the end."""


@attrs.frozen
class TurnedAway:
    """The gateway refused the request before the exchange saw it."""

    text: str


@attrs.define(eq=False)
class HyperliquidRest:
    """Requests of one account. Inside `opened` connections are kept; outside every call opens its own."""

    _config: HyperliquidConfig
    _transport: Transport
    _clock: Clock
    _counters: Counters
    ok: bool | None = None
    """Whether requests are answered; None before the first."""
    _answered: int = 0
    _weights: WindowBudget = attrs.field(factory=lambda: WindowBudget(IP_WEIGHT_PER_MIN, _MINUTE_S))
    _afforded_ns: int = 0
    _host: HttpHost = attrs.field(init=False)

    @_host.default
    def _the_host(self) -> HttpHost:
        return HttpHost.of(self._transport, self._config.rest_url, self._config, self._counters)

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Keep connections open between requests."""
        return self._host.opened()

    async def keep_warm(self) -> None:
        """Have lines for actions open until cancelled."""
        config = self._config
        warming = Warming(
            lines=config.warm_lines, after_s=config.warm_s, method="POST", path="/info", body=info.request(_WARMING),
            may_ask=self._may_warm, pace=config,
        )  # fmt: skip
        await self._host.keep_warm(warming, self._clock)

    def _may_warm(self) -> bool:
        now_ns = self._clock.now().mono_ns
        return self._weights.try_take(info_weight(_WARMING), now_ns, keep=self._config.weight_reserve)

    def affords(self, weight: int) -> bool:
        """Whether a poll of that weight leaves the reserve for orders and cancels untouched.

        One that weighs more than polls may ever have is made when they have all of it.
        """
        most = IP_WEIGHT_PER_MIN - self._config.weight_reserve
        return self._spare() >= min(weight, most)

    def affords_again(self, weight: int) -> bool:
        """The same for a poll that is made over and over: the less is left, the rarer. It is then taken for made."""
        now_ns = self._clock.now().mono_ns
        due_s = weight * _MINUTE_S / (_HASTE * max(self._spare(), 1))
        if not self.affords(weight) or now_ns - self._afforded_ns < due_s * NS_PER_S:
            return False
        self._afforded_ns = now_ns
        return True

    def _spare(self) -> float:
        return self._weights.level(self._clock.now().mono_ns) - self._config.weight_reserve

    # -- about the venue

    async def server_time(self) -> int:
        """Unix milliseconds of the venue's clock."""
        return (await self.status()).time_ms

    async def status(self) -> info.ExchangeStatus:
        return self._value("exchangeStatus", info.decode_exchange_status(await self._info("exchangeStatus")))

    async def outcome_meta(self) -> info.OutcomeMeta:
        return self._value("outcomeMeta", info.decode_outcome_meta(await self._info("outcomeMeta")))

    async def perp_meta(self) -> tuple[PerpRow, ...]:
        return self._value("meta", info.decode_perp_meta(await self._info("meta")))

    async def settled_outcome(self, outcome: int) -> Settlement | None:
        """What an outcome pays, None while it is not settled."""
        body = await self._info("settledOutcome", info.settled_outcome_request(outcome))
        return self._optional("settledOutcome", info.decode_settled_outcome(body))

    async def l2_book(self, coin: str) -> BookSnapshot | None:
        """The book in YES space, None if the venue does not know the coin."""
        return self._optional("l2Book", info.decode_l2_book(await self._info("l2Book", info.l2_book_request(coin))))

    async def candles(self, coin: str, interval: str, start_ms: int, end_ms: int) -> CandleRows:
        """Candles that begin within the span, as told: at most 5,000, and only of the latest 5,000 there are."""
        body = await self._info(CANDLES, candles_request(coin, interval, start_ms, end_ms))
        rows = self._value(CANDLES, decode_candles(body))
        extra = info_extra_weight(CANDLES, len(rows.candles) + rows.skipped)
        self._weights.take(extra, self._clock.now().mono_ns)
        return rows

    # -- about the account

    async def balances(self) -> Balances:
        body = await self._user_info("spotClearinghouseState")
        return self._value("spotClearinghouseState", info.decode_balances(body, self._config.account))

    async def perp_account(self) -> PerpAccount:
        return self._value("clearinghouseState", info.decode_perp_account(await self._user_info("clearinghouseState")))

    async def funding_since(self, start_ms: int) -> tuple[FundingPaid, ...]:
        """Funding payments from that venue time on, oldest first. VenueUnavailable if they are not to be had whole.

        The venue begins with the oldest: after a page that is full the next one begins with its last moment.
        """
        told: dict[str, FundingPaid] = {}
        begin = start_ms
        for _ in range(FUNDING_PAGES_MAX):
            body = await self._info("userFunding", info.funding_since_request(self._config.account, begin))
            rows = self._value("userFunding", info.decode_funding(body))
            self._weights.take(info_extra_weight("userFunding", len(rows.payments)), self._clock.now().mono_ns)
            told |= {one.key: one for one in rows.payments}
            if rows.span is None:
                return tuple(told.values())
            if rows.span[1] <= begin:
                raise VenueUnavailable(f"userFunding: more payments within a millisecond than it tells ({begin})")
            begin = rows.span[1]
        raise VenueUnavailable(f"userFunding: more than {FUNDING_PAGES_MAX} pages since {start_ms}")

    async def open_orders(self) -> tuple[RestingOrder, ...]:
        return self._value("frontendOpenOrders", info.decode_open_orders(await self._user_info("frontendOpenOrders")))

    async def user_fills(self) -> FillRows:
        """The last fills, at most 2,000."""
        return self._fills("userFills", await self._user_info("userFills"))

    async def fills_since(self, start_ms: int) -> FillRows:
        """All fills from that venue time on. VenueUnavailable if they are not to be had whole.

        What may be missing around an answer that is full is asked for: later fills, since the venue begins with the
        oldest, and earlier ones, since nobody promises that.
        """
        gaps: list[tuple[int, int | None]] = [(start_ms, None)]
        told: list[Fill] = []
        skipped = 0
        for _ in range(FILL_PAGES_MAX):
            begin, end = gaps.pop()
            body = await self._info("userFillsByTime", info.fills_since_request(self._config.account, begin, end))
            rows = self._fills("userFillsByTime", body)
            told += rows.fills
            skipped += rows.skipped
            if rows.span is not None:
                first, last = rows.span
                if first >= last:
                    raise VenueUnavailable(f"userFillsByTime: more fills within a millisecond than it tells ({first})")
                gaps += [(last, end), (begin, first)]
            if not gaps:
                return FillRows(self._config.account, True, tuple(told), skipped)
        raise VenueUnavailable(f"userFillsByTime: more than {FILL_PAGES_MAX} pages since {start_ms}")

    def _fills(self, kind: str, body: bytes) -> FillRows:
        rows = self._value(kind, info.decode_fills(body, self._config.account))
        self._weights.take(info_extra_weight(kind, len(rows.fills) + rows.skipped), self._clock.now().mono_ns)
        return rows

    async def user_fees(self) -> info.UserFees:
        return self._value("userFees", info.decode_user_fees(await self._user_info("userFees")))

    async def rate_limit(self) -> info.RateLimit:
        return self._value("userRateLimit", info.decode_rate_limit(await self._user_info("userRateLimit")))

    async def order_status(self, client_id: ClientId) -> info.OrderStatus:
        body = await self._info("orderStatus", info.order_status_request(self._config.account, client_id))
        return self._value("orderStatus", info.decode_order_status(body))

    # -- about who may act for it

    async def role(self, address: str) -> standing.Role:
        """What any address is to the venue."""
        body = await self._info(standing.ROLE, info.user_request(standing.ROLE, address))
        return self._value(standing.ROLE, standing.decode_role(body))

    async def agents(self) -> tuple[standing.Agent, ...]:
        """Named agents of the account."""
        return self._value(standing.AGENTS, standing.decode_agents(await self._user_info(standing.AGENTS)))

    async def mode(self) -> str:
        return self._value(standing.MODE, standing.decode_mode(await self._user_info(standing.MODE)))

    # -- actions

    async def exchange(self, body: bytes, size: int) -> ExchangeReply | TurnedAway:
        """Post a signed action of `size` orders or cancels.

        VenueUnavailable means that nobody knows whether it was carried out, NotSent that it was not.
        """
        answer = await self._post(_EXCHANGE, body, exchange_weight(size))
        if _REFUSES <= answer.status < _SERVER_FAULT:
            return TurnedAway(f"{answer.status} {answer.body[:200].decode(errors='replace')}")
        if answer.status != _OK:
            raise VenueUnavailable(f"/exchange answered {answer.said}")
        reply, anomalies = decode_exchange(answer.body)
        self._counters.note(anomalies, "exchange")
        if reply is None:
            raise VenueUnavailable("/exchange gave an unreadable answer")
        return reply

    # -- plumbing

    async def _user_info(self, kind: str) -> bytes:
        return await self._info(kind, info.user_request(kind, self._config.account))

    async def _info(self, kind: str, body: bytes | None = None) -> bytes:
        answer = await self._post("/info", info.request(kind) if body is None else body, info_weight(kind))
        if answer.status != _OK:
            raise VenueUnavailable(f"{kind} answered {answer.said}")
        return answer.body

    async def _post(self, path: str, body: bytes, weight: int) -> HttpAnswer:
        self._weights.take(weight, self._clock.now().mono_ns)
        self._counters.add("rest_requests")
        answered_before = self._answered
        try:
            carry = self._host.act if path == _EXCHANGE else self._host.request
            answer = await carry("POST", path, body)
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
        if answer.status == _TOO_MANY:
            # Our count of the IP's weight was too kind (others may share the address): polls pause until it refills.
            self._weights.drain(self._clock.now().mono_ns)
        return answer

    def _value(self, what: str, decoded: tuple[T | None, tuple[Anomaly, ...]]) -> T:
        value = self._optional(what, decoded)
        if value is None:
            raise VenueUnavailable(f"{what}: empty answer")
        return value

    def _optional(self, what: str, decoded: tuple[T | None, tuple[Anomaly, ...]]) -> T | None:
        value, anomalies = decoded
        self._counters.note(anomalies, what)
        if value is None and anomalies:
            raise VenueUnavailable(f"{what}: unreadable answer ({anomalies[0].kind})")
        return value
