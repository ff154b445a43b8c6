"""Which fills of one account are in the books, and when the books last agreed with the venue."""

from __future__ import annotations

from typing import Final

import attrs

FILLS_REMEMBERED: Final = 20_000


@attrs.define(eq=False)
class Memory:
    seen: dict[str, int] = attrs.field(factory=dict)
    """Venue time of every fill booked lately, by key."""
    last_fill_ms: int = 0
    """Venue time of the newest fill, or of the opening of the books."""
    agreed_ms: int = 0
    """Venue time of the newest fill when the venue's account last agreed with the books."""
    known_from_ms: int = 0
    """What the venue stamped before that is in books that were taken over without its keys: told again, it would be
    counted twice."""
    last_move_ns: int = 0
    """When cash or tokens last moved by something we were told."""

    def unheard(self, key: str, venue_ms: int) -> bool:
        """Whether this movement is told for the first time; from now on it is known."""
        if key in self.seen:
            return False
        self.seen[key] = venue_ms
        if len(self.seen) > FILLS_REMEMBERED:
            del self.seen[next(iter(self.seen))]
        return True
