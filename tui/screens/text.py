"""A window with text to read: the whole of an alert, all alerts, the help."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui import keymap
from tui.screens.live import LiveModal
from tui.views.line import printable
from tui.views.markets import SOURCES
from tui.widgets.panel import Sight

_KEY_WIDTH = 7
_SEVERAL = "K F C R p e are for the daemon named at the top; X is for all."


class Text(LiveModal[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "close", show=False),
    ]

    def __init__(self, sight: Sight, title: str, body: Content | str) -> None:
        super().__init__(sight)
        self._title = title
        # Text from outside is never markup.
        self._body = Content("\n".join(map(printable, body.split("\n")))) if isinstance(body, str) else body

    def window(self) -> ComposeResult:
        with Vertical(classes="window") as frame:
            frame.border_title = self._title
            frame.border_subtitle = "esc back"
            with VerticalScroll():
                yield Static(self._body)

    def action_close(self) -> None:
        self.dismiss(None)


def help_text(*, several: bool = False) -> Content:
    """Every key, by group, and the signs of the tables; `several`: those for several daemons too, first."""
    parts: list[Content | str | tuple[str, str]] = []
    groups = [group for group in keymap.Group if group is not keymap.Group.SEVERAL]
    if several:
        parts += [_SEVERAL, "\n\n"]
    for group in [keymap.Group.SEVERAL, *groups] if several else groups:
        parts += [(f"{group}\n", "bold"), *_keys(group), "\n"]
    sources = ", ".join(f"{sign} {name}" for name, sign in SOURCES.items())
    parts += [
        ("Signs\n", "bold"),
        f"  behind the fair value, its source: {sources}\n",
        "  150▸ and ◂150 in the ladder are our orders\n",
        "  an age appears from 1 s on; from 3 s a row is dim, from 6 s struck out",
    ]
    return Content.assemble(*parts)


def _keys(group: keymap.Group) -> list[tuple[str, str] | str]:
    parts: list[tuple[str, str] | str] = []
    for action in keymap.actions(several=True):
        if action.group is group:
            parts += [(f"  {action.key_text:<{_KEY_WIDTH}}", "bold"), f"{action.help}\n"]
    return parts
