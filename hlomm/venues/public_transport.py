"""A transport over which nothing but public questions leave: what cannot be said cannot be traded.

Whoever only looks has no signer. This is the second lock, and it does not trust the first: every request and every word
on a websocket is held against the venue's rules for the public before it is queued. What fits none of them is a fault
of this program, so it is raised and not answered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import attrs

from hlomm.domain.faults import InvariantBroken
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.http_client import HttpClient, HttpLimits
from hlomm.venues.http_warm import Warming, WarmLines
from hlomm.venues.transport import Transport
from hlomm.venues.websocket import Burst, OnFrame, WebSocketKind, WebSocketLimits, WebSocketLink


class PublicRules(Protocol):
    """What a venue lets everybody ask."""

    def asks(self, method: str, path: str) -> bool:
        """Whether a request is a question about public data."""

    def says(self, text: str) -> bool:
        """Whether a message on a websocket is one about public streams."""


@attrs.frozen
class PublicTransport(Transport):
    """Opens what `Transport` opens; InvariantBroken for whatever is not public."""

    rules: PublicRules = attrs.field(kw_only=True)

    @asynccontextmanager
    async def http(self, base_url: str, limits: HttpLimits) -> AsyncIterator[HttpClient]:
        async with Transport.http(self, base_url, limits) as client:
            yield attrs.evolve(client, permits=self._request)

    def warm_lines(
        self, base_url: str, limits: HttpLimits, warming: Warming, clock: Clock, counters: Counters
    ) -> WarmLines:
        del limits, warming, clock, counters
        raise InvariantBroken(f"{base_url}: whoever only looks has no orders to keep a connection open for")

    @asynccontextmanager
    async def websocket(
        self,
        url: str,
        on_frame: OnFrame,
        now_ns: Callable[[], int],
        limits: WebSocketLimits,
        headers: Sequence[tuple[str, str]] = (),
        burst: Burst | None = None,
        kind: WebSocketKind = WebSocketKind.DIRECT,
    ) -> AsyncIterator[WebSocketLink]:
        if headers:
            raise InvariantBroken(f"a public stream wants no headers: {', '.join(name for name, _ in headers)}")
        async with Transport.websocket(self, url, on_frame, now_ns, limits, (), burst, kind) as link:
            link.permits = self._word
            yield link

    def _request(self, method: str, path: str, headers: Mapping[str, str] | None) -> None:
        if headers or not self.rules.asks(method, path):
            raise InvariantBroken(f"{method} {path.partition('?')[0]} is not public: it was not sent")

    def _word(self, text: str) -> None:
        if not self.rules.says(text):
            raise InvariantBroken("a message that is not about public streams was not sent")
