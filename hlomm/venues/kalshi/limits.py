"""Token buckets as the account has them (venue sheet section 9): read, write per shard, write without a shard.

Nothing is known before `/account/limits` was read: until then the smallest tier counts. A single order call that names
a shard from 1 on bills that shard's own bucket; everything else that writes bills the common one.
"""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.venues.kalshi.wire.exchange import AccountLimits, Bucket, Costs
from hlomm.venues.pacing import TokenBucket

BASIC_READ: Final = Bucket(200, 400)
BASIC_WRITE: Final = Bucket(100, 100)
DEFAULT_COST: Final = 10
KNOWN_COSTS: Final = {
    ("DELETE", "/portfolio/events/orders/{order_id}"): 2,
    ("GET", "/portfolio/orders/{order_id}"): 2,
}


@attrs.define(eq=False)
class Budgets:
    """The buckets of one account."""

    costs: Costs = attrs.field(factory=lambda: Costs(DEFAULT_COST, dict(KNOWN_COSTS)))
    tier: str = "unknown"
    _write: Bucket = BASIC_WRITE
    read: TokenBucket = attrs.field(factory=lambda: TokenBucket(BASIC_READ.capacity, BASIC_READ.refill_per_s))
    _writes: dict[int, TokenBucket] = attrs.field(factory=dict)

    def told(self, limits: AccountLimits) -> None:
        """The venue's own figures replace the assumption; buckets start full again."""
        self.tier = limits.tier
        self._write = limits.write
        self.read = TokenBucket(limits.read.capacity, limits.read.refill_per_s)
        self._writes.clear()

    @property
    def writes_per_min(self) -> int:
        """Tokens that the bucket of one shard gets in a minute."""
        return int(self._write.refill_per_s * 60)

    def cost(self, method: str, template: str) -> int:
        return self.costs.special.get((method, template), self.costs.default)

    def write(self, shard: int | None) -> TokenBucket:
        """The bucket that a write bills: 0 is the common one."""
        key = shard if shard is not None and shard >= 1 else 0
        bucket = self._writes.get(key)
        if bucket is None:
            bucket = self._writes[key] = TokenBucket(self._write.capacity, self._write.refill_per_s)
        return bucket
