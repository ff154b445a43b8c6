"""A pause or a new value: typed, confirmed, sent once; what became of it stands in the same place."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from hlomm.domain.inputs import OperatorAction
from tui.screens.confirm import REASON_MAX
from tui.screens.live import LiveModal
from tui.views import change
from tui.views.change import Plan
from tui.views.line import clean
from tui.widgets.panel import Sight
from tui.widgets.strategies import Planned

VALUE_MAX = 24


class Change(LiveModal[None]):
    """ENTER goes one step on, ESC leaves; nothing is sent before the last ENTER. `give` is called with the reason."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", show=False), Binding("enter", "go", show=False)]

    def __init__(self, sight: Sight, plan: Plan, give: Callable[[str], None]) -> None:
        super().__init__(sight)
        self.plan = plan
        self._give = give
        self._asks_value = plan.action is OperatorAction.TUNE

    def window(self) -> ComposeResult:
        with Vertical(classes="window") as frame:
            name = clean(self.sight.store.name)
            frame.border_title = Content(f"{self.plan.title} at {name}" if name else self.plan.title)
            yield Planned(self.sight, self.plan)
            yield Input(compact=True)
            yield Static("", id="choice")

    def on_mount(self) -> None:
        typed = self.query_one(Input)
        typed.cursor_blink = False
        if self._asks_value:
            typed.placeholder, typed.max_length = "new value", VALUE_MAX
            self._offer("\\[ENTER] on to the confirmation    \\[ESC] back, nothing is sent")
        else:
            self._ask_reason()
        typed.focus()

    def _offer(self, text: str) -> None:
        self.query_one("#choice", Static).update(text)

    def _ask_reason(self) -> None:
        self._asks_value = False
        typed = self.query_one(Input)
        typed.value, typed.placeholder, typed.max_length = "", "reason (optional)", REASON_MAX
        self._offer(f"\\[ENTER] {self.plan.action.value} now    \\[ESC] back, nothing is sent")
        self.pull()

    @property
    def typing(self) -> bool:
        """Whether letters are part of a reason."""
        return not self._asks_value and not self.given

    @property
    def given(self) -> bool:
        return self.query_one(Planned).given

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_go()

    def action_go(self) -> None:
        typed = self.query_one(Input)
        if self.given:
            self.dismiss(None)
        elif self._asks_value:
            value = typed.value.strip()
            if problem := change.wrong(value):
                self.notify(problem, severity="warning", markup=False)
                return
            self.plan.value = value
            self._ask_reason()
        else:
            self._give(typed.value.strip())
            self.query_one(Planned).given = True
            typed.display = False
            self._offer("\\[ESC] close")
            self.set_focus(None)
            self.pull()

    def action_close(self) -> None:
        self.dismiss(None)
