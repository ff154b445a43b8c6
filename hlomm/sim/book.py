"""A limit order book with integer prices and price-side-time priority.

One book serves both sides of an outcome, kept in YES space. At one price the sells of held tokens (rank 0) are served
before the dual buys (rank 1), then first come first served. A perp book has rank 0 only.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final, Generic, Protocol, TypeVar

import attrs

from hlomm.domain.orders import Side
from hlomm.sim.orders import Order

LEVELS_MAX: Final = 20


class Rests(Protocol):
    """What a book must know of an order. Price and side are those of the book, `oid` is unique.

    Only the book changes `lots` of a resting one.
    """

    lots: int

    @property
    def oid(self) -> int: ...
    @property
    def book_side(self) -> Side: ...
    @property
    def book_ticks(self) -> int: ...
    @property
    def rank(self) -> int: ...


_Order = TypeVar("_Order", bound=Rests)


@attrs.define(eq=False)
class _Level(Generic[_Order]):
    """Orders at one price, by rank; dicts keep them in order of arrival and remove in constant time."""

    lots: int = 0
    ranks: tuple[dict[int, _Order], dict[int, _Order]] = attrs.field(factory=lambda: ({}, {}))

    def __len__(self) -> int:
        return len(self.ranks[0]) + len(self.ranks[1])

    def first(self) -> _Order:
        for rank in self.ranks:
            for order in rank.values():
                return order
        raise AssertionError("a level without orders must not exist")


class _Half(Generic[_Order]):
    """One side of the book. Keys are prices signed so that the best one sorts last."""

    __slots__ = ("_sign", "keys", "levels")

    def __init__(self, side: Side) -> None:
        self._sign = int(side)
        self.keys: list[int] = []
        self.levels: dict[int, _Level[_Order]] = {}

    def add(self, order: _Order) -> None:
        level = self.levels.get(order.book_ticks)
        if level is None:
            level = self.levels[order.book_ticks] = _Level()
            insort(self.keys, order.book_ticks * self._sign)
        level.ranks[order.rank][order.oid] = order
        level.lots += order.lots

    def take(self, order: _Order, lots: int) -> None:
        """Remove that many lots of an order, and the order itself when nothing is left."""
        level = self.levels[order.book_ticks]
        assert 0 < lots <= order.lots, "an order gives at most what it has"
        order.lots -= lots
        level.lots -= lots
        if order.lots == 0:
            self._forget(level, order)

    def remove(self, order: _Order) -> None:
        """Take a whole order out; its own `lots` stay as they were, for the report."""
        level = self.levels[order.book_ticks]
        level.lots -= order.lots
        self._forget(level, order)

    def _forget(self, level: _Level[_Order], order: _Order) -> None:
        del level.ranks[order.rank][order.oid]
        if not len(level):
            assert level.lots == 0, "an empty level holds no size"
            del self.levels[order.book_ticks]
            index = bisect_left(self.keys, order.book_ticks * self._sign)
            assert self.keys[index] == order.book_ticks * self._sign
            del self.keys[index]

    def best_ticks(self) -> int | None:
        return self.keys[-1] * self._sign if self.keys else None

    def depth(self, count: int) -> list[tuple[int, int, int]]:
        """(price, lots, orders) of the best `count` levels, best first."""
        rows = []
        for key in self.keys[: -count - 1 : -1]:
            ticks = key * self._sign
            level = self.levels[ticks]
            rows.append((ticks, level.lots, len(level)))
        return rows


class Ladder(Generic[_Order]):
    """Both sides. Never crossed: callers match before they add."""

    __slots__ = ("_asks", "_bids")

    def __init__(self) -> None:
        self._bids: _Half[_Order] = _Half(Side.BUY)
        self._asks: _Half[_Order] = _Half(Side.SELL)

    def _half(self, side: Side) -> _Half[_Order]:
        return self._bids if side is Side.BUY else self._asks

    def best_ticks(self, side: Side) -> int | None:
        """Best price of one side, None if it is empty."""
        return self._half(side).best_ticks()

    def best(self, side: Side) -> _Order | None:
        """The order that is served next on one side."""
        half = self._half(side)
        ticks = half.best_ticks()
        return None if ticks is None else half.levels[ticks].first()

    def crosses(self, side: Side, ticks: int) -> bool:
        """Whether an order of that side at that price would match."""
        other = self._half(Side(-side)).best_ticks()
        return other is not None and (other - ticks) * side <= 0

    def add(self, order: _Order) -> None:
        assert not self.crosses(order.book_side, order.book_ticks), "a book must not rest crossed"
        self._half(order.book_side).add(order)

    def take(self, order: _Order, lots: int) -> None:
        self._half(order.book_side).take(order, lots)

    def remove(self, order: _Order) -> None:
        self._half(order.book_side).remove(order)

    def depth(self, side: Side, count: int = LEVELS_MAX) -> list[tuple[int, int, int]]:
        """(price, lots, orders) of one side, best first."""
        return self._half(side).depth(count)

    def orders(self, side: Side) -> list[_Order]:
        """Every order of one side in the sequence it would be served."""
        half = self._half(side)
        rows: list[_Order] = []
        for key in reversed(half.keys):
            level = half.levels[key * int(side)]
            rows.extend(level.ranks[0].values())
            rows.extend(level.ranks[1].values())
        return rows

    def lots_at(self, side: Side, ticks: int) -> int:
        """Size resting on one side at exactly that price."""
        level = self._half(side).levels.get(ticks)
        return 0 if level is None else level.lots

    def lots_within(self, side: Side, ticks: int) -> int:
        """Size resting on one side at that price or better."""
        total = 0
        half = self._half(side)
        for key in reversed(half.keys):
            level_ticks = key * int(side)
            if (level_ticks - ticks) * side < 0:
                break
            total += half.levels[level_ticks].lots
        return total


class Book(Ladder[Order]):
    """The book of one market of the simulated Hyperliquid."""

    __slots__ = ()
