"""Screen 6: how each strategy stands, and the settings of the one under the cursor."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from tui.screens.live import Live
from tui.views.strategies import Setting
from tui.widgets.blocks import Keys, Money, Nobody
from tui.widgets.strategies import SettingList, StrategyList


class Strategies(Live[None]):
    AUTO_FOCUS = "StrategyList"

    def compose(self) -> ComposeResult:
        sight = self.sight
        owner = StrategyList(sight)
        yield from self.top()
        with Vertical(id="body"):
            yield Money(sight)
            yield owner
            yield SettingList(sight, owner)
        with Vertical(id="nobody"):
            yield Nobody(sight)
        yield Keys(sight, "pause", "tune")

    @property
    def strategy(self) -> str | None:
        """The one under the cursor."""
        return self.query_one(SettingList).strategy

    @property
    def setting(self) -> Setting | None:
        """The one under the cursor, if that is among the settings."""
        rows = self.query_one(SettingList)
        return rows.item() if rows.has_focus else None
