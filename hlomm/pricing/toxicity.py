"""Running measure of adverse selection on one side of one market."""

from __future__ import annotations

from typing import Final

import attrs

_NEUTRAL: Final = 0.5
"""Toxicity up to which quotes are not widened."""
_EXTRA_MAX: Final = 2.0
"""Largest addition to the spread multiplier."""


@attrs.define(eq=False, kw_only=True)
class Toxicity:
    """e <- (1-a) e + a max(0, -markout)/ref over our own fills, oldest first; `ref` is a normal half-spread."""

    alpha: float = attrs.field(validator=[attrs.validators.gt(0.0), attrs.validators.le(1.0)])
    ref: float = attrs.field(validator=attrs.validators.gt(0.0))
    value: float = attrs.field(default=0.0, init=False)

    def update(self, maker_markout: float) -> float:
        """Take the markout of one fill (per contract, positive when we gained); returns the new value."""
        self.value = (1.0 - self.alpha) * self.value + self.alpha * max(0.0, -maker_markout) / self.ref
        return self.value

    @property
    def spread_multiplier(self) -> float:
        """1 + clip(e - 0.5, 0, 2)."""
        return 1.0 + min(max(self.value - _NEUTRAL, 0.0), _EXTRA_MAX)
