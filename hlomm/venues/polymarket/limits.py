"""The venue's limiter of one signer: two token buckets whose size follows the tier (venue sheet section 16)."""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.venues.pacing import TokenBucket


@attrs.frozen
class Tier:
    """Orders and cancels a second, and how many may come at once. The venue names the tier in a header."""

    name: str
    order_rate: float
    order_burst: float
    cancel_rate: float
    cancel_burst: float


STANDARD: Final = Tier("Standard", 40, 60, 80, 120)
TIERS: Final = {
    tier.name.lower(): tier
    for tier in (
        STANDARD,
        Tier("Copper", 60, 90, 120, 180),
        Tier("Bronze", 80, 120, 160, 240),
        Tier("Silver", 200, 300, 400, 600),
        Tier("Gold", 400, 600, 800, 1_200),
        Tier("Platinum", 450, 675, 900, 1_350),
        Tier("Diamond", 525, 787, 1_050, 1_575),
        Tier("Elite", 600, 900, 1_200, 1_800),
    )
}


@attrs.define(eq=False)
class SignerBudget:
    """What this signer may send now. A batch is counted by its rows and passes whole or not at all."""

    tier: Tier
    orders: TokenBucket = attrs.field(init=False)
    cancels: TokenBucket = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.orders = TokenBucket(self.tier.order_burst, self.tier.order_rate)
        self.cancels = TokenBucket(self.tier.cancel_burst, self.tier.cancel_rate)

    def told(self, name: str | None) -> None:
        """The venue's own word for the tier; one that is not in the table changes nothing."""
        tier = None if name is None else TIERS.get(name.lower())
        if tier is not None and tier != self.tier:
            self.tier = tier
            self.orders.capacity, self.orders.refill_per_s = tier.order_burst, tier.order_rate
            self.cancels.capacity, self.cancels.refill_per_s = tier.cancel_burst, tier.cancel_rate

    def exhausted(self, now_ns: int, *, orders: bool) -> None:
        """The venue says that the budget is spent."""
        (self.orders if orders else self.cancels).drain(now_ns)
