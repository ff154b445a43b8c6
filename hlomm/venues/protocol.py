"""What the daemon and the guardian may ask of a venue, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import attrs
import trio

from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.inputs import AccountState, BookSnapshot, Input, RestingOrder
from hlomm.domain.markets import Market
from hlomm.domain.orders import OrderRequest
from hlomm.domain.outputs import Output
from hlomm.domain.units import Cash, Px, Qty, ceil_to


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


NOT_DELIVERED: Final = "not_delivered"
"""The word for a sale of what was bought and is not there yet: it was not sent."""
NOTHING: Final = Cash(0)
NO_QTY: Final = Qty(0)


@attrs.frozen(kw_only=True)
class SaleRules:
    """What an immediate sale of outcome tokens must fit to be taken, as far as the venue tells."""

    tick: Px
    lot: Qty
    min_notional: Cash = NOTHING
    min_qty: Qty = NO_QTY
    ticks: tuple[tuple[Px, Px, Px], ...] = ()
    """(from, to, step) where the grid changes with the price; empty: `tick` everywhere. As in `Market.ticks`."""

    @classmethod
    def of(cls, market: Market) -> SaleRules:
        return cls(
            tick=market.tick, lot=market.lot, min_notional=market.min_notional, min_qty=market.min_qty,
            ticks=market.ticks,
        )  # fmt: skip

    def ceil(self, px: int) -> Px:
        """Smallest legal price not below `px`; no price, 0 or less, where `px` is none."""
        return Px(ceil_to(px, self._step(px)))

    def _step(self, px: int) -> Px:
        return next((step for low, high, step in self.ticks if low <= px <= high), self.tick)


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

    def sale_rules(self, market: MarketId) -> SaleRules | None:
        """What a sale there must fit, known once its book was fetched; None for a market unknown to the venue."""

    async def cancel_now(self, orders: Sequence[RestingOrder]) -> int:
        """Cancel by venue order id; returns how many the venue confirmed as gone."""

    async def place_now(self, orders: Sequence[OrderRequest]) -> list[str]:
        """Place orders and wait for the answer: one word per order (`filled`, `resting`, or the refusal)."""
