"""Token buckets with continuous refill (venue sheet section 9)."""

from __future__ import annotations

import attrs

from hlomm.domain.times import NS_PER_S
from hlomm.sim.config_kalshi import KalshiRulesConfig


class Bucket:
    """`rate` tokens a second up to `capacity`; full at first."""

    def __init__(self, rate: int, capacity: float) -> None:
        self._rate = rate
        self._capacity = int(capacity * NS_PER_S)
        """In tokens times nanoseconds, so that refilling is exact."""
        self._level = self._capacity
        self._at_ns = 0
        self.refused = 0

    def take(self, now_ns: int, cost: int) -> bool:
        """Pay, or be refused and pay nothing."""
        if self._at_ns:
            self._level = min(self._level + max(now_ns - self._at_ns, 0) * self._rate, self._capacity)
        self._at_ns = max(now_ns, self._at_ns)
        if self._level < cost * NS_PER_S:
            self.refused += 1
            return False
        self._level -= cost * NS_PER_S
        return True


@attrs.define(eq=False)
class Budget:
    """One member's buckets: reads, writes, and writes per shard where a request names it."""

    rules: KalshiRulesConfig
    read: Bucket
    write: Bucket
    shards: dict[int, Bucket] = attrs.field(factory=dict)

    @classmethod
    def of(cls, rules: KalshiRulesConfig) -> Budget:
        return cls(
            rules,
            Bucket(rules.read_per_s, rules.read_per_s * rules.bucket_s),
            Bucket(rules.write_per_s, rules.write_per_s * rules.bucket_s),
        )

    def writing(self, shard: int | None) -> Bucket:
        """The bucket of a single write: the shard's own if the request names one above 0."""
        if shard is None or shard < 1:
            return self.write
        bucket = self.shards.get(shard)
        if bucket is None:
            rate = self.rules.write_per_s
            bucket = self.shards[shard] = Bucket(rate, rate * self.rules.bucket_s)
        return bucket

    def refused(self) -> int:
        return self.read.refused + self.write.refused + sum(bucket.refused for bucket in self.shards.values())
