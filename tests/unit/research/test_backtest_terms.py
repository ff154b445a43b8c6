"""Whole runs under every assumption: the engine's books are the venue's, to the unit, and runs repeat themselves."""

from __future__ import annotations

import attrs
import pytest

from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import SCALE
from hlomm.pricing.queues import QueueModel
from hlomm.research import bracket as brackets
from hlomm.research.backtest import Run, Terms, backtest
from hlomm.research.backtest_result import BacktestResult
from hlomm.research.bracket import bracket
from hlomm.research.fee_schedule import FeesOf
from hlomm.research.fill_model import FillModel, fill_model
from hlomm.research.latency import Constant, Latency, Leg, drawn
from hlomm.research.recording import Recording
from hlomm.settings.load import Loaded
from hlomm.settings.load import load as load_settings
from tests.support.recordings import lively

SAMPLES = (15 * NS_PER_MS, 120 * NS_PER_MS, 900 * NS_PER_MS)
DRAWN = Latency(**{leg.value: drawn(SAMPLES, leg, 3) for leg in Leg})


@pytest.fixture(scope="module")
def recording() -> Recording:
    return lively(seconds=25, expiry_s=330)


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load_settings("sim", environ={})


@pytest.mark.parametrize("queue", QueueModel)
def test_the_engine_believes_what_the_venue_has(recording, loaded, queue):
    latency, yes = (DRAWN, SCALE) if queue % 2 else (Latency(), 0)
    terms = Terms(model=FillModel(queue=queue, latency=latency), fees=FeesOf.TODAY)
    run = Run(attrs.evolve(recording, settled=yes), loaded, terms, None)
    result = run.whole()
    account = run._venue.purse
    assert result.final.fills > 2
    assert result.final.equity == account.cash
    assert result.final.pnl.fees == account.fees > 0
    assert result.final.invariant_breaks == result.final.open_orders == 0
    assert (result.final.state, result.final.settlements) == ("stopped", 1)
    counts = result.counts
    assert counts.through + counts.at_level == len(result.filled_from) == sum(fill.maker for fill in result.fills)


@pytest.mark.parametrize("latency", [Latency(), DRAWN], ids=["constant", "drawn"])
def test_the_same_assumptions_are_the_same_run(recording, loaded, latency):
    terms = Terms(model=FillModel(queue=QueueModel.POWER, latency=latency))
    one, other = (backtest(recording, loaded, terms=terms) for _ in range(2))
    assert (one.digest, one.document("sim")) == (other.digest, other.document("sim"))


def test_another_seed_is_another_run(recording, loaded):
    digests = {
        backtest(
            recording, loaded, terms=Terms(model=FillModel(latency=Latency(entry=drawn(SAMPLES, Leg.ENTRY, seed))))
        ).digest
        for seed in (1, 2)
    }
    assert len(digests) == 2


def test_a_later_feed_is_known_later_and_changes_what_is_decided(recording, loaded):
    def run(feed_ns: int) -> BacktestResult:
        return backtest(recording, loaded, terms=Terms(model=FillModel(latency=Latency(feed=Constant(feed_ns)))))

    now, later = run(0), run(500 * NS_PER_MS)
    assert later.samples[0].wall_ns == now.samples[0].wall_ns + 500 * NS_PER_MS
    assert later.digest != now.digest


@pytest.mark.parametrize(("queue", "n", "runs"), [("back", 9.0, 1), ("power", 2.0, 1), ("power", 3.0, 2)])
def test_what_was_run_already_is_not_run_again(recording, loaded, monkeypatch, queue, n, runs):
    terms = Terms(model=fill_model(queue, n, Latency()))
    chosen = backtest(recording, loaded, terms=terms)
    done: list[Terms] = []

    def counted(recording: Recording, loaded: Loaded, *, terms: Terms) -> BacktestResult:
        del recording, loaded
        done.append(terms)
        return attrs.evolve(chosen, model=terms.model)

    monkeypatch.setattr(brackets, "backtest", counted)
    found = bracket(recording, loaded, terms, chosen)
    assert len(done) == runs
    assert found.pessimistic.tag.startswith("queue-back/v2 ")
    assert found.optimistic.tag.startswith("queue-power(n=2)/v2 ")
    assert all(one.fees is terms.fees for one in done)


def test_tags_tell_models_apart_and_name_no_exponent_that_is_not_used():
    tags = [fill_model(queue.name.lower(), 3.0, Latency()).tag for queue in QueueModel]
    assert len(set(tags)) == len(tags)
    assert [tag for tag in tags if "n=3" in tag] == [
        tag for tag in tags if tag.startswith(("queue-power(", "queue-power3("))
    ]
