"""Misjudgements of the makers: how often, how large, and that nobody else's draws change with them."""

from __future__ import annotations

import itertools
import random

import attrs
import pytest
import trio
import trio.testing

from hlomm.domain.faults import ConfigError
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_S
from hlomm.sim.clock import VenueClock
from hlomm.sim.config import SimConfig
from hlomm.sim.slips import SlipConfig, Slips
from hlomm.sim.town import Town

STEP_NS = NS_PER_S
CENT = 1_000_000


def shifts(config: SlipConfig, hours: float, p: float = 0.5, seed: int = 1) -> list[float]:
    slips = Slips(random.Random(seed), config)
    return [slips.shift("m", p, at * STEP_NS) for at in range(round(hours * 3600))]


def test_a_market_slips_as_often_and_as_long_as_configured() -> None:
    told = shifts(SlipConfig(per_hour=20.0, size=0.1, lasts_s=30.0), hours=40.0)
    began = sum(1 for before, now in itertools.pairwise(told) if now and not before)
    assert 400 < began < 900  # 40 hours at 20 an hour, each next one counted from the end of the last
    assert 0.09 < sum(map(bool, told)) / len(told) < 0.2
    assert {now > 0 for now in told if now} == {True, False}
    assert all(0.07 <= abs(now) <= 0.15 for now in told if now)


def test_what_is_nearly_decided_is_hardly_misjudged() -> None:
    even, tail = (shifts(SlipConfig(), 10.0, p) for p in (0.5, 0.05))
    assert max(map(abs, tail)) == pytest.approx(max(map(abs, even)) * 4 * 0.05 * 0.95)


def test_never_means_never_and_what_was_forgotten_begins_anew() -> None:
    assert not any(shifts(SlipConfig(per_hour=0.0), 10.0))
    slips = Slips(random.Random(3), SlipConfig(per_hour=3600.0, lasts_s=1e5))
    slips.shift("m", 0.5, 0)
    assert slips.shift("m", 0.5, 60 * NS_PER_S)
    slips.forget("m")
    assert slips.shift("m", 0.5, 60 * NS_PER_S) == 0.0


@pytest.mark.parametrize("bad", [-1.0, float("nan"), "often", True])
def test_bad_numbers_are_named(bad: object) -> None:
    with pytest.raises(ConfigError, match=r"sim\.slips\.per_hour"):
        SlipConfig(per_hour=bad)  # type: ignore[arg-type]


# -- the venues beside one another

ORIGIN_NS = 1_795_000_020 * NS_PER_S - 45 * NS_PER_S


async def widest_crossings(*, dislocations: bool, seconds: int = 250) -> list[int]:
    """Per second the widest `bid at one venue - ask at another` of one hourly event; 1e-8."""
    config = SimConfig()
    config = attrs.evolve(
        config, listing=attrs.evolve(config.listing, periods=("3m", "1h")),
        kalshi=attrs.evolve(config.kalshi, dislocations=dislocations),
        polymarket=attrs.evolve(config.polymarket, dislocations=dislocations),
        slips=SlipConfig(per_hour=40.0),
    )  # fmt: skip
    clock = VenueClock.starting_now(ORIGIN_NS)
    town = Town(config, 4, ORIGIN_NS, clock)
    town.open(("hyperliquid", "polymarket", "kalshi"))
    found = []
    for _ in range(seconds):
        await trio.sleep(1.0)
        touches = hourly_touches(town, clock.now_ns())
        found.append(max((bid - ask for bid, _ in touches for _, ask in touches), default=-CENT))
    return found


def hourly_touches(town: Town, now_ns: int) -> list[tuple[int, int]]:
    """(bid, ask) of YES where both are quoted, in 1e-8, of the event that all three list."""
    assert town.hyperliquid is not None
    polymarket, kalshi = (town.stands[name].speaker.venue for name in ("polymarket", "kalshi"))  # type: ignore[attr-defined]
    for venue in (town.hyperliquid, polymarket, kalshi):
        venue.world.advance(now_ns)
    ours = [one for one in town.hyperliquid.world.exchange.outcomes.values() if one.spec.period == "1h"]
    books = []
    for market in ours:
        books.append((market.book, 10**8 // 100_000))
        event = market.spec.expiry_ns, market.spec.target
        live, listed = polymarket.world.listing.live.values(), kalshi.world.exchange.markets.values()
        books += [(one.book, 10**4) for one in live if (one.spec.end_ns, one.spec.strike) == event]
        books += [
            (one.book, 10**4) for one in listed if one.strike and (one.close_ns, (one.strike + 1) * CENT) == event
        ]
    touches = [(book.best_ticks(Side.BUY), book.best_ticks(Side.SELL), unit) for book, unit in books]
    return [(bid * unit, ask * unit) for bid, ask, unit in touches if bid is not None and ask is not None]


async def test_prices_fall_apart_only_where_they_are_meant_to(autojump_clock: trio.testing.MockClock) -> None:
    apart, together = [await widest_crossings(dislocations=on) for on in (True, False)]
    assert sum(gap > 4 * CENT for gap in apart) > 10
    assert max(together) < 2 * CENT  # less than the fees of one leg
