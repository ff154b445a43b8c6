"""Screen 3: what is held, the hedge against it, and what each settlement would give."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from tui.screens.live import Live
from tui.widgets.blocks import Keys, Money, Nobody, Orders
from tui.widgets.inventory import Hedges, Holdings, Settlements


class Inventory(Live[None]):
    """Wider terminals see reasons and longer bars at the right, higher ones the orders that the results count."""

    AUTO_FOCUS = "Holdings"

    def compose(self) -> ComposeResult:
        sight = self.sight
        yield from self.top()
        with Vertical(id="body"):
            yield Money(sight)
            yield Holdings(sight)
            yield Hedges(sight)
            yield Settlements(sight)
            yield Orders(sight)
        with Vertical(id="nobody"):
            yield Nobody(sight)
        yield Keys(sight)
