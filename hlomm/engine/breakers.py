"""Circuit breakers: small machines that notice a bad moment and remember until when to act on it.

Pure: integers and clock readings in, a trip or nothing out; `braking` feeds them and carries out what they say.

- A move of an underlying. move = the largest |p_t / p_s - 1| over all s of the window before t (QUANT 7.4). Two rules
  run side by side: a small move widens, a large one pauses.
- Failed requests of one venue within a window.
- The day's result, from 00:00 UTC by the wall clock: beyond one limit quoting stops for the rest of the day, beyond
  the other the daemon flattens and ends.

Every comparison is strict: at the limit nothing happens. Whatever trips again while it acts acts for longer; the
cooldown counts from the last moment at which the limit was exceeded.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import SCALE, to_fixed
from hlomm.engine.config import BreakerRules, MoveRule

CELLS: Final = 256
"""Prices closer together than this part of a window share a place in it: the memory is bounded, whatever the feed
does, and a shared extreme is remembered up to one cell too long, never too short."""
ONE_REQUEST_NS: Final = 100 * NS_PER_MS
"""A batch refused as a whole is reported order by order: equal refusals this close together are one failed request."""
DAY_NS: Final = 86_400 * NS_PER_S


@attrs.define(eq=False)
class Latch:
    """Acts until a moment of the monotonic clock; at that moment it no longer does."""

    until_ns: int = 0
    why: str = ""

    def active(self, mono_ns: int) -> bool:
        return mono_ns < self.until_ns

    def left_s(self, mono_ns: int) -> float:
        return max(self.until_ns - mono_ns, 0) / NS_PER_S


class Extreme:
    """Lowest (`sign` +1) or highest (-1) price of a window, by a deque whose prices rise (fall) from front to back."""

    def __init__(self, window_ns: int, sign: int) -> None:
        self._window_ns = window_ns
        self._cell_ns = max(window_ns // CELLS, 1)
        self._sign = sign
        self._entries: deque[tuple[int, int]] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, mono_ns: int, price: int) -> int:
        """Take a price; the extreme of all those not older than the window."""
        entries, sign = self._entries, self._sign
        while entries and (entries[-1][1] - price) * sign >= 0:
            entries.pop()
        if entries and entries[-1][0] // self._cell_ns == mono_ns // self._cell_ns:
            entries[-1] = (mono_ns, entries[-1][1])
        else:
            entries.append((mono_ns, price))
        while entries[0][0] < mono_ns - self._window_ns:
            entries.popleft()
        return entries[0][1]


@attrs.frozen
class Move:
    """Relative distance of the price now from an earlier one, as an exact fraction."""

    distance: int
    base: int

    def exceeds(self, fraction: int) -> bool:
        """Whether it is larger than a fraction in 1e-8."""
        return self.distance * SCALE > fraction * self.base

    @property
    def percent(self) -> str:
        """Rounded down, for people."""
        return to_fixed(self.distance * 100 * SCALE // self.base, 2)


class MoveWindow:
    """Prices of one series (any unit, as long as it is always the same)."""

    def __init__(self, window_ns: int) -> None:
        self._low = Extreme(window_ns, 1)
        self._high = Extreme(window_ns, -1)

    def add(self, mono_ns: int, price: int) -> Move:
        """Take a price; the largest move that ends at it."""
        assert price > 0
        low, high = self._low.add(mono_ns, price), self._high.add(mono_ns, price)
        rise, fall = price - low, high - price
        return Move(rise, low) if rise * high >= fall * low else Move(fall, high)


class MoveBreaker(Latch):
    """One rule on one underlying. Its series (mid, mark) differ by the basis, so each is compared with itself."""

    def __init__(self, rule: MoveRule) -> None:
        super().__init__()
        self.rule = rule
        self._series: dict[str, _Series] = {}

    def observe(self, series: str, mono_ns: int, price: int) -> Move | None:
        """Take a price; the move, if it is beyond the rule.

        A price that only stands, as most that come do, moves nothing: until another one comes it is enough to know
        how long it stood. Beyond the rule every one counts, because it prolongs what acts.
        """
        known = self._series.get(series)
        if known is None:
            known = self._series[series] = _Series(MoveWindow(self.rule.window_ns))
        if price == known.price and not known.beyond:
            known.stood_ns = mono_ns
            return None
        if known.stood_ns is not None:
            known.window.add(known.stood_ns, known.price)
        move = known.window.add(mono_ns, price)
        known.price, known.stood_ns, known.beyond = price, None, move.exceeds(self.rule.move)
        return move if known.beyond else None


@attrs.define(eq=False)
class _Series:
    window: MoveWindow
    price: int = 0
    stood_ns: int | None = None
    """When the price was last seen again, since it came."""
    beyond: bool = False
    """It is further from an earlier one than the rule allows."""


class ErrorBreaker(Latch):
    """Failed requests of one venue."""

    def __init__(self, rules: BreakerRules) -> None:
        super().__init__()
        self._rules = rules
        self._at_ns: deque[int] = deque(maxlen=rules.api_errors + 1)
        self._last_refusal = ("", -ONE_REQUEST_NS - 1)

    def refused(self, code: str, mono_ns: int) -> int | None:
        """An order was turned away at the door; the same word for its whole batch counts once."""
        same = self._last_refusal[0] == code and mono_ns - self._last_refusal[1] <= ONE_REQUEST_NS
        self._last_refusal = (code, mono_ns)
        return None if same else self.failed(mono_ns)

    def failed(self, mono_ns: int) -> int | None:
        """One request failed; the failures in the window, if they are too many."""
        self._at_ns.append(mono_ns)
        recent = sum(1 for at_ns in self._at_ns if mono_ns - at_ns <= self._rules.api_window_ns)
        return recent if recent > self._rules.api_errors else None


@attrs.define(eq=False)
class Day:
    """The UTC day that is under way, and what it began with. A clock set back does not bring a day back."""

    number: int = -1
    """Days since 1970."""
    start: int = 0
    """The result of trading, over all time and at conservative marks, at its beginning."""
    stopped: bool = False
    """Lost too much: only reductions until the day is over, whatever happens to the equity."""

    def over(self, wall_ns: int) -> bool:
        return wall_ns // DAY_NS > self.number

    def begin(self, wall_ns: int, result: int) -> None:
        self.number, self.start, self.stopped = wall_ns // DAY_NS, result, False

    def ns_left(self, wall_ns: int) -> int:
        """To 00:00 UTC; never less than 1."""
        return max((self.number + 1) * DAY_NS - wall_ns, 1)


class Breakers:
    """All of them; those of an underlying or a venue come to be when it is first heard of."""

    def __init__(self, rules: BreakerRules) -> None:
        self.rules = rules
        self.widen: dict[MarketId, MoveBreaker] = {}
        self.pause: dict[MarketId, MoveBreaker] = {}
        self.errors: dict[VenueId, ErrorBreaker] = {}
        self.day = Day()

    def errors_of(self, venue: VenueId) -> ErrorBreaker:
        found = self.errors.get(venue)
        if found is None:
            found = self.errors[venue] = ErrorBreaker(self.rules)
        return found

    def moves_of(self, perp: MarketId) -> tuple[MoveBreaker, MoveBreaker]:
        """(widen, pause)."""
        if perp not in self.widen:
            self.widen[perp], self.pause[perp] = MoveBreaker(self.rules.widen), MoveBreaker(self.rules.pause)
        return self.widen[perp], self.pause[perp]
