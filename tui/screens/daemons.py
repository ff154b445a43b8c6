"""The window with all daemons of the terminal in full; their numbers lead to them."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll

from tui.places import MOST
from tui.screens.live import LiveModal
from tui.widgets.strip import Roster


class Daemons(LiveModal[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "close", show=False),
        *(Binding(f"{number}", f"app.choose({number - 1})", show=False) for number in range(1, MOST + 1)),
    ]

    def window(self) -> ComposeResult:
        with Vertical(classes="window") as frame:
            frame.border_title = "daemons"
            frame.border_subtitle = f"1-{len(self.sight.stores)} shows one · esc back"
            with VerticalScroll():
                yield Roster(self.sight)

    def action_close(self) -> None:
        self.dismiss(None)
