"""Orders: sides, kinds, and the table of what may happen to one.

Theory of operation. An order is ours from the moment its output exists; what we know of it then only grows.
`UNKNOWN` means an answer was lost: the order may rest, may have filled, may never have arrived. Only the venue
ends that state, by client id; a timeout is never read as a refusal. Terminal states still accept fills, because
fills travel on another channel than order events and may come after them. A pair outside the table raises.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

import msgspec

from hlomm.domain.faults import IllegalTransition
from hlomm.domain.ids import ClientId, MarketId, VenueOrderId
from hlomm.domain.markets import Leg
from hlomm.domain.units import Px, Qty, complement


class Side(IntEnum):
    BUY = 1
    SELL = -1


class Tif(StrEnum):
    """Time in force, spelt as Hyperliquid does."""

    ALO = "Alo"
    """Post only: refused if it would match."""
    IOC = "Ioc"
    GTC = "Gtc"
    FOK = "Fok"
    """All at once or not at all; Hyperliquid has none."""


class Purpose(StrEnum):
    """Why an order exists; every order has one."""

    QUOTE = "quote"
    FLATTEN = "flatten"
    HEDGE = "hedge"
    LEG = "leg"
    REST = "rest"
    """The leg of a pair that waits for somebody to take it; the other one is taken then."""


def goes_home(purpose: Purpose, side: Side) -> bool:
    """Whether an order only brings back what is held: flattening, or selling back the leg of a basket.

    Such an order has to pass where a venue's own breaker keeps all others out.
    """
    return purpose is Purpose.FLATTEN or (purpose is Purpose.LEG and side is Side.SELL)


class OrderState(StrEnum):
    PENDING_NEW = "pending_new"
    OPEN = "open"
    PENDING_AMEND = "pending_amend"
    PENDING_CANCEL = "pending_cancel"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"


class OrderEvent(StrEnum):
    OPENED = "opened"
    """The venue says it rests."""
    REFUSED = "refused"
    """The venue refused it, or it certainly never left."""
    AMEND_SENT = "amend_sent"
    AMEND_REFUSED = "amend_refused"
    """The amend certainly never left: the order is as it was."""
    CANCEL_SENT = "cancel_sent"
    CANCEL_REFUSED = "cancel_refused"
    """The cancel certainly never left: the order is as it was."""
    LOST = "lost"
    """An answer is missing or makes no sense: ask the venue."""
    PART_FILLED = "part_filled"
    ALL_FILLED = "all_filled"
    CLOSED = "closed"
    """The venue says it is gone, with whatever it had filled."""
    RESURFACED = "resurfaced"
    """The venue's list of open orders shows it although we thought it finished."""


TERMINAL: Final = frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED})

_S = OrderState
_E = OrderEvent

