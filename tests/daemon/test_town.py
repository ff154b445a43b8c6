"""A daemon at three venues at once: all up, one lost, and nothing left anywhere at the end."""

from __future__ import annotations

import pytest
import trio

from hlomm.domain.exits import ExitCode
from hlomm.domain.ids import ClientIds
from hlomm.domain.inputs import OperatorAction, OperatorCommand
from hlomm.domain.orders import Tif
from hlomm.research.replay import replay
from hlomm.sim.harness_town import simulated_town
from tests.daemon.town import NAMES, best_ask, bid, longest, open_orders, tokens, town_rig


async def test_three_venues_and_nothing_left_at_any(autojump_clock, tmp_path):
    """Quoting on Hyperliquid goes on beside the other sessions, and what rests anywhere is gone at the end."""
    async with simulated_town(seed=7) as town, town_rig(town, tmp_path / "state") as r:
        await r.all_up()
        markets = r.engine.state.markets
        assert all(any(market.startswith(f"{name}:") for market in markets) for name in NAMES)
        ids = ClientIds(1)
        for name in ("polymarket", "kalshi"):
            market = longest({key: one.market for key, one in markets.items()}, name)
            words = await r.daemon._sessions[name].place_now([bid(ids.mint(), market.id, 2, 60)])
            assert words == ["resting"]
            assert open_orders(town, name) == 1
        before = r.engine.state.counters.placed
        await trio.sleep(60)
        assert r.engine.state.counters.placed > before, "quoting goes on"
        result = await r.stop()
        assert result.exit_code is ExitCode.CLEAN
        assert [open_orders(town, name) for name in NAMES] == [0, 0, 0]
        summary = result.summary
        assert (summary["venue_open_orders"], summary["invariant_breaks"]) == (0, 0)
        assert {name: row["differences"] for name, row in summary["account"].items()} == {name: [] for name in NAMES}
    assert replay(r.paths.journal).identical


@pytest.mark.parametrize("lost", ["polymarket", "kalshi"])
async def test_a_lost_venue_that_pauses_leaves_the_others_alone(autojump_clock, tmp_path, lost):
    policy = f"flatten.on_disconnect_of={{{lost}='pause'}}"
    async with simulated_town(seed=7) as town, town_rig(town, tmp_path / "state", policy) as r:
        await r.all_up()
        getattr(town, lost).cable.unplug()
        await r.until(lambda: not r.up(lost), 60)
        before = r.engine.state.counters.placed
        await trio.sleep(40)
        assert r.state == "running"
        assert r.engine.state.counters.placed > before
        getattr(town, lost).cable.plug()
        await r.until(lambda: r.up(lost), 120)
        result = await r.stop()
        assert result.summary["invariant_breaks"] == 0
    assert replay(r.paths.journal).identical


@pytest.mark.parametrize("lost", ["polymarket", "kalshi"])
async def test_a_lost_venue_that_flattens_halts_until_the_operator_resumes(autojump_clock, tmp_path, lost):
    async with simulated_town(seed=7) as town, town_rig(town, tmp_path / "state") as r:
        await r.all_up()
        getattr(town, lost).cable.unplug()
        await r.until(lambda: r.state == "halted", 90)
        assert open_orders(town, "hyperliquid") == 0
        getattr(town, lost).cable.plug()
        await r.until(lambda: r.up(lost), 120)
        await r.until(lambda: r.state == "halted", 60)
        await trio.sleep(10)
        assert r.state == "halted", "back is not resumed"
        r.daemon.pump([OperatorCommand(action=OperatorAction.RESUME, actor="test")], 0)
        await r.until(lambda: r.state == "running" and r.quotes(), 240)
        await r.stop()
        assert [open_orders(town, name) for name in NAMES] == [0, 0, 0]
    assert replay(r.paths.journal).identical


async def test_a_restart_goes_on_with_the_books_of_every_venue(autojump_clock, tmp_path):
    async with simulated_town(seed=7) as town:
        async with town_rig(town, tmp_path / "state") as r:
            await r.all_up()
            market = longest({key: one.market for key, one in r.engine.state.markets.items()}, "kalshi")
            session = r.daemon._sessions["kalshi"]
            ask = best_ask(await session.fetch_book(market.id))
            order = bid(ClientIds(1).mint(), market.id, ask, 5, Tif.IOC)
            assert await session.place_now([order]) == ["filled"]
            await r.until(lambda: tokens(town, "kalshi"), 20)
            await trio.sleep(10)
        async with town_rig(town, tmp_path / "state") as again:
            await again.all_up()
            assert again.engine.state.portfolio.of("kalshi").fills >= 1, "the books go on"
            await trio.sleep(15)
            result = await again.stop()
        found = {name: row["differences"] for name, row in result.summary["account"].items()}
        assert found == {name: [] for name in NAMES}
