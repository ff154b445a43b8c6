"""One guardian for accounts at three kinds of venue: every order cancelled, what is held sold, each by its rules."""

from __future__ import annotations

from pathlib import Path

import msgspec
import trio

from hlomm.domain.ids import KALSHI, POLYMARKET, ClientIds, MarketId, kalshi_market, polymarket_market
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Tif
from hlomm.domain.units import SCALE, Qty
from hlomm.link.guardian import Half, Holding, Phase
from hlomm.rundir import halt_file
from hlomm.settings.charge import Charge, decode_charge, encode_charge
from hlomm.sim.harness import read_host
from hlomm.sim.harness_town import SimulatedTown, simulated_town
from hlomm.sim.kalshi.contracts import Phase as MarketPhase
from hlomm.venues.clock import Clock
from tests.daemon.town import NAMES, best_ask, bid, desks_of, open_orders, roads, tokens
from tests.guardian.conftest import Post, charge_for


def charge_of(town: SimulatedTown) -> Charge:
    clock = Clock(town.hyperliquid.clock_map, read_host)
    charges = tuple(desk.charge for desk in desks_of(town, clock))
    return msgspec.structs.replace(charge_for(town.hyperliquid, "guardian.give_up_s=60"), venues=charges)


async def trade(town: SimulatedTown) -> dict[str, MarketId]:
    """An order that rests and some tokens on the daemon's account, at Polymarket and at Kalshi; the markets."""
    clock, ids = Clock(town.hyperliquid.clock_map, read_host), ClientIds(1)
    sessions = {desk.venue: desk.session(None) for desk in desks_of(town, clock)}
    listed = town.polymarket.venue.world.listing.live.values()
    theirs = [market for market in town.kalshi.exchange.markets.values() if market.phase is MarketPhase.ACTIVE]
    markets = {
        "polymarket": polymarket_market(max(listed, key=lambda one: one.spec.end_ns).spec.condition),
        "kalshi": kalshi_market(max(theirs, key=lambda one: one.close_ns).ticker),
    }  # fmt: skip
    for name, market in markets.items():
        book = await sessions[name].fetch_book(market)
        assert book is not None
        orders = [bid(ids.mint(), market, best_ask(book), 20, Tif.IOC), bid(ids.mint(), market, 3, 50)]
        words = [(await sessions[name].place_now([order]))[0] for order in orders]
        assert words == ["filled", "resting"], (name, words)
        assert open_orders(town, name) == 1
    await trio.sleep(40)  # until what was bought is delivered
    return markets


def as_a_pair(markets: dict[str, MarketId]) -> tuple[Holding, ...]:
    """What `trade` bought, told as two halves of pairs, but for five tokens of each."""
    others = {"polymarket": KALSHI, "kalshi": POLYMARKET}
    return tuple(
        Holding(
            market=market, yes=Qty(20 * SCALE), no=Qty(0), expiry_ns=None,
            halves=(Half(leg=Leg.YES, venue=others[name], qty=Qty(15 * SCALE)),),
        )
        for name, market in markets.items()
    )  # fmt: skip


async def test_half_of_a_pair_is_not_sold_while_the_venue_of_the_other_is_away(post, autojump_clock):
    """Alone it would be naked; what belongs to no pair goes at once, and all of it when the venue answers."""
    async with (
        simulated_town(seed=7) as town,
        post(sim=town.hyperliquid, charge=charge_of(town), connect=roads(town)) as p,
    ):
        markets = await trade(town)
        await p.daemon(holdings=as_a_pair(markets))
        town.kalshi.refuse_connections = True
        p.puppet.die()
        await trio.sleep(30)
        assert open_orders(town, "polymarket") == 0
        assert tokens(town, "polymarket")
        said = [line["left"] for line in p.record() if line["event"] == "flattened" and line["venue"] == "polymarket"]
        assert said[-1].endswith("YES 15 (complete_set); pairs with kalshi are kept whole: it has not answered")
        town.kalshi.refuse_connections = False
        assert await p.end() is Phase.DONE
        assert [tokens(town, name) for name in ("polymarket", "kalshi")] == [[], []]


async def test_both_halves_of_a_pair_are_sold_where_both_venues_answer(post, autojump_clock):
    async with (
        simulated_town(seed=7) as town,
        post(sim=town.hyperliquid, charge=charge_of(town), connect=roads(town)) as p,
    ):
        await p.daemon(holdings=as_a_pair(await trade(town)))
        p.puppet.die()
        assert await p.end() is Phase.DONE
        assert [tokens(town, name) for name in ("polymarket", "kalshi")] == [[], []]
        (over,) = (line for line in p.record() if line.get("now") == "done")
        assert "polymarket left: nothing" in over["why"], "in a second round, before the late look"


async def test_a_guardian_that_gives_up_says_which_pairs_it_left_whole(post, autojump_clock):
    async with (
        simulated_town(seed=7) as town,
        post(sim=town.hyperliquid, charge=charge_of(town), connect=roads(town)) as p,
    ):
        await p.daemon(holdings=as_a_pair(await trade(town)))
        town.kalshi.refuse_connections = True
        p.puppet.die()
        assert await p.end() is Phase.GAVE_UP
        note = halt_file.read(p.paths.halt)
        assert note is not None
        assert "pairs with kalshi are kept whole: it has not answered" in note.reason


def test_a_charge_travels_with_every_kind_of_venue_and_shows_no_key(autojump_clock: object) -> None:
    async def look() -> None:
        async with simulated_town(seed=7) as town:
            charge = charge_of(town)
            again = decode_charge(encode_charge(charge))
            assert again == charge
            assert [one.venue for one in again.venues] == list(NAMES)
            for one in charge.venues:
                assert one.key.reveal() not in repr(charge)
                assert "withheld" in repr(one)

    trio.run(look)


async def test_every_kind_of_account_is_made_safe(post, autojump_clock, tmp_path: Path):
    async with (
        simulated_town(seed=7) as town,
        post(sim=town.hyperliquid, charge=charge_of(town), connect=roads(town)) as p,
    ):
        near = Post(town.hyperliquid, charge_for(town.hyperliquid), p.paths, p.puppet)
        await trade(town)
        await p.daemon()
        await near.trade(resting=2, tokens=100)
        assert tokens(town, "polymarket")
        assert tokens(town, "kalshi")
        p.puppet.die()
        assert await p.end() is Phase.DONE
        assert [open_orders(town, name) for name in NAMES] == [0, 0, 0]
        assert [tokens(town, name) for name in ("polymarket", "kalshi")] == [[], []]
        assert not near.tokens
        events = [(line["event"], line.get("venue")) for line in p.record()]
        assert {venue for event, venue in events if event == "cancelled"} == set(NAMES)


async def test_an_unreachable_venue_keeps_the_others_from_nothing(post, autojump_clock):
    async with (
        simulated_town(seed=7) as town,
        post(sim=town.hyperliquid, charge=charge_of(town), connect=roads(town)) as p,
    ):
        await trade(town)
        await p.daemon()
        town.kalshi.refuse_connections = True
        p.puppet.die()
        with trio.fail_after(10):
            while open_orders(town, "polymarket"):
                await trio.sleep(0.1)
        town.kalshi.refuse_connections = False
        assert await p.end() is Phase.DONE
        assert open_orders(town, "kalshi") == 0
