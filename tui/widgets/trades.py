"""Parts of the screen of orders and fills."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from hlomm.domain.report import FillRow, OrderRow
from tui.views import trades
from tui.views.line import Line, Span, Tone, spread
from tui.widgets.lists import Browsed
from tui.widgets.panel import Panel

FILTER: Final = "orders"


class Split(Panel):
    FITTED = True

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return trades.split(self.store, width)


class OrderList(Browsed[OrderRow]):
    @property
    def words(self) -> str:
        return self.store.filters.get(FILTER, "")

    def head(self, width: int) -> Line:
        return trades.orders_head(self.store, len(self.items()), self.words, width)

    def items(self) -> Sequence[OrderRow]:
        return trades.orders(self.store, self.words)

    def key(self, item: OrderRow) -> object:
        return item.client_id

    def item_lines(self, items: Sequence[OrderRow], width: int) -> list[Line]:
        return trades.order_lines(self.store, items, self.sight.now_s, width)

    def item_text(self, item: OrderRow) -> str:
        return trades.order_text(item)

    def empty(self) -> str:
        return f'no order matches "{self.words}"' if self.words else trades.NO_ORDERS


class FillList(Browsed[FillRow]):
    @property
    def words(self) -> str:
        return self.store.filters.get(FILTER, "")

    def head(self, width: int) -> Line:
        return trades.fills_head(self.store, width)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        head, *rows = super().lines(width, height)
        hidden = Span(self.out_of_sight(len(rows)), Tone.LABEL)
        return [spread(head, (hidden,), width), *rows]

    def items(self) -> Sequence[FillRow]:
        return trades.fills(self.store, self.words)

    def key(self, item: FillRow) -> object:
        """Its markouts come later."""
        return item.wall_ms, item.market, item.leg, item.side, item.px, item.qty, item.kind

    def keys(self) -> Sequence[object]:
        """One order may fill twice alike in one moment: then the older is the first."""
        seen: Counter[object] = Counter()
        keys = []
        for item in reversed(self.items()):
            key = self.key(item)
            keys.append((key, seen[key]))
            seen[key] += 1
        return keys[::-1]

    def item_lines(self, items: Sequence[FillRow], width: int) -> list[Line]:
        return trades.fill_lines(self.store, items, width)

    def item_text(self, item: FillRow) -> str:
        return trades.fill_in_full(item)

    def empty(self) -> str:
        return f'no fill matches "{self.words}"' if self.words else trades.NO_FILLS
