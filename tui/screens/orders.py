"""Screen 5: live orders, fills with what they were worth later, and where the result came from."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from tui.screens.filtered import Filtered
from tui.widgets.blocks import Keys, Nobody
from tui.widgets.trades import FILTER, FillList, OrderList, Split


class Orders(Filtered):
    AUTO_FOCUS = "OrderList"
    FILTER = FILTER
    HINT = "words: market, side, state, owner"

    def compose(self) -> ComposeResult:
        sight = self.sight
        yield from self.top()
        with Vertical(id="body"):
            yield Split(sight)
            yield OrderList(sight)
            yield FillList(sight)
        with Vertical(id="nobody"):
            yield Nobody(sight)
        yield Keys(sight)
        yield from self.filter_input()
