"""Candles of the past, from files that somebody has and from the venue itself; never made up.

`historical` reads files, `live` asks the venue, `auto` reads files first and asks for what is still missing. What the
store has is not asked for again: doing it twice adds nothing, and a span that is half there is completed. Whatever
cannot be had stays a hole, and is told.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import polars as pl

from hlomm.domain.faults import UsageError, VenueUnavailable
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import SCALE
from hlomm.research.imports.candles import NAME, tables
from hlomm.research.store import candles as table
from hlomm.research.store.candles import Hole, Wanted
from hlomm.venues.clock import Clock
from hlomm.venues.hyperliquid.limits import info_extra_weight, info_weight
from hlomm.venues.hyperliquid.rest import HyperliquidRest
from hlomm.venues.hyperliquid.wire.candles import CANDLES, LENGTHS_S, PAGE, Candle, CandleRows
from hlomm.venues.pacing import backoff_s

T = TypeVar("T")

PAGES_MAX: Final = 2_000
"""Ten million candles: nineteen years of minutes."""
ATTEMPTS: Final = 5
_ROOM_ATTEMPTS: Final = 180
"""Seconds waited for room in the weight of a minute, at most."""
_WEIGHT: Final = info_weight(CANDLES) + info_extra_weight(CANDLES, PAGE)
_BACKOFF_BASE_S: Final = 0.5
_BACKOFF_CAP_S: Final = 8.0

Told = Callable[[str], None]
"""Somebody who is told how it goes on, in a line."""


class Mode(StrEnum):
    LIVE = "live"
    HISTORICAL = "historical"
    AUTO = "auto"


@attrs.frozen(kw_only=True)
class Backfilled:
    """What was wanted, what was there, what came from where, and what is still missing."""

    wanted: Wanted
    mode: Mode
    there: int
    files: int
    historical: int
    live: int
    requests: int
    retries: int
    holes: tuple[Hole, ...]
    odd: dict[str, int]
    failure: str
    """Why the venue was not asked for all of it; empty if it was, or needed not to be."""

    @property
    def missing(self) -> int:
        return sum(hole.candles for hole in self.holes)

    @property
    def had(self) -> int:
        """Candles of the span that the store has now."""
        return self.wanted.count - self.missing

    def document(self) -> dict[str, Any]:
        wanted = self.wanted
        return {
            "market": wanted.market, "length_s": wanted.length_s, "from_ns": wanted.first_ns, "to_ns": wanted.end_ns,
            "mode": self.mode.value, "wanted": wanted.count, "there": self.there, "files": self.files,
            "historical": self.historical, "live": self.live, "requests": self.requests, "retries": self.retries,
            "missing": self.missing, "holes": [attrs.asdict(hole) for hole in self.holes], "odd": self.odd,
            "failure": self.failure,
        }  # fmt: skip


@attrs.define(eq=False)
class Backfill:
    """One span of one market into one store."""

    _root: Path
    _wanted: Wanted
    _now_ns: int
    """What is not over by then is left out."""
    _there: int = attrs.field(init=False)
    _odd: Counter[str] = attrs.field(factory=Counter, init=False)
    _added: Counter[str] = attrs.field(factory=Counter, init=False)
    _have: pl.DataFrame = attrs.field(init=False)
    _files: int = attrs.field(default=0, init=False)
    _requests: int = attrs.field(default=0, init=False)
    _retries: int = attrs.field(default=0, init=False)
    _failure: str = attrs.field(default="", init=False)

    def __attrs_post_init__(self) -> None:
        self._have = table.stored(self._root, self._wanted)
        self._there = len(self._have)

    @property
    def holes(self) -> list[Hole]:
        return table.holes(self._wanted, self._have["open_ns"])

    def read(self, paths: Sequence[Path]) -> None:
        """Take what files have of the span. UsageError for a path that does not exist."""
        wanted, found = self._wanted, []
        for _, known, rows in tables(paths, self._odd):
            self._files += 1
            if known == (wanted.venue, wanted.coin, wanted.length_s):
                found.append(wanted.within(rows))
            else:
                self._odd["other_files"] += 1
        if found:
            self._take(pl.concat(found), f"import:{NAME}")

    async def ask(self, rest: HyperliquidRest, clock: Clock, source: str, told: Told) -> None:
        """Ask the venue for what is missing. Where it ends half way, what it gave is kept and `failure` says why."""
        if not self.holes:
            return
        answers: list[pl.DataFrame] = []
        jitter = random.Random(self._wanted.first_ns)
        try:
            venue_ns = await self._patiently(rest, clock, jitter, rest.server_time) * NS_PER_MS
            self._now_ns = min(self._now_ns, venue_ns)
            spans = pages(self._wanted, self._missing_and_over())
            for number, (first_ns, end_ns) in enumerate(spans, 1):
                told(f"request {number} of {len(spans)}, from {when(first_ns)}")
                rows = await self._page(rest, clock, jitter, first_ns, end_ns)
                answers.append(self._answer(rows, first_ns, end_ns))
        except VenueUnavailable as error:
            self._failure = str(error)
        finally:
            # Whatever ends it: what the venue gave is not asked for twice.
            if answers:
                self._take(pl.concat(answers), source)

    def _missing_and_over(self) -> list[tuple[int, int]]:
        """Spans of what is missing, as far as it is over."""
        over_ns = self._now_ns - self._now_ns % self._wanted.length_ns
        return [(hole.from_ns, min(hole.to_ns, over_ns)) for hole in self.holes if hole.from_ns < over_ns]

    def done(self, mode: Mode) -> Backfilled:
        return Backfilled(
            wanted=self._wanted, mode=mode, there=self._there, files=self._files,
            historical=self._added[f"import:{NAME}"], requests=self._requests, retries=self._retries,
            live=sum(self._added.values()) - self._added[f"import:{NAME}"], holes=tuple(self.holes),
            odd={name: count for name, count in sorted(self._odd.items()) if count}, failure=self._failure,
        )  # fmt: skip

    def _take(self, offered: pl.DataFrame, source: str) -> None:
        sound = table.sift(offered, self._wanted.length_ns, self._now_ns, self._odd)
        new = table.fresh(sound, self._have, self._odd)
        self._added[source] += table.add(self._root, self._wanted, new, source)
        self._have = pl.concat([self._have, new]).sort("open_ns")

    async def _page(
        self, rest: HyperliquidRest, clock: Clock, jitter: random.Random, first_ns: int, end_ns: int
    ) -> CandleRows:
        wanted = self._wanted
        interval = next(name for name, seconds in LENGTHS_S.items() if seconds == wanted.length_s)
        return await self._patiently(
            rest, clock, jitter,
            lambda: rest.candles(wanted.coin, interval, first_ns // NS_PER_MS, end_ns // NS_PER_MS - 1),
        )  # fmt: skip

    async def _patiently(
        self, rest: HyperliquidRest, clock: Clock, jitter: random.Random, ask: Callable[[], Awaitable[T]]
    ) -> T:
        """The answer, asked for again after a pause where there is none; VenueUnavailable after five attempts."""
        for attempt in range(ATTEMPTS):
            await _room(rest, clock)
            self._requests += 1
            try:
                return await ask()
            except VenueUnavailable:
                if attempt == ATTEMPTS - 1:
                    raise
                self._retries += 1
                await clock.sleep(
                    backoff_s(attempt, base_s=_BACKOFF_BASE_S, cap_s=_BACKOFF_CAP_S, jitter=jitter.random())
                )
        raise AssertionError("the last attempt returns or raises")

    def _answer(self, rows: CandleRows, first_ns: int, end_ns: int) -> pl.DataFrame:
        """Rows of one answer that are what was asked for."""
        odd, length_s = self._odd, self._wanted.length_s
        odd["unreadable_rows"] += rows.skipped
        kept: list[Candle] = []
        for candle in rows.candles:
            start_ns = candle.start_ms * NS_PER_MS
            if candle.coin != self._wanted.coin:
                odd["wrong_coin"] += 1
            elif LENGTHS_S.get(candle.interval) != length_s or candle.end_ms != candle.start_ms + length_s * 1_000 - 1:
                odd["wrong_interval"] += 1
            elif start_ns > self._now_ns:
                odd["future"] += 1
            elif not first_ns <= start_ns < end_ns:
                odd["not_asked_for"] += 1
            elif kept and candle.start_ms < kept[-1].start_ms:
                odd["out_of_order"] += 1
            else:
                kept.append(candle)
        return pl.DataFrame(
            {
                "open_ns": [one.start_ms * NS_PER_MS for one in kept], "open": [int(one.open) for one in kept],
                "high": [int(one.high) for one in kept], "low": [int(one.low) for one in kept],
                "close": [int(one.close) for one in kept], "volume": [one.volume / SCALE for one in kept],
            },
            schema=table.OFFERED,
        )  # fmt: skip


def pages(wanted: Wanted, missing: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans to ask for, in order: each of at most 5,000 candles, with one that is missing at both of its ends.

    `missing` are spans too, sorted and apart. UsageError where the requests would be too many.
    """
    spans: list[tuple[int, int]] = []
    whole = PAGE * wanted.length_ns
    for from_ns, to_ns in missing:
        begin = from_ns
        if spans and (reached := min(to_ns, spans[-1][0] + whole)) > begin:
            spans[-1] = (spans[-1][0], reached)
            begin = reached
        while begin < to_ns:
            spans.append((begin, min(to_ns, begin + whole)))
            begin = spans[-1][1]
        if len(spans) > PAGES_MAX:
            raise UsageError(f"that is more than {PAGES_MAX} requests of {PAGE} candles: ask for less, or in parts")
    return spans


