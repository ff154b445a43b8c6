"""One way to safety, while it is under way."""

from __future__ import annotations

import attrs

from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.inputs import AccountState


@attrs.define(eq=False)
class Walk:
    """One way to safety. `sell` says whether tokens go; cancelling always happens."""

    reason: str
    sell: bool
    deadline_ns: int
    attempts: dict[MarketId, int] = attrs.field(factory=dict)
    """Sales sent per market."""
    merges: dict[MarketId, int] = attrs.field(factory=dict)
    """Merges sent per market; one that fails must not cost the attempts to sell."""
    again_ns: dict[MarketId, int] = attrs.field(factory=dict)
    """Time before which a market is left alone: its last merge or sale is given a chance to show."""
    held: dict[MarketId, str] = attrs.field(factory=dict)
    over: set[MarketId] = attrs.field(factory=set)
    """Markets in which nothing more was to be done when they were last looked at."""
    halves: set[MarketId] = attrs.field(factory=set)
    """Markets that hold tokens only because another leg of their pairs cannot be sold."""
    clear_ns: int | None = None
    """Since when our books say that nothing is left to do; a venue's picture counts if asked for after that."""
    ask_again_ns: int = 0
    judged: dict[VenueId, AccountState | None] = attrs.field(factory=dict)
    """The last picture per venue that is too old or was found wanting."""
    disputes: dict[VenueId, int] = attrs.field(factory=dict)
    """Pictures of a venue in a row that differed from its books."""
    blind: set[VenueId] = attrs.field(factory=set)
    """Venues that were out of reach on the way."""
    confirmed: bool = False
    """It ended with the venues' word, not with its deadline."""