TRANSITIONS: Final[dict[tuple[OrderState, OrderEvent], OrderState]] = (
    {
        (_S.PENDING_NEW, _E.OPENED): _S.OPEN,
        (_S.PENDING_NEW, _E.REFUSED): _S.REJECTED,
        (_S.PENDING_NEW, _E.CANCEL_SENT): _S.PENDING_CANCEL,
        (_S.PENDING_NEW, _E.LOST): _S.UNKNOWN,
        (_S.PENDING_NEW, _E.PART_FILLED): _S.PENDING_NEW,  # a fill may outrun the acknowledgement
        (_S.PENDING_NEW, _E.ALL_FILLED): _S.FILLED,
        (_S.PENDING_NEW, _E.CLOSED): _S.CANCELED,
        (_S.OPEN, _E.OPENED): _S.OPEN,
        (_S.OPEN, _E.AMEND_SENT): _S.PENDING_AMEND,
        (_S.OPEN, _E.CANCEL_SENT): _S.PENDING_CANCEL,
        (_S.OPEN, _E.LOST): _S.UNKNOWN,
        (_S.OPEN, _E.PART_FILLED): _S.OPEN,
        (_S.OPEN, _E.ALL_FILLED): _S.FILLED,
        (_S.OPEN, _E.CLOSED): _S.CANCELED,
        (_S.PENDING_AMEND, _E.OPENED): _S.OPEN,
        (_S.PENDING_AMEND, _E.AMEND_REFUSED): _S.OPEN,
        (_S.PENDING_AMEND, _E.CANCEL_SENT): _S.PENDING_CANCEL,
        (_S.PENDING_AMEND, _E.LOST): _S.UNKNOWN,
        (_S.PENDING_AMEND, _E.PART_FILLED): _S.PENDING_AMEND,
        (_S.PENDING_AMEND, _E.ALL_FILLED): _S.UNKNOWN,  # the old size is gone; the amended one may rest
        (_S.PENDING_AMEND, _E.CLOSED): _S.CANCELED,
        (_S.PENDING_CANCEL, _E.OPENED): _S.PENDING_CANCEL,
        (_S.PENDING_CANCEL, _E.REFUSED): _S.REJECTED,
        (_S.PENDING_CANCEL, _E.AMEND_REFUSED): _S.PENDING_CANCEL,
        (_S.PENDING_CANCEL, _E.CANCEL_SENT): _S.PENDING_CANCEL,
        (_S.PENDING_CANCEL, _E.CANCEL_REFUSED): _S.OPEN,
        (_S.PENDING_CANCEL, _E.LOST): _S.UNKNOWN,
        (_S.PENDING_CANCEL, _E.PART_FILLED): _S.PENDING_CANCEL,
        (_S.PENDING_CANCEL, _E.ALL_FILLED): _S.FILLED,
        (_S.PENDING_CANCEL, _E.CLOSED): _S.CANCELED,
        (_S.UNKNOWN, _E.OPENED): _S.OPEN,
        (_S.UNKNOWN, _E.REFUSED): _S.REJECTED,
        (_S.UNKNOWN, _E.CANCEL_SENT): _S.UNKNOWN,  # cancelling by client id is safe at any time
        (_S.UNKNOWN, _E.CANCEL_REFUSED): _S.UNKNOWN,
        (_S.UNKNOWN, _E.AMEND_REFUSED): _S.UNKNOWN,
        (_S.UNKNOWN, _E.LOST): _S.UNKNOWN,
        (_S.UNKNOWN, _E.PART_FILLED): _S.UNKNOWN,
        (_S.UNKNOWN, _E.ALL_FILLED): _S.FILLED,
        (_S.UNKNOWN, _E.CLOSED): _S.CANCELED,
    }
    | {
        # Late news about a finished order changes quantities, not its state...
        (state, event): state
        for state in (_S.FILLED, _S.CANCELED, _S.REJECTED)
        for event in (
            _E.PART_FILLED,
            _E.ALL_FILLED,
            _E.CLOSED,
            _E.LOST,
            _E.CANCEL_REFUSED,
            _E.AMEND_REFUSED,
            _E.REFUSED,
        )
    }
    | {
        # ... except that a fill outranks a cancel or a refusal, and that a rest reported late needs asking about.
        (_S.CANCELED, _E.ALL_FILLED): _S.FILLED,
        (_S.REJECTED, _E.ALL_FILLED): _S.FILLED,
        (_S.FILLED, _E.OPENED): _S.FILLED,
        (_S.CANCELED, _E.OPENED): _S.CANCELED,
        (_S.REJECTED, _E.OPENED): _S.UNKNOWN,
        (_S.FILLED, _E.RESURFACED): _S.UNKNOWN,
        (_S.CANCELED, _E.RESURFACED): _S.UNKNOWN,
        (_S.REJECTED, _E.RESURFACED): _S.UNKNOWN,
    }
)


def advance(state: OrderState, event: OrderEvent) -> OrderState:
    """Next state; IllegalTransition for a pair outside the table."""
    try:
        return TRANSITIONS[(state, event)]
    except KeyError:
        raise IllegalTransition(f"order {state.value} cannot meet {event.value}") from None


class OrderRequest(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A new order as handed to a venue session. `px` is the price of the leg's own coin."""

    client_id: ClientId
    market: MarketId
    leg: Leg
    side: Side
    px: Px
    qty: Qty
    tif: Tif
    purpose: Purpose
    reduce_only: bool = False


class AmendRequest(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Replace price and remaining size of a resting order; the client id stays, the venue's id changes."""

    client_id: ClientId
    venue_order_id: VenueOrderId
    market: MarketId
    leg: Leg
    side: Side
    px: Px
    qty: Qty
    tif: Tif


class CancelRequest(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Cancel by client id (always possible, also before the venue's id is known)."""

    client_id: ClientId
    market: MarketId
    leg: Leg


def direction(leg: Leg, side: Side) -> int:
    """+1 if the order gains from YES, -1 if it gains from NO."""
    return int(side) if leg is Leg.YES else -int(side)


def yes_px(leg: Leg, px: int) -> Px:
    """A leg's own price in YES space."""
    return Px(px) if leg is Leg.YES else complement(px)
