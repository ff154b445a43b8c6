"""What the daemon and the guardian may ask of a venue, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs
import trio

from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.inputs import AccountState, BookSnapshot, Input, RestingOrder
from hlomm.domain.orders import OrderRequest
from hlomm.domain.outputs import Output


class Sink(Protocol):
    """Takes inputs in the order they happened. Synchronous: when it returns, the engine has decided.

    `received_ns` is the host's monotonic time at which the frame behind these inputs was read.
    """

    def __call__(self, items: Sequence[Input], received_ns: int, /) -> None: ...


@attrs.frozen(kw_only=True)
class SessionStatistics:
    """Counters and ages of one session; ages in venue seconds, None before the first event."""

    state: str
    """`connecting`, `live`, `rest_only`, `down`."""
    data_age_s: float | None
    ack_p50_ms: float | None
    posts_in_flight: int
    reconnects: int
    skew_ms: int | None
    counters: dict[str, int]
    """Everything refused, dropped, repeated or malformed, by kind."""
    fuse: str = "none"
    """`ok`, `tripped: <rule and numbers>`, or `none` where the session has none."""
    deadman_until_ms: int = 0
    """Our wall time at which the venue has promised to cancel everything; 0: it has not."""


class VenueSession(Protocol):
    """One account on one venue."""

    @property
    def venue(self) -> VenueId: ...

    async def run(self, sink: Sink, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Connect and stay connected until cancelled.

        `started()` after the first SessionUp was handed to the sink. A lost connection is a SessionDown input and a
        reconnect with backoff; VenueRefused (wrong key, wrong network) is raised.
        """

    def submit(self, output: Output) -> None:
        """Carry out one output. Never waits and never raises for the venue's sake: results come as inputs."""

    def statistics(self) -> SessionStatistics: ...

    # What follows uses requests only, works while the stream is down, and is what a sweep needs when the engine is
    # gone. Each call is bounded by the session's own request deadline and raises VenueUnavailable past it.

    async def check_access(self) -> str | None:
        """The venue's words if it refuses our signature, None if it takes it. VenueUnavailable if it does not say."""

    async def fetch_resting(self) -> list[RestingOrder]:
        """Open orders of the account, ours and foreign."""

    async def fetch_account(self) -> AccountState:
        """Cash, tokens and open orders."""

    async def fetch_book(self, market: MarketId) -> BookSnapshot | None:
        """Current book, None if the venue does not know the market any more."""

    async def cancel_now(self, orders: Sequence[RestingOrder]) -> int:
        """Cancel by venue order id; returns how many the venue confirmed as gone."""

    async def place_now(self, orders: Sequence[OrderRequest]) -> list[str]:
        """Place orders and wait for the answer: one word per order (`filled`, `resting`, or the refusal)."""
