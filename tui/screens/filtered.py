"""Screens with a filter of their own; like that of the markets it takes the footer's place while it is typed."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.widgets import Input

from tui.screens.live import Live


class Filtered(Live[None]):
    FILTER: ClassVar[str]
    """Name under which the store keeps the words."""
    HINT: ClassVar[str]

    def filter_input(self) -> ComposeResult:
        yield Input(id="filter", placeholder=self.HINT, select_on_focus=False, compact=True)

    def on_mount(self) -> None:
        self.filter_line.cursor_blink = False

    @property
    def filter_line(self) -> Input:
        return self.query_one("#filter", Input)

    @property
    def words(self) -> str:
        return self.sight.store.filters.get(self.FILTER, "")

    def ask_filter(self) -> None:
        self.add_class("-filtering")
        self.filter_line.value = self.words
        self.filter_line.focus()

    def end_filter(self) -> None:
        self.remove_class("-filtering")
        if self.AUTO_FOCUS:
            self.query(self.AUTO_FOCUS).first().focus()
        self.pull()

    def clear_filter(self) -> bool:
        """Whether there was anything to clear."""
        had = self.has_class("-filtering") or bool(self.words)
        self.sight.store.filters.pop(self.FILTER, None)
        if had:
            self.end_filter()
        return had

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.has_class("-filtering"):
            self.sight.store.filters[self.FILTER] = event.value.strip()
            self.pull()

    def on_input_blurred(self, event: Input.Blurred) -> None:
        event.stop()
        self.remove_class("-filtering")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.end_filter()
