"""Everything the engine wants from the world."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hlomm.domain.ids import ClientId, MarketId, VenueId
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest
from hlomm.domain.sets import SetAction
from hlomm.domain.units import Qty


class _Output(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Base of the tagged union."""


class PlaceOrders(_Output, frozen=True):
    """One batch; all orders share their time in force, because a mixed batch loses post-only priority."""

    venue: VenueId
    orders: tuple[OrderRequest, ...]


class AmendOrders(_Output, frozen=True):
    venue: VenueId
    amends: tuple[AmendRequest, ...]


class CancelOrders(_Output, frozen=True):
    venue: VenueId
    cancels: tuple[CancelRequest, ...]


class QueryOrder(_Output, frozen=True):
    """Ask the venue about one order by client id."""

    venue: VenueId
    client_id: ClientId


class QueryAccount(_Output, frozen=True):
    """Ask the venue for the whole account."""

    venue: VenueId


class ResetBreaker(_Output, frozen=True):
    """Reset the venue's own breaker; answered by VenueRearmed, or by VenueTripped if it did not succeed."""

    venue: VenueId


class ConvertSet(_Output, frozen=True, kw_only=True):
    """Split, merge, negate or merge a question: tokens and cash for one another at exactly their worth."""

    action: SetAction
    market: MarketId
    """The outcome; of a question to be merged any of its outcomes."""
    qty: Qty
    """Sets, whole contracts."""
    question: int | None = None
    """Number of the question, for `negate` and `merge_question`."""


class Subscribe(_Output, frozen=True):
    market: MarketId


class Unsubscribe(_Output, frozen=True):
    market: MarketId


class AlertLevel(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Alert(_Output, frozen=True, kw_only=True):
    """One line for the operator: what happened, what was done about it, what to do next."""

    level: AlertLevel
    code: str
    text: str
    market: MarketId | None = None


class HaltState(StrEnum):
    """See `hlomm.engine.halt` for the table."""

    STARTING = "starting"
    RUNNING = "running"
    FLATTENING = "flattening"
    HALTED = "halted"
    STOPPING = "stopping"
    STOPPED = "stopped"


class HaltChanged(_Output, frozen=True, kw_only=True):
    """`persist` says whether the state must survive a restart."""

    state: HaltState
    reason: str
    persist: bool


class ExitRequested(_Output, frozen=True):
    """The daemon is to end: the engine is on its way to safety and nobody should go on by himself."""

    reason: str


Output = (
    PlaceOrders
    | AmendOrders
    | CancelOrders
    | QueryOrder
    | QueryAccount
    | ResetBreaker
    | ConvertSet
    | Subscribe
    | Unsubscribe
    | Alert
    | HaltChanged
    | ExitRequested
)
