"""One host and the ways to it: lines kept warm for actions, a pool for everything else, a connection of one's own.

While a session runs the pool is open and the lines are kept. Without one (a guardian, a check, last words) every
request opens its own connection, so that nothing depends on anything that was there before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol, Self

import attrs

from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.http_client import HttpAnswer, HttpClient, HttpLimits, NotSent
from hlomm.venues.http_warm import Warming, WarmLines
from hlomm.venues.transport import Transport


class Patience(Protocol):
    """What a session's configuration says of its requests: seconds of the host's clock, and bytes."""

    @property
    def request_deadline_s(self) -> float: ...
    @property
    def connect_deadline_s(self) -> float: ...
    @property
    def answer_bytes_max(self) -> int: ...


@attrs.define(eq=False)
class HttpHost:
    """Requests below one base URL. Both kinds raise NotSent if nothing left, VenueUnavailable if nobody knows."""

    _transport: Transport
    _url: str
    _limits: HttpLimits
    _counters: Counters
    _client: HttpClient | None = None
    _lines: WarmLines | None = None

    @classmethod
    def of(
        cls, transport: Transport, url: str, patience: Patience, counters: Counters, connections_max: int = 8
    ) -> Self:
        limits = HttpLimits(
            request_s=patience.request_deadline_s,
            connect_s=patience.connect_deadline_s,
            answer_bytes_max=patience.answer_bytes_max,
            connections_max=connections_max,
        )
        return cls(transport, url, limits, counters)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Keep connections open between requests."""
        async with self._transport.http(self._url, self._limits) as client:
            self._client = client
            try:
                yield
            finally:
                self._client = None

    async def keep_warm(self, warming: Warming, clock: Clock) -> None:
        """Have lines for actions open until cancelled; none if they were never asked anything."""
        if warming.after_s:
            self._lines = self._transport.warm_lines(self._url, self._limits, warming, clock, self._counters)
            await self._lines.run()

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """The answer, whatever its status."""
        if self._client is not None:
            return await self._client.request(method, path, body, headers)
        async with self._transport.http(self._url, self._limits) as client:
            return await client.request(method, path, body, headers)

    async def act(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """As `request`, for what must not wait and must not be sent twice: over a line if one takes it."""
        if self._lines is None:
            return await self.request(method, path, body, headers)
        way = "actions_over_warm_lines"
        try:
            return await self._lines.request(method, path, body, headers)
        except NotSent:
            way = "actions_without_warm_line"
        finally:
            self._counters.add(way)
        return await self.request(method, path, body, headers)
