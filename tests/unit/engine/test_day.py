"""The day's result and the drawdown: where they stop quoting, kill, or end the run, and when the day begins anew."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import pytest

from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import BookSnapshot, Booted, MarketListed, OperatorAction, SessionUp
from hlomm.domain.markets import Leg
from hlomm.domain.outputs import AlertLevel, ExitRequested, HaltState
from hlomm.domain.times import NS_PER_S
from hlomm.engine.braking import day_loss
from hlomm.engine.breakers import DAY_NS
from hlomm.engine.carry import carried
from tests.support.rig import Rig, alerts, of, placed
from tests.support.values import (
    EPOCH_MS,
    PERP,
    M,
    account,
    config,
    levels,
    lots,
    outcome,
    perp,
    px,
    seconds,
    token,
    usd,
)

BID, ASK = 1, -1
NOON_TO_MIDNIGHT_S = (DAY_NS - 1_795_000_000 * NS_PER_S % DAY_NS) / NS_PER_S
"""From the boot of a test run to 00:00 UTC."""


# -- the day


def losing(loss: str, **breakers: Any) -> Rig:
    """A day that began with 10,000 and has marked down 100 YES by that much."""
    market = outcome(tau_s=200_000)
    rig = Rig(config(quotes={"min_interval_ns": 0}, breakers={"daily_loss": usd(40)} | breakers), markets=[market])
    rig.buy(100, "0.50")
    price = px("0.5") - usd(loss) // 100
    rig.book(((price, lots(500)),), levels(("0.60", 500)))
    return rig


@pytest.mark.parametrize(("loss", "stopped"), [("39.999", False), ("40", False), ("40.001", True)])
def test_a_day_stops_beyond_its_loss(loss: str, stopped: bool) -> None:
    rig = losing(loss)
    assert rig.state.breakers.day.stopped is stopped
    assert rig.halt is HaltState.RUNNING
    assert rig.state.counters.trips == ({"daily_loss": 1} if stopped else {})
    assert len(alerts(rig.outputs, "daily_loss")) == stopped


def test_after_a_lost_day_only_what_reduces_is_quoted() -> None:
    rig = losing("41")
    rig.want(bid=("0.2", 100), ask=("0.5", 150), fair="0.3")
    assert rig.note(BID) == "daily_loss"
    assert rig.note(ASK) == "ok"
    (ask,) = rig.state.orders.live_in(M)
    assert (ask.leg, ask.side.name, ask.leaves) == (Leg.YES, "SELL", lots(100))
    rig.opened(ask)
    rig.filled(ask, 100)
    rig.book()
    assert rig.net() == 0
    assert not rig.state.orders.live_in(M), "flat: nothing is left to reduce"
    assert rig.note(ASK) == "daily_loss"


def test_the_stop_lasts_to_midnight_utc_whatever_the_equity_does() -> None:
    rig = losing("41")
    rig.book(levels(("0.55", 500)), levels(("0.60", 500)))
    assert rig.state.breakers.day.stopped, "a recovery does not lift it"
    rig.jump(NOON_TO_MIDNIGHT_S - 0.001)
    rig.book(levels(("0.55", 500)), levels(("0.60", 500)))
    assert rig.state.breakers.day.stopped
    rig.wait(0.001)
    assert rig.now.wall_ns % DAY_NS == 0
    assert not rig.state.breakers.day.stopped
    assert rig.state.breakers.day.start == usd(5), "the new day begins with what has been won so far"
    rig.book()
    assert len(placed(rig.want(bid=("0.52", 100), ask=("0.58", 100), fair="0.55"))) == 2


def test_the_day_is_that_of_the_wall_clock_and_a_clock_set_back_does_not_begin_it_anew() -> None:
    rig = losing("41")
    now = rig.now
    rig.now = type(now)(now.mono_ns + seconds(90_000), now.wall_ns - 2 * DAY_NS)
    rig.book()
    assert rig.state.breakers.day.stopped


def test_a_gain_before_a_loss_does_not_count_as_loss() -> None:
    """The day's loss is measured from its beginning; from the top it is a drawdown."""
    rig = losing("0")
    rig.book(levels(("0.90", 500)), levels(("0.95", 500)))
    rig.book(levels(("0.45", 500)), levels(("0.95", 500)))
    assert not rig.state.breakers.day.stopped
    assert rig.state.max_drawdown == usd(45)


