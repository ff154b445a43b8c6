"""What every contender is told: the tape's grid and the maker's rule."""

from __future__ import annotations

from typing import Final

import attrs

STEP_NS: Final = 10_000_000
"""From one frame to the next."""
T0_NS: Final = 1_778_385_600_000_000_000
"""2026-05-10 04:00 UTC: a day of which it is known that nobody was charged."""
TICKS: Final = 1_000
"""In 1.0, which a contract may pay."""
LEVELS: Final = 20
"""A side, all of them a tick apart."""


@attrs.frozen(kw_only=True)
class Maker:
    """The rule, in ticks and contracts.

    At every whole `requote_ns` both sides are wanted, `distance` from the mid (half a tick is rounded away from it) and
    `size` large, but not a side whose fill would bring the position beyond `cap`. What rests at another price is
    amended; post-only throughout.
    """

    requote_ns: int = 100_000_000
    distance: int = 2
    size: int = 50
    cap: int = 500
    latency_ns: int = 10_000_000
    """From a request to its effect, and from an effect to the news of it."""
