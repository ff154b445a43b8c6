"""The REST part: which path is whose, who may ask, what it costs, and when the answer is ready.

Reads are answered at once; writes go through the world and are answered from the step that carried them out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any, Final

import attrs
import msgspec

from hlomm.domain.times import NS_PER_MS
from hlomm.sim.faults import FaultName
from hlomm.sim.http_server import HttpReply
from hlomm.sim.kalshi import refusals
from hlomm.sim.kalshi import rest_orders as bodies
from hlomm.sim.kalshi.accounts import Account
from hlomm.sim.kalshi.auth import Credentials
from hlomm.sim.kalshi.refusals import Refused, bad_request
from hlomm.sim.kalshi.requests import Query, decoded
from hlomm.sim.kalshi.rest_market import MarketData
from hlomm.sim.kalshi.rest_orders import Writes
from hlomm.sim.kalshi.rest_portfolio import (
    CANCEL_COST,
    DEFAULT_COST,
    GET_ORDER_COST,
    UPGRADE_COST,
    PortfolioReads,
)
from hlomm.sim.kalshi.venue import API, KalshiVenue
from hlomm.sim.sequencer import MempoolFull

TOO_MANY: Final = HttpReply(429, b'{"error":"too many requests"}')
Answer = Callable[[HttpReply | None, int], None]
"""Takes the reply and the venue time at which it reaches the client; None for a reply that gets lost."""


@attrs.frozen(kw_only=True)
class Call:
    """One request, understood as far as its address. `account` is None where nobody need sign."""

    ids: tuple[str, ...]
    query: Query
    body: bytes
    account: Account | None
    now_ns: int

    @property
    def member(self) -> Account:
        assert self.account is not None, "signed routes know who asks"
        return self.account


@attrs.frozen(kw_only=True)
class Write:
    """A write that was understood: what it costs, which bucket it bills, and what is to run in the world."""

    run: Callable[[], Any]
    cost: int = DEFAULT_COST
    shard: int | None = None
    status: int = 200


Reader = Callable[[Call], Any]
Writer = Callable[[Call], Write]


@attrs.frozen(kw_only=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    read: Reader | None = None
    write: Writer | None = None
    signed: bool = True
    cost: int = DEFAULT_COST


class Rest:
    """Answers requests under the API's root."""

    def __init__(self, venue: KalshiVenue) -> None:
        self._venue = venue
        self._market = MarketData(venue)
        self._portfolio = PortfolioReads(venue)
        self._writes = Writes(venue)
        self._routes = [*self._public(), *self._reads(), *self._writers(), *_deprecated()]
        self._rng = random.Random(f"{venue.seed}/kalshi/latency")
        self.executed = 0

    def submit(self, method: str, target: str, given: Credentials, body: bytes, now_ns: int, answer: Answer) -> None:
        """Take a request; `answer` is called at once, or from the step that carries it out."""
        latency = self._venue.config.kalshi.latency
        read_ns = now_ns + int(latency.read_ms * NS_PER_MS)
        path = target.partition("?")[0]
        try:
            route, ids = self._route(method, path.removeprefix(API))
            account = self._authenticate(given, method, path, now_ns) if route.signed else None
            call = Call(ids=ids, query=Query.of(target), body=body, account=account, now_ns=now_ns)
            if route.read is not None:
                if account is not None and not self._venue.budget(account).read.take(now_ns, route.cost):
                    answer(TOO_MANY, read_ns)
                else:
                    answer(_reply(200, route.read(call)), read_ns)
            elif route.write is not None:
                self._write(route.write(call), call, answer)
        except Refused as refused:
            answer(self._refused(refused), read_ns)

    def _route(self, method: str, path: str) -> tuple[Route, tuple[str, ...]]:
        for route in self._routes:
            match = route.pattern.fullmatch(path) if route.method == method else None
            if match is not None:
                return route, match.groups()
        raise Refused(refusals.NOT_FOUND)

    def _authenticate(self, given: Credentials, method: str, path: str, now_ns: int) -> Account:
        account = self._venue.keys.account_of(given, method, path, now_ns)
        if self._venue.faults.take(FaultName.AUTH_REFUSED) is not None:
            raise Refused(refusals.unauthorized("INCORRECT_API_KEY_SIGNATURE"))
        return account

    def _refused(self, refused: Refused) -> HttpReply:
        refusal = refused.refusal
        return _reply(refusal.status, refusal.body(self._venue.rules.error_form))

    # -- writes

    def _write(self, write: Write, call: Call, answer: Answer) -> None:
        latency = self._venue.config.kalshi.latency
        reply_ns = int((latency.reply_ms + self._rng.uniform(0.0, latency.reply_jitter_ms)) * NS_PER_MS)
        if not self._venue.budget(call.member).writing(write.shard).take(call.now_ns, write.cost):
            answer(TOO_MANY, call.now_ns + reply_ns)
            return

        def execute() -> None:
            self.executed += 1
            try:
                reply = _reply(write.status, write.run())
            except Refused as refused:
                reply = self._refused(refused)
            faults, now_ns = self._venue.faults, self._venue.exchange.tape.now_ns
            if faults.take(FaultName.REPLY_LOST) is not None:
                answer(None, now_ns)
                return
            answer(reply, now_ns + reply_ns + faults.delay_ns(FaultName.REPLY_DELAYED))

        try:
            self._venue.world.submit(call.now_ns + int(latency.submit_ms * NS_PER_MS), execute)
        except MempoolFull:
            answer(_reply(503, refusals.SERVER_ERROR.body(self._venue.rules.error_form)), call.now_ns + reply_ns)

    # -- routes

    def _public(self) -> list[Route]:
        market, portfolio = self._market, self._portfolio
        table: dict[str, Reader] = {
            "/exchange/status": lambda call: market.status(),  # noqa: ARG005
            "/exchange/schedule": lambda call: market.schedule(call.now_ns),
            "/exchange/user_data_timestamp": lambda call: portfolio.as_of(call.now_ns),
            "/account/endpoint_costs": lambda call: portfolio.endpoint_costs(),  # noqa: ARG005
            "/series": lambda call: market.all_series(call.query),
            "/series/fee_changes": lambda call: {"series_fee_change_arr": []},  # noqa: ARG005
            "/series/{id}": lambda call: market.series(call.ids[0]),
            "/events": lambda call: market.events(call.query, call.now_ns),
            "/events/{id}": lambda call: market.event(call.ids[0], call.query, call.now_ns),
            "/markets": lambda call: market.markets(call.query, call.now_ns),
            "/markets/trades": lambda call: market.trades(call.query),
            "/markets/orderbooks": lambda call: market.orderbooks(call.query),
            "/markets/{id}": lambda call: market.market(call.ids[0], call.now_ns),
            "/markets/{id}/orderbook": lambda call: market.orderbook(call.ids[0], call.query),
            "/incentive_programs": lambda call: {"incentive_programs": [], "next_cursor": ""},  # noqa: ARG005
        }
        return [Route(method="GET", pattern=_pattern(path), read=read, signed=False) for path, read in table.items()]

    def _reads(self) -> list[Route]:
        reads = self._portfolio
        table: dict[str, Reader] = {
            "/portfolio/balance": lambda call: reads.balance(call.member, call.query, call.now_ns),
            "/portfolio/positions": lambda call: reads.positions(call.member, call.query, call.now_ns),
            "/portfolio/orders": lambda call: reads.orders(call.member, call.query, call.now_ns),
            "/portfolio/orders/queue_positions": lambda call: reads.queue_positions(call.member, call.query),
            "/portfolio/orders/{id}/queue_position": lambda call: reads.queue_position(call.member, call.ids[0]),
            "/portfolio/fills": lambda call: reads.fills(call.member, call.query, call.now_ns),
            "/portfolio/settlements": lambda call: reads.settlements(call.member, call.query, call.now_ns),
            "/portfolio/subaccounts/netting": lambda call: reads.netting(call.member),
            "/portfolio/order_groups": lambda call: reads.groups(call.member),
            "/portfolio/order_groups/{id}": lambda call: reads.group(call.member, call.ids[0]),
            "/account/limits": lambda call: reads.limits(),  # noqa: ARG005
        }
        routes = [Route(method="GET", pattern=_pattern(path), read=read) for path, read in table.items()]
        single = Route(
            method="GET",
            pattern=_pattern("/portfolio/orders/{id}"),
            read=lambda call: reads.order(call.member, call.ids[0], call.now_ns),
            cost=GET_ORDER_COST,
        )
        return [*routes, single]

    def _writers(self) -> list[Route]:
        orders = "/portfolio/events/orders"
        groups = "/portfolio/order_groups"
        table: list[tuple[str, str, Writer]] = [
            ("POST", orders, self._create),
            ("DELETE", orders, lambda call: Write(run=lambda: self._writes.cancel_all(call.member))),
            ("POST", f"{orders}/batched", self._create_batch),
            ("DELETE", f"{orders}/batched", self._cancel_batch),
            ("DELETE", f"{orders}/{{id}}", self._cancel),
            ("POST", f"{orders}/{{id}}/amend", self._amend),
            ("POST", f"{orders}/{{id}}/decrease", self._decrease),
            ("POST", f"{groups}/create", self._create_group),
            ("DELETE", f"{groups}/{{id}}", self._on_group(self._writes.delete_group)),
            ("PUT", f"{groups}/{{id}}/reset", self._on_group(self._writes.reset_group)),
            ("PUT", f"{groups}/{{id}}/trigger", self._on_group(self._writes.trigger_group)),
            ("PUT", f"{groups}/{{id}}/limit", self._limit_group),
            ("POST", "/portfolio/intra_exchange_instance_transfer", self._transfer),
            ("PUT", "/portfolio/subaccounts/netting", self._netting),
            ("POST", "/account/api_usage_level/upgrade", lambda _call: Write(run=dict, cost=UPGRADE_COST)),
        ]
        return [Route(method=method, pattern=_pattern(path), write=write) for method, path, write in table]

    def _create(self, call: Call) -> Write:
        body = decoded(call.body, bodies.Create)
        return Write(run=lambda: self._writes.create(call.member, body), shard=body.exchange_index, status=201)

    def _cancel(self, call: Call) -> Write:
        query = call.query
        routing = bodies.Routing(
            exchange_index=query.number("exchange_index"),
            market_ticker=query.text("market_ticker"),
            subaccount=query.number("subaccount"),
        )
        return Write(
            run=lambda: self._writes.cancel(call.member, call.ids[0], routing),
            cost=CANCEL_COST,
            shard=routing.exchange_index,
        )

    def _amend(self, call: Call) -> Write:
        body = decoded(call.body, bodies.Amend)
        return Write(run=lambda: self._writes.amend(call.member, call.ids[0], body), shard=body.exchange_index)

    def _decrease(self, call: Call) -> Write:
        body = decoded(call.body, bodies.Decrease)
        return Write(run=lambda: self._writes.decrease(call.member, call.ids[0], body), shard=body.exchange_index)

    def _create_batch(self, call: Call) -> Write:
        body = decoded(call.body, bodies.CreateBatch)
        if not body.orders:
            raise Refused(bad_request("orders"))
        cost = DEFAULT_COST * len(body.orders)
        return Write(run=lambda: self._writes.create_batch(call.member, body), cost=cost, status=201)

    def _cancel_batch(self, call: Call) -> Write:
        body = decoded(call.body, bodies.CancelBatch)
        if not body.orders:
            raise Refused(bad_request("orders"))
        return Write(run=lambda: self._writes.cancel_batch(call.member, body), cost=CANCEL_COST * len(body.orders))

    def _create_group(self, call: Call) -> Write:
        body = decoded(call.body, bodies.CreateGroup)
        return Write(run=lambda: self._writes.create_group(call.member, body), status=201)

    def _limit_group(self, call: Call) -> Write:
        body = decoded(call.body, bodies.CreateGroup)
        return Write(run=lambda: self._writes.limit_group(call.member, call.ids[0], body))

    def _on_group(self, act: Callable[[Account, str], Any]) -> Writer:
        return lambda call: Write(run=lambda: act(call.member, call.ids[0]))

    def _transfer(self, call: Call) -> Write:
        body = decoded(call.body, bodies.Transfer)
        return Write(run=lambda: self._writes.transfer(call.member, body))

    def _netting(self, call: Call) -> Write:
        body = decoded(call.body, bodies.Netting)
        return Write(run=lambda: self._writes.netting(call.member, body))


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(path.replace("{id}", "([^/]+)"))


def _reply(status: int, value: Any) -> HttpReply:
    return HttpReply(status, msgspec.json.encode(value))


def _gone(_call: Call) -> Any:
    raise Refused(refusals.DEPRECATED)


def _deprecated() -> list[Route]:
    """The order endpoints of the first version, which only say that they are gone."""
    orders = "/portfolio/orders"
    gone = [
        ("POST", orders),
        ("POST", f"{orders}/batched"),
        ("DELETE", f"{orders}/batched"),
        ("DELETE", f"{orders}/{{id}}"),
        ("POST", f"{orders}/{{id}}/amend"),
        ("POST", f"{orders}/{{id}}/decrease"),
    ]
    return [Route(method=method, pattern=_pattern(path), read=_gone) for method, path in gone]