def test_a_difference_that_a_person_accepted_is_no_trading_result() -> None:
    rig = Rig(config(breakers={"daily_loss": usd(40)}, flatten={"on_kill": False}))
    rig.shown = ("9000", ())
    for _ in range(3):
        rig.jump(5)
        rig.tell(account(9_000, asked_ns=rig.now.mono_ns))
    assert rig.halt is HaltState.HALTED
    rig.command(OperatorAction.RESUME)
    assert rig.cash == usd(9_000)
    assert rig.halt is HaltState.RUNNING
    assert not rig.state.breakers.day.stopped


@pytest.mark.parametrize("next_day", [False, True])
def test_a_restart_does_not_begin_the_day_anew(next_day: bool) -> None:
    before = losing("41")
    rig = Rig(before.state.config, boot=False)
    rig.now = before.now
    if next_day:
        rig.jump(NOON_TO_MIDNIGHT_S)
    rig.tell(
        Booted(
            epoch_ms=EPOCH_MS + 1, profile="sim", version="0", config="{}", halted=None, carried=carried(before.state)
        )
    )
    assert rig.state.breakers.day.stopped is not next_day
    assert rig.state.breakers.day.number == rig.now.wall_ns // DAY_NS
    if not next_day:
        assert rig.state.breakers.day.start == 0


def test_a_stopped_day_stays_stopped_over_a_restart_though_its_loss_is_won_back() -> None:
    before = losing("41")
    books = msgspec.structs.replace(carried(before.state), day_start=usd(-41))
    rig = Rig(before.state.config, boot=False)
    rig.now = before.now
    rig.tell(Booted(epoch_ms=EPOCH_MS + 1, profile="sim", version="0", config="{}", halted=None, carried=books))
    assert day_loss(rig.state) <= 0
    assert (rig.state.breakers.day.start, rig.state.breakers.day.stopped) == (usd(-41), True)


@pytest.mark.parametrize("next_day", [False, True])
@pytest.mark.parametrize("bid", ["0.10", "0.90"])
def test_a_restart_wins_and_loses_nothing_before_a_price_is_seen(bid: str, next_day: bool) -> None:
    """400 YES and a perp that are worth another amount than they cost by more than a day, or a drawdown, may lose."""
    rules = config(hedge={"enabled": True}, breakers={"daily_loss": usd(500), "drawdown_share": px(1)})
    tight = attrs.evolve(
        rules, limits=attrs.evolve(rules.limits, max_drawdown=usd(30)),
        breakers=attrs.evolve(rules.breakers, daily_loss=usd(30)),
    )  # fmt: skip
    before = Rig(rules, markets=[outcome(tau_s=200_000)])
    before.tell(BookSnapshot(PERP, levels((80_000, 5)), levels((80_002, 5)), before.ms))
    before.buy(100, "0.50")
    before.buy(0.01, 75_000, market=PERP)
    before.book(levels((bid, 500)), levels(("0.95", 500)))
    before.state.high_water = before.state.equity()
    before.state.breakers.day.start = before.state.equity() - before.state.portfolio.paid_in
    rig = Rig(tight, boot=False)
    rig.now = before.now
    if next_day:
        rig.jump(NOON_TO_MIDNIGHT_S)
    books = carried(before.state)
    rig.tell(
        Booted(epoch_ms=EPOCH_MS + 1, profile="sim", version="0", config="{}", halted=None, carried=books),
        MarketListed(perp()), MarketListed(outcome(tau_s=200_000)), SessionUp(HYPERLIQUID),
    )  # fmt: skip
    assert rig.state.equity() == before.state.equity() == rig.state.high_water
    rig.tell(BookSnapshot(PERP, levels((80_000, 5)), levels((80_002, 5)), rig.ms))
    rig.book(levels((bid, 500)), levels(("0.95", 500)))
    assert rig.halt is HaltState.RUNNING
    assert not rig.state.breakers.day.stopped
    assert rig.state.max_drawdown == before.state.max_drawdown


