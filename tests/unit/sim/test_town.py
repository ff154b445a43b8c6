"""Several venues in one process: one price, one clock, contracts that can be held against each other."""

from __future__ import annotations

from typing import Any

import trio
import trio.testing

from hlomm.domain.times import NS_PER_S
from hlomm.sim.clock import VenueClock
from hlomm.sim.config import SimConfig
from hlomm.sim.contracts import Kind
from hlomm.sim.harness_town import SimulatedTown, simulated_town
from hlomm.sim.hl.venue import Venue
from hlomm.sim.pm.market import Family
from hlomm.sim.town import Town, contracts, mirror_of, neighbour_of

CENT = 1_000_000


def origin() -> int:
    """A venue instant from which the first contract expires at a whole minute."""
    return 1_795_000_020 * NS_PER_S - 45 * NS_PER_S


def state_of(town: SimulatedTown) -> list[Any]:
    return [town.hyperliquid.state(), town.polymarket.state(), town.kalshi.state()]


async def test_the_same_contract_is_listed_at_all_three(autojump_clock: trio.testing.MockClock) -> None:
    async with simulated_town(seed=21) as town:
        seen: set[tuple[int, int]] = set()
        for _ in range(20):
            await trio.sleep(20)
            ours = {
                (one.expiry_ns, one.target) for one in contracts(town.hyperliquid.venue, town.kalshi.clock.now_ns())
            }
            markets = town.polymarket.venue.world.listing.live.values()
            above = {(one.spec.end_ns, one.spec.strike) for one in markets if one.spec.family is Family.ABOVE}
            theirs = {
                (one.close_ns, (one.strike + 1) * CENT) for one in town.kalshi.exchange.markets.values() if one.strike
            }
            seen |= ours & above & theirs
        assert len(seen) >= 3
        assert all(state["conservation_ok"] for state in state_of(town))


async def test_one_price_moves_all_of_them(autojump_clock: trio.testing.MockClock) -> None:
    async with simulated_town(seed=5) as town:
        path = town.hyperliquid.venue.world.path
        assert town.kalshi.venue.world.path is path
        await trio.sleep(30)
        now = town.hyperliquid.clock.now_ns()
        assert all(abs(one.clock.now_ns() - now) < NS_PER_S for one in (town.polymarket, town.kalshi))


async def test_a_seed_makes_one_town(autojump_clock: trio.testing.MockClock) -> None:
    async def lived(seed: int) -> list[Any]:
        async with simulated_town(seed=seed) as town:
            await trio.sleep(100)
            venues = town.polymarket.venue.world.listing.live.values()
            return [
                sorted(one.spec.condition for one in venues), sorted(town.kalshi.exchange.markets),
                [one.address for one in town.hyperliquid.accounts],
            ]  # fmt: skip

    first, again, other = await lived(3), await lived(3), await lived(4)
    assert first[0] == again[0]
    assert first[2] == again[2]
    assert first != other


async def test_what_is_copied_does_not_depend_on_who_runs_first(autojump_clock: trio.testing.MockClock) -> None:
    """A venue that asks is told what is listed at its own instant, though the other has not come to it."""
    start = origin()
    venue = Venue(SimConfig(), 7, start)
    clock = VenueClock.starting_now(start)
    later = start + 60 * NS_PER_S
    assert venue.world.next_step_ns < later
    copied = mirror_of(venue)(later)
    assert venue.world.next_step_ns > later
    await trio.sleep(60)
    shortest = next(one for one in venue.world.listing.series if one.kind is Kind.BINARY)
    assert shortest.live is not None
    assert (shortest.live.expiry_ns, shortest.live.target) in {(one.expiry_ns, one.strike) for one in copied}
    assert neighbour_of(venue, clock)(shortest.live.expiry_ns, shortest.period) == shortest.live.target // CENT
    assert neighbour_of(venue, clock)(shortest.live.expiry_ns + 1, shortest.period) is None


async def test_a_town_without_hyperliquid_is_on_the_path_it_would_have(autojump_clock: trio.testing.MockClock) -> None:
    start = origin()
    whole = Town(SimConfig(), 7, start, VenueClock.starting_now(start))
    whole.open(("hyperliquid", "kalshi"))
    alone = Town(SimConfig(), 7, start, VenueClock.starting_now(start))
    alone.open(("kalshi",))
    assert list(whole.stands) == ["hyperliquid", "kalshi"]
    assert list(alone.stands) == ["kalshi"]
    assert [whole.path().price(step) for step in range(50)] == [alone.path().price(step) for step in range(50)]
