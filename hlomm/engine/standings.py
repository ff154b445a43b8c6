"""The books of the inefficiency view; see `hlomm.engine.inefficiencies` for what is done with them."""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from hlomm.domain.edge_rows import EventRow
from hlomm.domain.ids import MarketId
from hlomm.pricing.inefficiency import Inefficiency, Signal

DEVIATIONS_KEPT: Final = 100


@attrs.define(eq=False, kw_only=True)
class LinkedEvent:
    """Contracts that links hold together, directly or through others."""

    key: str
    view: Inefficiency
    members: dict[MarketId, None] = attrs.field(factory=dict)


@attrs.define(eq=False)
class Standings:
    next_ns: int = 0
    """Monotonic time of the next sample."""
    sampled_ns: int = 0
    """Of the last one."""
    samples: int = 0
    by_market: dict[MarketId, LinkedEvent] = attrs.field(factory=dict)
    deviations: deque[tuple[Signal, str]] = attrs.field(factory=lambda: deque(maxlen=DEVIATIONS_KEPT))
    """Each with the name its market had."""
    overflow: int = 0
    """Events not followed because there were too many, counted at every sample."""
    drawn: tuple[int, tuple[EventRow, ...]] = (-1, ())
    """Rows as of that sample: nothing changes between two."""
