"""The whole engine with its real strategy, in random weather both plausible and hostile.

It never raises, keeps money conserved and its parts adding up, leaves no timer overdue, sends nothing but reductions
unless it is running, and does the same thing twice when told the same thing twice, whoever looks at it meanwhile.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.domain.orders import Purpose
from hlomm.domain.outputs import AmendOrders, ConvertSet, HaltChanged, HaltState, PlaceOrders
from hlomm.domain.sets import SetAction
from hlomm.engine.core import MARKETS_KEPT, Engine
from hlomm.engine.order_register import REMEMBERED
from hlomm.engine.report import pnl, report
from hlomm.engine.stakes import Stakes
from hlomm.journal.codec import InputRecord, TurnRecord, decode, encode
from tests.support import plain_sums
from tests.support.rig import check_order
from tests.support.storm import KINDS, Storm, encoded, weather

STEPS = st.lists(
    st.tuples(st.integers(0, len(KINDS) - 1), st.integers(0, 1 << 20), st.integers(0, 1 << 20)), max_size=80
)


def sound(engine: Engine) -> None:
    """What must hold after every turn."""
    state = engine.state
    state.portfolio.check()
    deadline = engine.next_deadline()
    assert deadline is None or deadline > state.now.mono_ns
    result = pnl(state)
    assert result.total == result.realised + result.unrealised - result.fees
    assert result.spread + result.inventory + result.settlement - result.fees == result.total
    assert result.rounding == 0
    plain_sums.check(state)
    live = list(state.orders.live())
    assert len(live) == state.orders.live_count
    for order in live:
        assert order.leaves >= 0
        assert order.due >= 0
    assert not state.dirty or state.halt is HaltState.STOPPED
    assert (state.walk is None) == (state.halt not in (HaltState.FLATTENING, HaltState.STOPPING))


def check_record(storm: Storm) -> None:
    """What came out, held against the halt states it came out in."""
    running = False
    for _, _, outputs, _ in storm.record:
        check_order(outputs)
        for output in outputs:
            if isinstance(output, HaltChanged):
                running = output.state is HaltState.RUNNING
        for output in outputs:
            if isinstance(output, AmendOrders):
                assert running
            elif isinstance(output, PlaceOrders) and not running:
                assert all(order.reduce_only and order.purpose is Purpose.FLATTEN for order in output.orders)
            elif isinstance(output, ConvertSet) and not running:
                assert output.action is SetAction.MERGE, "on the way to safety nothing else becomes cash"


@given(STEPS)
@settings(max_examples=300)
def test_no_weather_breaks_it(steps: list[tuple[int, int, int]]) -> None:
    storm = Storm(look=sound).boot().run(steps)
    check_record(storm)


@pytest.mark.parametrize("seed", range(12))
def test_a_long_storm(seed: int) -> None:
    """1,500 steps each: far enough for bounds to be reached and for markets to come and go; some with a stock."""
    storm = (
        Storm(*(("sets.stock=80",) if seed % 3 == 0 else ()), look=None if seed % 4 else sound)
        .boot()
        .run(weather(seed, 1_500, hostility=(0.02, 0.1, 0.3, 1.0)[seed % 4]))
    )
    sound(storm.engine)
    check_record(storm)
    report(storm.engine.state)
    state = storm.engine.state
    assert len(state.markets) <= MARKETS_KEPT + 8
    assert len(state.orders._by_id) <= REMEMBERED + state.orders.live_count + 1


def test_in_fair_weather_it_trades() -> None:
    """The storms above would prove little of an engine that never got to quote."""
    storm = Storm("limits.max_drawdown=100000").boot().run(weather(1, 2_000, hostility=0))
    state = storm.engine.state
    assert state.counters.placed > 40
    assert state.counters.amends > 40
    assert state.portfolio.fills > 20


@pytest.mark.parametrize("seed", range(3))
def test_hostile_weather_reaches_every_state(seed: int) -> None:
    storm = Storm().boot().run(weather(seed + 100, 1_500, hostility=0.5))
    seen = {output.state for _, _, outputs, _ in storm.record for output in outputs if isinstance(output, HaltChanged)}
    assert {HaltState.RUNNING, HaltState.FLATTENING, HaltState.HALTED} <= seen


@given(STEPS)
@settings(max_examples=25)
def test_told_the_same_it_does_the_same(steps: list[tuple[int, int, int]]) -> None:
    first, second = Storm().boot().run(steps), Storm().boot().run(steps)
    assert encoded(first.record) == encoded(second.record)
    assert first.engine.digest() == second.engine.digest()


@given(STEPS)
@settings(max_examples=25)
def test_looking_at_it_changes_nothing(steps: list[tuple[int, int, int]]) -> None:
    """Reports are drawn for people whenever they like: no journal records that, so nothing may depend on it."""
    unseen = Storm().boot().run(steps)
    watched = Storm(look=lambda engine: (report(engine.state), pnl(engine.state), None)[-1]).boot().run(steps)
    assert encoded(unseen.record) == encoded(watched.record)


@pytest.mark.parametrize("seed", range(2))
def test_what_a_watcher_keeps_from_report_to_report_says_what_is_made_anew(seed: int) -> None:
    """The daemon keeps its stakes between pictures; the engine decides the same beside it."""
    kept: list[Stakes] = []
    seen = 0

    def look(engine: Engine) -> None:
        nonlocal seen
        kept[:] = kept or [Stakes(engine.state)]
        mine, anew = report(engine.state, stakes=kept[0]), report(engine.state)
        assert mine.worst_loss == anew.worst_loss
        assert Counter(mine.scenarios) == Counter(anew.scenarios)
        seen += bool(anew.scenarios)

    steps = weather(seed, 600, hostility=(0, 0.1)[seed])
    watched = Storm("limits.max_drawdown=100000", look=look).boot().run(steps)
    assert seen > 20
    unseen = Storm("limits.max_drawdown=100000").boot().run(steps)
    assert encoded(unseen.record) == encoded(watched.record)
    assert unseen.engine.digest() == watched.engine.digest()


@given(STEPS)
@settings(max_examples=25)
def test_what_it_does_can_be_put_on_record_and_read_back(steps: list[tuple[int, int, int]]) -> None:
    storm = Storm().boot().run(steps)
    for seq, (now, item, outputs, digest) in enumerate(storm.record):
        records = [TurnRecord(seq, now, digest, tuple(outputs))]
        for record in records if item is None else [InputRecord(seq, now, item), *records]:
            assert decode(encode(record)) == record


@pytest.mark.parametrize("seed", range(4))
def test_a_different_clock_is_a_different_run(seed: int) -> None:
    """The digest must notice what the outputs may hide."""
    steps = weather(seed, 60)
    shifted = [*steps]
    random.Random(seed).shuffle(shifted)
    assert Storm().boot().run(steps).engine.digest() != Storm().boot().run(shifted).engine.digest()
