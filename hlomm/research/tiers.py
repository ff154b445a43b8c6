"""What a set of settings is judged by: one outcome per recording, from whichever tier ran it.

`queue` is the engine itself with the simulated accounts: the truth, as far as its fill model is one. `kernel` is
compiled, faster and understands fewer keys; it has to agree with `queue` on sampled sets. Floats: research only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import attrs

from hlomm.domain.faults import DataDefect
from hlomm.research.recording import Recording
from hlomm.settings.load import Loaded

Point = Mapping[str, str]
"""Settings by dotted key, as they would follow `--set`."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What one set of settings brought over one recording. USDC and contracts."""

    pnl: float
    """Settled, after fees."""
    fees: float
    volume: float
    fills: int
    quotes: int
    """Orders placed and amended."""
    max_drawdown: float
    inventory_max: float
    """Largest |YES minus NO|."""
    returns: tuple[float, ...]
    """Result per block of time, in order; their sum is `pnl`. The blocks are the same for every set of a sweep."""
    left: str = ""
    """Why a faster tier left this set to the engine itself."""


class Disagreement(DataDefect):
    """A tier that made something else of a set than the engine did: nothing that it made is accepted. Exit code 3."""


class Tier(Protocol):
    """A way of running settings over a recording."""

    @property
    def name(self) -> str:
        """As `--tier` has it."""

    @property
    def keys(self) -> frozenset[str] | None:
        """Dotted keys it understands; None for all. A point with another key is refused."""

    def evaluate(
        self, recording: Recording, loaded: Loaded, points: Sequence[Point], *, block_s: float
    ) -> list[Outcome]:
        """One outcome per point, in order; the same for the same arguments on every machine."""


@runtime_checkable
class CheckedTier(Tier, Protocol):
    """One that is accepted only while it agrees with the engine."""

    def difference(self, recording: Recording, loaded: Loaded, point: Point) -> str | None:
        """The first thing in which a set goes another way than in the engine; None if none does, or if it is left."""
