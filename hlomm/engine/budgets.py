"""Action budget of an account: the venue's last word plus what we have sent since, and how long it will last.

The budget grows with traded volume and shrinks with every action. What it lost over the last while, volume counted,
is the churn; what is left over that is the runway. Quoting slows down well before the end, so that the end does not
come while somebody sleeps, and speeds up again only when full speed would last.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from hlomm.domain.ids import HYPERLIQUID, VenueId
from hlomm.domain.inputs import RateBudget, SendRates
from hlomm.engine.config import BudgetRules

WINDOW_NS: Final = 900 * 10**9
"""Churn is measured over that long."""
SHORTEST_NS: Final = 120 * 10**9
"""A shorter stretch tells nothing yet."""
SAMPLES: Final = 64
NS_PER_H: Final = 3_600 * 10**9
NS_PER_MIN: Final = 60 * 10**9
NS_PER_S: Final = 10**9
BATCH_UNIT: Final = 40
SHARE: Final = (2, 3)
"""Of what a venue takes in a minute quoting may use so much at full pace: the rest is for cancels, renewals, exits."""
CROWDED: Final = 3
"""Factor while too much was sent in the last minute. It comes and goes, and keeps the rate about there."""
EASE: Final = 2
"""Full speed comes back when it would last that many times the runway that slowed it."""


@attrs.define(eq=False)
class Budget:
    used: int
    cap: int
    samples: deque[tuple[int, int]] = attrs.field(factory=lambda: deque(maxlen=SAMPLES))
    """(mono_ns, actions left) as the venue told them, over the window."""
    slow: str | None = None
    """Why quoting is slowed down."""

    @property
    def left(self) -> int:
        return self.cap - self.used

    def churn(self) -> int:
        """Actions lost an hour, volume gained counted; 0 while unknown or growing."""
        if len(self.samples) < 2:
            return 0
        (then_ns, then), (now_ns, now) = self.samples[0], self.samples[-1]
        span_ns = now_ns - then_ns
        return 0 if span_ns < SHORTEST_NS else max((then - now) * NS_PER_H // span_ns, 0)

    def runway_ns(self) -> int | None:
        """How long what is left lasts at the present churn; None if it does not shrink."""
        churn = self.churn()
        return None if churn == 0 else max(self.left, 0) * NS_PER_H // churn


@attrs.define(eq=False)
class Rate:
    """Weight of what was sent in the last minute, second by second."""

    seconds: deque[tuple[int, int]] = attrs.field(factory=deque)
    """(second, weight); at most a minute of them."""
    total: int = 0

    def add(self, now_ns: int, weight: int) -> None:
        second = now_ns // NS_PER_S
        if self.seconds and self.seconds[-1][0] == second:
            second, before = self.seconds.pop()
            self.seconds.append((second, before + weight))
        else:
            self.seconds.append((second, weight))
        self.total += weight

    def forget(self, now_ns: int) -> None:
        """Drop what is older than a minute."""
        while self.seconds and self.seconds[0][0] <= now_ns // NS_PER_S - 60:
            self.total -= self.seconds.popleft()[1]


class Budgets:
    """Per venue. A venue that never told us its budget is not limited by it."""

    def __init__(self, rules: BudgetRules) -> None:
        self._rules = rules
        self.by_venue: dict[VenueId, Budget] = {}
        self.rates: dict[VenueId, Rate] = {}
        self.told: dict[VenueId, SendRates] = {}
        """What each venue takes in a minute, by its own word; Hyperliquid's is in the configuration."""

    def apply(self, item: RateBudget, now_ns: int) -> str | None:
        """Take the venue's word; what there is to say about it, if the pace changes."""
        budget = self.by_venue.get(item.venue)
        if budget is None:
            budget = self.by_venue[item.venue] = Budget(item.used, item.cap)
        budget.used, budget.cap = item.used, item.cap
        budget.samples.append((now_ns, budget.left))
        while now_ns - budget.samples[0][0] > WINDOW_NS:
            budget.samples.popleft()
        return self._repace(item.venue, budget)

    def _repace(self, venue: VenueId, budget: Budget) -> str | None:
        why = self._why_slow(budget)
        was, budget.slow = budget.slow, why
        if (was is None) == (why is None):
            return None
        if why is not None:
            return f"{venue}: {why}: quoting slows down {self._rules.slow_factor} times"
        return f"{venue}: {budget.left} actions left: quoting at full pace again"

    def _why_slow(self, budget: Budget) -> str | None:
        rules, runway_ns = self._rules, budget.runway_ns()
        if budget.left < rules.slow_below:
            return f"{budget.left} actions left < {rules.slow_below}"
        if runway_ns is None:
            return None
        # While slow, the churn measured is the slow one: what matters is how long full speed would last.
        enough_ns = rules.slow_runway_ns if budget.slow is None else EASE * rules.slow_factor * rules.slow_runway_ns
        if runway_ns >= enough_ns:
            return None
        return f"{budget.left} actions left, gone in {runway_ns // NS_PER_MIN} min at {budget.churn()} an hour"

    def spend(self, venue: VenueId, actions: int) -> None:
        budget = self.by_venue.get(venue)
        if budget is not None:
            budget.used += actions

    def tick(self, now_ns: int) -> None:
        for rate in self.rates.values():
            rate.forget(now_ns)

    def sent(self, venue: VenueId, orders: int, now_ns: int, *, cancels: bool = False) -> None:
        """A batch leaves. At Hyperliquid it weighs 1, and 1 more for every 40 orders in it; elsewhere orders count.

        A venue that told nothing of what it takes is not counted.
        """
        told = self.told.get(venue)
        if told is not None:
            weight = orders * (told.cancel if cancels else told.place)
        elif venue == HYPERLIQUID:
            weight = 1 + orders // BATCH_UNIT
        else:
            return
        if weight:
            rate = self.rates.get(venue)
            if rate is None:
                rate = self.rates[venue] = Rate()
            rate.add(now_ns, weight)

    def _per_min(self, venue: VenueId) -> int:
        """Weight from which quoting slows down there."""
        told = self.told.get(venue)
        if told is None:
            return self._rules.weight_per_min
        return max(told.per_min * SHARE[0] // SHARE[1], 1)

    def left(self, venue: VenueId) -> int | None:
        budget = self.by_venue.get(venue)
        return None if budget is None else budget.left

    def exhausted(self, venue: VenueId, spent: int = 0) -> bool:
        """Nothing but cancels and flattening may be sent, once that many more actions are spent."""
        left = self.left(venue)
        return left is not None and left - spent <= self._rules.reserve

    def pace(self, venue: VenueId) -> int:
        """Factor by which quoting slows down."""
        budget = self.by_venue.get(venue)
        if budget is not None and (budget.slow is not None or budget.left < self._rules.slow_below):
            return self._rules.slow_factor
        return 1 if self.crowded(venue) is None else CROWDED

    def crowded(self, venue: VenueId) -> str | None:
        """Why quoting slows down although actions are left: the venue counts what is sent in a minute."""
        rate = self.rates.get(venue)
        most = self._per_min(venue)
        if rate is None or rate.total < most:
            return None
        return f"weight {rate.total} sent in a minute >= {most}"
