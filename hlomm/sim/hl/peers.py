"""What a feed needs to know of the other end of a websocket, and what one IP address may do."""

from __future__ import annotations

from enum import Enum
from typing import Final, Protocol

import attrs

from hlomm.sim.config import RulesConfig
from hlomm.sim.hl.limits import Window

_ADDRESSES_KEPT: Final = 1000


class Lane(Enum):
    """Kind of a frame, as far as faults tell frames apart."""

    STREAM = "stream"
    """Market data and account events."""
    REPLY = "reply"
    """Answers to what the client sent: acknowledgements, pongs, posts, errors."""


class Peer(Protocol):
    """One websocket client. Synchronous and never blocking: a peer that cannot keep up is dropped."""

    def push(self, payload: bytes, due_ns: int, lane: Lane) -> None:
        """Queue a text frame to be written at a venue time."""

    def close(self, code: int, reason: str) -> None:
        """End the connection with a closing handshake after what is queued."""


@attrs.define(eq=False)
class AddressState:
    """Shared by all connections of one IP address."""

    weight: Window
    messages: Window
    opened: Window
    connections: int = 0
    subscriptions: int = 0
    posts: int = 0
    users: dict[str, int] = attrs.field(factory=dict)
    """Users followed in user streams, with how many subscriptions follow each."""


class Addresses:
    """State per IP address, for a bounded number of addresses."""

    def __init__(self, rules: RulesConfig) -> None:
        self._rules = rules
        self._states: dict[str, AddressState] = {}

    def of(self, address: str) -> AddressState:
        state = self._states.get(address)
        if state is None:
            rules = self._rules
            state = self._states[address] = AddressState(
                weight=Window(rules.ip_weight_per_min),
                messages=Window(rules.ws_messages_per_min),
                opened=Window(rules.ws_new_per_min),
            )
            if len(self._states) > _ADDRESSES_KEPT:
                idle = next((key for key, kept in self._states.items() if kept.connections == 0), None)
                if idle is not None:
                    del self._states[idle]
        return state

    def weight_left(self, now_ns: int) -> int:
        """Request weight that the busiest address has left of its minute."""
        spared = self._rules.ip_weight_per_min
        return min((state.weight.left(now_ns) for state in self._states.values()), default=spared)

    def refusals(self) -> dict[str, int]:
        """How often each limit was hit, over all addresses."""
        totals = {"ip_weight": 0, "ws_messages": 0, "ws_new": 0}
        for state in self._states.values():
            totals["ip_weight"] += state.weight.refused
            totals["ws_messages"] += state.messages.refused
            totals["ws_new"] += state.opened.refused
        return totals
