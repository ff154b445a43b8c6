"""What stands for the daemons of a terminal that has several: a cell for each under the truth bar, and all in full."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.message import Message

from tui.views import everyone, strip
from tui.views.line import Line
from tui.widgets.panel import Panel


class Chosen(Message):
    """The operator wants to see another daemon."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place


class Strip(Panel):
    DEFAULT_CLASSES = ""
    FITTED = True

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return strip.lines(self.sight.stores, self.store, self.sight.now_s, width)

    def on_click(self, event: events.Click) -> None:
        place = strip.at(event.x - self.gutter.left, event.y, len(self.sight.stores), self.content_size.width)
        if place is not None:
            self.post_message(Chosen(place))


class Roster(Panel):
    DEFAULT_CLASSES = ""
    FITTED = True

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return everyone.roster(self.sight.stores, self.store, self.sight.now_s, width)
