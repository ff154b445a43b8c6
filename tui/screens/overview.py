"""Screen 1: state, money, venues, markets; more to the right where there is room."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from tui.screens.live import Live
from tui.widgets.blocks import (
    Chart,
    Facts,
    Keys,
    Ladder,
    Log,
    Money,
    Nobody,
    Orders,
    Positions,
    Venues,
    WhyShort,
)
from tui.widgets.lists import Alerts, Fills, Markets


class Overview(Live[None]):
    """At 80 columns the left part alone; the middle joins at 120, the right at 180. Nothing learned moves."""

    def compose(self) -> ComposeResult:
        sight = self.sight
        yield from self.top()
        with Vertical(id="body"):
            yield Money(sight)
            with Horizontal(id="parts"):
                with Vertical(id="left"):
                    yield Venues(sight)
                    yield Markets(sight, id="markets")
                    yield WhyShort(sight)
                    yield Fills(sight, id="fills")
                    yield Alerts(sight, id="alerts")
                with Vertical(id="middle"):
                    yield Ladder(sight)
                    yield Facts(sight)
                    yield Positions(sight)
                with Vertical(id="right"):
                    yield Chart(sight)
                    yield Orders(sight)
                    yield Log(sight)
        with Vertical(id="nobody"):
            yield Nobody(sight)
        yield Keys(sight)
        yield Input(id="filter", placeholder="words in the name of a market", select_on_focus=False, compact=True)

    def on_mount(self) -> None:
        self.filter_line.cursor_blink = False
        self.query_one(Markets).focus()

    # -- the filter takes the place of the footer while it is typed

    @property
    def filter_line(self) -> Input:
        return self.query_one("#filter", Input)

    def ask_filter(self) -> None:
        self.add_class("-filtering")
        self.filter_line.value = self.sight.store.filter
        self.filter_line.focus()

    def end_filter(self) -> None:
        self.remove_class("-filtering")
        self.query_one(Markets).focus()
        self.pull()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.has_class("-filtering"):
            self.sight.store.set_filter(event.value)
            self.pull()

    def on_input_blurred(self, event: Input.Blurred) -> None:
        event.stop()
        self.remove_class("-filtering")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.end_filter()
