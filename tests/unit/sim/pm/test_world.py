"""The venue in virtual time: what it lists, how markets end, and that the seed decides it all."""

from __future__ import annotations

import attrs
import pytest

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.sim.config import FlowConfig, ListingConfig, PathConfig, PolymarketConfig, SimConfig
from hlomm.sim.faults import FaultArgs
from hlomm.sim.hl.venue import Venue
from hlomm.sim.kalshi.world import common_path
from hlomm.sim.pm.events import Listed, Resolved
from hlomm.sim.pm.market import Family, Market
from hlomm.sim.pm.naming import noon_after
from hlomm.sim.pm.source import Source
from hlomm.sim.pm.units import WHOLE
from hlomm.sim.pm.venue import PolymarketVenue
from hlomm.sim.pm.wallets import Wallet
from hlomm.sim.pm.world import Commit, World
from hlomm.sim.town import mirror_of

ORIGIN = 1_795_000_035 * 10**9
S = 10**9


def world_of(config: SimConfig | None = None, seed: int = 5, **more: object) -> World:
    chosen = config or SimConfig()
    return World(chosen, seed, ORIGIN, common_path(chosen, seed), **more)


def still(**own: object) -> SimConfig:
    """A path that does not move, without traders."""
    path = PathConfig(price=80_000.0, annual_vol=0.01, vol_of_vol=0.0, jumps_per_day=0.0)
    listing = ListingConfig(periods=("3m",), warmup_s=6.0)
    chosen = PolymarketConfig(**({"updown": ("5m",), "basis_bp": 0.0} | own))
    return SimConfig(path=path, flow=FlowConfig(enabled=False), listing=listing, polymarket=chosen)


def live(world: World, family: Family) -> list[Market]:
    return [market for market in world.exchange.markets.values() if market.spec.family is family and market.open]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_venue() -> None:
    seen: list[list[object]] = []
    for _ in range(2):
        rows: list[object] = []

        def note(commit: Commit, rows: list[object] = rows) -> None:
            rows += [
                (commit.time_ns, one.number, sorted(one.touched.items()), one.volume_cash) for one in commit.touched
            ]

        world = world_of(on_commit=note)
        world.advance(ORIGIN + 120 * S)
        assert world.audit() == []
        seen.append(rows)
    assert seen[0] == seen[1]
    assert len(seen[0]) > 500
    other = world_of(seed=6)
    other.advance(ORIGIN + 120 * S)
    assert other.source.price != pytest.approx(world.source.price, rel=1e-9)


@pytest.mark.slow
def test_markets_are_quoted_and_traded() -> None:
    world = world_of()
    world.advance(ORIGIN + 240 * S)
    for market in world.listing.live.values():
        if market.accepting:
            bid, ask = market.best(Leg.YES, Side.BUY), market.best(Leg.YES, Side.SELL)
            assert bid is not None or ask is not None, market.spec.slug
            assert bid is None or ask is None or bid < ask
    assert world.exchange.matcher.trades > 100
    assert world.exchange.bank.fees > 0
    assert world.audit() == []


def test_above_stands_beside_the_other_venue() -> None:
    config = SimConfig(flow=FlowConfig(enabled=False))
    venue = Venue(config, 5, ORIGIN)
    other = venue.world
    ours = World(config, 5, ORIGIN, other.path, mirror=mirror_of(venue))
    for _ in range(40):
        ours.advance(ours.next_step_ns + 15 * S)
        other.advance(ours.next_step_ns)
        for series in other.listing.series:
            if series.period == "1d" or series.live is None:
                continue
            same = [
                market
                for market in live(ours, Family.ABOVE)
                if market.spec.end_ns == series.live.expiry_ns and market.spec.strike == series.live.target
            ]
            young = series.live.expiry_ns - series.length_ns > ours.next_step_ns - 20 * S
            assert len(same) == 1 or young, (series.period, series.live)


def test_a_day_ends_at_noon_in_new_york() -> None:
    winter, summer = 1_795_000_000 * S, 1_783_000_000 * S
    assert noon_after(winter) // S % 86_400 == 17 * 3600
    assert noon_after(summer) // S % 86_400 == 16 * 3600
    # The clocks went back on 2026-11-01: from noon to noon were 25 hours.
    october = noon_after(1_793_400_000 * S)
    assert (noon_after(october + 12 * 3600 * S) - october) // S in {86_400, 90_000}


def test_above_is_strict_and_decided_by_the_close_of_the_next_minute() -> None:
    for offset, expected in ((-1, WHOLE), (0, 0), (1, 0)):
        world = world_of(still())
        [market] = live(world, Family.ABOVE)
        end_ns = market.spec.end_ns
        world.advance(end_ns + 59 * S)
        assert market.open
        assert not market.accepting
        close = round(world.source.price * 100) * 10**6
        market.spec = attrs.evolve(market.spec, strike=close + offset * 10**6)
        world.source.before = world.source.price
        world.source.on_step = lambda *_: None  # type: ignore[method-assign]
        world.advance(end_ns + 62 * S)
        assert market.final == close
        world.advance(end_ns + 90 * S)
        assert market.yes_ticks == expected, offset


