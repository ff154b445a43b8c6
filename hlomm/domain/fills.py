"""Fills and the other events that move tokens and cash."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from hlomm.domain.ids import ClientId, MarketId, VenueOrderId
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import Cash, Px, Qty


class FillKind(StrEnum):
    TRADE = "trade"
    SETTLEMENT = "settlement"
    SPLIT = "split"
    MERGE = "merge"
    NEGATE = "negate"
    MERGE_QUESTION = "merge_question"


class Fill(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One movement of tokens against cash on our account, as the venue reported it.

    `key` identifies it for de-duplication (replayed snapshots repeat fills). Split, merge and the like are reported as
    one fill per token that moved. The prices that a venue prints on them are rounded fictions, so a session replaces
    them: `px` is such that the parts of one conversion add up to the cash that moved, to the last unit.
    """

    key: str
    market: MarketId
    leg: Leg
    side: Side
    px: Px
    """Price of the leg's own coin."""
    qty: Qty
    fee: Cash
    """Positive: paid."""
    kind: FillKind
    maker: bool
    client_id: ClientId | None
    venue_order_id: VenueOrderId | None
    venue_ms: int
    pending: bool = False
    """Matched, not yet delivered: what it brought can be neither sold nor spent, and it may still be undone."""
