"""A canary at the simulated venue: signed for a sub-account, smallest sizes, and a ledger that adds up."""

from __future__ import annotations

from pathlib import Path

import trio

from hlomm.assembly.venues import hyperliquid_session
from hlomm.cli.canary import as_canary
from hlomm.daemon.app import Daemon, RunResult
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.secret import Secret
from hlomm.domain.units import SCALE, Cash, Qty, notional_floor
from hlomm.engine.core import Engine
from hlomm.research.promotion import records
from hlomm.research.replay import replay
from hlomm.settings.load import Loaded, load
from hlomm.settings.paths import StatePaths
from hlomm.sim.harness import SimulatedVenue, read_host, simulated_hyperliquid
from hlomm.venues.clock import Clock
from hlomm.venues.transport import Transport

SETS = ("guardian.enabled=false", "hedge.enabled=false", "canary.size=25")


async def flown(sim: SimulatedVenue, loaded: Loaded, paths: StatePaths, seconds: float) -> tuple[RunResult, Engine]:
    keys, clock = sim.accounts[0], Clock(sim.clock_map, read_host)
    session = hyperliquid_session(
        loaded.settings.venue.hyperliquid, clock, limits=loaded.settings.limits, key=Secret(keys.agent_key),
        rest=sim.rest, ws=sim.ws, account=keys.sub_address, transport=Transport(connect=sim.connect),
    )  # fmt: skip
    daemon = Daemon(
        loaded, paths, clock, {HYPERLIQUID: session}, armed=Cash(0), seed=7, accounts={HYPERLIQUID: keys.sub_address},
        label="sim-canary",
    )  # fmt: skip
    found: list[RunResult] = []

    async def run() -> None:
        found.append(await daemon.run(duration_s=seconds))

    with trio.fail_after(seconds + 120):
        await run()
    return found[0], daemon.pump.engine


async def test_it_trades_the_sub_account_alone_at_smallest_sizes_and_its_record_adds_up(
    tmp_path: Path, autojump_clock
) -> None:
    paths = StatePaths(tmp_path)
    paths.prepare()
    loaded = as_canary(load("sim", (), SETS, environ={}))
    async with simulated_hyperliquid(seed=7) as sim:
        before = repr(sim.state()["accounts"]["daemon"])  # type: ignore[index]
        result, engine = await flown(sim, loaded, paths, 50.0)
        accounts = sim.state()["accounts"]
        assert repr(accounts["daemon"]) == before, "the master's account did not move"  # type: ignore[index]
        sub = accounts["daemon-sub"]  # type: ignore[index]
        assert sub["open_orders"] == 0
        assert result.summary["account"]["hyperliquid"]["differences"] == []
    fills = [row for row in engine.state.recent_fills if row.kind == "trade"]
    assert len(fills) >= 5
    bought = [row for row in fills if row.side > 0]
    larger = [row for row in bought if row.qty > 25 * SCALE]
    assert all(notional_floor(row.px, Qty(row.qty - SCALE)) < 10 * SCALE for row in larger), "the venue's least order"
    assert replay(paths.root).identical

    (record,) = records(paths.ledger)
    asked = loaded.settings.canary
    assert record.account == sim.accounts[0].sub_address
    assert (record.trades, record.profile) == (result.summary["fills"], "sim")
    assert record.results, "something that was traded has settled"
    still = [one for name, one in engine.state.portfolio.positions.items() if not engine.state.markets[name].gone]
    open_yet, books = sum(one.realised - one.fees for one in still), engine.state.portfolio
    assert sum(record.results) + open_yet == books.realised - books.fees, (
        "every unit is in one settlement, or in none yet"
    )
    assert abs(record.total / SCALE - result.summary["pnl"]["total"]) < 1, "the last mark of what is open"
    assert not record.document(asked)["meets"]
    assert f"{record.trades} trades of 100" in record.lacks(asked)