def test_a_tie_of_averages_is_up() -> None:
    for offset, expected in ((0, WHOLE), (1, 0), (-1, WHOLE)):
        world = world_of(still())
        market = live(world, Family.UPDOWN)[0]
        world.advance(market.spec.end_ns - S)
        assert market.beat is not None
        source: Source = world.source
        last = source.latest(1)[0][1]
        source._samples = type(source._samples)([(second, last) for second, _ in source.latest(4000)], maxlen=4000)
        market.beat = last + offset
        source.on_step = lambda *_: None  # type: ignore[method-assign]
        world.advance(market.spec.end_ns + 2 * S)
        assert market.final == last
        world.advance(market.spec.end_ns + 30 * S)
        assert market.yes_ticks == expected


def test_a_market_ends_resolves_and_pays() -> None:
    events: list[object] = []
    config = still(mined_s=0.1, retried=0.0, failed=0.0, confirmed_s=0.2)
    world = world_of(config, on_commit=lambda commit: events.extend(commit.events))
    venue_wallet = world.exchange.bank.open(_wallet("someone"), 100 * 10**6)
    [market] = live(world, Family.ABOVE)
    world.exchange.bank.split(venue_wallet, market.number, 5_000)
    world.advance(market.spec.end_ns + 82 * S)
    assert market.yes_ticks in {0, WHOLE}
    assert any(isinstance(event, Resolved) and event.market is market for event in events)
    assert venue_wallet.cash == 50 * 10**6
    world.advance(market.spec.end_ns + 100 * S)
    assert market.redeemed
    assert venue_wallet.cash == 100 * 10**6
    assert world.exchange.bank.backing == 0
    listed = [event.market.spec.slug for event in events if isinstance(event, Listed)]
    assert len(set(listed)) == len(listed)


def test_void_and_late_resolutions() -> None:
    world = world_of(still())
    world.faults.arm("resolution_void")
    world.faults.arm("resolution_late", FaultArgs(count=1, delay_s=60.0))
    market = min(world.listing.live.values(), key=lambda one: one.spec.end_ns)
    wallet = world.exchange.bank.open(_wallet("someone"), 100 * 10**6)
    world.exchange.bank.split(wallet, market.number, 4_001)
    world.exchange.bank.transfer(world.exchange.bank.open(_wallet("b"), 10**8), wallet, (market.number, Leg.NO), 1, 10)
    world.advance(market.spec.end_ns + 81 * S)
    assert market.open
    world.advance(market.spec.end_ns + 400 * S)
    assert market.yes_ticks == WHOLE // 2
    assert market.redeemed
    assert world.audit() == []


def test_upheavals_change_terms() -> None:
    world = world_of(still())
    market = live(world, Family.ABOVE)[0]
    before = (market.fee_rate, market.min_lots, market.spec.description)
    for name in ("fee_changed", "tick_changed", "minimum_changed", "rules_changed"):
        world.faults.arm(name)
    world.advance(world.next_step_ns)
    assert (market.fee_rate, market.min_lots) == (2 * before[0], 2 * before[1])
    assert market.tick == 10
    assert market.spec.description.startswith(before[2])
    assert market.spec.description != before[2]


@pytest.mark.slow
def test_without_dislocations_both_venues_think_alike() -> None:
    gaps = {}
    for dislocations in (True, False):
        config = SimConfig(polymarket=PolymarketConfig(dislocations=dislocations))
        venue = Venue(config, 5, ORIGIN)
        other = venue.world
        ours = World(config, 5, ORIGIN, other.path, mirror=mirror_of(venue))
        total, count = 0.0, 0
        for _ in range(160):
            ours.advance(ours.next_step_ns + S)
            other.advance(ours.next_step_ns)
            for series in other.listing.series:
                if series.live is None or series.period != "15m":
                    continue
                theirs = other.exchange.outcomes[series.live.outcome].book
                for market in live(ours, Family.ABOVE):
                    if market.spec.end_ns == series.live.expiry_ns and market.spec.strike == series.live.target:
                        sides = [theirs.best_ticks(side) for side in Side]
                        own = [market.best(Leg.YES, side) for side in Side]
                        if None not in sides and None not in own:
                            total += abs(sum(sides) / 200_000 - sum(own) / 20_000)
                            count += 1
        assert count > 100
        gaps[dislocations] = total / count
    assert gaps[False] < 0.02
    assert gaps[True] > 1.5 * gaps[False]


@pytest.mark.slow
def test_a_venue_keeps_a_bounded_past() -> None:
    config = still(closed_kept=2)
    venue = PolymarketVenue(config, 5, ORIGIN, common_path(config, 5))
    venue.world.advance(ORIGIN + 3600 * S)
    closed = [market for market in venue.exchange.markets.values() if market.redeemed]
    assert len(closed) <= 2
    assert len(venue.exchange.by_token) == 2 * len(venue.exchange.markets)


def _wallet(name: str) -> Wallet:
    return Wallet(address=f"0x{name}", name=name)
