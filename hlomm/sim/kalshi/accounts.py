"""What one member has: cash per shard, one signed position per market, orders, and order groups.

Money moves through `ledger`, orders through the engine. A group limits the contracts matched within 15 seconds (venue
sheet section 6).
"""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from hlomm.domain.orders import Side, Tif
from hlomm.domain.times import NS_PER_S
from hlomm.sim.kalshi.orders import Reason, SelfTrade, Status

WINDOW_NS: Final = 15 * NS_PER_S
LIMIT_MAX: Final = 1_000_000 * 100
"""Of a group, in lots of 0.01 contract."""


@attrs.define(eq=False)
class Position:
    """`lots` above zero are YES, below zero NO; `cost` is what the open part cost. Money in 1e-8 dollars."""

    lots: int = 0
    cost: int = 0
    realized: int = 0
    fees: int = 0
    traded: int = 0
    """Cost of everything bought, closing trades included."""
    volume: int = 0
    updated_ns: int = 0


@attrs.define(eq=False)
class Account:
    """A member. Background accounts have deep pockets, lock nothing and are told nothing."""

    name: str
    user_id: str
    background: bool = False
    cash: dict[int, int] = attrs.field(factory=dict)
    """By shard; a shard that was never funded is missing."""
    positions: dict[str, Position] = attrs.field(factory=dict)
    holds: dict[str, int] = attrs.field(factory=dict)
    """Collateral of resting orders by market."""
    held: dict[int, int] = attrs.field(factory=dict)
    """The same by shard."""
    resting: dict[str, dict[int, Order]] = attrs.field(factory=dict)
    """Live orders by market and number, in order of acceptance."""
    netting: bool = True

    def free(self, shard: int) -> int:
        """Cash that no resting order needs."""
        return self.cash.get(shard, 0) - self.held.get(shard, 0)

    def position(self, ticker: str) -> Position:
        """The position in a market, created flat when it is first touched."""
        position = self.positions.get(ticker)
        if position is None:
            position = self.positions[ticker] = Position()
        return position

    def lots(self, ticker: str) -> int:
        """Signed position without creating it."""
        position = self.positions.get(ticker)
        return 0 if position is None else position.lots

    def orders(self) -> list[Order]:
        return [order for orders in self.resting.values() for order in orders.values()]


@attrs.define(eq=False)
class Group:
    """`orders` are those that rest. A triggered group takes no orders until it is reset."""

    group_id: str
    account: Account
    limit: int
    triggered: bool = False
    orders: dict[int, Order] = attrs.field(factory=dict)
    _matched: deque[tuple[int, int]] = attrs.field(factory=deque)
    _sum: int = 0

    def matched(self, now_ns: int, lots: int) -> bool:
        """Count a fill; whether the limit is exceeded by it."""
        self._matched.append((now_ns, lots))
        self._sum += lots
        return self.exceeded(now_ns)

    def exceeded(self, now_ns: int) -> bool:
        """Whether what has matched by now is above the limit."""
        while self._matched and self._matched[0][0] <= now_ns - WINDOW_NS:
            self._sum -= self._matched.popleft()[1]
        return self._sum > self.limit

    def reset(self) -> None:
        """Take orders again and forget what was matched."""
        self.triggered = False
        self._matched.clear()
        self._sum = 0


@attrs.define(eq=False, kw_only=True)
class Order:
    """An order from acceptance to its end. `lots` is what is left; money is 1e-8 dollars."""

    oid: int
    """Number in order of acceptance, for the book."""
    order_id: str
    account: Account
    ticker: str
    side: Side
    ticks: int
    lots: int
    lots_initial: int
    tif: Tif
    post_only: bool
    reduce_only: bool
    self_trade: SelfTrade
    client_id: str | None
    expires_ns: int | None
    cancel_on_pause: bool
    group: Group | None
    created_ns: int
    updated_ns: int
    filled: int = 0
    status: Status = Status.RESTING
    reason: Reason | None = None
    fee_pending: int = 0
    """Rounding fees not given back yet."""
    taker_cost: int = 0
    maker_cost: int = 0
    taker_fees: int = 0
    maker_fees: int = 0
    tick_lots: int = 0
    """Sum over fills of price times size, for the average."""

    @property
    def book_side(self) -> Side:
        return self.side

    @property
    def book_ticks(self) -> int:
        return self.ticks

    @property
    def rank(self) -> int:
        return 0

    @property
    def live(self) -> bool:
        return self.status is Status.RESTING
