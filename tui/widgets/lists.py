"""Lists with a cursor, and those of the overview: markets, fills, alerts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from textual import events
from textual.message import Message

from hlomm.domain.report import AlertRow, FillRow, MarketRow
from tui.views import activity, markets
from tui.views.line import Line, Span, Tone, line, window
from tui.widgets.panel import Panel, Sight

T = TypeVar("T")


class Opened(Message):
    """The operator wants to see what the cursor is on."""


class ListPanel(Panel, Generic[T], can_focus=True):
    """A heading and a window on rows. The first visible row moves only as far as the cursor makes it."""

    def __init__(self, sight: Sight, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(sight, id=id)
        self._first = 0

    @abstractmethod
    def head(self, width: int) -> Line: ...

    @abstractmethod
    def items(self) -> Sequence[T]: ...

    @abstractmethod
    def row_lines(self, items: Sequence[T], width: int) -> list[Line]:
        """One line for each of these items."""

    @abstractmethod
    def cursor(self) -> int | None:
        """Index of the item under the cursor."""

    @abstractmethod
    def put_cursor(self, index: int) -> None: ...

    def empty(self) -> str:
        return ""

    def item(self) -> T | None:
        """What the cursor is on."""
        index, items = self.cursor(), self.items()
        return None if index is None or index >= len(items) else items[index]

    def move(self, step: int) -> None:
        index, count = self.cursor(), len(self.items())
        if count:
            self.put_cursor(min(max((0 if index is None else index + step), 0), count - 1))
            self.pull()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        items, room = self.items(), max(height - 1, 0)
        if not items:
            self._first = 0
            return [self.head(width), line(Span(f" {self.empty()}", Tone.LABEL))]
        self._first = window(self.cursor() or 0, self._first, room, len(items))
        return [self.head(width), *self.row_lines(items[self._first : self._first + room], width)]

    def out_of_sight(self, shown: int) -> str:
        """`↑15 ↓18`: how many items are above and below those that are shown."""
        counts = (("↑", self._first), ("↓", len(self.items()) - self._first - shown))
        return " ".join(f"{arrow}{count}" for arrow, count in counts if count > 0)

    def cursor_line(self) -> int | None:
        index = self.cursor()
        return None if index is None or not self.items() else index - self._first + 1

    def on_focus(self) -> None:
        self.pull()

    def on_blur(self) -> None:
        self.pull()

    def on_click(self, event: events.Click) -> None:
        index = self._first + event.y - 1
        if event.y > 0 and index < len(self.items()):
            again = index == self.cursor()
            self.put_cursor(index)
            self.pull()
            if again and event.chain > 1:
                self.post_message(Opened())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move(1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move(-1)


class Markets(ListPanel[MarketRow]):
    """The cursor here is the selection of the whole terminal: it lives in the store."""

    def head(self, width: int) -> Line:
        return markets.head(self.store, width)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        head, *rows = super().lines(width, height)
        return [markets.head_with(head, self.out_of_sight(len(rows)), width), *rows]

    def items(self) -> Sequence[MarketRow]:
        return self.store.markets()

    def row_lines(self, items: Sequence[MarketRow], width: int) -> list[Line]:
        return markets.rows(self.store, items, self.sight.now_s, width)

    def cursor(self) -> int | None:
        return next((index for index, row in enumerate(self.items()) if row.id == self.store.selected), None)

    def put_cursor(self, index: int) -> None:
        self.store.select(self.items()[index].id)

    def empty(self) -> str:
        return markets.empty(self.store)


class Browsed(ListPanel[T]):
    """A cursor of its own. On top it stays on top; anywhere else it stays with its item."""

    _marked: object = None

    def key(self, item: T) -> object:
        """By what an item is known again; fills and alerts never change."""
        return item

    def keys(self) -> Sequence[object]:
        """Of all items; a list in which two may be alike tells them apart here."""
        return [self.key(item) for item in self.items()]

    def cursor(self) -> int | None:
        if not self.has_focus:
            return None
        keys = self.keys()
        return 0 if self._marked is None or self._marked not in keys else keys.index(self._marked)

    def put_cursor(self, index: int) -> None:
        self._marked = self.keys()[index] if index else None

    def row_lines(self, items: Sequence[T], width: int) -> list[Line]:
        cursor, lines = self.cursor(), self.item_lines(items, width - 1)
        return [(Span("▸" if index == cursor else " "), *each) for index, each in enumerate(lines, self._first)]

    @abstractmethod
    def item_lines(self, items: Sequence[T], width: int) -> list[Line]:
        """One line for each of these items, without the cursor's mark."""

    @abstractmethod
    def item_text(self, item: T) -> str:
        """The item with everything there is to say about it."""


class Fills(Browsed[FillRow]):
    def head(self, width: int) -> Line:
        return activity.fills_head(self.store, width)

    def items(self) -> Sequence[FillRow]:
        return activity.fills(self.store)

    def item_lines(self, items: Sequence[FillRow], width: int) -> list[Line]:
        return [activity.fill_line(item, width, self.store.shown_wall_ms) for item in items]

    def item_text(self, item: FillRow) -> str:
        return activity.fill_text(item)

    def empty(self) -> str:
        return "no fills yet"


class Alerts(Browsed[AlertRow]):
    def head(self, width: int) -> Line:
        return activity.alerts_head(self.store, width)

    def items(self) -> Sequence[AlertRow]:
        return activity.alerts(self.store)

    def item_lines(self, items: Sequence[AlertRow], width: int) -> list[Line]:
        return [activity.alert_line(item, width, self.store.shown_wall_ms) for item in items]

    def item_text(self, item: AlertRow) -> str:
        return activity.alert_text(item)

    def empty(self) -> str:
        return "nothing to report"
