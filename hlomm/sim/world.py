"""The whole simulated venue in virtual time: path, exchange, order flow, listing, and the block clock.

`advance(until)` executes every block up to an instant; what happened in a block is handed to `on_commit`. The same
seed, origin and submissions give the same blocks, in any process.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

import attrs

from hlomm.domain.faults import ConfigError
from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.domain.units import Px
from hlomm.sim.config import SimConfig
from hlomm.sim.contracts import Kind
from hlomm.sim.digital import inverse_normal
from hlomm.sim.events import Event, OutcomeSettled
from hlomm.sim.exchange import Exchange
from hlomm.sim.faults import Faults
from hlomm.sim.flow import Flow
from hlomm.sim.flow_perp import USD_TICKS
from hlomm.sim.listing import Listing, rounded_target
from hlomm.sim.path import YEAR_S, Mark, PricePath
from hlomm.sim.sequencer import ActionClass, Sequencer

_MINUTE_NS: Final = 60 * NS_PER_S


@attrs.frozen
class Commit:
    """One executed block: events in order, books touched (None is the perp), and the mark if it was updated."""

    time_ns: int
    events: list[Event]
    touched: list[int | None]
    mark: Mark | None


class World:
    """One venue. `origin_ns` is venue time at the moment clients may first connect; the books are warm by then."""

    def __init__(
        self,
        config: SimConfig,
        seed: int,
        origin_ns: int,
        faults: Faults | None = None,
        on_commit: Callable[[Commit], None] | None = None,
    ) -> None:
        self.config = config
        self.seed = seed
        self.origin_ns = origin_ns
        self.faults = Faults() if faults is None else faults
        self.exchange = Exchange(config.rules)
        self.sequencer = Sequencer(config.buffers.mempool)
        self.on_commit = on_commit
        self.blocks = 0
        self._block_ns = config.latency.block_ns
        self._warm_steps = seconds_to_ns(config.listing.warmup_s) // self._block_ns
        self._step = -self._warm_steps
        memory = round(config.flow.maker_lag_s * NS_PER_S) // self._block_ns + 2
        self.path = PricePath(
            self._rng("path"), config.path, step_s=self._block_ns / 1e9, first_step=-self._warm_steps - memory
        )
        self.listing = Listing(self.exchange, config.listing, self.faults)
        self._flow = self._background() if config.flow.enabled else None
        self._mark_rng = self._rng("mark")
        self._next_mark_ns = self.next_step_ns
        self.mark = Mark(self.next_step_ns, 0)
        self._open_first_contracts()
        self.advance(origin_ns)

    @property
    def next_step_ns(self) -> int:
        """Venue time of the next block."""
        return self.origin_ns + self._step * self._block_ns

    def submit(self, arrival_ns: int, klass: ActionClass, run: Callable[[], None]) -> None:
        """Queue an action for the first block at or after `arrival_ns`; MempoolFull when too many wait."""
        self.sequencer.submit(arrival_ns, klass, run)

    def advance(self, until_ns: int, *, steps_max: int | None = None) -> int:
        """Execute the blocks up to an instant, at most `steps_max` of them; returns how many ran."""
        count = 0
        while self.next_step_ns <= until_ns and (steps_max is None or count < steps_max):
            self._block(self.next_step_ns)
            self._step += 1
            count += 1
        self.blocks += count
        return count

    def _background(self) -> Flow:
        return Flow(self.exchange, self.path, self.listing.average, self.config, self.faults, self.seed)

    def _block(self, now_ns: int) -> None:
        exchange, tape = self.exchange, self.exchange.tape
        tape.now_ns = self.faults.now_ns = now_ns
        tape.next_action()
        mark = self._update_mark(now_ns)
        self.listing.on_block(now_ns)
        if self._flow is not None:
            self._flow.act(self._step, now_ns, self.sequencer)
        exchange.run_schedules()
        for run in self.sequencer.take(now_ns):
            tape.next_action()
            run()
        events, touched = tape.drain()
        for event in events:
            if isinstance(event, OutcomeSettled) and self._flow is not None:
                self._flow.forget(event.outcome)
        if self.on_commit is not None:
            self.on_commit(Commit(now_ns, events, touched, mark))

    def _update_mark(self, now_ns: int) -> Mark | None:
        if now_ns < self._next_mark_ns:
            return None
        period = self.config.path.mark_period_s
        self._next_mark_ns = now_ns + seconds_to_ns(period * self._mark_rng.uniform(0.8, 1.2))
        # The mark is a median of several venues: near the path, not on it.
        noisy = self.path.price(self._step) * (1.0 + self._mark_rng.gauss(0.0, 1e-5))
        self.mark = Mark(now_ns, round(noisy) * USD_TICKS)
        self.exchange.perp.mark_ticks = self.mark.ticks
        self.listing.on_mark(self.mark)
        return self.mark

    def _open_first_contracts(self) -> None:
        """List one contract per series as if it had traded for a while; the targets leave the result open."""
        self.exchange.tape.now_ns = self.next_step_ns
        binaries = [series for series in self.listing.series if series.kind is Kind.BINARY]
        if not self.listing.series:
            raise ConfigError("sim.listing.periods: nothing would be listed — name a period such as 3m")
        shortest = min(binaries or self.listing.series, key=lambda series: series.length_ns)
        # The optional series draw from a stream of their own: adding one changes no other contract.
        rng, rng_more = self._rng("targets"), self._rng("targets-more")
        for series in self.listing.series:
            expiry_ns = series.expiry_after(self.origin_ns)
            if series.length_ns == shortest.length_ns:
                expiry_ns = self.origin_ns + seconds_to_ns(self.config.listing.first_expiry_s)
                if expiry_ns % _MINUTE_NS:
                    # Descriptions name the minute; a contract cannot expire between two.
                    raise ConfigError("sim: venue origin plus listing.first_expiry_s must be a whole minute")
            match series.kind:
                case Kind.BINARY:
                    target = self._first_target(expiry_ns, rng.uniform(0.25, 0.75))
                case Kind.BUCKET:
                    target = rounded_target(round(self.path.price(0) * USD_TICKS))
                case Kind.TEMPLATE:
                    target = self._first_target(expiry_ns, rng_more.uniform(0.25, 0.75))
            self.listing.create(series, expiry_ns, target)

    def _first_target(self, expiry_ns: int, probability: float) -> Px:
        tau_s = (expiry_ns - self.origin_ns) / 1e9
        spread = self.path.mean_vol(0, tau_s) * (tau_s / YEAR_S) ** 0.5
        d = inverse_normal(probability)
        strike = self.path.price(0) * (1.0 - d * spread)  # e**x to first order: spreads are below 3 %
        return rounded_target(round(strike * USD_TICKS))

    def _rng(self, name: str) -> random.Random:
        return random.Random(f"{self.seed}/{name}")
