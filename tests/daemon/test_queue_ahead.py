"""The queue before our orders, as it is told: an upper bound that only what trades, or leaves, brings down."""

from __future__ import annotations

from typing import Any

import attrs

from hlomm.daemon.looking import WHOLE_LEVELS, Looking
from hlomm.domain.inputs import TradePrint
from hlomm.domain.look_rows import QueueRow
from hlomm.domain.orders import Side
from hlomm.domain.times import Now
from hlomm.engine.core import Engine
from tests.support.rig import ASKS, Rig, placed
from tests.support.values import M, config, levels, lots, px

CALM = config(quotes={"min_interval_ns": 0})


@attrs.define
class Shell:
    """What `Looking` needs of the pump: its engine and a clock."""

    rig: Rig

    @property
    def engine(self) -> Engine:
        return self.rig.engine

    @property
    def clock(self) -> Any:
        return self

    def read(self) -> Now:
        return self.rig.now


class Watcher:
    """Our bid of 100 at .52, with 40 of others there."""

    def __init__(self) -> None:
        self.rig = Rig(CALM)
        (request,) = placed(self.rig.want(bid=("0.52", 100)))
        self.rig.opened(request, 100)
        self.looking = Looking(Shell(self.rig))  # type: ignore[arg-type]
        self.trades = 0
        self.level(140)

    def level(self, number: float) -> None:
        self.rig.book(levels(("0.52", number), ("0.50", 500)), ASKS)

    def trade(self, number: float, price: str = "0.52", side: Side = Side.SELL) -> None:
        self.trades += 1
        self.rig.tell(TradePrint(M, px(price), lots(number), side, str(self.trades), self.rig.ms))

    def ahead(self) -> int | None:
        (row,) = self.rows()
        assert (row.direction, row.px) == (1, self.rig.state.orders.live_in(M)[0].yes_px)
        return row.ahead

    def rows(self) -> tuple[QueueRow, ...]:
        return self.looking.look(M, surfaces=False).queues


def test_at_first_all_that_others_have_there_is_ahead() -> None:
    assert Watcher().ahead() == lots(40)


def test_what_trades_there_comes_off_once() -> None:
    watcher = Watcher()
    watcher.ahead()
    watcher.trade(15)
    watcher.level(125)
    assert watcher.ahead() == lots(25)
    assert watcher.ahead() == lots(25)
    watcher.trade(5, "0.50")
    watcher.trade(5, side=Side.BUY)
    assert watcher.ahead() == lots(25), "elsewhere, or against the other side"


def test_what_joins_later_stands_behind() -> None:
    watcher = Watcher()
    watcher.ahead()
    watcher.level(900)
    assert watcher.ahead() == lots(40)


def test_who_leaves_is_taken_for_behind_until_fewer_are_left() -> None:
    watcher = Watcher()
    watcher.ahead()
    watcher.level(900)
    watcher.ahead()
    watcher.level(160)
    assert watcher.ahead() == lots(40)
    watcher.level(110)
    assert watcher.ahead() == lots(10)
    watcher.level(100)
    assert watcher.ahead() == 0


def test_it_is_never_negative() -> None:
    watcher = Watcher()
    watcher.ahead()
    watcher.trade(400)
    assert watcher.ahead() == 0


def test_an_order_that_moves_goes_to_the_back() -> None:
    watcher = Watcher()
    watcher.ahead()
    watcher.trade(30)
    watcher.ahead()
    order = watcher.rig.state.orders.live_in(M)[0]
    watcher.rig.want(bid=("0.51", 100))
    assert watcher.rows() == (), "while the amend is out nobody knows"
    watcher.rig.opened(order, 100)
    watcher.rig.book(levels(("0.51", 170), ("0.50", 500)), ASKS)
    assert watcher.ahead() == lots(70)


def test_how_long_it_was_watched_is_told() -> None:
    watcher = Watcher()
    watcher.ahead()
    watcher.rig.jump(2.5)
    (row,) = watcher.rows()
    assert row.watched_s == 2.5


def test_a_level_that_a_whole_book_lacks_has_nobody_else() -> None:
    watcher = Watcher()
    watcher.rig.book(levels(("0.50", 500)), ASKS)
    assert watcher.ahead() == 0


def test_deeper_than_what_is_shown_nobody_knows() -> None:
    watcher = Watcher()
    deep = levels(*((f"0.{549 - number}", 10) for number in range(WHOLE_LEVELS)))
    watcher.rig.book(deep, ASKS)
    assert watcher.ahead() is None
