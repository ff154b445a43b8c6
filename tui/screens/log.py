"""Screen 8: what latency is measured, the log with the alerts, and what operators did."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from tui.screens.filtered import Filtered
from tui.widgets.blocks import Keys, Nobody
from tui.widgets.records import FILTER, Audit, Latency, LogFeed


class Log(Filtered):
    AUTO_FOCUS = "LogFeed"
    FILTER = FILTER
    HINT = "words: level, area, text — e.g. warn kalshi"

    def compose(self) -> ComposeResult:
        sight = self.sight
        yield from self.top()
        with Vertical(id="body"):
            yield Latency(sight)
            yield LogFeed(sight)
            yield Audit(sight)
        with Vertical(id="nobody"):
            yield Nobody(sight)
        yield Keys(sight)
        yield from self.filter_input()
