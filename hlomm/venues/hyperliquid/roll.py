"""The market roll: what metadata changes, and what an outcome paid that is over (venue sheet sections 7.2 and 7.3).

Inputs go out through `emit`. Settlements live in the session's nursery, through any number of connections.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import structlog
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.inputs import Input, MarketDelisted, MarketListed, MarketSettled
from hlomm.domain.markets import Market
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.config import HyperliquidConfig
from hlomm.venues.hyperliquid.registry import MetaDelta, Registry
from hlomm.venues.hyperliquid.rest import HyperliquidRest
from hlomm.venues.hyperliquid.streams import Streams
from hlomm.venues.hyperliquid.wire.frames import MetaChanges
from hlomm.venues.hyperliquid.wire.outcomes import Settlement
from hlomm.venues.pacing import backoff_s

Emit = Callable[[Sequence[Input]], None]

CHANGE_CHARS: Final = 200
"""Of the reason given for a market whose terms changed."""

_log = structlog.get_logger("hlomm.venues.hyperliquid")


@attrs.define(eq=False)
class MarketRoll:
    """Lists what appears, ends what is over, and finds out what it paid."""

    _config: HyperliquidConfig
    _clock: Clock
    _counters: Counters
    _rest: HyperliquidRest
    _registry: Registry
    _streams: Streams
    _emit: Emit
    _nursery: trio.Nursery | None = None
    _settling: dict[int, None] = attrs.field(factory=dict)

    def attach(self, nursery: trio.Nursery) -> None:
        """Let settlements live in `nursery` from now on."""
        self._nursery = nursery

    def detach(self) -> None:
        self._nursery = None
        self._settling.clear()

    def tell_all(self) -> None:
        """Everything that is known, from the beginning: for whoever has not heard it."""
        markets = list(self._registry.markets.values())
        self._emit([MarketListed(market) for market in markets])
        changed = ((market, self._registry.difference_of(market.id)) for market in markets)
        self._tell_changed([(market, difference) for market, difference in changed if difference is not None])

    def on_meta(self, changes: MetaChanges) -> None:
        """News of the market list: settlements first, so that a roll lists the new day after ending the old."""
        for outcome in changes.settled:
            self._end(outcome, "settled")
        for number in changes.settled_questions:
            for outcome in self._registry.outcomes_of(number):
                self._end(outcome, "settled with its question")
        for question in changes.questions:
            self.take(self._registry.apply_question(question), "settled, says its question")
        created = [self._registry.apply_created(spec) for spec in changes.created]
        self.take(MetaDelta(tuple(one for one in created if one is not None), (), self._registry.take_changed()), "")

    def take(self, delta: MetaDelta, why: str) -> None:
        """Tell what metadata changed; `why` goes with the outcomes that ended by it."""
        self._list(delta.listed)
        self._tell_changed(delta.changed)
        for outcome in delta.vanished:
            self._end(outcome, why)

    def _tell_changed(self, changed: Sequence[tuple[Market, str]]) -> None:
        for market, difference in changed:
            _log.warning("market changed", ticker=market.ticker, difference=difference)
            self._emit([MarketDelisted(market.id, f"its terms changed: {difference}"[:CHANGE_CHARS])])

    def _list(self, markets: Sequence[Market]) -> None:
        if markets:
            _log.info("markets listed", tickers=[market.ticker for market in markets])
            self._emit([MarketListed(market) for market in markets])

    def _end(self, outcome: int, why: str) -> None:
        """An outcome is over: never ask for its coin again, find out what it paid."""
        market = self._registry.end(outcome)
        if market is None or self._nursery is None:
            return
        self._streams.forget(market.id)
        if outcome not in self._settling:
            _log.info("market ended", ticker=market.ticker, why=why)
            self._settling[outcome] = None
            self._nursery.start_soon(self._settle, outcome, market)

    async def _settle(self, outcome: int, market: Market) -> None:
        """Ask what an outcome paid until the venue knows, a bounded number of times."""
        await trio.lowlevel.checkpoint()
        for attempt in range(self._config.settlement_attempts):
            settlement = await self._settlement(outcome)
            if settlement is not None:
                _log.info("market settled", ticker=market.ticker, yes_px=settlement.yes_px, detail=settlement.details)
                self._emit([MarketSettled(market.id, settlement.yes_px, settlement.details)])
                break
            pause = backoff_s(
                attempt, base_s=self._config.settlement_base_s, cap_s=self._config.settlement_cap_s, jitter=0
            )
            await self._clock.sleep(pause)
        else:
            self._counters.add("settlements_unknown")
            reason = f"no settlement price after {self._config.settlement_attempts} questions"
            self._emit([MarketDelisted(market.id, reason)])
        self._settling.pop(outcome, None)

    async def _settlement(self, outcome: int) -> Settlement | None:
        await trio.lowlevel.checkpoint()
        try:
            return await self._rest.settled_outcome(outcome)
        except VenueUnavailable:
            self._counters.add("settlement_questions_failed")
            return None
