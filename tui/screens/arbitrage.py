"""Screen 4: linked events and what they would bring, pairs, how far the venues stand apart."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from tui.screens.live import Live
from tui.widgets.arbitrage import Apart, Links, Pairs, Signals
from tui.widgets.blocks import Keys, Money, Nobody


class Arbitrage(Live[None]):
    """Wider terminals see what is taken off each edge, higher ones more pairs and more of the log."""

    AUTO_FOCUS = "Links"

    def compose(self) -> ComposeResult:
        sight = self.sight
        yield from self.top()
        with Vertical(id="body"):
            yield Money(sight)
            yield Links(sight)
            yield Apart(sight)
            yield Pairs(sight)
            yield Signals(sight)
        with Vertical(id="nobody"):
            yield Nobody(sight)
        yield Keys(sight)
