"""The compiled tier does what the engine does, decision by decision; where it would not, it is found out or refuses."""

from __future__ import annotations

import random

import attrs
import msgspec
import numpy as np
import pytest

from hlomm.domain.faults import UsageError
from hlomm.domain.inputs import BboUpdate
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Px
from hlomm.research.kernel import tier as kernel
from hlomm.research.kernel.layout import REASONS
from hlomm.research.kernel.settings import KEYS
from hlomm.research.kernel.tier import KernelTier
from hlomm.research.recording import Recording, load
from hlomm.research.sweep.queue_tier import QueueTier
from hlomm.settings.load import load as load_settings
from tests.support.recordings import lively

SETTINGS = load_settings("sim", environ={})
AVELLANEDA = "strategy.avellaneda"
SLICE_S = 420
AGREED = lively(30, 5)
UNHEDGED = load_settings("sim", sets=["hedge.enabled=false"], environ={})
"""With which no set is left to the engine for its pairs."""


def drawn(chance: random.Random) -> dict[str, str]:
    """A set of settings over most of what may be swept, from timid to reckless."""
    values = {
        f"{AVELLANEDA}.model": chance.choice(("glft", "as_paper", "as_seed0")),
        f"{AVELLANEDA}.gamma": 10.0 ** chance.uniform(-5, -2.5), f"{AVELLANEDA}.fill_decay": chance.uniform(60, 400),
        f"{AVELLANEDA}.fill_rate": chance.uniform(0.1, 2.0), f"{AVELLANEDA}.holding_s": chance.uniform(10, 600),
        f"{AVELLANEDA}.max_size": chance.choice((20, 40, 120)), f"{AVELLANEDA}.min_size": chance.choice((1, 10)),
        f"{AVELLANEDA}.min_half_spread": chance.uniform(0.0005, 0.008), f"{AVELLANEDA}.follow_s": chance.choice((0, 4)),
        f"{AVELLANEDA}.kelly_fraction": chance.uniform(0.01, 0.3), f"{AVELLANEDA}.stretch": chance.choice((1.0, 6.0)),
        f"{AVELLANEDA}.requote_share": chance.uniform(0.0, 0.5), f"{AVELLANEDA}.vol_annual": chance.uniform(0.2, 0.9),
        "limits.max_loss_event": chance.choice((15, 40, 300)), "limits.max_position": chance.choice((130, 200, 400)),
        "limits.one_sided_book": chance.choice(("refuse", "reduce_only", "allow")),
        "quotes.min_move": chance.choice((0.0001, 0.0015)), "quotes.min_interval_s": chance.choice((0.1, 0.7, 2.0)),
        "inventory.widen_above": chance.choice((0.1, 0.5)), "inventory.pause_above": chance.choice((0.6, 0.8)),
    }  # fmt: skip
    assert set(values) <= KEYS
    return {key: f'"{value}"' if isinstance(value, str) else repr(value) for key, value in values.items()}


@pytest.fixture(scope="module")
def tier() -> KernelTier:
    return KernelTier()


@pytest.fixture(scope="module")
def slice_of_q15(q15) -> Recording:
    """Some minutes from the middle; it settles as it did."""
    whole = load(q15)
    begin = whole.events[0].received_ns + 3_000 * NS_PER_S
    events = tuple(event for event in whole.events if begin <= event.received_ns < begin + SLICE_S * NS_PER_S)
    return attrs.evolve(whole, events=events)


def differences(tier: KernelTier, recording: Recording, seed: int, sets: int) -> int:
    """Compared sets; asserts that none differs."""
    chance, compared = random.Random(seed), 0
    prepared = kernel.Prepared.of(recording, SETTINGS)
    for _ in range(sets):
        point = drawn(chance)
        assert tier.difference(recording, SETTINGS, point) is None, point
        compared += not prepared.ran(kernel._changed(SETTINGS, point)).left
    return compared


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "expiry_s"), [(1, 7_200), (2, 100), (3, 45)])
def test_every_decision_is_the_engines(tier, seed, expiry_s):
    assert differences(tier, lively(40, seed, expiry_s), seed, 4) >= 2


@pytest.mark.slow
def test_every_decision_is_the_engines_on_a_recorded_market(tier, slice_of_q15):
    assert differences(tier, slice_of_q15, 7, 4) >= 2


