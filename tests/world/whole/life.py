"""One seed: the real daemon, its sessions and the simulated venue through a storm and out of it.

A supervisor starts the daemon again whenever a run ended (a signal, a full disk), as systemd would; an operator resumes
what is HALTED once the weather is fair. Safety is the business of the witness; here only liveness is asked for.
`python -m tests.world.whole.life SEED` prints what a seed gives, in a process of its own.
"""

from __future__ import annotations

import hashlib
import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import structlog
import trio
import trio.testing

from hlomm.assembly.venues import hyperliquid_session
from hlomm.daemon.app import Daemon, RunResult
from hlomm.daemon.restart import last_books
from hlomm.domain.exits import ExitCode
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import OperatorAction, OperatorCommand
from hlomm.domain.outputs import HaltState
from hlomm.domain.secret import Secret
from hlomm.domain.units import Cash
from hlomm.research.replay import replay
from hlomm.settings.load import load
from hlomm.settings.paths import StatePaths
from hlomm.sim.harness import SimulatedVenue, read_host, simulated_hyperliquid
from hlomm.venues.clock import Clock
from hlomm.venues.transport import Transport
from tests.world.whole.jitter import Roads
from tests.world.whole.plan import CALM_S, Plan, draw
from tests.world.whole.schedule import ordered_by
from tests.world.whole.weather import Weather
from tests.world.whole.witness import Finding, Witness

RESTART_S: Final = 2.0
LIVE_AGAIN_S: Final = 90.0
"""From the end of the last fault to the first quote: a pause after failed requests, reconnecting, and the operator."""
FAIR_S: Final = 8.0
"""Watched afterwards: what came back stays."""
STOP_S: Final = 120.0
OPERATOR_S: Final = 2.0
"""In fair weather somebody looks that often."""


@attrs.frozen(kw_only=True)
class Result:
    seed: int
    findings: tuple[Finding, ...]
    digest: str
    """Of every byte of every journal."""
    injected: dict[str, int]
    looks: dict[str, int]
    exits: tuple[str, ...]
    back_s: float
    """From fair weather to quoting."""
    virtual_s: float
    wall_s: float
    turns: int


