"""What is known of one order: its state, what may still fill, and what filled under each id the venue gave it."""

from __future__ import annotations

from itertools import islice
from typing import Final

import attrs

from hlomm.domain.ids import ClientId, MarketId, StrategyId, VenueOrderId
from hlomm.domain.markets import Leg
from hlomm.domain.orders import TERMINAL, OrderState, Purpose, Side, Tif, direction
from hlomm.domain.units import Px, complement

RETIRED_KEPT: Final = 64
"""Venue ids of one order remembered for late news; every amend retires one."""


@attrs.define(eq=False)
class Tally:
    """Fills under one venue id: received by us, and reported by the venue in any other way."""

    px: int
    """Own-coin limit price under that id."""
    filled: int = 0
    reported: int = 0

    @property
    def due(self) -> int:
        return max(self.reported - self.filled, 0)


@attrs.define(eq=False, kw_only=True)
class Order:
    client_id: ClientId
    market: MarketId
    leg: Leg
    side: Side
    tif: Tif
    purpose: Purpose
    strategy: StrategyId | None
    px: Px
    """Own-coin price at the venue as last confirmed (or first sent)."""
    leaves: int
    sent_ns: int
    touched_ns: int
    """Monotonic time of the last request or report about it."""
    qty: int = 0
    """Size it was placed with; 0 for an order that was found at the venue."""
    requested_ns: int = 0
    """Monotonic time of the last request that may make something rest: the order itself or its last amend."""
    cancel_ns: int | None = None
    """Monotonic time of the last cancel sent for it."""
    state: OrderState = OrderState.PENDING_NEW
    venue_order_id: VenueOrderId | None = None
    filled: int = 0
    voided: int = 0
    """Of what filled, what never settled and was undone."""
    paid: int = 0
    """Cash that its fills took, fees included; negative if they brought some. What was undone has taken nothing."""
    due: int = 0
    """Filled according to the venue, fill not yet received: the sum over the tallies, kept by `count`."""
    amend_px: Px | None = None
    amend_qty: int = 0
    tallies: dict[VenueOrderId, Tally] = attrs.field(factory=dict)
    """By venue id: the current one and those that amends retired."""
    retired: set[VenueOrderId] = attrs.field(factory=set)
    """Ids that a later one replaced: what is said of them is history."""
    asked: int = 0
    """Queries sent since the state became unknown."""
    asked_ns: int = 0
    """Monotonic time of the last of them; other requests about it (a cancel, over and over) do not put the next off."""
    denied: int = 0
    """Answers "never heard of it" since then."""
    direction: int = attrs.field(init=False)
    """+1 if it gains from YES, -1 if it gains from NO."""

    @direction.default
    def _direction(self) -> int:
        return direction(self.leg, self.side)

    @property
    def yes_px(self) -> Px:
        return self.px if self.leg is Leg.YES else complement(self.px)

    @property
    def live(self) -> bool:
        return self.state not in TERMINAL

    @property
    def amending(self) -> bool:
        return self.amend_px is not None

    @property
    def under_way(self) -> bool:
        """Whether the venue has yet to say what became of the order or of its last amend."""
        return self.live and (self.amending or not self.tallies or self.state is OrderState.UNKNOWN)

    @property
    def exposed(self) -> int:
        """Worst-case quantity that may still change our position."""
        return self.leaves + self.due + self.amend_qty

    @property
    def exposed_px(self) -> int:
        """Own-coin price that locks the most cash among those it may fill at, or may have filled at."""
        highest = self.px if self.amend_px is None else max(self.px, self.amend_px)
        return max(highest, *(t.px for t in self.tallies.values() if t.due)) if self.due else highest

    @property
    def lowest_px(self) -> int:
        """Own-coin price that brings in the least cash among those it may fill at, or may have filled at."""
        lowest = self.px if self.amend_px is None else min(self.px, self.amend_px)
        return min(lowest, *(t.px for t in self.tallies.values() if t.due)) if self.due else lowest

    def tally(self, oid: VenueOrderId) -> Tally:
        tally = self.tallies.get(oid)
        if tally is None:
            tally = self.tallies[oid] = Tally(self.px)
        return tally

    def count(self, tally: Tally, *, filled: int | None = None, reported: int | None = None) -> None:
        """Set what is known of one venue id."""
        before = tally.due
        if filled is not None:
            tally.filled = filled
        if reported is not None:
            tally.reported = reported
        self.due += tally.due - before

    def retire(self) -> None:
        """All ids so far are history. The oldest of which nothing is awaited are forgotten: amends have no end."""
        self.retired.update(self.tallies)
        excess = max(len(self.tallies) - RETIRED_KEPT, 0)
        for oid in list(islice((oid for oid, tally in self.tallies.items() if not tally.due), excess)):
            del self.tallies[oid]
            self.retired.discard(oid)
