"""A recording made beside a run, run over again, decides what the run decided: live and research are one engine.

The run asks its strategy in every market but has no room for any order, so nothing of it is in what was recorded. It
is let go ten seconds after the start, when it and the recorder have heard the same of every book.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import trio

from hlomm.domain.ids import HYPERLIQUID, MarketId
from hlomm.domain.inputs import FeeRates, Input, OperatorAction, OperatorCommand, StopRequested
from hlomm.domain.outputs import Output
from hlomm.domain.times import Now
from hlomm.domain.units import Cash
from hlomm.domain.view import Desired
from hlomm.engine.core import Engine
from hlomm.research.record.recorder import Ear, Stamps
from hlomm.research.record.sources import Place, sources
from hlomm.research.record.tap import TappedTransport
from hlomm.research.record.writer import Writer
from hlomm.research.replay import replay
from hlomm.research.session import run_session
from hlomm.research.store.recordings import load_session
from hlomm.settings.load import load
from hlomm.sim.harness import SimulatedVenue, read_host, simulated_hyperliquid
from hlomm.venues.clock import Clock
from tests.daemon.conftest import MakeRig

PASSIVE = ("limits.max_order_notional=0.01", "strategy.btc_parity.enabled=false", "strategy.complete_set.enabled=false")
STRATEGY = "avellaneda"


@attrs.define(eq=False)
class Decisions:
    """All that was wanted of each market, and when, from when the strategy was let go to the stop."""

    go_ns: int | None = None
    equity: int = 0
    rates: FeeRates | None = None
    of: dict[MarketId, dict[int, Desired]] = attrs.field(factory=dict)
    stop_ns: int | None = None
    orders: int = 0
    _last: dict[MarketId, Desired] = attrs.field(factory=dict)

    def fed(self, engine: Engine, item: Input, now: Now) -> None:
        match item:
            case FeeRates():
                self.rates = item
            case OperatorCommand(action=OperatorAction.UNPAUSE):
                self.go_ns, self.equity = now.wall_ns, engine.state.equity()
            case StopRequested():
                self.stop_ns = now.wall_ns

    def turned(self, engine: Engine, outputs: Sequence[Output], now: Now) -> None:
        self.orders = engine.state.counters.placed
        if self.go_ns is None or now.wall_ns < self.go_ns:
            return
        for market_id, market in engine.state.markets.items():
            wanted = market.desired
            if wanted is not None and self._last.get(market_id) is not wanted:
                self._last[market_id] = wanted
                self.of.setdefault(market_id, {})[now.wall_ns] = wanted

    def before(self, stop_ns: int) -> dict[MarketId, dict[int, Desired]]:
        return {name: {at: one for at, one in made.items() if at < stop_ns} for name, made in self.of.items()}


async def recorded_run(rig: MakeRig, sim: SimulatedVenue, root: Path, seconds: float) -> Path:
    """A run and a recorder at one venue; where the run kept its journal."""
    section = load("sim", (), (), environ={}).settings.venue.hyperliquid
    clock = Clock(sim.clock_map, read_host)
    writer = Writer(root, 1_795_000_000_000, "sim")
    ear = Ear(HYPERLIQUID, writer, Stamps(clock))
    ear.write("start", "{}")
    (source,) = sources([Place(section=section, rest=sim.rest, ws=sim.ws)], ("*",))
    watcher = source.watcher(TappedTransport(connect=sim.connect, listener=ear), clock)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watcher.run, ear.sink)
        async with rig(sim=sim, sets=PASSIVE) as run:
            for action, wait_s in ((OperatorAction.PAUSE, 10.0), (OperatorAction.UNPAUSE, seconds)):
                await run.until(lambda: run.engine.state.ids is not None)
                run.daemon.pump([OperatorCommand(action=action, actor="test", target=STRATEGY)], 0)
                await trio.sleep(wait_s)
            await run.stop()
        nursery.cancel_scope.cancel(reason="the run is over")
    ear.write("stop", "{}")
    writer.close()
    return run.paths.root


async def test_a_recording_decides_what_the_run_decided(rig: MakeRig, tmp_path: Path, autojump_clock) -> None:
    store = tmp_path / "store"
    async with simulated_hyperliquid(seed=7) as sim:
        root = await recorded_run(rig, sim, store, 90.0)
    live = Decisions()
    assert replay(root, onlooker=live).identical
    assert live.go_ns is not None
    assert live.stop_ns is not None
    again = Decisions(go_ns=live.go_ns)
    result = run_session(
        load_session(store), load("sim", (), PASSIVE, environ={}), onlooker=again, cash=Cash(live.equity),
        rates=live.rates, up_ns=live.go_ns,
    )  # fmt: skip
    assert result.settled
    assert len(result.session.markets) > len(result.settled), "a roll"
    assert live.orders == again.orders == 0
    wanted = live.before(live.stop_ns)
    assert sum(len(made) for made in wanted.values()) > 2_000
    assert sum(one.bid is not None for made in wanted.values() for one in made.values()) > 1_000
    assert again.before(live.stop_ns) == wanted, "to the last digit of every number behind it"

    traded = run_session(load_session(store), load("sim", (), (), environ={})).final
    assert traded.fills > 3
    assert traded.invariant_breaks == 0
    assert traded.orders_placed > 10


async def test_another_setting_decides_otherwise(rig: MakeRig, tmp_path: Path, autojump_clock) -> None:
    """So that the comparison is known to compare."""
    store = tmp_path / "store"
    async with simulated_hyperliquid(seed=7) as sim:
        root = await recorded_run(rig, sim, store, 10.0)
    live = Decisions()
    assert replay(root, onlooker=live).identical
    assert live.go_ns is not None
    assert live.stop_ns is not None
    again = Decisions(go_ns=live.go_ns)
    other = load("sim", (), (*PASSIVE, "strategy.avellaneda.vol_halflife_s=31"), environ={})
    run_session(
        load_session(store), other, onlooker=again, cash=Cash(live.equity), rates=live.rates, up_ns=live.go_ns
    )  # fmt: skip
    assert again.before(live.stop_ns) != live.before(live.stop_ns)
