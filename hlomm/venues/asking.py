"""Questions of the engine that a session is at: each order once at a time, the account once, and all bounded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import ClientId
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters

QUESTIONS_MAX: Final = 64


@attrs.define(eq=False)
class Asking:
    """Runs questions in the nursery of the session; without one nothing is asked, which is counted."""

    _clock: Clock
    _counters: Counters
    _look_up: Callable[[ClientId], Awaitable[bool]]
    """Tells what became of an order; whether there was an answer before it gave up."""
    _reconcile: Callable[[], Awaitable[object]]
    """Tells the account. VenueUnavailable if the venue does not answer."""
    _attempts: int
    _lag_s: float
    """Venue seconds between two attempts at the account."""
    _nursery: trio.Nursery | None = None
    _orders: set[ClientId] = attrs.field(factory=set)
    _at_account: bool = False

    def attach(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    def detach(self) -> None:
        self._nursery = None
        self._orders.clear()
        self._at_account = False

    def order(self, client_id: ClientId) -> None:
        """Answer an order question as an OrderAnswer input; one question per order at a time."""
        if self._nursery is None or client_id in self._orders or len(self._orders) >= QUESTIONS_MAX:
            self._counters.add("questions_not_asked")
            return
        self._orders.add(client_id)
        self._nursery.start_soon(self._ask_order, client_id)

    def account(self) -> None:
        """Read the account now, as an AccountState input; one question at a time."""
        if self._nursery is None or self._at_account:
            self._counters.add("questions_not_asked")
            return
        self._at_account = True
        self._nursery.start_soon(self._ask_account)

    async def _ask_order(self, client_id: ClientId) -> None:
        await trio.lowlevel.checkpoint()
        try:
            if not await self._look_up(client_id):
                self._counters.add("questions_unanswered")
        finally:
            self._orders.discard(client_id)

    async def _ask_account(self) -> None:
        await trio.lowlevel.checkpoint()
        try:
            for _ in range(self._attempts):
                try:
                    await self._reconcile()
                except VenueUnavailable:
                    self._counters.add("questions_failed")
                    await self._clock.sleep(self._lag_s)
                else:
                    return
            self._counters.add("questions_unanswered")
        finally:
            self._at_account = False