@pytest.mark.slow
def test_outcomes_are_those_of_the_queue_tier(tier):
    recording, chance = lively(30, 4), random.Random(4)
    points = [drawn(chance) for _ in range(3)]
    mine = tier.evaluate(recording, SETTINGS, points, block_s=10.0)
    its = QueueTier().evaluate(recording, SETTINGS, points, block_s=10.0)
    assert [attrs.evolve(one, left="") for one in mine] == its
    assert any(one.fills for one in mine)


def test_without_a_bug_there_is_nothing_to_find(tier):
    point = {f"{AVELLANEDA}.max_size": "40"}
    assert not kernel.Prepared.of(AGREED, UNHEDGED).ran(kernel._changed(UNHEDGED, point)).left
    assert tier.difference(AGREED, UNHEDGED, point) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("entry_ns", 1), ("response_ns", -1), ("tick", 1_000), ("min_interval_ns", 10**8), ("glft_slope", 1e-2),
        ("liquidity", 1e-4), ("max_loss", -(10**9)), ("noise", 1e-4), ("lot", 10**8), ("cash", 10**8),
    ],
)  # fmt: skip
def test_a_bug_in_it_is_found(tier, monkeypatch, name, wrong):
    """What compiled code reads is made a little wrong: a stand-in for code that is."""
    point = {f"{AVELLANEDA}.max_size": "40"}
    right = kernel.record

    def changed(*arguments):
        made = right(*arguments)
        made[name] += wrong
        return made

    monkeypatch.setattr(kernel, "record", changed)
    found = tier.difference(AGREED, UNHEDGED, point)
    assert found is not None
    assert "the engine" in found


@pytest.mark.slow
def test_what_comes_near_a_limit_that_stops_the_engine_is_run_by_it(tier):
    recording = lively(30, 6)
    halting = load_settings("sim", sets=["limits.max_drawdown=0.5"], environ={})
    made = tier.evaluate(recording, halting, [{f"{AVELLANEDA}.gamma": "0.0001"}], block_s=10.0)
    assert made[0].left in REASONS.values()
    its = QueueTier().evaluate(recording, halting, [{f"{AVELLANEDA}.gamma": "0.0001"}], block_s=10.0)
    assert [attrs.evolve(one, left="") for one in made] == its


@pytest.mark.parametrize(
    ("sets", "what"),
    [
        (["strategy.avellaneda.enabled=false", "strategy.btc_parity.enabled=true"], "does not want"),
        (["strategy.complete_set.enabled=true"], "complete_set"),
        (["strategy.avellaneda.min_liquidity=50"], "min_liquidity"),
        (['strategy.avellaneda.realised="two_scale"'], "two_scale"),
        (["sets.stock=20"], "sets.stock"),
        (["breakers.widen_move=0.00001"], "price_widen trips"),
    ],
)
def test_what_it_does_not_model_is_refused_by_name(tier, sets, what):
    with pytest.raises(UsageError, match=what):
        tier.evaluate(lively(20), load_settings("sim", sets=sets, environ={}), [{}], block_s=10.0)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"ceiling": Px(90_000 * SCALE)}, "bucket"), ({"averaging_s": 60}, "averaged"), ({"question": 3}, "question"),
        ({"ticks": ((Px(0), Px(SCALE), Px(1_000)),)}, "grid"),
    ],
)  # fmt: skip
def test_contracts_that_it_does_not_model_are_refused_by_name(tier, change, what):
    recording = lively(20)
    other = attrs.evolve(recording, outcome=msgspec.structs.replace(recording.outcome, **change))
    with pytest.raises(UsageError, match=what):
        tier.evaluate(other, SETTINGS, [{}], block_s=10.0)


@pytest.mark.slow
def test_a_stale_underlying_and_an_empty_side_are_followed_too(tier):
    """Half a minute without a word of the perp, in a market that goes on."""
    whole = lively(60, 8)
    begin = whole.events[0].received_ns + 15 * NS_PER_S
    silent = tuple(
        event
        for event in whole.events
        if not (isinstance(event.item, BboUpdate) and begin < event.received_ns < begin + 30 * NS_PER_S)
    )
    assert differences(tier, attrs.evolve(whole, events=silent), 8, 3) >= 1


def test_a_walk_that_would_never_end_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled code cannot be interrupted: what bounds it is looked at before."""
    monkeypatch.setattr("hlomm.research.kernel.tape._first_from_here", np.zeros_like)
    with pytest.raises(AssertionError, match="lies behind"):
        kernel.Prepared.of(AGREED, UNHEDGED)
