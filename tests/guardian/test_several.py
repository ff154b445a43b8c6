"""One guardian, several venues: each account is made safe by itself, and nobody waits for a venue that is away."""

from __future__ import annotations

import msgspec
import trio

from hlomm.link.guardian import Phase
from hlomm.rundir import halt_file
from hlomm.rundir.lock import account_lock
from hlomm.sim.harness import SimulatedVenue, simulated_hyperliquid
from tests.guardian.conftest import Post, charge_for

NEAR, FAR = "near.invalid", "far.invalid"


def charges(near: SimulatedVenue, far: SimulatedVenue):
    """Both venues in one charge, told apart by their hosts; two daemons' accounts of one kind stand for two kinds."""
    first, second = charge_for(near, "guardian.give_up_s=30"), charge_for(far)
    return msgspec.structs.replace(
        first,
        venues=(
            msgspec.structs.replace(first.venues[0], rest=f"http://{NEAR}:80"),
            msgspec.structs.replace(second.venues[0], rest=f"http://{FAR}:80"),
        ),
    )


def roads(near: SimulatedVenue, far: SimulatedVenue):
    async def connect(host: str, port: int, tls: bool) -> trio.abc.Stream:
        return await (near if host == NEAR else far).connect(host, port, tls)

    return connect


async def trade(p: Post, sim: SimulatedVenue, **how: int) -> None:
    """Orders and tokens on the account that a simulator's daemon has."""
    other = Post(sim, charge_for(sim), p.paths, p.puppet)
    await other.trade(**how)


def resting(sim: SimulatedVenue) -> int:
    return sim.state()["accounts"][sim.accounts[0].name]["open_orders"]


async def test_every_account_is_made_safe(post, autojump_clock):
    async with (
        simulated_hyperliquid(seed=7) as near,
        simulated_hyperliquid(seed=8) as far,
        post(sim=near, charge=charges(near, far), connect=roads(near, far)) as p,
    ):
        await p.daemon()
        await trade(p, near, resting=2)
        await trade(p, far, resting=1, tokens=100)
        p.puppet.die()
        assert await p.end() is Phase.DONE
        assert (resting(near), resting(far)) == (0, 0)
        assert not far.state()["accounts"][far.accounts[0].name]["tokens"]
        note = halt_file.read(p.paths.halt)
        assert note is not None
        assert "cancelled 2 orders" in note.reason
        assert "cancelled 1 orders" in note.reason


async def test_a_venue_that_is_away_keeps_nobody_waiting(post, autojump_clock):
    async with (
        simulated_hyperliquid(seed=7) as near,
        simulated_hyperliquid(seed=8) as far,
        post(sim=near, charge=charges(near, far), connect=roads(near, far)) as p,
    ):
        await p.daemon()
        await trade(p, near, resting=2)
        await trade(p, far, resting=1)
        far.refuse_connections = True
        died = trio.current_time()
        p.puppet.die()
        with trio.fail_after(5):
            while resting(near):
                await trio.sleep(0.02)
        assert trio.current_time() - died < 5
        while trio.current_time() - died < 15:
            await trio.sleep(0.5)
        assert [line["now"] for line in p.record() if line["event"] == "phase"][-1] == "acting", "one is not all"
        far.refuse_connections = False
        assert await p.end() is Phase.DONE, "it went on asking until the other venue answered too"
        assert resting(far) == 0


async def test_an_account_that_somebody_else_holds_is_left_and_the_other_is_not(post, autojump_clock):
    async with simulated_hyperliquid(seed=7) as near, simulated_hyperliquid(seed=8) as far:
        charge = charges(near, far)
        async with post(sim=near, charge=charge, connect=roads(near, far)) as p:
            held = account_lock("hyperliquid", charge.venues[0].rest, charge.venues[0].account)
            try:
                await p.daemon()
                await trade(p, near, resting=2)
                await trade(p, far, resting=1)
                p.puppet.die()
                assert await p.end() is Phase.DONE
            finally:
                held.release()
            assert (resting(near), resting(far)) == (2, 0)
            note = halt_file.read(p.paths.halt)
            assert note is not None
            assert "left alone" in note.reason
