"""What all screens have in common: they look at the store when they are told to."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen, Screen

from tui import keymap
from tui.views import truth
from tui.widgets.blocks import TruthBar
from tui.widgets.panel import Panel, Sight
from tui.widgets.strip import Strip

T = TypeVar("T")


class Live(Screen[T]):
    """A screen made of panels."""

    def __init__(self, sight: Sight) -> None:
        super().__init__()
        self.sight = sight

    def top(self) -> ComposeResult:
        """What stands above everything: the truth about the daemon that is shown, and how the others are."""
        yield TruthBar(self.sight)
        if self.sight.several:
            yield Strip(self.sight)

    def pull(self) -> None:
        """One look at the store, drawn in one go."""
        with self.app.batch_update():
            nobody = self.sight.store.live is None
            if self.has_class("-nobody") and not nobody:
                self.call_after_refresh(self.refocus)
            self.set_class(nobody, "-nobody")
            self.set_class(truth.word(self.sight.store, self.sight.now_s).startswith(truth.NO_LINK), "-no-link")
            for panel in self.query(Panel):
                panel.pull()

    def refocus(self) -> None:
        """A list that was out of sight could not have the cursor keys."""
        if self.focused is None and self.AUTO_FOCUS:
            self.set_focus(next((each for each in self.query(self.AUTO_FOCUS) if each.focusable), None))

    def on_screen_resume(self) -> None:
        self.pull()


class LiveModal(Live[T], ModalScreen[T]):
    """A window on top. The truth bar stays in sight and the keys of safety work, as everywhere."""

    BINDINGS: ClassVar[list[BindingType]] = [*keymap.bindings(*keymap.ALWAYS), *keymap.bindings_of_several()]

    def compose(self) -> ComposeResult:
        yield from self.top()
        yield from self.window()

    @abstractmethod
    def window(self) -> ComposeResult:
        """What is on top."""
