"""One websocket conversation, without a socket: subscriptions in, frames pushed to the peer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final

import msgspec

from hlomm.sim.hl.peers import Lane, Peer
from hlomm.sim.pm.faults import PmFault, PmFaults
from hlomm.sim.pm.hub import Hub, MarketListener, UserListener
from hlomm.sim.pm.keys import ApiKey
from hlomm.sim.pm.venue import PolymarketVenue

_PONG: Final = b"PONG"
_INVALID: Final = b"INVALID OPERATION"
_POLICY: Final = 1008


def _strings(value: Any) -> list[str] | None:
    """A list of strings, None if it is anything else."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return None
    return value


class _Session(ABC):
    """What both streams share: PING, JSON, and the answer to nonsense."""

    def __init__(self, venue: PolymarketVenue, hub: Hub, peer: Peer) -> None:
        self._venue = venue
        self._hub = hub
        self._peer = peer

    def open(self, now_ns: int) -> None:
        """The venue greets nobody."""
        del now_ns

    def receive(self, text: str, now_ns: int) -> None:
        if text == "PING":
            self._peer.push(_PONG, now_ns, Lane.REPLY)
            return
        try:
            message = msgspec.json.decode(text)
        except msgspec.DecodeError:
            message = None
        if not isinstance(message, dict) or not self._handle(message, now_ns):
            self._peer.push(_INVALID, now_ns, Lane.REPLY)

    @abstractmethod
    def close(self) -> None:
        """The connection is over: nothing more is pushed to it."""

    @abstractmethod
    def _handle(self, message: dict[str, Any], now_ns: int) -> bool:
        """One JSON object; whether the stream knows what it asks for."""


class MarketSession(_Session):
    """The public stream: books, changes and prints of the tokens asked for."""

    def __init__(self, venue: PolymarketVenue, hub: Hub, peer: Peer) -> None:
        super().__init__(venue, hub, peer)
        self._listener = MarketListener(peer)

    def close(self) -> None:
        self._hub.public.pop(self._listener, None)

    def _handle(self, message: dict[str, Any], now_ns: int) -> bool:
        tokens = _strings(message.get("assets_ids", []))
        operation = message.get("operation", "subscribe")
        starts = str(message.get("type", "")).lower() == "market"
        if tokens is None or operation not in {"subscribe", "unsubscribe"} or not (starts or "operation" in message):
            return False
        listener = self._listener
        listener.custom = listener.custom or message.get("custom_feature_enabled") is True
        if operation == "unsubscribe":
            listener.tokens.difference_update(tokens)
            return True
        self._hub.public[listener] = None
        fresh = [token for token in dict.fromkeys(tokens) if token not in listener.tokens]
        listener.tokens.update(fresh)
        if len(listener.tokens) > self._venue.config.polymarket.ws_assets:
            self._peer.close(_POLICY, "too many assets")
        elif message.get("initial_dump", True) is not False:
            self._hub.welcome(listener, fresh, now_ns)
        return True


class UserSession(_Session):
    """The private stream: own orders and trades."""

    def __init__(self, venue: PolymarketVenue, hub: Hub, peer: Peer) -> None:
        super().__init__(venue, hub, peer)
        self._listener: UserListener | None = None

    def close(self) -> None:
        if self._listener is not None:
            self._hub.users.pop(self._listener, None)

    def _handle(self, message: dict[str, Any], now_ns: int) -> bool:
        del now_ns
        markets = _strings(message.get("markets") or [])
        if markets is None:
            return False
        if self._listener is None:
            return self._start(message, markets)
        match message.get("operation"):
            case "subscribe":
                self._listener.markets.update(markets)
            case "unsubscribe":
                self._listener.markets.difference_update(markets)
            case _:
                return False
        return True

    def _start(self, message: dict[str, Any], markets: list[str]) -> bool:
        """Begin with a right key; a wrong one is told nothing and disconnected."""
        key = self._key(message.get("auth"))
        if key is None:
            self._peer.close(1000, "")
        else:
            self._listener = UserListener(self._peer, key, set(markets))
            self._hub.users[self._listener] = None
        return True

    def _key(self, auth: Any) -> ApiKey | None:
        if not isinstance(auth, dict):
            return None
        key = self._venue.keys.find(str(auth.get("apiKey")))
        if key is None or (key.secret, key.passphrase) != (auth.get("secret"), auth.get("passphrase")):
            return None
        return None if self._venue.faults.take(PmFault.KEY_REVOKED) is not None else key


class FrameMischief:
    """The frame faults of one connection."""

    def __init__(self, faults: PmFaults) -> None:
        self._faults = faults
        self._late: bytes | None = None

    def frames(self, payload: bytes, lane: Lane) -> list[bytes]:
        take = self._faults.take
        if take(PmFault.WS_SILENT) is not None:
            return []
        if lane is Lane.REPLY:
            return [payload]
        if take(PmFault.WS_FROZEN) is not None:
            return []
        late, self._late = self._late, None
        if late is not None:
            return [payload, late]
        if take(PmFault.FRAME_REORDERED) is not None:
            self._late = payload
            return []
        if take(PmFault.FRAME_DUPLICATED) is not None:
            return [payload, payload]
        if take(PmFault.FRAME_EMPTY) is not None:
            return [b"[]", payload]
        if take(PmFault.FRAME_GARBAGE) is not None:
            return [b'{"event_type":"price_cha', payload]
        return [payload]

    def swallows_pong(self) -> bool:
        return self._faults.take(PmFault.WS_SILENT) is not None

    def silent(self) -> bool:
        return self._faults.active(PmFault.WS_SILENT) is not None
