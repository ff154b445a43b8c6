"""The tier that is the truth as far as its fill model is one: the engine itself, once per set of settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE
from hlomm.research.backtest import backtest
from hlomm.research.backtest_result import BacktestResult
from hlomm.research.recording import Recording
from hlomm.research.tiers import Outcome, Point
from hlomm.settings.load import Loaded, toml_value, with_values

NAME: Final = "queue"


class QueueTier:
    """Settings are changed as by `--set`, on top of everything else that was configured."""

    @property
    def name(self) -> str:
        return NAME

    @property
    def keys(self) -> frozenset[str] | None:
        return None

    def evaluate(
        self, recording: Recording, loaded: Loaded, points: Sequence[Point], *, block_s: float
    ) -> list[Outcome]:
        """One outcome per set. ConfigError for a set that contradicts itself."""
        made = []
        for point in points:
            changed = with_values(loaded, {key: toml_value(text) for key, text in point.items()})
            made.append(outcome(backtest(recording, changed), block_s))
        return made


def outcome(result: BacktestResult, block_s: float) -> Outcome:
    net = most = 0
    for fill in result.fills:
        net += fill.sign * fill.qty
        most = max(most, abs(net))
    final = result.final
    return Outcome(
        pnl=final.pnl.total / SCALE, fees=final.pnl.fees / SCALE, volume=final.volume / SCALE, fills=final.fills,
        quotes=final.orders_placed + final.amends, max_drawdown=final.max_drawdown / SCALE,
        inventory_max=max(most, *(abs(sample.net) for sample in result.samples), 0) / SCALE,
        returns=block_returns(result, block_s),
    )  # fmt: skip


def block_returns(result: BacktestResult, block_s: float) -> tuple[float, ...]:
    """Change of the result in each block of `block_s`, from the first event on.

    As many blocks as the events of the recording span, whatever the settings: what settlement brings after them
    belongs to the last one. Within a block the result counts as of its last sample.
    """
    events = result.recording.events
    first = events[0].received_ns
    block_ns = max(round(block_s * NS_PER_S), 1)
    count = max(-((first - events[-1].received_ns) // block_ns), 1)
    at_end: list[int | None] = [None] * count
    for sample in result.samples:  # in order of time
        at_end[min((sample.wall_ns - first) // block_ns, count - 1)] = sample.pnl
    at_end[-1] = result.final.pnl.total
    made, before = [], 0
    for pnl in at_end:
        after = before if pnl is None else pnl
        made.append((after - before) / SCALE)
        before = after
    return tuple(made)
