"""One maintained hedge, and for how long it was what it should be."""

from __future__ import annotations

import attrs

from hlomm.domain.report import SideNote
from hlomm.pricing.hedge import Maintained

OK = SideNote(guard="ok")


@attrs.define(eq=False)
class HedgeState:
    """One maintained hedge: what it should be, and how long it was."""

    target: int = 0
    band: int = 0
    again_ns: int = 0
    """Time before which no other order is sent."""
    inside_ns: int = 0
    outside_ns: int = 0
    naked_ns: int = 0
    """How long a perp was held that nothing was left to be hedged by."""
    contracts: int = 0
    """How many it was ever computed for."""
    note: SideNote = OK
    _looked_ns: int | None = None
    _outside: bool = False
    _naked: bool = False

    def look(self, now_ns: int, held: int, wanted: Maintained, *, naked: bool) -> None:
        """The time since the last look counts as what was seen then."""
        if self._looked_ns is not None and (self.target or self.band or held):
            passed_ns = now_ns - self._looked_ns
            if self._outside:
                self.outside_ns += passed_ns
            else:
                self.inside_ns += passed_ns
            if self._naked:
                self.naked_ns += passed_ns
        self.target, self.band = wanted.target, wanted.band
        self._looked_ns, self._outside, self._naked = now_ns, abs(held - wanted.target) > wanted.band, naked

    def look_away(self) -> None:
        """Nothing is maintained now: the time until the next look counts as nothing."""
        self._looked_ns = None
