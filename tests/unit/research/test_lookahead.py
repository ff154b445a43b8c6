"""No decision knows what comes after it: proved on a made and a recorded market, and on runs that do know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest
from msgspec.structs import replace

from hlomm.domain.inputs import BboUpdate
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import SCALE
from hlomm.pricing.queues import QueueModel
from hlomm.research.backtest import Terms
from hlomm.research.fill_model import FillModel
from hlomm.research.latency import Constant, Latency, Leg, drawn
from hlomm.research.lookahead import CHANGES, Decision, Runner, engine_runner, look_ahead
from hlomm.research.recording import Recording, load
from hlomm.research.tape import Lines
from hlomm.settings.load import load as load_settings
from tests.support.recordings import T0, lively

RECORDED = Constant(0)


def runner(*sets: str, model: FillModel | None = None) -> Runner:
    terms = Terms() if model is None else Terms(model=model)
    return engine_runner(load_settings("sim", sets=sets, environ={}), terms)


@pytest.fixture(scope="module")
def made() -> Recording:
    return lively(seconds=24)


@pytest.fixture(scope="module")
def recorded(q15: Path) -> Recording:
    """The first minutes of a mainnet market."""
    whole = load(q15)
    return attrs.evolve(whole, events=whole.events[:700])


def test_decisions_do_not_change_with_the_future(made):
    found = look_ahead(made, runner(), RECORDED)
    assert {one.change for one in found.checks} == set(CHANGES)
    assert len({one.at_ns for one in found.checks}) == 3
    assert all(one.decisions > 3 for one in found.checks)
    assert found.held, found.text()


def test_nor_with_a_hopeful_queue_and_latencies_that_are_drawn(made):
    samples = (20 * NS_PER_MS, 90 * NS_PER_MS, 400 * NS_PER_MS)
    legs = {leg.value: drawn(samples, leg, 5) for leg in Leg}
    model = FillModel(queue=QueueModel.POWER, latency=Latency(**legs))
    found = look_ahead(made, runner(model=model), model.latency.feed)
    assert found.held, found.text()


def test_nor_in_a_recorded_market(recorded):
    found = look_ahead(recorded, runner(), RECORDED)
    assert all(one.decisions > 3 for one in found.checks)
    assert found.held, found.text()


# -- those that look ahead


def early_news(recording: Recording, of: Lines, until_ns: int | None) -> Sequence[Decision]:
    """Told a quarter of a second before it was received: sorted by the venue's stamps, say."""
    feed = tuple(replace(told, at_ns=told.at_ns - 250 * NS_PER_MS) for told in of.feed)
    return runner()(recording, attrs.evolve(of, feed=feed), until_ns)


def fitted_to_the_whole(recording: Recording, of: Lines, until_ns: int | None) -> Sequence[Decision]:
    """A volatility measured over the recording that it is then tried on."""
    touches = [event.item.bid[0] / SCALE for event in recording.events if isinstance(event.item, BboUpdate)]
    spread = (max(touches) - min(touches)) / touches[0]
    return runner(f"strategy.avellaneda.vol_annual={0.1 + 10 * spread:.6f}")(recording, of, until_ns)


def fills_before_they_happen(recording: Recording, of: Lines, until_ns: int | None) -> Sequence[Decision]:
    """Orders filled by prints that are three seconds off."""
    ahead_ns = 3_000 * NS_PER_MS
    tape = tuple(replace(one, at_ns=one.at_ns - ahead_ns, told_ns=one.told_ns - ahead_ns) for one in of.tape)
    return runner()(recording, attrs.evolve(of, tape=tape), until_ns)


@pytest.mark.parametrize("peeks", [early_news, fitted_to_the_whole, fills_before_they_happen])
def test_a_run_that_looks_ahead_is_caught(made, peeks):
    found = look_ahead(made, peeks, RECORDED, [T0 + 14 * NS_PER_S])
    assert not found.held
    assert "this result knows the future" in found.text()


def test_where_nothing_is_decided_nothing_is_proved(made):
    def idle(recording: Recording, of: Lines, until_ns: int | None) -> Sequence[Decision]:
        del recording, of, until_ns
        return []

    found = look_ahead(made, idle, RECORDED)
    assert not found.held
    assert "nothing is proved" in found.text()
