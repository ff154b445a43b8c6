"""Orders and cancels on their way to the engine and back: latency, rate limits, the engine's moods, the taker delay."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import attrs
import msgspec

from hlomm.domain.times import NS_PER_MS, NS_PER_S, seconds_to_ns
from hlomm.sim.config import PolymarketConfig
from hlomm.sim.http_server import HttpReply
from hlomm.sim.pm import refusals, wire
from hlomm.sim.pm.exchange import Exchange, Held, Placed
from hlomm.sim.pm.faults import PmFault
from hlomm.sim.pm.keys import ApiKey
from hlomm.sim.pm.limits import Bucket, Heartbeats, Limiter
from hlomm.sim.pm.orders import Order
from hlomm.sim.pm.refusals import Refused
from hlomm.sim.pm.units import LOT_BASE
from hlomm.sim.pm.world import QueueFull, World

BATCH_MAX: Final = 15
CANCELS_MAX: Final = 1000

Json = dict[str, Any]
Answer = Callable[[HttpReply | None, int], None]
"""Takes the reply and the venue time at which it reaches the client; None for a reply that gets lost."""


def reply_of(value: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> HttpReply:
    return HttpReply(status, msgspec.json.encode(value), headers=headers)


def refusal_reply(error: Refused, headers: tuple[tuple[str, str], ...] = ()) -> HttpReply:
    return reply_of(error.body, error.status, headers or error.headers)


@attrs.define(eq=False)
class _Engine:
    """When the matching engine is away, and until when it takes post-only orders alone."""

    back_ns: int = 0
    normal_ns: int = 0


class Gateway:
    """One venue's entry for everything that changes orders."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._config: PolymarketConfig = world.own
        self._exchange: Exchange = world.exchange
        self.limiter = Limiter(world.own)
        self.heartbeats = Heartbeats(world.own, world.seed)
        self._engine = _Engine()
        self.executed = 0

    # -- the way in

    def submit(self, method: str, path: str, body: Any, key: ApiKey, now_ns: int, answer: Answer) -> None:
        """Send a request on its way; `answer` is called when the engine is done with it."""
        arrival_ns = now_ns + int(self._config.request_ms * NS_PER_MS)
        run = _ROUTES[method, path]
        try:
            self._world.at(arrival_ns, lambda: self._run(run, body, key, answer), bounded=True)
        except QueueFull:
            answer(refusal_reply(Refused(refusals.INTERNAL, 500)), arrival_ns)

    def on_step(self, now_ns: int) -> None:
        """Cancel for clients whose heartbeat stopped; begin a restart that a fault asks for."""
        if self._world.faults.take(PmFault.RESTART) is not None:
            self._engine.back_ns = now_ns + seconds_to_ns(self._config.restart_s)
            self._engine.normal_ns = self._engine.back_ns + seconds_to_ns(self._config.post_only_s)
        for owner in self.heartbeats.lapsed(now_ns):
            self._exchange.cancel_all(self._exchange.orders_of(owner))

    def _run(self, run: _Route, body: Any, key: ApiKey, answer: Answer) -> None:
        self.executed += 1
        try:
            self._check_back()
            run(self, body, key, self._answering(answer))
        except Refused as error:
            self._answering(answer)(refusal_reply(error))

    def _check_back(self) -> None:
        if self._now_ns < self._engine.back_ns or self._world.faults.take(PmFault.REST_425) is not None:
            raise Refused(refusals.RESTARTING, 425)

    def _answering(self, answer: Answer) -> Callable[[HttpReply], None]:
        """Sends a reply back, unless a fault loses or delays it."""

        def send(reply: HttpReply) -> None:
            faults = self._world.faults
            if faults.take(PmFault.REPLY_LOST) is not None:
                answer(None, self._now_ns)
                return
            delay_ns = int(self._config.reply_ms * NS_PER_MS) + faults.delay_ns(PmFault.REPLY_DELAYED)
            answer(reply, self._now_ns + delay_ns)

        return send

    @property
    def _now_ns(self) -> int:
        return self._exchange.tape.now_ns

    # -- orders

    def post_order(self, body: Any, key: ApiKey, send: Callable[[HttpReply], None]) -> None:
        bucket = self._admit(key, 1, cancels=False)

        def done(result: Json | Refused) -> None:
            if isinstance(result, Refused):
                send(refusal_reply(result, bucket.headers()))
            else:
                send(reply_of(result, headers=bucket.headers()))

        self._place(body, key, done)

    def post_orders(self, body: Any, key: ApiKey, send: Callable[[HttpReply], None]) -> None:
        """A batch: refusals of single orders come inside of a 200, as the venue does it."""
        if not isinstance(body, list) or not body:
            raise Refused(refusals.INVALID_PAYLOAD)
        if len(body) > BATCH_MAX:
            raise Refused(refusals.too_many(len(body), BATCH_MAX))
        bucket = self._admit(key, len(body), cancels=False)
        results: dict[int, Json] = {}

        def done(index: int, result: Json | Refused) -> None:
            results[index] = _refused_item(result) if isinstance(result, Refused) else result
            if len(results) == len(body):
                send(reply_of([results[i] for i in range(len(body))], headers=bucket.headers()))

        for index, item in enumerate(body):
            self._place(item, key, partial(done, index))

    def _admit(self, key: ApiKey, count: int, *, cancels: bool) -> Bucket:
        bucket = self.limiter.bucket(key.address, self._now_ns, cancels=cancels)
        if not bucket.take(self._now_ns, count):
            wait = ("Retry-After", str(-int(-bucket.wait_s(count) // 1)))
            raise Refused(refusals.RATE_LIMITED, 429, headers=(*bucket.headers(), wait))
        return bucket

    def _place(self, raw: Any, key: ApiKey, done: Callable[[Json | Refused], None]) -> None:
        try:
            post = wire.decode(raw)
            self._check_mood(post_only=post.postOnly)
            accepted = wire.accept(post, key, self._exchange)
            outcome = self._exchange.submit(accepted.wallet, accepted.new)
        except Refused as error:
            done(error)
            return
        if isinstance(outcome, Placed):
            done(self._placed(outcome, waited=False))
        else:
            due_ns = self._now_ns + int(self._config.taker_delay_ms * NS_PER_MS)
            self._world.at(due_ns, lambda: self._resume(outcome, done))

    def _resume(self, held: Held, done: Callable[[Json | Refused], None]) -> None:
        try:
            done(self._placed(self._exchange.resume(held), waited=True))
        except Refused as error:
            done(error)

    def _check_mood(self, *, post_only: bool) -> None:
        faults = self._world.faults
        if faults.take(PmFault.TRADING_DISABLED) is not None:
            raise Refused(refusals.DISABLED, 503)
        if faults.take(PmFault.CANCEL_ONLY) is not None:
            raise Refused(refusals.CANCEL_ONLY, 503)
        if self._now_ns < self._engine.normal_ns and not post_only:
            seconds = -(-(self._engine.normal_ns - self._now_ns) // NS_PER_S)
            body: dict[str, object] = {
                "error": refusals.POST_ONLY_MODE,
                "code": "post_only_mode",
                "retry_after_seconds": seconds,
            }
            raise Refused(refusals.POST_ONLY_MODE, 503, body)

    def _placed(self, placed: Placed, *, waited: bool) -> Json:
        lots = wire.config_amount(self._config, placed.lots, LOT_BASE) if placed.lots else ""
        cash = wire.config_amount(self._config, placed.cash, 1) if placed.lots else ""
        buys = placed.order.new.side > 0
        status = "matched" if placed.lots else ("unmatched" if waited else "live")
        row: Json = {
            "errorMsg": "",
            "orderID": placed.order.new.id,
            "takingAmount": lots if buys else cash,
            "makingAmount": cash if buys else lots,
            "status": status,
            "success": True,
        }
        if placed.trades:
            row["tradeIDs"] = [trade.id for trade in placed.trades]
        return row

    # -- cancels

    def delete_order(self, body: Any, key: ApiKey, send: Callable[[HttpReply], None]) -> None:
        order_id = body.get("orderID") if isinstance(body, dict) else None
        if not isinstance(order_id, str):
            raise Refused(refusals.INVALID_PAYLOAD)
        self._cancel([order_id], key, send)

    def delete_orders(self, body: Any, key: ApiKey, send: Callable[[HttpReply], None]) -> None:
        if not isinstance(body, list) or not all(isinstance(one, str) for one in body):
            raise Refused(refusals.INVALID_PAYLOAD)
        if len(body) > CANCELS_MAX:
            raise Refused(refusals.too_many(len(body), CANCELS_MAX))
        self._cancel(list(dict.fromkeys(body)), key, send)

    def _cancel(self, ids: list[str], key: ApiKey, send: Callable[[HttpReply], None]) -> None:
        bucket = self._admit(key, max(len(ids), 1), cancels=True)
        canceled: list[str] = []
        kept: dict[str, str] = {}
        for order_id in ids:
            order = self._exchange.open.get(order_id)
            held = self._exchange.held.get(order_id)
            if order is not None and order.new.owner == key.id:
                self._exchange.cancel(order)
                canceled.append(order_id)
            elif held is not None and held.new.owner == key.id:
                kept[order_id] = refusals.PENDING
            else:
                kept[order_id] = refusals.NOT_CANCELABLE if self._exchange.knew(order_id) else refusals.NOT_FOUND
        send(reply_of({"canceled": canceled, "not_canceled": kept}, headers=bucket.headers()))

    def cancel_all(self, _body: Any, key: ApiKey, send: Callable[[HttpReply], None]) -> None:
        self._sweep(self._exchange.orders_of(key.id), key, send)

    def cancel_market_orders(self, body: Any, key: ApiKey, send: Callable[[HttpReply], None]) -> None:
        market = body.get("market") if isinstance(body, dict) else None
        asset = body.get("asset_id") if isinstance(body, dict) else None
        if not (market or asset):
            raise Refused(refusals.INVALID_PAYLOAD)
        markets = self._exchange.markets
        chosen = [
            order
            for order in self._exchange.orders_of(key.id)
            if (not market or markets[order.new.number].spec.condition == market)
            and (not asset or markets[order.new.number].spec.tokens[order.new.leg] == asset)
        ]
        self._sweep(chosen, key, send)

    def _sweep(self, orders: list[Order], key: ApiKey, send: Callable[[HttpReply], None]) -> None:
        bucket = self._admit(key, 1, cancels=True)
        bucket.drain(self._now_ns, len(orders))
        canceled = self._exchange.cancel_all(orders)
        send(reply_of({"canceled": canceled, "not_canceled": {}}, headers=bucket.headers()))


def _refused_item(error: Refused) -> Json:
    return {
        "errorMsg": error.text,
        "orderID": "",
        "takingAmount": "",
        "makingAmount": "",
        "status": "",
        "success": True,
    }


_Route = Callable[[Gateway, Any, ApiKey, Callable[[HttpReply], None]], None]

_ROUTES: Final[dict[tuple[str, str], _Route]] = {
    ("POST", "/order"): Gateway.post_order,
    ("POST", "/orders"): Gateway.post_orders,
    ("DELETE", "/order"): Gateway.delete_order,
    ("DELETE", "/orders"): Gateway.delete_orders,
    ("DELETE", "/cancel-all"): Gateway.cancel_all,
    ("DELETE", "/cancel-market-orders"): Gateway.cancel_market_orders,
}
TRADING: Final = frozenset(_ROUTES)
"""Requests that reach the matching engine."""
