"""Before an order that matters: what it will do. After it: what it did, in the same place."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from hlomm.domain.inputs import OperatorAction
from tui.screens.live import LiveModal
from tui.views import consequence, everyone
from tui.widgets.blocks import Consequence
from tui.widgets.panel import Sight

REASON_MAX = 200
"""The daemon keeps no more."""
REASONED: Final = OperatorAction.RESUME
"""What lifts a halt is not done without saying why."""


class Confirm(LiveModal[None]):
    """ENTER gives the order, once; ESC sends nothing. `give` is called with the reason."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", show=False), Binding("enter", "go", show=False)]

    def __init__(
        self, sight: Sight, action: OperatorAction, give: Callable[[str], None], *, everyone: bool = False
    ) -> None:
        """`sight`: fixed on the daemon that the order is for. `everyone`: it is for all daemons of the terminal."""
        super().__init__(sight)
        self.order = action
        self._give = give
        self._everyone = everyone

    def window(self) -> ComposeResult:
        verb = consequence.verb(self.order) if not self._everyone else "kill ALL of them now"
        with Vertical(classes="window") as frame:
            stores, name = self.sight.stores, self.sight.store.name
            title = everyone.title(stores) if self._everyone else consequence.title(self.order, name)
            frame.border_title = Content(title)  # as it is: a directory may be called [red]
            yield Consequence(self.sight, self.order, everyone=self._everyone)
            if self.sight.store.viewer:
                yield Static("\\[ESC] back, nothing is sent", id="choice")
                return
            asked = f"reason ({'optional' if self.order is not REASONED else 'needed'})"
            yield Input(placeholder=asked, max_length=REASON_MAX, compact=True)
            yield Static(f"\\[ENTER] {verb}    \\[ESC] back, nothing is sent", id="choice")

    def on_mount(self) -> None:
        for reason in self.query(Input):
            reason.cursor_blink = False
            reason.focus()

    @property
    def given(self) -> bool:
        return self.query_one(Consequence).given

    @property
    def typing(self) -> bool:
        """Whether a letter is part of a reason and no order of its own."""
        return isinstance(self.focused, Input)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_go()

    def action_go(self) -> None:
        if self.given or self.sight.store.viewer:
            self.dismiss(None)
            return
        reason = self.query_one(Input)
        if self.order is REASONED and not reason.value.strip():
            self.query_one("#choice", Static).update("Type a reason, then \\[ENTER]    \\[ESC] back, nothing is sent")
            return
        self._give(reason.value.strip())
        self.query_one(Consequence).given = True
        reason.display = False
        concerned = self.sight.stores if self._everyone else (self.sight.store,)
        sent = any(store.ordered is not None for store in concerned)
        self.query_one("#choice", Static).update("\\[ESC] close" + (" — the order stands" if sent else ""))
        self.set_focus(None)
        self.pull()

    def action_close(self) -> None:
        self.dismiss(None)
