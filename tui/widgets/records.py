"""Parts of the screen of latency, log and operator actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hlomm.domain.desk_rows import AuditRow
from tui.views import records
from tui.views.latency import latency
from tui.views.line import Line
from tui.views.records import FeedRow
from tui.widgets.lists import Browsed
from tui.widgets.panel import Panel

FILTER: Final = "log"
ROOMY: Final = 34
"""Rows of a screen that has room for every stage; the style sheet calls it high."""


class Latency(Panel):
    FITTED = True
    _low = True

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return latency(self.store, self.sight.now_s, width, low=self._low)

    def pull(self) -> None:
        self._low = self.app.size.height < ROOMY
        super().pull()


class LogFeed(Browsed[FeedRow]):
    _rows: Sequence[FeedRow] | None = None
    """Of the drawing that is under way: sorting a thousand lines once is enough."""

    @property
    def words(self) -> str:
        return self.store.filters.get(FILTER, "")

    def head(self, width: int) -> Line:
        return records.feed_head(self.store, len(self.items()), self.words, "", width)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        self._rows = records.feed(self.store, self.words)
        try:
            _, *rows = super().lines(width, height)
            hidden = self.out_of_sight(len(rows))
            return [records.feed_head(self.store, len(self._rows), self.words, hidden, width), *rows]
        finally:
            self._rows = None

    def items(self) -> Sequence[FeedRow]:
        return records.feed(self.store, self.words) if self._rows is None else self._rows

    def key(self, item: FeedRow) -> object:
        return item.key

    def item_lines(self, items: Sequence[FeedRow], width: int) -> list[Line]:
        return records.feed_lines(items, width, self.store.shown_wall_ms)

    def item_text(self, item: FeedRow) -> str:
        return records.feed_text(item)

    def empty(self) -> str:
        return f'nothing matches "{self.words}"' if self.words else records.NO_LINES


class Audit(Browsed[AuditRow]):
    def head(self, width: int) -> Line:
        return records.audit_head(self.store, width)

    def items(self) -> Sequence[AuditRow]:
        return records.audit(self.store)

    def key(self, item: AuditRow) -> object:
        return item.n

    def item_lines(self, items: Sequence[AuditRow], width: int) -> list[Line]:
        return records.audit_lines(items, width, self.store.shown_wall_ms)

    def item_text(self, item: AuditRow) -> str:
        return records.audit_text(item)

    def empty(self) -> str:
        return records.NO_ACTIONS
