"""A strategy that raises: alone it is stopped, alone; a second fault gets everybody to safety."""

from __future__ import annotations

import pytest

from hlomm.domain.ids import MarketId, StrategyId
from hlomm.domain.inputs import MarketListed, OperatorAction
from hlomm.domain.orders import Purpose
from hlomm.domain.outputs import AlertLevel, HaltState, Output
from hlomm.domain.view import Desired, MarketView
from hlomm.engine.quoting import ASK, BID
from tests.support.puppet import Puppet, desire
from tests.support.rig import BIDS, Rig, alerts, amended, cancelled, placed
from tests.support.values import M2, M, config, outcome


class Clumsy(Puppet):
    """Wants what it is told, until it is told to fall."""

    falls = False

    def decide(self, view: MarketView) -> Desired:
        if self.falls:
            raise ZeroDivisionError("variance is zero")
        return super().decide(view)


def two_strategies() -> tuple[Rig, Clumsy, Clumsy]:
    one, other = Clumsy("one"), Clumsy("other", klass="priceBucket")
    rig = Rig(strategies=(one, other), markets=(outcome(), outcome(16, klass="priceBucket")))
    return rig, one, other


def stir(rig: Rig, market: MarketId = M) -> list[Output]:
    """Something changed in a market, a moment later."""
    rig.jump(0.2)
    rig.state.touch(market)
    return rig.turn()


def test_the_one_that_raises_is_stopped_and_its_quotes_go() -> None:
    rig, one, _ = two_strategies()
    mine, theirs = rig.resting_bid(), rig.resting_bid(market=M2)
    one.falls = True
    outputs = stir(rig)
    assert [cancel.client_id for cancel in cancelled(outputs)] == [mine.client_id]
    (alert,) = alerts(outputs, "strategy_fault")
    assert alert.level is AlertLevel.CRITICAL
    assert "one failed in" in alert.text
    assert "ZeroDivisionError: variance is zero" in alert.text
    assert rig.halt is HaltState.RUNNING
    assert theirs.live
    assert rig.note(BID) == rig.note(ASK) == "strategy_fault"
    assert rig.state.out.drain() == []


def test_it_is_not_asked_again() -> None:
    rig, one, _ = two_strategies()
    one.falls = True
    stir(rig)
    one.falls = False
    views = len(one.views)
    outputs = rig.keep_fresh(30)
    assert len(one.views) == views
    assert not [order for order in placed(outputs) if order.market == M]


def test_the_other_goes_on_quoting() -> None:
    rig, one, _ = two_strategies()
    one.falls = True
    stir(rig)
    (order,) = placed(rig.want(bid=("0.52", 100), market=M2))
    assert order.market == M2
    assert order.purpose is Purpose.QUOTE


def test_a_second_fault_of_another_strategy_gets_everything_to_safety() -> None:
    rig, one, other = two_strategies()
    one.falls = other.falls = True
    stir(rig)
    assert rig.halt is HaltState.RUNNING
    outputs = stir(rig, M2)
    assert rig.halt is HaltState.HALTED
    assert "second strategy fault: other" in rig.state.halt_reason
    assert "selling" in alerts(outputs, "danger")[0].text


def test_an_operator_may_try_it_again_once() -> None:
    rig, one, _ = two_strategies()
    one.falls = True
    stir(rig)
    one.falls = False
    rig.command(OperatorAction.UNPAUSE, target="one")
    assert placed(rig.want(bid=("0.52", 100)))
    one.falls = True
    stir(rig)
    assert rig.halt is HaltState.FLATTENING


def test_resume_forgets_the_faults() -> None:
    rig, one, other = two_strategies()
    one.falls = other.falls = True
    stir(rig)
    stir(rig, M2)
    one.falls = other.falls = False
    rig.command(OperatorAction.RESUME)
    assert rig.halt is HaltState.RUNNING
    assert placed(rig.want(bid=("0.52", 100)))


def test_a_fault_while_the_market_is_listed_late_is_the_same() -> None:
    clumsy = Clumsy()
    clumsy.falls = True
    rig = Rig(config(), strategies=(clumsy,))
    assert rig.state.strategy_faults == {StrategyId("puppet"): "ZeroDivisionError: variance is zero"}
    outputs = rig.tell(MarketListed(outcome(16)))
    outputs += rig.book(BIDS, market=M2)
    assert not placed(outputs)
    assert rig.halt is HaltState.RUNNING


class HalfClumsy(Clumsy):
    """Falls in its second market."""

    def decide(self, view: MarketView) -> Desired:
        return super().decide(view) if view.market.id == M2 else Puppet.decide(self, view)


@pytest.mark.parametrize("resting", [False, True])
def test_what_was_asked_for_in_the_turn_of_a_fault_does_not_leave(resting: bool) -> None:
    """Cancels are handed out first: the order would come to the venue after its own cancel, and rest."""
    strategy = HalfClumsy("half")
    rig = Rig(strategies=[strategy], markets=[outcome(), outcome(16)])
    known = [rig.resting_bid("0.52").client_id] if resting else []
    before = rig.state.counters.placed
    strategy.desired[M], strategy.falls = desire(("0.50", 100), None), True
    rig.jump(0.2)
    for market in (M, M2):
        rig.state.touch(market)
    outputs = rig.turn()
    assert alerts(outputs, "strategy_fault")
    assert not placed(outputs)
    assert not amended(outputs)
    assert [cancel.client_id for cancel in cancelled(outputs)] == known
    assert rig.state.orders.live_count == len(known)
    assert rig.state.counters.placed == before


def test_nothing_of_another_strategy_leaves_in_the_turn_of_the_fault_that_halts() -> None:
    rig, one, other = two_strategies()
    other.falls = True
    stir(rig, M2)
    other.falls = False
    rig.command(OperatorAction.UNPAUSE, target="other")
    other.falls = True
    one.desired[M] = desire(("0.52", 100), None)
    rig.jump(0.2)
    for market in (M, M2):
        rig.state.touch(market)
    outputs = rig.turn()
    assert rig.halt is not HaltState.RUNNING
    assert not placed(outputs)
    assert not cancelled(outputs)
