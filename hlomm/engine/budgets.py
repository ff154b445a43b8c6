"""Action budget of an account: the venue's last word plus what we have sent since."""

from __future__ import annotations

import attrs

from hlomm.domain.ids import VenueId
from hlomm.domain.inputs import RateBudget
from hlomm.engine.config import BudgetRules


@attrs.define(eq=False)
class Budget:
    used: int
    cap: int

    @property
    def left(self) -> int:
        return self.cap - self.used


class Budgets:
    """Per venue. A venue that never told us its budget is not limited here."""

    def __init__(self, rules: BudgetRules) -> None:
        self._rules = rules
        self.by_venue: dict[VenueId, Budget] = {}

    def apply(self, item: RateBudget) -> None:
        self.by_venue[item.venue] = Budget(item.used, item.cap)

    def spend(self, venue: VenueId, actions: int) -> None:
        budget = self.by_venue.get(venue)
        if budget is not None:
            budget.used += actions

    def left(self, venue: VenueId) -> int | None:
        budget = self.by_venue.get(venue)
        return None if budget is None else budget.left

    def exhausted(self, venue: VenueId) -> bool:
        """Nothing but cancels and flattening may be sent."""
        left = self.left(venue)
        return left is not None and left <= self._rules.reserve

    def pace(self, venue: VenueId) -> int:
        """Factor by which quoting slows down."""
        left = self.left(venue)
        return self._rules.slow_factor if left is not None and left < self._rules.slow_below else 1
