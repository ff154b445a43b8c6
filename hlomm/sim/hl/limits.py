"""Nonces per signer, request weights per IP, request budgets per account (venue sheet 1.3 and 4.4)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from typing import Final

import attrs

from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.domain.units import SCALE, to_text
from hlomm.sim import refusals
from hlomm.sim.accounts import Account
from hlomm.sim.config import RulesConfig
from hlomm.sim.refusals import WholeActionRefused

_NONCES_KEPT: Final = 100
_DAY_MS: Final = 86_400_000
_WINDOW_S: Final = 60
_CANCEL_ALLOWANCE: Final = 100_000
_SIGNERS_KEPT: Final = 10_000


class Nonces:
    """The 100 highest nonces of each signer; a new one must beat the smallest kept and lie near block time."""

    def __init__(self) -> None:
        self._used: dict[str, list[int]] = {}

    def use(self, signer: str, nonce: int, now_ms: int) -> None:
        """Consume a nonce; WholeActionRefused with the venue's text if it cannot be used."""
        low, high = now_ms - 2 * _DAY_MS, now_ms + _DAY_MS
        if nonce <= low:
            raise WholeActionRefused(refusals.nonce_low(nonce, low))
        if nonce >= high:
            raise WholeActionRefused(refusals.nonce_high(nonce, high))
        used = self._used.setdefault(signer, [])
        index = bisect_left(used, nonce)
        if index < len(used) and used[index] == nonce:
            raise WholeActionRefused(refusals.nonce_duplicate(nonce))
        if len(used) >= _NONCES_KEPT and nonce < used[0]:
            raise WholeActionRefused(refusals.nonce_low(nonce, used[0]))
        insort(used, nonce)
        if len(used) > _NONCES_KEPT:
            del used[0]
        if len(self._used) > _SIGNERS_KEPT:
            del self._used[next(iter(self._used))]


class Window:
    """How much happened within the last minute of venue time, against a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sum = 0
        self._items: deque[tuple[int, int]] = deque()
        self.refused = 0

    def take(self, now_ns: int, amount: int = 1) -> bool:
        """Count an amount; False, counting nothing, if it would exceed the limit."""
        if self.left(now_ns) < amount:
            self.refused += 1
            return False
        self._items.append((now_ns, amount))
        self._sum += amount
        return True

    def left(self, now_ns: int) -> int:
        """How much more would be taken now."""
        horizon = now_ns - _WINDOW_S * NS_PER_S
        while self._items and self._items[0][0] <= horizon:
            self._sum -= self._items.popleft()[1]
        return self._limit - self._sum


@attrs.define(eq=False)
class _Spent:
    used: int = 0
    over_ns: int | None = None
    """Block of the last action admitted above the cap."""


class Budgets:
    """Requests per account: an initial allowance plus one per USD of fee-paying volume."""

    def __init__(self, rules: RulesConfig) -> None:
        self._rules = rules
        self._spent: dict[str, _Spent] = {}

    def used(self, account: Account) -> int:
        spent = self._spent.get(account.address)
        return 0 if spent is None else spent.used

    def cap(self, account: Account) -> int:
        return self._rules.address_budget + account.volume // SCALE

    def charge(self, account: Account, count: int) -> None:
        """Count without asking."""
        self._spent.setdefault(account.address, _Spent()).used += count

    def admit(self, account: Account, count: int, now_ns: int, *, cancels: bool) -> None:
        """Count an action of that many orders; WholeActionRefused above the cap, except one per ten seconds."""
        spent = self._spent.setdefault(account.address, _Spent())
        cap = self.cap(account)
        limit = min(cap + _CANCEL_ALLOWANCE, 2 * cap) if cancels else cap
        if spent.used + count > limit:
            pause = seconds_to_ns(self._rules.over_budget_s)
            if spent.over_ns is not None and now_ns - spent.over_ns < pause:
                raise WholeActionRefused(refusals.address_limit(spent.used + count, limit, to_text(account.volume)))
            spent.over_ns = now_ns
        spent.used += count
