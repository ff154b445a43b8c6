"""How a tape's venue came to fill what it filled, so that a result shows what it rests on."""

from __future__ import annotations

import attrs


@attrs.define(kw_only=True)
class Counts:
    """Fills unless said otherwise."""

    through: int = 0
    """By prints at a worse price than ours: sure, as far as our order would have changed nothing."""
    at_level: int = 0
    """By prints at our price: whether and when, the queue model says."""
    taken: int = 0
    """Of recorded sizes, which nobody can say would have been there."""
    self_trades: int = 0
    """Orders of ours, cancelled because another one would have met them."""
    overrun: int = 0
    """Orders of ours that a recorded book crossed without a print: they stay unfilled, and such fills are bad ones."""

    def text(self) -> str:
        said = (
            f"fills: {self.through} by prints beyond our price, {self.at_level} at it (these the queue decides), "
            f"{self.taken} taken"
        )
        if self.overrun:
            said += f"; {self.overrun} orders overrun by the book without a print, and left unfilled"
        return said + (f"; {self.self_trades} orders cancelled before they met our own" if self.self_trades else "")
