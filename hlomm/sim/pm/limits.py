"""Token buckets per signer and the heartbeat registry per API key (venue sheet 10 and 16)."""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.sim.config import PolymarketConfig
from hlomm.sim.pm import refusals
from hlomm.sim.pm.matching import uuid_of
from hlomm.sim.pm.refusals import Refused

_TIER: Final = "Standard"
Headers = tuple[tuple[str, str], ...]


@attrs.define(eq=False)
class Bucket:
    """So many a second, saved up to a burst."""

    rate: float
    burst: int
    level: float
    at_ns: int
    refused: int = 0

    def take(self, now_ns: int, amount: int) -> bool:
        """All of it or nothing."""
        self.refill(now_ns)
        if amount > self.level:
            self.refused += 1
            return False
        self.level -= amount
        return True

    def drain(self, now_ns: int, amount: int) -> None:
        """Count what was not asked for beforehand."""
        self.refill(now_ns)
        self.level = max(self.level - amount, 0.0)

    def refill(self, now_ns: int) -> None:
        self.level = min(self.level + (now_ns - self.at_ns) / NS_PER_S * self.rate, float(self.burst))
        self.at_ns = now_ns

    def wait_s(self, amount: int) -> float:
        """Until that much is there."""
        return max(amount - self.level, 0.0) / self.rate

    def headers(self) -> Headers:
        return (
            ("Poly-RateLimit-Remaining", str(int(self.level))),
            ("Poly-RateLimit-Reset", str(-int(-self.wait_s(self.burst) // 1))),
            ("Poly-RateLimit-Tier", _TIER),
        )


class Limiter:
    """Buckets of each signer, one for orders and one for cancels."""

    def __init__(self, config: PolymarketConfig) -> None:
        self._config = config
        self._buckets: dict[tuple[str, bool], Bucket] = {}

    @property
    def refused(self) -> int:
        return sum(bucket.refused for bucket in self._buckets.values())

    def bucket(self, signer: str, now_ns: int, *, cancels: bool) -> Bucket:
        key = (signer, cancels)
        if key not in self._buckets:
            config = self._config
            rate, burst = (
                (config.cancel_rate, config.cancel_burst) if cancels else (config.order_rate, config.order_burst)
            )
            self._buckets[key] = Bucket(rate, burst, float(burst), now_ns)
        return self._buckets[key]


@attrs.define(eq=False)
class _Beat:
    id: str
    at_ns: int


class Heartbeats:
    """The dead-man switch: armed by the first heartbeat, fires when none came for `heartbeat_s`."""

    def __init__(self, config: PolymarketConfig, seed: int) -> None:
        self._period_ns = seconds_to_ns(config.heartbeat_s)
        self._check_ns = seconds_to_ns(config.heartbeat_check_s)
        self._seed = seed
        self._beats: dict[str, _Beat] = {}
        self._count = 0
        self._next_check_ns = 0
        self.fired = 0

    def beat(self, owner: str, said: str, now_ns: int) -> str:
        """Take a heartbeat and return the id of the next; Refused, with the right id, if it names a wrong one."""
        known = self._beats.get(owner)
        if known is not None and said != known.id:
            raise self.refusal(known.id)
        if known is None and said:
            raise self.refusal("")
        self._count += 1
        fresh = uuid_of(f"{self._seed}/heartbeat/{self._count}")
        self._beats[owner] = _Beat(fresh, now_ns)
        return fresh

    def spoiled(self, owner: str) -> Refused:
        """The refusal of a heartbeat that was right."""
        known = self._beats.get(owner)
        return self.refusal("" if known is None else known.id)

    @staticmethod
    def refusal(right: str) -> Refused:
        return Refused(refusals.HEARTBEAT, 400, {"error_msg": refusals.HEARTBEAT, "heartbeat_id": right})

    def lapsed(self, now_ns: int) -> list[str]:
        """API keys whose heartbeat stopped; they are no longer registered. Looks every few seconds only."""
        if now_ns < self._next_check_ns:
            return []
        self._next_check_ns = now_ns + self._check_ns
        dead = [owner for owner, beat in self._beats.items() if now_ns - beat.at_ns > self._period_ns]
        for owner in dead:
            del self._beats[owner]
            self.fired += 1
        return dead
