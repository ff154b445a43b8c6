"""Parts of the screen of strategies, and what is shown before and after a change."""

from __future__ import annotations

from collections.abc import Sequence

from hlomm.domain.desk_rows import StrategyRow
from tui.views import change, strategies
from tui.views.change import Plan
from tui.views.line import Line
from tui.views.strategies import Setting
from tui.widgets.lists import Browsed
from tui.widgets.panel import Said, Sight


class StrategyList(Browsed[StrategyRow]):
    """The cursor stays where it was when the focus goes to the settings: they are those of its strategy."""

    FITTED = True
    MOST = 6

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return super().lines(width, 1 + min(max(len(self.items()), 1), self.MOST))

    def cursor(self) -> int | None:
        keys = self.keys()
        if not keys:
            return None
        return keys.index(self._marked) if self._marked in keys else 0

    def head(self, width: int) -> Line:
        return strategies.head(self.store, width)

    def items(self) -> Sequence[StrategyRow]:
        return strategies.strategies(self.store)

    def key(self, item: StrategyRow) -> object:
        return item.id

    def put_cursor(self, index: int) -> None:
        self._marked = self.key(self.items()[index])

    def item_lines(self, items: Sequence[StrategyRow], width: int) -> list[Line]:
        return strategies.row_lines(self.store, items, width)

    def item_text(self, item: StrategyRow) -> str:
        return strategies.whole(self.store, item)

    def empty(self) -> str:
        return strategies.NONE


class SettingList(Browsed[Setting]):
    def __init__(self, sight: Sight, owner: StrategyList) -> None:
        super().__init__(sight)
        self._owner = owner

    @property
    def strategy(self) -> str | None:
        row = self._owner.item()
        return None if row is None else row.id

    def head(self, width: int) -> Line:
        return strategies.settings_head(self.strategy, "", width)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        _, *rows = super().lines(width, height)
        return [strategies.settings_head(self.strategy, self.out_of_sight(len(rows)), width), *rows]

    def items(self) -> Sequence[Setting]:
        return strategies.settings(self.store, self.strategy)

    def key(self, item: Setting) -> object:
        return item.row.key

    def item_lines(self, items: Sequence[Setting], width: int) -> list[Line]:
        return strategies.setting_lines(items, width)

    def item_text(self, item: Setting) -> str:
        return strategies.setting_text(item)

    def empty(self) -> str:
        return strategies.NO_SETTINGS


class Planned(Said):
    """What a change would do, live; once it is sent, what became of it."""

    def __init__(self, sight: Sight, plan: Plan) -> None:
        super().__init__(sight)
        self._plan = plan

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        say = change.outcome if self.given else change.question
        return say(self.store, self._plan, self.sight.now_s, width)
