"""The gate's loss limits are quick because they keep what they have added up: they say what the plain ones say."""

from __future__ import annotations

from typing import Any

import pytest

from hlomm.domain.inputs import MarketChanged, MarketListed, MarketSettled
from hlomm.domain.markets import Leg
from hlomm.engine import payoff_limits
from hlomm.engine.stakes import Stakes, stakes_of
from tests.machines.test_engine_limits import LimitStorm, contracts, pairs
from tests.support import plain_stakes, plain_sums
from tests.support.plain_stakes import PlainStakes
from tests.support.rig import Rig
from tests.support.values import M2, M, outcome, px


@pytest.mark.parametrize(("seed", "listed"), [(1, contracts), (2, contracts), (3, pairs)])
def test_every_room_is_the_plain_one(seed: int, listed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quantity, limit and words, for every order that a storm of quotes, fills and hedges asks for.

    Where all of an order has room by the plain ones they may say nothing.
    """
    asked, silent = {"rooms": 0, "hedge_rooms": 0}, {"rooms": 0, "hedge_rooms": 0}

    def held_against(name: str) -> Any:
        quick, plain = getattr(payoff_limits, name), getattr(plain_stakes, name)

        def both(state: Any, *args: Any, **how: Any) -> Any:
            asked[name] += 1
            found = quick(state, *args, **how)
            wanted = args[4] if name == "rooms" else None
            expected = plain(state, *args[:4], **how)
            said = [(room, limit, numbers()) for room, limit, numbers in found]
            assert said == expected or (not said and min(room for room, _, _ in expected) >= wanted)
            silent[name] += not said
            assert stakes_of(state).total() == Stakes(state).total() == PlainStakes(state).total()
            return found

        return both

    for name in asked:
        monkeypatch.setattr(payoff_limits, name, held_against(name))
    storm = LimitStorm(seed, listed())
    for _ in range(150):
        storm.run(1)
        plain_sums.check(storm.rig.state)
    assert asked["rooms"] > 50
    assert asked["hedge_rooms"]
    assert 0 < silent["rooms"] < asked["rooms"]
    assert not silent["hedge_rooms"]


def test_what_is_kept_follows_the_terms_and_the_end_of_every_market() -> None:
    """Other strikes move what settles together; what has settled loses nothing more; what is new counts at once."""
    rig = Rig(markets=[outcome(), outcome(16, strike=px(81_000))])
    rig.buy(100, "0.5")
    rig.buy(60, "0.5", market=M2, leg=Leg.NO)
    seen = {told(rig)}
    rig.tell(MarketChanged(outcome(16, strike=px(79_000))))
    seen.add(told(rig))
    rig.tell(MarketListed(outcome(17, strike=px(82_000))))
    rig.buy(30, "0.5", market=outcome(17).id)
    seen.add(told(rig))
    rig.tell(MarketSettled(M, px(0), "test"))
    seen.add(told(rig))
    assert len(seen) == 4, "every one of them changes what could be lost"


def told(rig: Rig) -> int:
    kept = stakes_of(rig.state).total()
    assert kept == PlainStakes(rig.state).total()
    return kept