def test_books_of_a_new_day_are_put_on_record_at_once() -> None:
    rig = Rig()
    rig.engine.checkpoint()
    assert rig.engine.checkpoint() is None
    rig.jump(NOON_TO_MIDNIGHT_S)
    rig.turn()
    books = rig.engine.checkpoint()
    assert books is not None
    assert books.day == rig.now.wall_ns // DAY_NS


# -- drawdown and the end of the run


@pytest.mark.parametrize(("price", "halted"), [("0.1", False), ("0.09999", True)])
def test_drawdown_as_a_share_of_the_high_water_mark_kills(price: str, halted: bool) -> None:
    rig = Rig(config(limits={"max_drawdown": usd(1_000)}, breakers={"drawdown_share": px("0.004")}))
    rig.buy(100, "0.50")
    rig.book(levels((price, 500)), levels(("0.60", 500)))
    assert (rig.halt is HaltState.RUNNING) is not halted
    assert rig.state.counters.trips == ({"drawdown": 1} if halted else {})
    assert not of(rig.outputs, ExitRequested)


STOP = {"equity_stop": px("0.004"), "daily_loss": usd(30)}


@pytest.mark.parametrize(("loss", "ends"), [("40", False), ("40.001", True)])
def test_an_equity_stop_flattens_and_ends_the_run(loss: str, ends: bool) -> None:
    rig = losing(loss, **STOP)
    exits = of(rig.outputs, ExitRequested)
    assert len(exits) == ends
    assert (rig.halt is HaltState.RUNNING) is not ends
    assert rig.state.counters.trips == ({"daily_loss": 1, "equity_stop": 1} if ends else {"daily_loss": 1})
    if ends:
        assert exits[0].reason == "equity stop: lost 40.00 since 00:00 UTC > 0.4 % of 10000.00"
        assert any(order.reduce_only for order in placed(rig.outputs)), "it sells"
        (alert,) = alerts(rig.outputs, "danger")
        assert alert.level is AlertLevel.CRITICAL
        assert "then the daemon ends" in alert.text


def test_an_equity_stop_sells_even_where_a_kill_would_keep_and_asks_once() -> None:
    rig = Rig(config(breakers=STOP, flatten={"on_kill": False}, limits={"max_drawdown": usd(20)}))
    rig.buy(100, "0.50")
    rig.book(levels(("0.09", 500)), levels(("0.60", 500)))
    rig.keep_fresh(5)
    assert len(of(rig.outputs, ExitRequested)) == 1
    assert any(order.reduce_only for order in placed(rig.outputs))


def test_money_paid_in_raises_what_the_share_is_of() -> None:
    rig = Rig(config(breakers={"equity_stop": px("0.02")}, flatten={"on_kill": False}), cash=0)
    rig.shown = ("1000", ())
    for _ in range(3):
        rig.jump(5)
        rig.tell(account(1_000, asked_ns=rig.now.mono_ns))
    rig.command(OperatorAction.RESUME)
    rig.buy(100, "0.50")
    rig.book(levels(("0.40", 500)), levels(("0.60", 500)))
    assert rig.halt is HaltState.RUNNING, "10 of 1,000 is 1 %"


def test_books_that_carry_no_day_begin_one() -> None:
    rig = Rig(boot=False)
    rig.boot()
    assert rig.state.breakers.day.number == -1
    rig.tell(account(100, tokens=(token(50, "20"),)))
    assert rig.state.breakers.day.number == rig.now.wall_ns // DAY_NS
    assert rig.state.breakers.day.start == 0


def test_a_fall_is_on_record_before_a_new_day_begins_with_it() -> None:
    rig = Rig(markets=[outcome(tau_s=200_000)])
    rig.buy(100, "0.50")
    rig.book(levels(("0.80", 500)), levels(("0.95", 500)))
    rig.engine.checkpoint()
    rig.book(levels(("0.20", 500)), levels(("0.95", 500)))
    books = rig.engine.checkpoint()
    assert books is not None, "the next run would be worth 60 too much"
    assert books.positions[0].px_yes == px("0.20")
