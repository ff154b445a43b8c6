"""Parts of the inventory: what is held, the hedges, what each settlement would give."""

from __future__ import annotations

from collections.abc import Sequence

from tui.views import hedge, inventory, markets, payoff
from tui.views.inventory import Holding
from tui.views.line import Line
from tui.views.payoff import Settlement
from tui.widgets.lists import Browsed
from tui.widgets.panel import Panel


class Holdings(Browsed[Holding]):
    def head(self, width: int) -> Line:
        return inventory.head(self.store, width)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        head, *rows = super().lines(width, height)
        return [markets.head_with(head, self.out_of_sight(len(rows)), width), *rows]

    def items(self) -> Sequence[Holding]:
        return inventory.holdings(self.store)

    def key(self, item: Holding) -> object:
        return item.id

    def item_lines(self, items: Sequence[Holding], width: int) -> list[Line]:
        return inventory.row_lines(self.store, items, self.sight.now_s, width)

    def item_text(self, item: Holding) -> str:
        return inventory.whole(self.store, item, self.sight.now_s)

    def empty(self) -> str:
        return inventory.EMPTY


class Hedges(Panel):
    FITTED = True

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return hedge.lines(self.store, self.sight.now_s, width)


class Settlements(Browsed[Settlement]):
    def head(self, width: int) -> Line:
        return payoff.head(self.store, width)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        _, *rows = super().lines(width, height)
        return [payoff.head(self.store, width, self.out_of_sight(len(rows))), *rows]

    def items(self) -> Sequence[Settlement]:
        return payoff.settlements(self.store)

    def key(self, item: Settlement) -> object:
        return item.group, item.key

    def item_lines(self, items: Sequence[Settlement], width: int) -> list[Line]:
        return payoff.row_lines(self.store, items, self.sight.now_s, width)

    def item_text(self, item: Settlement) -> str:
        return payoff.whole(self.store, item)

    def empty(self) -> str:
        return payoff.EMPTY
