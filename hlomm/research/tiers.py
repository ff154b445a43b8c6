"""What a set of settings is judged by: one outcome per recording, from whichever tier ran it.

`queue` is the engine itself with the simulated accounts: the truth, as far as its fill model is one. Another tier may
be faster and understand fewer keys; it has to agree with `queue` on sampled sets. Floats: research only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

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
