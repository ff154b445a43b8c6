"""The market roll: what is listed, what changes, what is over and what it paid (venue sheet sections 11, 13 and 15)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import structlog
from msgspec.structs import replace

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import MarketId, polymarket_market
from hlomm.domain.inputs import Input, MarketChanged, MarketDelisted, MarketListed, MarketSettled
from hlomm.domain.times import seconds_to_ns
from hlomm.domain.units import ONE, Px, to_text
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.pacing import backoff_s
from hlomm.venues.polymarket.account import AccountReader
from hlomm.venues.polymarket.config import PolymarketConfig
from hlomm.venues.polymarket.registry import Known, Registry
from hlomm.venues.polymarket.rest import PolymarketRest
from hlomm.venues.polymarket.streams import Streams
from hlomm.venues.polymarket.wire.evidence import Refusal
from hlomm.venues.polymarket.wire.gamma import FeeSchedule, GammaRow
from hlomm.venues.polymarket.wire.listings import Listing, read_listing
from hlomm.venues.polymarket.wire.market_frames import Resolved
from hlomm.venues.polymarket.wire.values import iso_text

SCHEDULES_MAX: Final = 2_048
QUIET_TERMS: Final = frozenset({"family", "touch", "unknown"})
"""Refusals that say no more than that a market is of another kind, or too young."""

_log = structlog.get_logger("hlomm.venues.polymarket")


@attrs.define(eq=False)
class _Chase:
    """Questions about what a market paid."""

    attempt: int = 0
    next_ns: int = 0


@attrs.define(eq=False)
class MarketRoll:
    """Lists what appears, tells what changes, finds out what ended markets paid."""

    _config: PolymarketConfig
    _clock: Clock
    _counters: Counters
    _rest: PolymarketRest
    _registry: Registry
    _streams: Streams
    _account: AccountReader
    _emit: Callable[[Sequence[Input]], None]
    _schedules: BoundedMap[str, FeeSchedule] = attrs.field(factory=lambda: BoundedMap(SCHEDULES_MAX))
    _chases: dict[MarketId, _Chase] = attrs.field(factory=dict)

    def tell_all(self) -> None:
        """Everything that is known, from the beginning: for whoever has not heard it."""
        self._emit([MarketListed(market) for market in self._registry.all_listed()])

    # -- discovery

    async def read_markets(self) -> None:
        """Look through the venue's open events."""
        wall_ns = self._clock.now().wall_ns
        end_max = iso_text(wall_ns + seconds_to_ns(self._config.horizon_s))
        for tag in self._config.tags:
            for row in await self._rest.events(tag, iso_text(wall_ns), end_max):
                await self._take(row, wall_ns)

    async def _take(self, row: GammaRow, wall_ns: int) -> None:
        listing = read_listing(row)
        if isinstance(listing, Refusal) and listing.term == "fee" and row.fee_schedule is None:
            listing = await self._with_schedule(row)
        if isinstance(listing, Refusal):
            self._refuse(listing)
            return
        news = self._registry.take(listing, wall_ns)
        if news is None:
            return
        if isinstance(news, MarketChanged):
            _log.warning("market changed", ticker=news.market.ticker)
            self._counters.add("markets_changed")
        self._emit([news])

    async def _with_schedule(self, row: GammaRow) -> Listing | Refusal:
        """Pages may leave the fee schedule out: the order book's own record has it."""
        schedule = self._schedules.get(row.condition_id)
        if schedule is None:
            probe = read_listing(replace(row, fees_enabled=False))
            if isinstance(probe, Refusal) or not self._registry.near(probe, self._clock.now().wall_ns):
                return Refusal("family", "no need to ask for its fee")
            known = await self._rest.compact(row.condition_id)
            if known is None:
                return Refusal("unknown", f"{row.slug}: the order book does not know it yet")
            schedule = known.schedule
            if schedule is None:
                return Refusal("fee", f"{row.slug}: fees are on, and nobody tells the schedule")
            self._schedules.put(row.condition_id, schedule)
        return read_listing(replace(row, fee_schedule=schedule))

    def _refuse(self, refusal: Refusal) -> None:
        kind = f"markets_refused.{refusal.term}"
        if not self._counters.get(kind) and refusal.term not in QUIET_TERMS:
            _log.warning("market refused", term=refusal.term, detail=refusal.detail)
        self._counters.add(kind)

    def tick_changed(self, condition: str, tick: Px) -> list[Input]:
        news = self._registry.tick_changed(polymarket_market(condition), tick)
        if news is None:
            return []
        self._counters.add("ticks_changed")
        return [news]

    # -- the end

    def resolved(self, told: Resolved) -> list[Input]:
        """The stream names the winner."""
        known = self._registry.known(polymarket_market(told.condition))
        if known is None:
            return []
        if told.winning_token not in (known.yes, known.no):
            self._counters.add("resolutions_senseless")
            return []
        return self._settled(known, ONE if told.winning_token == known.yes else Px(0), "market_resolved")

    async def chase(self) -> None:
        """Ask what ended markets paid, each at its own growing distance; forget those that left nothing behind."""
        now = self._clock.now()
        for known in self._registry.ended(now.wall_ns):
            await self._ask(known, now.mono_ns)
        for known in [one for one in self._registry.markets.values() if self._registry.long_over(one, now.wall_ns)]:
            if not self._account.holds(known.market):
                self._registry.forget(known.market)

    async def _ask(self, known: Known, mono_ns: int) -> None:
        if known.paid is not None:
            self._emit(self._settled(known, known.paid, "resolved"))
            return
        chase = self._chases.setdefault(known.market, _Chase())
        if mono_ns < chase.next_ns:
            return
        pause_s = backoff_s(
            chase.attempt, base_s=self._config.settlement_base_s, cap_s=self._config.settlement_cap_s, jitter=0
        )
        chase.attempt += 1
        chase.next_ns = mono_ns + seconds_to_ns(pause_s)
        self._streams.forget(known.market)
        paid = await self._paid(known)
        if paid is not None:
            self._emit(self._settled(known, paid, "resolved"))
        elif chase.attempt >= self._config.settlement_attempts:
            self._counters.add("settlements_unknown")
            known.settled = True
            del self._chases[known.market]
            self._emit([MarketDelisted(known.market, f"no resolution after {chase.attempt} questions")])

    async def _paid(self, known: Known) -> Px | None:
        try:
            await self._account.learn(known.condition)
        except VenueUnavailable:
            self._counters.add("settlement_questions_failed")
        return known.paid

    def _settled(self, known: Known, paid: Px, detail: str) -> list[Input]:
        known.paid = paid
        self._chases.pop(known.market, None)
        self._streams.forget(known.market)
        if known.settled:
            return []
        known.settled = True
        _log.info("market settled", market=known.market, yes_px=to_text(paid), detail=detail)
        return [MarketSettled(known.market, paid, detail)]
