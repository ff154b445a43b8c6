"""The engine as a tier: what a backtest with `--set` has, cut into blocks that are the same for all settings."""

from __future__ import annotations

import math

import attrs
import pytest

from hlomm.domain.faults import ConfigError
from hlomm.domain.inputs import BookSnapshot
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE
from hlomm.research.backtest import backtest
from hlomm.research.backtest_result import BacktestResult
from hlomm.research.blocks import block_count
from hlomm.research.recording import Recording, load
from hlomm.research.sweep.queue_tier import QueueTier, outcome
from hlomm.settings.load import load as load_settings
from tests.unit.research.sweep.tiers import GAMMA

SPAN_S = 120
POINTS = ({GAMMA: "0.0001"}, {GAMMA: "0.02", "strategy.avellaneda.max_size": "60"})
SETTINGS = load_settings("sim", environ={})


@pytest.fixture(scope="module")
def slice_of_q15(q15) -> Recording:
    """The first minutes; it settles two hours later as it did."""
    whole = load(q15)
    end = whole.events[0].received_ns + SPAN_S * NS_PER_S
    events = tuple(event for event in whole.events if event.received_ns < end)
    books = sum(isinstance(each.item, BookSnapshot) for each in events)
    return attrs.evolve(whole, events=events, books=books)


@pytest.fixture(scope="module")
def result(slice_of_q15) -> BacktestResult:
    """A backtest with the second set, as people run one."""
    sets = [f"{key}={text}" for key, text in POINTS[1].items()]
    return backtest(slice_of_q15, load_settings("sim", sets=sets, environ={}))


@pytest.fixture(scope="module")
def outcomes(slice_of_q15):
    return QueueTier().evaluate(slice_of_q15, SETTINGS, POINTS, block_s=15.0)


def test_it_is_the_backtest_with_those_settings(result, outcomes):
    made = outcomes[1]
    assert made.pnl == result.final.pnl.total / SCALE
    assert made.fills == result.final.fills > 0
    assert made.quotes == result.final.orders_placed + result.final.amends
    assert made.inventory_max >= max(abs(sample.net) for sample in result.samples) / SCALE > 0
    assert made.max_drawdown == result.final.max_drawdown / SCALE


def test_blocks_are_the_same_for_all_and_add_up(outcomes):
    for made in outcomes:
        assert len(made.returns) == SPAN_S // 15
        assert math.fsum(made.returns) == pytest.approx(made.pnl, abs=1e-9)
        assert len({round(each, 8) for each in made.returns}) > 2
    assert outcomes[0] != outcomes[1]


@pytest.mark.parametrize("block_s", [1.0, 7.0, 100.0, 119.0, 1e6])
def test_a_block_ends_with_its_last_sample_and_the_last_one_with_settlement(result, slice_of_q15, block_s):
    first = slice_of_q15.events[0].received_ns
    span_ns = slice_of_q15.events[-1].received_ns - first
    made = outcome(result, block_s).returns
    assert len(made) == block_count(slice_of_q15, block_s) == max(math.ceil(span_ns / NS_PER_S / block_s), 1)
    so_far = 0.0
    for number, change in enumerate(made[:-1], start=1):
        so_far += change
        end = first + number * block_s * NS_PER_S
        assert so_far == pytest.approx([0, *(s.pnl for s in result.samples if s.wall_ns < end)][-1] / SCALE, abs=1e-9)
    assert so_far + made[-1] == pytest.approx(result.final.pnl.total / SCALE, abs=1e-9)


def test_a_set_that_contradicts_itself_is_refused(slice_of_q15):
    with pytest.raises(ConfigError, match="above max_size"):
        QueueTier().evaluate(slice_of_q15, SETTINGS, [{"strategy.avellaneda.min_size": "400"}], block_s=60.0)
