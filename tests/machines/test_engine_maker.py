"""Storms over pairs that begin with a leg that rests: unequal legs end in time, nothing is created or lost."""

from __future__ import annotations

import functools
from collections import Counter

import attrs
import pytest

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Purpose, Tif
from hlomm.domain.outputs import HaltState
from hlomm.domain.times import NS_PER_S
from hlomm.engine.basket import BasketState, Phase
from hlomm.engine.core import Engine
from tests.support.makers import DEADLINE_S, RETRY_S, VENUES, Makers
from tests.support.pairs import HL, KS

SEEDS = range(8)
STEPS, CALM = 160, 110
OPEN = (Phase.WORKING, Phase.MENDING)


@attrs.define(eq=False)
class Watch:
    """Looks after every turn."""

    storm: Makers | None = None
    uneven: dict[int, tuple[BasketState, int]] = attrs.field(factory=dict)
    seen: Counter[str] = attrs.field(factory=Counter)

    def look(self, engine: Engine) -> None:
        state, storm = engine.state, self.storm
        assert storm is not None
        self._conserved(engine)
        now_ns = state.now.mono_ns
        for group, known in state.baskets.by_group.items():
            basket = known.basket
            if known.rest is None:
                continue
            resting = [order for order in known.rest.orders if order.live]
            assert len(resting) <= 1, f"{group}: two orders rest"
            if state.halt is HaltState.RUNNING and not all(state.venues[venue].up for venue in VENUES):
                assert all(order.cancel_ns is not None for order in resting), f"{group} rests while a venue is away"
            if state.halt is HaltState.RUNNING and (basket is None or (basket.over and basket.ended)):
                assert not [order for order in known.rest.orders if order.filled], f"{group}: a fill nobody hedges"
            if basket is None:
                continue
            self.seen[basket.phase.value] += 1
            since = self.uneven.get(id(basket), (basket, now_ns))[1]
            if basket.phase in OPEN and not basket.even:
                self.uneven.setdefault(id(basket), (basket, now_ns))
                late = now_ns - since > (DEADLINE_S + RETRY_S) * NS_PER_S
                assert not (late and basket.quiet), f"{group}: {basket.most - basket.sets} naked for too long"
            else:
                self.uneven.pop(id(basket), None)

    def _conserved(self, engine: Engine) -> None:
        assert self.storm is not None
        for venue in VENUES:
            books = engine.state.portfolio.of(venue)
            if books.opened:
                assert books.cash == self.storm.cash[venue]
        for market in (HL.id, KS.id):
            position = engine.state.portfolio.position(market)
            for leg in Leg:
                assert position.held(leg) == self.storm.tokens.get((market, leg), 0)


@functools.cache
def ridden(seed: int) -> tuple[Makers, Watch]:
    watch = Watch()
    storm = watch.storm = Makers(seed, look=watch.look)
    storm.boot()
    for _ in range(STEPS):
        storm.step()
    storm.quiet = True
    for _ in range(CALM):
        storm.step()
    return storm, watch


@pytest.mark.parametrize("seed", SEEDS)
def test_no_storm_leaves_a_leg_open(seed: int) -> None:
    storm, _ = ridden(seed)
    state = storm.engine.state
    assert state.counters.invariant_breaks == 0
    assert all(truth.ended for truth in storm.orders.values() if truth.request.tif is Tif.IOC)
    baskets = [known.basket for known in state.baskets.by_group.values() if known.basket is not None]
    assert all(basket.over for basket in baskets), [basket.phase for basket in baskets]
    held = {leg: state.pairs.tokens(HL.id, leg) for leg in Leg}
    assert held == {leg: state.pairs.tokens(KS.id, Leg(1 - leg)) for leg in Leg}, "pairs have two legs"
    for market in (HL.id, KS.id):
        for leg in Leg:
            assert state.portfolio.position(market).held(leg) >= state.pairs.tokens(market, leg)


def test_the_storms_see_everything() -> None:
    counts: Counter[str] = Counter()
    for seed in SEEDS:
        storm, watch = ridden(seed)
        counts += Counter(storm.engine.state.baskets.counts) + watch.seen
        orders = storm.orders.values()
        counts["rested"] += sum(1 for truth in orders if truth.request.purpose is Purpose.REST)
        counts["made"] += storm.engine.state.pairs.made
        counts["never arrived"] += sum(1 for truth in orders if truth.there is False)
    assert {"done", "mending", "unwinding", "unwound", "dropped", "dust"} <= set(counts)
    assert counts["made"] > 25
    assert counts["never arrived"] > 10
