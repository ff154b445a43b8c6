"""What is on its way between the engine and a tape's venue, and when it arrives."""

from __future__ import annotations

import heapq
from typing import Final

import attrs

from hlomm.domain.ids import ClientId
from hlomm.domain.inputs import Input
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, Output, PlaceOrders, QueryAccount, QueryOrder
from hlomm.research.latency import MAX_NS, Latency

ORDERS_KEPT: Final = 10_000
PRINTS: Final = 1 << 40
"""Draws of prints are numbered from here on, those of requests from 0."""
_HEARD: Final = PlaceOrders | AmendOrders | CancelOrders | QueryOrder | QueryAccount | ConvertSet


@attrs.frozen(kw_only=True)
class Request:
    """Something that was sent; `number` counts them and names their draws."""

    output: Output
    sent_ns: int
    number: int


class Mail:
    """Requests arrive in the order in which they were sent; news of one order in the order in which it happened."""

    def __init__(self, latency: Latency) -> None:
        self._latency = latency
        self._requests: list[tuple[int, int, Request]] = []
        self._news: list[tuple[int, int, Input]] = []
        self._latest_of: dict[ClientId, int] = {}
        self._room = ORDERS_KEPT
        self._latest_request = self._latest_news = 0
        self._sequence = 0
        self.sent = 0

    def send(self, output: Output, now_ns: int) -> None:
        """What means nothing to a venue (alerts, halts, subscriptions) is left at home."""
        if not isinstance(output, _HEARD):
            return
        request = Request(output=output, sent_ns=now_ns, number=self.sent)
        self.sent += 1
        self._latest_request = max(self._latest_request, now_ns + self._latency.entry.at(request.number))
        heapq.heappush(self._requests, (self._latest_request, request.number, request))

    def tell(self, at_ns: int, draw: int, item: Input, client_id: ClientId | None, not_before_ns: int = 0) -> None:
        """News of something that happened; that of the account (no order) comes after all that it contains."""
        at_ns = max(at_ns + self._latency.response.at(draw), not_before_ns)
        if client_id is None:
            at_ns = max(at_ns, self._latest_news)
        else:
            at_ns = self._latest_of[client_id] = max(at_ns, self._latest_of.get(client_id, 0))
            if len(self._latest_of) > self._room:
                self._let_go(at_ns)
        self._latest_news = max(self._latest_news, at_ns)
        self._sequence += 1
        heapq.heappush(self._news, (at_ns, self._sequence, item))

    def _let_go(self, now_ns: int) -> None:
        """Of orders whose last news is so old that no later one could overtake it."""
        self._latest_of = {name: at_ns for name, at_ns in self._latest_of.items() if at_ns > now_ns - 2 * MAX_NS}
        self._room = 2 * len(self._latest_of) + ORDERS_KEPT

    def next_request_ns(self) -> int | None:
        return self._requests[0][0] if self._requests else None

    def next_news_ns(self) -> int | None:
        return self._news[0][0] if self._news else None

    def arrived(self) -> tuple[int, Request]:
        """The next request, with the time of its arrival."""
        at_ns, _, request = heapq.heappop(self._requests)
        return at_ns, request

    def due(self, now_ns: int) -> list[Input]:
        """News that has come by now."""
        found = []
        while self._news and self._news[0][0] <= now_ns:
            found.append(heapq.heappop(self._news)[2])
        return found