@attrs.define(eq=False)
class Life:
    plan: Plan
    paths: StatePaths
    witness: Witness
    sim: SimulatedVenue = attrs.field(init=False)
    daemon: Daemon | None = None
    """The one that runs now."""
    last: Daemon = attrs.field(init=False)
    weather: Weather = attrs.field(init=False)
    exits: list[str] = attrs.field(factory=list)
    turns: int = 0
    back_s: float = 0.0
    _roads: Roads = attrs.field(init=False)
    _over: bool = False
    _ended: trio.Event = attrs.field(factory=trio.Event)

    async def run(self) -> None:
        with self.witness.over:
            await self._run()

    async def _run(self) -> None:
        async with simulated_hyperliquid(seed=self.plan.seed, config=self.plan.venue) as self.sim:
            self.weather, self._roads = Weather(self.plan, self), Roads(self.sim, self.plan.order)
            self.witness.watch_venue(self.sim)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._supervise)
                nursery.start_soon(self.weather.blow, nursery)
                nursery.start_soon(self._operate)
                await trio.sleep_until(CALM_S + self.plan.storm_s)
                self.weather.clear()
                await self._quoting_again()
                await self._stop()
                nursery.cancel_scope.cancel(reason="this seed is over")
        self.witness.conserved()

    # -- the daemon, over and over

    async def _supervise(self) -> None:
        while not self._over:
            self.daemon = self.last = self._made()
            self.witness.watch_daemon(self.daemon)
            result = await self.daemon.run()
            self._look_at(self.daemon, result)
            self.daemon = None
            if not self._over:
                await trio.sleep(RESTART_S)
        self._ended.set()

    def _made(self) -> Daemon:
        sim, loaded = self.sim, load("sim", (), self.plan.sets, environ={})
        clock, account = Clock(sim.clock_map, read_host), sim.accounts[0]
        carried = last_books(self.paths.journal, {HYPERLIQUID: account.address})
        session = hyperliquid_session(
            loaded.settings.venue.hyperliquid, clock, limits=loaded.settings.limits, key=Secret(account.agent_key),
            rest=sim.rest, ws=sim.ws, account=account.address, transport=Transport(connect=self._roads.connect),
            fills_from_ms=None if carried is None else carried.fills_from_ms,
        )  # fmt: skip
        return Daemon(
            loaded, self.paths, clock, {HYPERLIQUID: session}, armed=Cash(0), seed=self.plan.seed,
            accounts={HYPERLIQUID: account.address}, carried=carried,
        )  # fmt: skip

    def _look_at(self, daemon: Daemon, result: RunResult) -> None:
        """How a run ended, and whether its journal tells the same."""
        self.exits.append(result.exit_code.name.lower())
        self.turns += daemon.pump.engine.state.counters.turns
        if daemon.pump.fault is not None:
            self.witness.found("fault", f"the engine raised {daemon.pump.fault!r}")
        if daemon._trouble.crash is not None:
            self.witness.found("fault", f"the daemon crashed: {daemon._trouble.crash!r}")
        proof = replay(daemon.journal.path)
        if not proof.identical or proof.corrupt is not None:
            self.witness.found("replay", proof.text())

    # -- liveness

    async def _quoting_again(self) -> None:
        """Quotes, and goes on: what a fault broke may show only after it is over, as a dead connection does."""
        fair_s = since_s = trio.current_time()
        with trio.move_on_after(LIVE_AGAIN_S) as patience:
            while trio.current_time() - since_s < FAIR_S:
                if not self._quotes():
                    self.back_s = trio.current_time() - fair_s
                    await trio.sleep(OPERATOR_S)
                    self._resume()
                    since_s = trio.current_time()
                await trio.sleep(0.25)
        if patience.cancelled_caught:
            self.witness.found("liveness", f"no quote {LIVE_AGAIN_S:g} s after the last fault: {self._why()}")

    def _quotes(self) -> bool:
        daemon = self.daemon
        if daemon is None or daemon.pump.engine.state.halt is not HaltState.RUNNING:
            return False
        return any(order.cloid is not None for order in self.sim.exchange.open_orders(self.witness.account))

    async def _operate(self) -> None:
        """An operator who does not wait for fair weather."""
        while self.plan.resume_s is not None:
            await trio.sleep(self.plan.resume_s)
            self._resume()

    def _resume(self) -> None:
        """Resumes what is HALTED; a blown fuse or a dead disk wants a new run first."""
        daemon = self.daemon
        if daemon is None or daemon.pump.engine.state.halt is not HaltState.HALTED:
            return
        if any(venue.fuse is not None for venue in daemon.pump.engine.state.venues.values()):
            daemon.request_stop("a new fuse")
        else:
            daemon.pump([OperatorCommand(action=OperatorAction.RESUME, actor="operator")], 0)

    def _why(self) -> str:
        state = self.last.pump.engine.state
        return (
            f"{state.halt.value} ({state.halt_reason}); refused so far: {state.counters.rejected};"
            f" runs ended: {self.exits}"
        )

    async def _stop(self) -> None:
        self._over = True
        if self.daemon is not None:
            self.daemon.request_stop("the seed is over")
        with trio.move_on_after(STOP_S) as patience:
            await self._ended.wait()
        if patience.cancelled_caught:
            self.witness.found("liveness", f"does not end: {self._why()}")
            return
        if self.exits[-1] != ExitCode.CLEAN.name.lower():
            self.witness.found("liveness", f"ended {self.exits[-1]}")
        self.witness.agreed(self.last)


def live(plan: Plan, directory: Path, *, enough: str | None = None) -> Result:
    """Everything that a plan leads to, or what it leads to until a rule complains for the first time.

    Whatever breaks the world itself is a finding too.
    """
    paths = StatePaths(directory)
    paths.prepare()
    witness = Witness(load("sim", (), plan.sets, environ={}).settings)
    witness.enough = enough
    life = Life(plan, paths, witness)
    clock = trio.testing.MockClock(autojump_threshold=0)
    began_s = time.perf_counter()
    with quiet(), ordered_by(plan.order):
        try:
            trio.run(life.run, clock=clock)
        except Exception as error:  # noqa: BLE001 - a crash of anything is what this is looking for
            witness.findings.append(Finding("world", 0.0, repr(error)))
    return Result(
        seed=plan.seed, findings=tuple(witness.findings), digest=_digest(paths.journal),
        injected=dict(life.weather.injected), looks=dict(witness.looks), exits=tuple(life.exits), back_s=life.back_s,
        virtual_s=clock.current_time(), wall_s=time.perf_counter() - began_s, turns=life.turns,
    )  # fmt: skip


def _digest(journal: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(journal.iterdir()):
        whole.update(path.name.encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()


@contextmanager
def quiet() -> Iterator[None]:
    """No log lines: there are thousands."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.ReturnLoggerFactory(),
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def _main(seeds: list[int]) -> None:
    for seed in seeds:
        with tempfile.TemporaryDirectory() as directory:
            result = live(draw(seed), Path(directory))
        sys.stdout.write(
            f"{seed} {result.digest} {len(result.findings)} back {result.back_s:.1f} s of {result.virtual_s:.0f} s,"
            f" {result.turns} turns in {result.wall_s:.1f} s, {'/'.join(result.exits)}: {draw(seed)}\n"
        )
        for finding in result.findings:
            sys.stdout.write(f"    {finding}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main([n for text in sys.argv[1:] for n in range(int(text.split("-")[0]), int(text.split("-")[-1]) + 1)])
