"""Parts of the arbitrage screen: links, pairs, how far the venues stand apart, and the log of what stood out."""

from __future__ import annotations

from collections.abc import Sequence

from hlomm.domain.edge_rows import EdgeRow
from tui.views import apart, edges, markets, pairs
from tui.views.apart import Said
from tui.views.line import Line
from tui.views.pairs import Pair
from tui.widgets.lists import Browsed
from tui.widgets.panel import Panel


class Links(Browsed[EdgeRow]):
    """The cursor here decides which event the map below is of: it lives in the store."""

    def head(self, width: int) -> Line:
        return edges.head(self.store, width)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        head, *rows = super().lines(width, height)
        return [markets.head_with(head, self.out_of_sight(len(rows)), width), *rows]

    def items(self) -> Sequence[EdgeRow]:
        return self.store.edges()

    def cursor(self) -> int | None:
        return next((index for index, row in enumerate(self.items()) if row.group == self.store.linked), None)

    def put_cursor(self, index: int) -> None:
        self.store.link_to(self.items()[index].group)

    def item_lines(self, items: Sequence[EdgeRow], width: int) -> list[Line]:
        return edges.row_lines(self.store, items, self.sight.now_s, width)

    def item_text(self, item: EdgeRow) -> str:
        parts = (edges.whole(self.store, item, self.sight.now_s), apart.whole(self.store))
        return "\n\n".join(part for part in parts if part)

    def empty(self) -> str:
        return edges.EMPTY


class Pairs(Browsed[Pair]):
    def head(self, width: int) -> Line:
        return pairs.head(self.store, width)

    def items(self) -> Sequence[Pair]:
        return pairs.pairs(self.store)

    def key(self, item: Pair) -> object:
        return pairs.key(item)

    def item_lines(self, items: Sequence[Pair], width: int) -> list[Line]:
        return pairs.row_lines(self.store, items, self.sight.now_s, width)

    def item_text(self, item: Pair) -> str:
        return pairs.whole(self.store, item, self.sight.now_s)

    def empty(self) -> str:
        return pairs.EMPTY


class Apart(Panel):
    FITTED = True

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return apart.lines(self.store, width)


class Signals(Browsed[Said]):
    def head(self, width: int) -> Line:
        return apart.log_head(self.store, width)

    def items(self) -> Sequence[Said]:
        return apart.log(self.store)

    def item_lines(self, items: Sequence[Said], width: int) -> list[Line]:
        return apart.log_lines(self.store, items, width)

    def item_text(self, item: Said) -> str:
        return apart.log_text(item)

    def empty(self) -> str:
        return apart.NO_SIGNALS
