"""One websocket conversation, without a socket: requests in, frames pushed to the peer."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from hlomm.domain.times import NS_PER_MS
from hlomm.sim.faults import FaultName
from hlomm.sim.hl.account_frames import frame
from hlomm.sim.hl.actions import Reply, weight_of
from hlomm.sim.hl.envelope import convert_envelope
from hlomm.sim.hl.hub import Hub
from hlomm.sim.hl.info import Info
from hlomm.sim.hl.peers import AddressState, Lane, Peer
from hlomm.sim.hl.schema import Malformed
from hlomm.sim.hl.subscriptions import USER_TOPICS, InvalidSubscription, Subscription, parse_subscription
from hlomm.sim.hl.venue import Venue

GREETING: Final = b"Websocket connection established."
_PONG: Final = b'{"channel":"pong"}'
_TOO_MANY_REQUESTS: Final = "429 Too Many Requests"
_UNPROCESSABLE: Final = "422 Unprocessable Entity"
_SERVER_ERROR: Final = "500 Internal Server Error"
_ORDERS_PER_WEIGHT: Final = 40


class Session:
    """State of one connection: its subscriptions and posts in flight."""

    def __init__(self, venue: Venue, hub: Hub, info: Info, address: AddressState, peer: Peer) -> None:
        self._venue = venue
        self._hub = hub
        self._info = info
        self._address = address
        self._peer = peer
        self._subscriptions: dict[Subscription, None] = {}
        self._posts = 0
        self._closed = False

    def open(self, now_ns: int) -> None:
        """Greet the client."""
        self._peer.push(GREETING, now_ns, Lane.REPLY)

    def close(self) -> None:
        """Give back everything the connection held."""
        self._closed = True
        for subscription in list(self._subscriptions):
            self._drop(subscription)
        self._address.posts -= self._posts
        self._posts = 0

    def receive(self, text: str, now_ns: int) -> None:
        """Handle one text frame."""
        if not self._address.messages.take(now_ns):
            self._error("Too many messages sent", now_ns)
            return
        try:
            message = msgspec.json.decode(text)
        except msgspec.DecodeError:
            self._error(f"Error parsing JSON into valid websocket request: {text[:200]}", now_ns)
            return
        method = message.get("method") if isinstance(message, dict) else None
        match method:
            case "ping":
                self._peer.push(_PONG, now_ns, Lane.REPLY)
            case "subscribe":
                self._subscribe(message.get("subscription"), now_ns)
            case "unsubscribe":
                self._unsubscribe(message.get("subscription"), now_ns)
            case "post":
                self._post(message, now_ns)
            case _:
                self._error(f"Error parsing JSON into valid websocket request: {text[:200]}", now_ns)

    def _error(self, text: str, now_ns: int) -> None:
        self._peer.push(frame("error", text), now_ns, Lane.REPLY)

    # -- subscriptions

    def _subscribe(self, raw: Any, now_ns: int) -> None:
        subscription = self._parsed(raw, now_ns)
        if subscription is None or self._is_dead(subscription, raw, now_ns):
            return
        if subscription in self._subscriptions:
            self._error(f"Already subscribed: {_compact(raw)}", now_ns)
            return
        rules = self._venue.config.rules
        if self._address.subscriptions >= rules.ws_subscriptions:
            self._error(f"Cannot subscribe to more than {rules.ws_subscriptions} channels.", now_ns)
            return
        if not self._follow(subscription, rules.ws_users):
            self._error(f"Cannot track more than {rules.ws_users} total users.", now_ns)
            return
        self._subscriptions[subscription] = None
        self._address.subscriptions += 1
        self._acknowledge("subscribe", subscription, now_ns)
        self._hub.join(self._peer, subscription)
        self._hub.welcome(self._peer, subscription, now_ns)

    def _unsubscribe(self, raw: Any, now_ns: int) -> None:
        subscription = self._parsed(raw, now_ns)
        if subscription is None:
            return
        if subscription not in self._subscriptions:
            self._error(f"Already unsubscribed: {_compact(raw)}", now_ns)
            return
        self._drop(subscription)
        self._acknowledge("unsubscribe", subscription, now_ns)

    def _parsed(self, raw: Any, now_ns: int) -> Subscription | None:
        try:
            return parse_subscription(raw)
        except InvalidSubscription:
            self._error(f"Invalid subscription {_compact(raw)}", now_ns)
            return None

    def _is_dead(self, subscription: Subscription, raw: Any, now_ns: int) -> bool:
        """Whether a coin no longer (or never) traded: the former is dropped without a word, and may cost the socket."""
        outcome = subscription.outcome
        exchange = self._venue.exchange
        if outcome is None or outcome in exchange.outcomes:
            return False
        if outcome not in exchange.settled:
            self._error(f"Invalid subscription {_compact(raw)}", now_ns)
        elif self._venue.config.rules.dead_coin_closes or self._venue.faults.take(FaultName.DEAD_COIN_CLOSES):
            self._peer.close(1000, "")
        return True

    def _follow(self, subscription: Subscription, users_max: int) -> bool:
        """Count the user of a user stream; False if the address follows too many."""
        if subscription.topic not in USER_TOPICS:
            return True
        users = self._address.users
        if subscription.user not in users and len(users) >= users_max:
            return False
        users[subscription.user] = users.get(subscription.user, 0) + 1
        return True

    def _drop(self, subscription: Subscription) -> None:
        del self._subscriptions[subscription]
        self._address.subscriptions -= 1
        self._hub.leave(self._peer, subscription)
        if subscription.topic in USER_TOPICS:
            users = self._address.users
            users[subscription.user] -= 1
            if users[subscription.user] == 0:
                del users[subscription.user]

    def _acknowledge(self, method: str, subscription: Subscription, now_ns: int) -> None:
        data = {"method": method, "subscription": subscription.echo()}
        self._peer.push(frame("subscriptionResponse", data), now_ns, Lane.REPLY)

    # -- posts

    def _post(self, message: dict[str, Any], now_ns: int) -> None:
        number, request = message.get("id"), message.get("request")
        if isinstance(number, bool) or not isinstance(number, int) or not isinstance(request, dict):
            self._error(f"Error parsing JSON into valid websocket request: {_compact(message)[:200]}", now_ns)
            return
        if self._address.posts >= self._venue.config.rules.ws_posts_in_flight:
            self._error(f"too many pending post requests id={number}", now_ns)
            return
        match request.get("type"):
            case "info":
                self._post_info(number, request.get("payload"), now_ns)
            case "action":
                self._post_action(number, request.get("payload"), now_ns)
            case _:
                self._respond(number, "error", _UNPROCESSABLE, now_ns)

    def _post_info(self, number: int, payload: Any, now_ns: int) -> None:
        due_ns = now_ns + int(self._venue.config.latency.info_ms * NS_PER_MS)
        try:
            reply = self._info.answer(payload)
        except Malformed:
            self._respond(number, "error", _UNPROCESSABLE, due_ns)
            return
        if not self._address.weight.take(now_ns, reply.weight):
            self._respond(number, "error", _TOO_MANY_REQUESTS, due_ns)
        elif reply.status != 200:
            self._respond(number, "error", _SERVER_ERROR, due_ns)
        else:
            self._respond(number, "info", {"type": payload["type"], "data": reply.value}, due_ns)

    def _post_action(self, number: int, payload: Any, now_ns: int) -> None:
        try:
            envelope = convert_envelope(payload)
        except Malformed:
            self._respond(number, "error", _UNPROCESSABLE, now_ns)
            return
        if not self._address.weight.take(now_ns, 1 + weight_of(envelope.action) // _ORDERS_PER_WEIGHT):
            self._respond(number, "error", _TOO_MANY_REQUESTS, now_ns)
            return
        self._posts += 1
        self._address.posts += 1

        def answer(reply: Reply | None, due_ns: int) -> None:
            if self._closed:
                return
            self._posts -= 1
            self._address.posts -= 1
            if reply is not None:
                self._respond(number, "action", reply, due_ns)

        self._venue.gateway.submit(envelope, now_ns, answer)

    def _respond(self, number: int, kind: str, payload: Any, due_ns: int) -> None:
        data = {"id": number, "response": {"type": kind, "payload": payload}}
        self._peer.push(frame("post", data), due_ns, Lane.REPLY)


def _compact(raw: Any) -> str:
    return json.dumps(raw, separators=(",", ":"))
