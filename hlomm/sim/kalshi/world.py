"""The whole venue in virtual time: index, engines, order flow and listing, step by step.

`advance(until)` executes every step up to an instant; what happened is handed to `on_commit`. The same seed, origin,
path and submissions give the same steps, in any process. Steps are those of the common path.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

import attrs

from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.sim.config import SimConfig
from hlomm.sim.faults import Faults
from hlomm.sim.kalshi.events import Event
from hlomm.sim.kalshi.exchange import Exchange
from hlomm.sim.kalshi.flow import Flow
from hlomm.sim.kalshi.index import Index
from hlomm.sim.kalshi.listing import Listing, Neighbour
from hlomm.sim.kalshi.misfortunes import Misfortunes
from hlomm.sim.path import PricePath
from hlomm.sim.sequencer import ActionClass, Sequencer

_VOL_HORIZON_S: Final = 600.0


@attrs.frozen
class Commit:
    """One executed step."""

    time_ns: int
    events: list[Event]


class World:
    """One venue. `path` is shared with the other venues of the process; None makes one of the same seed."""

    def __init__(
        self,
        config: SimConfig,
        seed: int,
        origin_ns: int,
        path: PricePath | None = None,
        faults: Faults | None = None,
        on_commit: Callable[[Commit], None] | None = None,
        neighbour: Neighbour | None = None,
    ) -> None:
        self.config = config
        self.origin_ns = origin_ns
        self.faults = Faults() if faults is None else faults
        self.on_commit = on_commit
        self.steps = 0
        self._step_ns = config.latency.block_ns
        warm_s = min(config.kalshi.listing.warmup_s, config.listing.warmup_s)
        self._first = -(seconds_to_ns(warm_s) // self._step_ns)
        self._step = self._first
        self.path = common_path(config, seed) if path is None else path
        self.exchange = Exchange(config.kalshi.rules, seed)
        self.sequencer = Sequencer(config.buffers.mempool)
        apart = config.kalshi.dislocations
        self.index = Index(
            random.Random(f"{seed}/kalshi/index"), config.kalshi.listing.index_noise_bp if apart else 0.0
        )
        self.listing = Listing(
            self.exchange,
            self.index,
            config,
            self.faults,
            random.Random(f"{seed}/kalshi/listing"),
            self._price_now,
            neighbour,
        )
        self._misfortunes = Misfortunes(self.exchange, self.listing, self.faults)
        self._flow = (
            Flow(self.exchange, self.path, self.index, config, self.faults, seed, self._first)
            if config.kalshi.flow.enabled
            else None
        )
        start_ns = self.exchange.tape.now_ns = self.next_step_ns
        self._next_print_ns = -(-start_ns // NS_PER_S) * NS_PER_S
        self.index.start(self._next_print_ns, self.path.price(self._first))
        self.listing.start(start_ns, origin_ns, config.listing.first_expiry_s)
        self.advance(origin_ns)

    @property
    def next_step_ns(self) -> int:
        """Venue time of the next step."""
        return self.origin_ns + self._step * self._step_ns

    def submit(self, arrival_ns: int, run: Callable[[], None]) -> None:
        """Queue an action for the first step at or after `arrival_ns`; MempoolFull when too many wait."""
        self.sequencer.submit(arrival_ns, ActionClass.PASSIVE, run)

    def advance(self, until_ns: int, *, steps_max: int | None = None) -> int:
        """Execute the steps up to an instant, at most `steps_max` of them; returns how many ran."""
        count = 0
        while self.next_step_ns <= until_ns and (steps_max is None or count < steps_max):
            self._execute(self.next_step_ns)
            self._step += 1
            count += 1
        self.steps += count
        return count

    def _execute(self, now_ns: int) -> None:
        tape = self.exchange.tape
        tape.now_ns = self.faults.now_ns = now_ns
        self._print(now_ns)
        self._misfortunes.on_step(now_ns)
        self.listing.agenda.run(now_ns)
        for engine in self.exchange.engines.values():
            engine.expire()
            engine.sweep()
        # What clients sent arrived before the background looks at this step's price.
        for run in self.sequencer.take(now_ns):
            run()
        if self._flow is not None:
            self._flow.act(self._step, now_ns, self.listing.active())
            for ticker in self.listing.forgotten:
                self._flow.forget(ticker)
        self.listing.forgotten.clear()
        events = tape.drain()
        if self.on_commit is not None:
            self.on_commit(Commit(now_ns, events))

    def _print(self, now_ns: int) -> None:
        while self._next_print_ns <= now_ns:
            step = self._step - (now_ns - self._next_print_ns) // self._step_ns
            printed = self.index.print(self._next_print_ns, self.path.price(max(step, self._first)))
            self.exchange.tape.write(printed)
            self._next_print_ns += NS_PER_S

    def _price_now(self) -> tuple[float, float]:
        return self.path.price(self._step), self.path.mean_vol(self._step, _VOL_HORIZON_S)


def common_path(config: SimConfig, seed: int) -> PricePath:
    """The path that a simulated Hyperliquid of this seed would be on, for a venue that runs alone."""
    step_ns = config.latency.block_ns
    warm = seconds_to_ns(config.listing.warmup_s) // step_ns
    memory = round(config.flow.maker_lag_s * NS_PER_S) // step_ns + 2
    return PricePath(random.Random(f"{seed}/path"), config.path, step_s=step_ns / 1e9, first_step=-warm - memory)
