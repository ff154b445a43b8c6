"""The compiled tier: the same outcomes as the engine's, for the sets and recordings that it models.

A set that comes near something it does not model (a limit that would stop the engine, above all) is run by the engine
itself, and its outcome says why. A recording or a setting that is not modelled is a UsageError that names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import numpy as np

from hlomm.domain.units import SCALE
from hlomm.research.backtest import Terms
from hlomm.research.blocks import block_returns
from hlomm.research.fee_schedule import schedule
from hlomm.research.kernel.agreement import difference
from hlomm.research.kernel.layout import REASONS, STATE, Tape, Work, records, work
from hlomm.research.kernel.run import run
from hlomm.research.kernel.settings import KEYS, of_recording, record, refuse_market
from hlomm.research.kernel.tape import tape_of
from hlomm.research.recording import Recording
from hlomm.research.sweep.queue_tier import QueueTier
from hlomm.research.tape import lines
from hlomm.research.tiers import Outcome, Point
from hlomm.settings.load import Loaded, toml_value, with_values

NAME: Final = "kernel"
LOG_ROWS: Final = 200_000
"""Decisions and fills of one run that can be compared."""


@attrs.frozen(kw_only=True)
class Ran:
    """One set over one recording, as compiled code leaves it."""

    state: Any
    results: Any
    """At every sample, and at the end."""
    log: Any

    @property
    def left(self) -> str:
        """Why it is left to the engine; empty where it is not."""
        return "; ".join(why for bit, why in REASONS.items() if self.state.beyond & bit)


@attrs.frozen(kw_only=True)
class Prepared:
    """All that the sets over one recording share."""

    recording: Recording
    loaded: Loaded
    tape: Tape
    sampled_ns: Sequence[int]
    settings: Mapping[str, float]

    @classmethod
    def of(cls, recording: Recording, loaded: Loaded, terms: Terms | None = None) -> Prepared:
        """UsageError for a recording, or terms, that are not modelled."""
        terms = Terms() if terms is None else terms
        refuse_market(recording.outcome, terms.model)
        fees = schedule(recording.outcome, recording.events[0].received_ns, terms.fees)
        both = lines(recording.events, terms.model.latency.feed)
        tape = tape_of(recording, loaded, both, fees)
        return cls(
            recording=recording, loaded=loaded, tape=tape,
            sampled_ns=tape.at[tape.marked.number[tape.marked.sampled == 1]].tolist(),
            settings=of_recording(recording, both, fees, terms.model),
        )  # fmt: skip

    def ran(self, changed: Loaded, memory: Work | None = None) -> Ran:
        """UsageError for settings that are not modelled. Memory with a log is given by whoever wants one."""
        memory = work() if memory is None else memory  # of this run alone: a cluster's worker may have several threads
        state = records(1, STATE)[0]
        results = np.zeros(len(self.sampled_ns) + 1, np.int64)
        settings = record(self.settings, changed)
        run(state, settings, self.tape, memory, results)
        return Ran(state=state, results=results, log=memory.log[: state.logged])


class KernelTier:
    """Keeps the last recording that it was given as flat arrays."""

    def __init__(self) -> None:
        self._kept: Prepared | None = None
        self._engine = QueueTier()

    @property
    def name(self) -> str:
        return NAME

    @property
    def keys(self) -> frozenset[str] | None:
        return KEYS

    def evaluate(
        self, recording: Recording, loaded: Loaded, points: Sequence[Point], *, block_s: float
    ) -> list[Outcome]:
        """One outcome per set. ConfigError for a set that contradicts itself, UsageError for what is not modelled."""
        prepared = self._prepared(recording, loaded)
        made = []
        for point in points:
            ran = prepared.ran(_changed(loaded, point))
            if ran.left:
                by_engine = self._engine.evaluate(recording, loaded, (point,), block_s=block_s)[0]
                made.append(attrs.evolve(by_engine, left=ran.left))
            else:
                made.append(_outcome(prepared, ran, block_s))
        return made

    def difference(self, recording: Recording, loaded: Loaded, point: Point) -> str | None:
        """Where one set goes other ways than in the engine: its first difference; None where nothing differs."""
        prepared, changed = self._prepared(recording, loaded), _changed(loaded, point)
        ran = prepared.ran(changed, work(LOG_ROWS))
        return None if ran.left else difference(recording, changed, ran.state, ran.results, ran.log)

    def _prepared(self, recording: Recording, loaded: Loaded) -> Prepared:
        kept = self._kept
        if kept is None or kept.recording is not recording or kept.loaded is not loaded:
            kept = self._kept = Prepared.of(recording, loaded)
        return kept


def _changed(loaded: Loaded, point: Point) -> Loaded:
    return with_values(loaded, {key: toml_value(text) for key, text in point.items()})


def _outcome(prepared: Prepared, ran: Ran, block_s: float) -> Outcome:
    state, results = ran.state, ran.results
    final = int(results[-1])
    marks = zip(prepared.sampled_ns, results.tolist(), strict=False)
    return Outcome(
        pnl=final / SCALE, fees=int(state.fees) / SCALE, volume=int(state.volume) / SCALE, fills=int(state.fills),
        quotes=int(state.placed + state.amends), max_drawdown=int(state.max_drawdown) / SCALE,
        inventory_max=int(state.net_max) / SCALE,
        returns=block_returns(prepared.recording, marks, final, block_s),
    )  # fmt: skip
