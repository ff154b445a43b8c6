"""One websocket conversation, without a socket: commands in, frames pushed to the peer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from hlomm.domain.times import NS_PER_MS
from hlomm.sim.hl.peers import Lane, Peer
from hlomm.sim.kalshi.accounts import Account
from hlomm.sim.kalshi.channels import Channel, Subscription
from hlomm.sim.kalshi.hub import Hub
from hlomm.sim.kalshi.limits import Bucket
from hlomm.sim.kalshi.venue import KalshiVenue

Json = dict[str, Any]

ERRORS: Final = {
    1: "Unable to process message",
    2: "Params required",
    3: "Channels required",
    4: "Subscription IDs required",
    5: "Unknown command",
    7: "Unknown subscription ID",
    8: "Unknown channel name",
    11: "Bad parameter",
    12: "Exactly one subscription ID is required",
    13: "Unsupported action",
    14: "Market Ticker required",
    15: "Action required",
    27: "Too many requests",
}
_SUBSCRIPTIONS_MAX: Final = 1_000
_MARKETS_MAX: Final = 500_000


class CommandError(Exception):
    """A command that is answered with an error frame."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Session:
    """State of one authenticated connection."""

    def __init__(self, venue: KalshiVenue, hub: Hub, account: Account, peer: Peer) -> None:
        self.account = account
        self._venue = venue
        self._hub = hub
        self._peer = peer
        self._feed_ns = int(venue.config.kalshi.latency.feed_ms * NS_PER_MS)
        self._sids: dict[int, Subscription] = {}
        self._last_sid = 0
        self._last_due_ns = 0
        rate = venue.rules.commands_per_s
        self._commands = Bucket(rate, rate)
        self._commands_known: dict[str, Callable[[Json, Any, int], None]] = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "update_subscription": self._update,
        }

    # -- what the peer tells

    def open(self, now_ns: int) -> None:
        """Nothing is said before the client speaks."""

    def close(self) -> None:
        for subscription in self._sids.values():
            self._hub.leave(subscription)
        self._sids.clear()

    def receive(self, text: str, now_ns: int) -> None:
        """Handle one text frame."""
        number: Any = None
        try:
            message = msgspec.json.decode(text)
            number = message.get("id") if isinstance(message, dict) else None
            self._carry_out(message, number, now_ns)
        except msgspec.DecodeError:
            self._error(None, 1, now_ns)
        except CommandError as error:
            self._error(number, error.code, now_ns)

    # -- the Listener protocol

    def send(self, frame: Json, at_ns: int) -> None:
        """Frames leave in the order in which they were decided, whatever the clocks of their makers say."""
        self._last_due_ns = due_ns = max(at_ns + self._feed_ns, self._last_due_ns)
        payload = msgspec.json.encode(frame | {"sending_ts_ms": due_ns // NS_PER_MS})
        lane = Lane.STREAM if "msg" in frame and "id" not in frame else Lane.REPLY
        self._peer.push(payload, due_ns, lane)

    def drop(self, sid: int) -> None:
        self._sids.pop(sid, None)

    # -- commands

    def _carry_out(self, message: Any, number: Any, now_ns: int) -> None:
        if not self._commands.take(now_ns, 1):
            raise CommandError(27)
        if not isinstance(message, dict):
            raise CommandError(1)
        command = message.get("cmd")
        if command == "list_subscriptions":
            listed = [{"channel": item.channel.value, "sid": item.sid} for item in self._sids.values()]
            self.send(_with_id(number) | {"type": "ok", "msg": listed}, now_ns)
            return
        carry_out = self._commands_known.get(str(command))
        if carry_out is None:
            raise CommandError(5)
        params = message.get("params")
        if not isinstance(params, dict):
            raise CommandError(2)
        carry_out(params, number, now_ns)

    def _subscribe(self, params: Json, number: Any, now_ns: int) -> None:
        names = params.get("channels")
        if not isinstance(names, list) or not names:
            raise CommandError(3)
        try:
            channels = [Channel(name) for name in names]
        except ValueError:
            raise CommandError(8) from None
        tickers = _tickers(params)
        if Channel.ORDERBOOK in channels and not tickers:
            raise CommandError(14)
        if len(self._sids) + len(channels) > _SUBSCRIPTIONS_MAX or len(tickers) > _MARKETS_MAX:
            raise CommandError(27)
        yes_price = params.get("use_yes_price", self._venue.rules.use_yes_price_default)
        if not isinstance(yes_price, bool):
            raise CommandError(11)
        for channel in channels:
            self._last_sid += 1
            chosen = _indices(params) if channel is Channel.INDEX else tickers
            subscription = Subscription(
                self._last_sid, channel, self, dict.fromkeys(chosen) if chosen else None, yes_price
            )
            self._sids[subscription.sid] = subscription
            body = {"channel": channel.value, "sid": subscription.sid}
            self.send(_with_id(number) | {"type": "subscribed", "msg": body}, now_ns)
            self._hub.join(subscription)
            self._welcome(subscription, tickers, params, now_ns)

    def _welcome(self, subscription: Subscription, tickers: list[str], params: Json, now_ns: int) -> None:
        if subscription.channel is Channel.ORDERBOOK:
            for ticker in tickers:
                self._hub.snapshot(subscription, ticker, now_ns)
        elif subscription.channel is Channel.TICKER and params.get("send_initial_snapshot") is True:
            for ticker in tickers:
                msg = self._hub.ticker_msg(ticker, now_ns)
                if msg is not None:
                    subscription.frame("ticker", msg, now_ns)

    def _unsubscribe(self, params: Json, number: Any, now_ns: int) -> None:
        sids = params.get("sids")
        if not isinstance(sids, list) or not sids:
            raise CommandError(4)
        if any(not isinstance(sid, int) or sid not in self._sids for sid in sids):
            raise CommandError(7)
        for sid in dict.fromkeys(sids):
            subscription = self._sids.pop(sid)
            self._hub.leave(subscription)
            self.send(_with_id(number) | subscription.numbers() | {"type": "unsubscribed"}, now_ns)

    def _update(self, params: Json, number: Any, now_ns: int) -> None:
        subscription = self._named(params)
        action = params.get("action")
        if action is None:
            raise CommandError(15)
        tickers = _tickers(params)
        if action not in {"add_markets", "delete_markets", "get_snapshot"}:
            raise CommandError(13)
        if not tickers:
            raise CommandError(14)
        if action == "get_snapshot":
            if subscription.channel is not Channel.ORDERBOOK:
                raise CommandError(13)
            for ticker in tickers:
                self._hub.snapshot(subscription, ticker, now_ns, **_with_id(number))
            return
        known = dict(subscription.tickers or {})
        fresh = [ticker for ticker in tickers if ticker not in known]
        for ticker in tickers:
            if action == "add_markets":
                known[ticker] = None
            else:
                known.pop(ticker, None)
        subscription.tickers = known
        head = _with_id(number) | subscription.numbers()
        self.send(head | {"type": "ok", "msg": {"market_tickers": list(known)}}, now_ns)
        if action == "add_markets" and subscription.channel is Channel.ORDERBOOK:
            for ticker in fresh:
                self._hub.snapshot(subscription, ticker, now_ns)

    def _named(self, params: Json) -> Subscription:
        sids = params.get("sids")
        if sids is None and "sid" in params:
            sids = [params["sid"]]
        if not isinstance(sids, list) or len(sids) != 1:
            raise CommandError(12)
        subscription = self._sids.get(sids[0]) if isinstance(sids[0], int) else None
        if subscription is None:
            raise CommandError(7)
        return subscription

    def _error(self, number: Any, code: int, now_ns: int) -> None:
        body = {"code": code, "msg": ERRORS[code]}
        self.send(_with_id(number) | {"type": "error", "msg": body}, now_ns)


def _with_id(number: Any) -> Json:
    return {} if number is None else {"id": number}


def _tickers(params: Json) -> list[str]:
    """Markets a command names; CommandError for what is no list of names."""
    one, many = params.get("market_ticker"), params.get("market_tickers", [])
    if (one is not None and not isinstance(one, str)) or not isinstance(many, list):
        raise CommandError(11)
    if any(not isinstance(ticker, str) for ticker in many):
        raise CommandError(11)
    return list(dict.fromkeys([*([one] if one else []), *many]))


def _indices(params: Json) -> list[str]:
    names = params.get("index_ids", [])
    if not isinstance(names, list) or any(not isinstance(name, str) for name in names):
        raise CommandError(11)
    return names
