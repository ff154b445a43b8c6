"""The simulated Polymarket in virtual time: source, exchange, chain, order flow and listing, step by step.

`advance(until)` runs every step up to an instant; what happened in a step is handed to `on_commit`. The same seed,
origin, path and submissions give the same steps, in any process. Steps are those of the common path.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import attrs

from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.sim.config import SimConfig
from hlomm.sim.path import PricePath
from hlomm.sim.pm.audit import audit
from hlomm.sim.pm.events import Event, TickChanged
from hlomm.sim.pm.exchange import Exchange
from hlomm.sim.pm.fair import Fair
from hlomm.sim.pm.faults import PmFault, PmFaults
from hlomm.sim.pm.flow import Flow
from hlomm.sim.pm.listing import Listing, Mirror
from hlomm.sim.pm.market import Market
from hlomm.sim.pm.settling import Settling
from hlomm.sim.pm.source import Source

_MORE_RULES = " In case of doubt the operator's reading of the source is final."


class QueueFull(Exception):  # noqa: N818 - a state, met by the caller with a refusal
    """More requests wait for their moment than the bound allows."""


@attrs.frozen
class Commit:
    """One step: events in order, and the markets whose books changed."""

    time_ns: int
    events: list[Event]
    touched: list[Market]


class World:
    """One venue. `origin_ns` is venue time at the moment clients may first connect; the books are warm by then."""

    def __init__(
        self,
        config: SimConfig,
        seed: int,
        origin_ns: int,
        path: PricePath,
        *,
        faults: PmFaults | None = None,
        mirror: Mirror | None = None,
        on_commit: Callable[[Commit], None] | None = None,
    ) -> None:
        self.config = config
        self.own = config.polymarket
        self.seed = seed
        self.origin_ns = origin_ns
        self.on_commit = on_commit
        self.before_requests: Callable[[int], None] | None = None
        """Called in each step before the requests that are due."""
        self.faults = PmFaults() if faults is None else faults
        self.steps = 0
        self.refused = 0
        self._step_ns = config.latency.block_ns
        self.exchange = Exchange(self.own, seed)
        self.source = Source(path, self.own, self._rng("source"), step_ns=self._step_ns)
        fair = Fair(path, self.source, self.own)
        self._flow = (
            Flow(self.exchange, fair, self.own, config.flow, self.faults, config.slips, seed, step_ns=self._step_ns)
            if config.flow.enabled
            else None
        )
        self.listing = Listing(self.exchange, self.source, config, self.faults, seed, mirror)
        self.settling = Settling(self.exchange, self.faults, self._rng("settling"), seed)
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._step = self._first_step()
        self._warm_up()

    @property
    def next_step_ns(self) -> int:
        """Venue time of the next step."""
        return self.origin_ns + self._step * self._step_ns

    def at(self, due_ns: int, run: Callable[[], None], *, bounded: bool = False) -> None:
        """Have something run in the first step at or after an instant; QueueFull for bounded ones above the limit."""
        if bounded and len(self._queue) >= self.own.queue:
            self.refused += 1
            raise QueueFull
        self._count += 1
        heapq.heappush(self._queue, (due_ns, self._count, run))

    def advance(self, until_ns: int, *, steps_max: int | None = None) -> int:
        """Run the steps up to an instant, at most `steps_max` of them; returns how many ran."""
        count = 0
        while self.next_step_ns <= until_ns and (steps_max is None or count < steps_max):
            self._run(self.next_step_ns)
            self._step += 1
            count += 1
        self.steps += count
        return count

    def audit(self) -> list[str]:
        """Every invariant that does not hold between two steps; empty when all is well."""
        return audit(self.exchange, self.settling.pending())

    def _first_step(self) -> int:
        """The warm-up begins as early as the path has something to say to the slowest maker."""
        lag = 0 if self._flow is None else self._flow.lag
        other = round(self.config.flow.maker_lag_s * NS_PER_S) // self._step_ns
        warm = seconds_to_ns(self.config.listing.warmup_s) // self._step_ns
        return -max(warm - max(lag - other, 0), 1)

    def _warm_up(self) -> None:
        now_ns = self.next_step_ns
        self.exchange.tape.now_ns = self.faults.now_ns = now_ns
        self.source.on_step(self._step, now_ns)
        self.listing.open_first(self.origin_ns)
        self.advance(self.origin_ns)

    def _run(self, now_ns: int) -> None:
        exchange = self.exchange
        exchange.tape.now_ns = self.faults.now_ns = now_ns
        self.source.on_step(self._step, now_ns)
        self.listing.on_step(now_ns)
        self._upheavals()
        if self._flow is not None:
            self._trade(self._flow, now_ns)
        exchange.expire()
        if self.before_requests is not None:
            self.before_requests(now_ns)
        while self._queue and self._queue[0][0] <= now_ns:
            heapq.heappop(self._queue)[2]()
        self.settling.note()
        self.settling.run()
        for number in list(exchange.tape.touched):
            self._retick(exchange.markets[number])
        events, touched = exchange.tape.drain()
        markets = [exchange.markets[number] for number in touched]
        if self.on_commit is not None:
            self.on_commit(Commit(now_ns, events, markets))
        for market in markets:
            market.touched.clear()
            market.traded = False

    def _trade(self, flow: Flow, now_ns: int) -> None:
        for market in self.listing.live.values():
            if market.accepting:
                flow.act(market, self._step, now_ns)
            else:
                flow.forget(market.number)

    def _retick(self, market: Market) -> None:
        narrower = market.narrower_tick() if market.accepting else None
        if narrower is not None:
            self._set_tick(market, narrower)

    def _set_tick(self, market: Market, tick: int) -> None:
        self.exchange.tape.events.append(TickChanged(market, market.tick, tick))
        self.exchange.tape.touched[market.number] = None
        market.tick, market.traded = tick, True

    def _upheavals(self) -> None:
        """Faults that change the terms of what trades."""
        take = self.faults.take
        fee, tick = take(PmFault.FEE_CHANGED), take(PmFault.TICK_CHANGED)
        minimum, rules = take(PmFault.MINIMUM_CHANGED), take(PmFault.RULES_CHANGED)
        for market in self.listing.live.values() if fee or tick or minimum or rules else ():
            if fee is not None:
                market.fee_rate *= 2
            if tick is not None and market.tick > 10:
                self._set_tick(market, 10)
            if minimum is not None:
                market.min_lots *= 2
            if rules is not None:
                market.spec = attrs.evolve(market.spec, description=market.spec.description + _MORE_RULES)

    def _rng(self, name: str) -> random.Random:
        return random.Random(f"{self.seed}/polymarket-{name}")
