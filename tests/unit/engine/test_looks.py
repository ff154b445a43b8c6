"""One market in full: what is told, why there is nothing to tell, and that telling it changes nothing."""

from __future__ import annotations

import pytest

from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import OperatorAction, TradePrint
from hlomm.domain.look_rows import FigureRow, SurfaceRow
from hlomm.domain.orders import Side
from hlomm.domain.units import Qty
from hlomm.engine import looks
from tests.support.puppet import Puppet
from tests.support.rig import Rig
from tests.support.values import M, lots, px
from tests.unit.strategy.views import maker


def trade(number: int, price: str, side: Side) -> TradePrint:
    return TradePrint(M, px(price), lots(10 * number), side, str(number), 1_000 * number)


class Drawing(Puppet):
    """One that draws, or fails at it."""

    fails: Exception | None = None

    def surface(self, market: MarketId, cap: Qty) -> SurfaceRow:
        if self.fails is not None:
            raise self.fails
        return SurfaceRow(source=self.id, note=f"{market} to {cap}")

    def figures(self, market: MarketId) -> FigureRow | None:
        return FigureRow(pulled_below_s=91.5) if market == M else None


def test_public_trades_come_in_order_and_are_bounded() -> None:
    rig = Rig()
    rig.tell(*(trade(number, "0.55", Side.BUY if number % 2 else Side.SELL) for number in range(1, 31)))
    found = looks.look(rig.state, rig.engine.strategies, M)
    assert [one.wall_ms for one in found.trades] == [1_000 * number for number in range(11, 31)]
    assert (found.trades[0].px, found.trades[0].qty, found.trades[0].aggressor) == (px("0.55"), lots(110), Side.BUY)
    assert found.at_ms == rig.now.wall_ms
    assert found.drain_s == rig.state.config.quotes.drain_ns / 1e9


def test_a_market_nobody_lists_says_so() -> None:
    rig, gone = Rig(), MarketId("hyperliquid:o404")
    assert looks.look(rig.state, rig.engine.strategies, gone).note == looks.GONE
    assert looks.surface(rig.state, rig.engine.strategies, gone).note == looks.GONE


def test_a_market_nobody_trades_says_so() -> None:
    rig = Rig(strategies=[Puppet(klass="other")])
    assert looks.surface(rig.state, rig.engine.strategies, M).note == looks.NO_STRATEGY
    assert looks.look(rig.state, rig.engine.strategies, M).drain_s is None


def test_a_strategy_that_does_not_draw_is_named() -> None:
    rig = Rig()
    assert looks.surface(rig.state, rig.engine.strategies, M).note.startswith("puppet does not quote")
    assert looks.look(rig.state, rig.engine.strategies, M).figures is None


def test_the_strategy_draws_up_to_the_position_limit() -> None:
    rig = Rig(strategies=[Drawing()])
    cap = rig.state.config.limits.max_position
    assert looks.surface(rig.state, rig.engine.strategies, M).note == f"{M} to {cap}"
    assert looks.look(rig.state, rig.engine.strategies, M).figures == FigureRow(pulled_below_s=91.5)


@pytest.mark.parametrize("error", [OverflowError("exp"), ValueError("nan")])
def test_a_picture_that_cannot_be_computed_costs_no_other(error: Exception) -> None:
    drawing = Drawing()
    drawing.fails = error
    rig = Rig(strategies=[drawing])
    assert looks.surface(rig.state, rig.engine.strategies, M).note.startswith("cannot be computed: ")
    assert not rig.state.strategy_faults


def test_looking_changes_nothing() -> None:
    """The quoting strategy itself, asked after every turn by one engine and never by the other."""
    looked, alone = (Rig(strategies=[maker()]) for _ in range(2))  # type: ignore[list-item]
    for number in range(1, 40):
        for rig in (looked, alone):
            rig.tell(trade(number, "0.55", Side.SELL))
            rig.book(
                bids=((px("0.50") + 10_000 * number, lots(300)),), asks=((px("0.60") - 10_000 * number, lots(300)),)
            )
        looks.look(looked.state, looked.engine.strategies, M)
        assert looks.surface(looked.state, looked.engine.strategies, M).band is not None
    assert looked.engine.digest() == alone.engine.digest()
    assert looked.outputs == alone.outputs


def test_after_a_halt_the_last_decision_is_still_drawn() -> None:
    rig = Rig(strategies=[maker()])  # type: ignore[list-item]
    before = looks.surface(rig.state, rig.engine.strategies, M)
    rig.command(OperatorAction.KILL, reason="drill")
    assert looks.surface(rig.state, rig.engine.strategies, M) == before
    assert before.decided_ms > 0
