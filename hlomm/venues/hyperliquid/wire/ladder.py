"""The levels of a book, read off the wire (venue sheet section 3).

From one push to the next a book hardly changes: of two hours of a recorded outcome, 98 of 100 levels stood in the push
before, and three of four sides had not changed at all. So the session remembers the last book of each coin as it was
told and as it was read, and reads what is new. What comes out is what reading all of it gives.

Rejected: prices at or beyond 0 and 1 for outcomes, sizes <= 0, levels out of order.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from hlomm.domain.faults import ProtocolViolation, UnitError
from hlomm.domain.inputs import Level
from hlomm.domain.units import SCALE, parse
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.fields import SCALED_LIMIT, DecimalText, positive

COINS_MAX: Final = 1_024
"""Coins remembered by a session, many more than it follows at a time."""


class LevelRow(Struct, frozen=True, gc=False):
    px: DecimalText
    sz: DecimalText


class Ladder(Struct, frozen=True):
    """One side: as told, and as read (best first, in the coin's own space)."""

    rows: list[LevelRow]
    levels: tuple[Level, ...]


Ladders = tuple[Ladder, Ladder]
"""Bids and asks."""
UNKNOWN: Final[Ladders] = (Ladder([], ()), Ladder([], ()))


class BookMemory:
    """The last good book of each coin."""

    def __init__(self, coins: int = COINS_MAX) -> None:
        self._ladders: BoundedMap[str, Ladders] = BoundedMap(coins)

    def of(self, coin: str) -> Ladders:
        return self._ladders.get(coin) or UNKNOWN

    def put(self, coin: str, ladders: Ladders) -> None:
        self._ladders.put(coin, ladders)


def read_ladder(rows: list[LevelRow], direction: int, before: Ladder, *, outcome: bool) -> Ladder:
    """One side, checked to move away from the touch (`direction` +1 for asks, -1 for bids).

    ProtocolViolation `l2Book.price`, `.size`, `.order` for one that cannot be.

    `before`: the same side of the same coin's last book, walked along with this one. One comparison after the other
    without a call, since a book has forty levels; what is wrong is found out apart.
    """
    if rows == before.rows:
        return before
    limit = SCALE if outcome else SCALED_LIMIT + 1
    told, read, place, known = before.rows, before.levels, 0, len(before.rows)
    levels: list[Level] = []
    previous = 0 if direction > 0 else limit
    try:
        for row in rows:
            if place < known and row == told[place]:
                level, place = read[place], place + 1
                px = level[0]
                if not (px > previous if direction > 0 else px < previous):
                    return _by_level(rows, direction, outcome=outcome)
            else:
                level = px, size = parse(row.px), parse(row.sz)
                away = px > previous if direction > 0 else px < previous
                if not away or px <= 0 or px >= limit or size <= 0 or size > SCALED_LIMIT:
                    return _by_level(rows, direction, outcome=outcome)
                while place < known and (read[place][0] <= px if direction > 0 else read[place][0] >= px):
                    place += 1
            previous = px
            levels.append(level)
    except UnitError:
        return _by_level(rows, direction, outcome=outcome)
    return Ladder(rows, tuple(levels))


def _by_level(rows: list[LevelRow], direction: int, *, outcome: bool) -> Ladder:
    """The same for rows of which one is wrong: ProtocolViolation names the first."""
    levels: list[Level] = []
    previous = 0
    for row in rows:
        px = positive(row.px, "l2Book.price")
        size = positive(row.sz, "l2Book.size")
        if outcome and px >= SCALE:
            raise ProtocolViolation("l2Book.price", f"outcome price {row.px} at or above 1")
        if previous and (px - previous) * direction <= 0:
            raise ProtocolViolation("l2Book.order", f"level {row.px} out of order")
        previous = px
        levels.append((px, size))
    return Ladder(rows, tuple(levels))
