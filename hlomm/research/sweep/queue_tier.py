"""The tier that is the truth as far as its fill model is one: the engine itself, once per set of settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hlomm.domain.units import SCALE
from hlomm.research.backtest import backtest
from hlomm.research.backtest_result import BacktestResult
from hlomm.research.blocks import block_returns
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
        returns=block_returns(
            result.recording, ((sample.wall_ns, sample.pnl) for sample in result.samples), final.pnl.total, block_s
        ),
    )  # fmt: skip