def span(
    coin: str, length_s: int, from_ns: int | None, to_ns: int | None, now_ns: int, venue: str = HYPERLIQUID
) -> Wanted:
    """Whole candles between two times that are over by now; without a beginning as many as the venue keeps.

    UsageError where there is none.
    """
    length = length_s * NS_PER_S
    end = min(now_ns if to_ns is None else to_ns, now_ns) // length * length
    first = max(end - PAGE * length if from_ns is None else -(-from_ns // length) * length, 0)
    if first >= end:
        raise UsageError(f"no candle of {length_s} s that is over lies between {when(first)} and {when(end)}")
    return Wanted(venue=venue, coin=coin, length_s=length_s, first_ns=first, end_ns=end)


def when(wall_ns: int) -> str:
    """A time for people, in UTC."""
    return f"{datetime.fromtimestamp(wall_ns // NS_PER_S, UTC):%Y-%m-%d %H:%M}"


async def _room(rest: HyperliquidRest, clock: Clock) -> None:
    """Wait until a page leaves enough weight for orders and cancels. VenueUnavailable if it never does."""
    for _ in range(_ROOM_ATTEMPTS):
        if rest.affords(_WEIGHT):
            return
        await clock.sleep(1.0)
    raise VenueUnavailable(f"no room for a request within {_ROOM_ATTEMPTS} s: the address is used by others")
