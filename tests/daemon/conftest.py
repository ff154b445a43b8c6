"""A whole daemon against the simulated venue in one process: memory streams, mock clock, real files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from hlomm.assembly.venues import hyperliquid_session
from hlomm.daemon.app import Daemon, RunResult
from hlomm.daemon.guardian_process import GuardianKeeper
from hlomm.daemon.restart import last_books
from hlomm.daemon.service import Service
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.secret import Secret
from hlomm.domain.units import Cash, parse
from hlomm.settings.load import load
from hlomm.settings.paths import StatePaths
from hlomm.sim.harness import SimulatedVenue, read_host, simulated_hyperliquid
from hlomm.venues.clock import Clock
from hlomm.venues.transport import Transport


@attrs.define(eq=False)
class Rig:
    sim: SimulatedVenue
    daemon: Daemon
    paths: StatePaths
    nursery: trio.Nursery
    result: RunResult | None = None
    done: trio.Event = attrs.field(factory=trio.Event)

    async def until(self, what: Callable[[], bool], within_s: float = 60.0) -> None:
        """Wait (in mock time) until something holds."""
        with trio.fail_after(within_s):
            while not what():
                await trio.sleep(0.05)

    @property
    def engine(self):
        return self.daemon.pump.engine

    @property
    def state(self) -> str:
        return self.engine.state.halt.value

    async def quoting(self, orders: int = 1, within_s: float = 60.0) -> None:
        await self.until(lambda: self.state == "running" and self.engine.state.orders.live_count >= orders, within_s)

    async def stop(self, reason: str = "test over") -> RunResult:
        self.daemon.request_stop(reason)
        with trio.fail_after(120):
            await self.done.wait()
        assert self.result is not None
        return self.result

    @property
    def truth(self) -> dict[str, Any]:
        """The traded account as the exchange itself knows it."""
        accounts: dict[str, Any] = self.sim.state()["accounts"]  # type: ignore[assignment]
        return accounts[self.sim.accounts[0].name]

    def resting_at_venue(self) -> int:
        return self.truth["open_orders"]

    def tokens_at_venue(self) -> dict[str, int]:
        return {coin: parse(qty) for coin, qty in _totals(self.truth["tokens"]).items() if parse(qty)}


def _totals(tokens: dict[str, Any]) -> dict[str, str]:
    return {coin: row["total"] if isinstance(row, dict) else row for coin, row in tokens.items()}


MakeRig = Callable[..., AbstractAsyncContextManager[Rig]]


@pytest.fixture
def rig(tmp_path: Path) -> MakeRig:
    @asynccontextmanager
    async def make(
        *, seed: int = 7, sets: tuple[str, ...] = (), files: tuple[Path, ...] = (), state: Path | None = None,
        duration_s: float | None = None, sim: SimulatedVenue | None = None, guardian: GuardianKeeper | None = None,
        service: Service | None = None,
    ) -> AsyncIterator[Rig]:  # fmt: skip
        if sim is None:
            async with (
                simulated_hyperliquid(seed=seed) as fresh,
                make(sets=sets, files=files, state=state, sim=fresh, service=service) as inner,
            ):
                yield inner
            return
        loaded = load("sim", files, sets, environ={})
        paths = StatePaths(state if state is not None else tmp_path / "state")
        paths.prepare()
        clock = Clock(sim.clock_map, read_host)
        account = sim.accounts[0]
        carried = last_books(paths.journal, {HYPERLIQUID: account.address})
        session = hyperliquid_session(
            loaded.settings.venue.hyperliquid, clock, limits=loaded.settings.limits, key=Secret(account.agent_key),
            rest=sim.rest, ws=sim.ws, account=account.address, transport=Transport(connect=sim.connect),
            fills_from_ms=None if carried is None else carried.fills_from_ms,
        )  # fmt: skip
        daemon = Daemon(
            loaded, paths, clock, {HYPERLIQUID: session}, armed=Cash(0), seed=seed,
            accounts={HYPERLIQUID: account.address}, carried=carried, guardian=guardian, service=service,
        )  # fmt: skip
        async with trio.open_nursery() as nursery:
            made = Rig(sim, daemon, paths, nursery)

            async def run() -> None:
                made.result = await daemon.run(duration_s=duration_s)
                made.done.set()

            nursery.start_soon(run)
            yield made
            if not made.done.is_set():
                await made.stop()

    return make


async def no_look(*, trouble: bool, live: bool) -> None:
    """In place of the last look at the accounts: the process is gone before it."""
    del trouble, live
    await trio.lowlevel.checkpoint()
