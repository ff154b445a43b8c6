"""Real processes, real sockets, real time: a simulator that outlives its daemons, and the venue's own word on both."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from hlomm.cli.client import tell_guardian
from hlomm.domain.faults import ProtocolViolation, UsageError
from hlomm.domain.units import parse
from hlomm.link.guardian import Told
from hlomm.link.protocol import Ask
from hlomm.settings.paths import StatePaths
from hlomm.venues.http_client import HttpClient, HttpLimits
from hlomm.venues.transport import Transport

TRIALS = int(os.environ.get("HLOMM_TRIALS", "2"))
"""Trials per way of failing: 2 by default, 5 in CI, 50 for a 99th percentile."""
POLL_S = 0.05
FIRST = "daemon"
"""The account that a daemon trades unless it is told otherwise."""
LEAST_HELD = 20 * 10**8
"""A position worth flattening, in contracts; less may be below the venue's minimum value."""


@attrs.define(eq=False)
class Daemon:
    """One daemon with its state directory."""

    process: subprocess.Popen[str]
    paths: StatePaths

    def record(self) -> list[dict[str, Any]]:
        """What its guardians wrote."""
        try:
            return [json.loads(line) for line in self.paths.guardian_log.read_text().splitlines()]
        except FileNotFoundError:
            return []

    def guardians(self) -> list[int]:
        return [line["pid"] for line in self.record() if line["event"] == "started"]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@attrs.define(eq=False)
class Ground:
    """Where trials take place."""

    home: Path
    simulator: subprocess.Popen[str]
    document: Path
    client: HttpClient
    daemons: list[Daemon] = attrs.field(factory=list)

    def start(self, name: str, *sets: str, document: Path | None = None, errors: int | None = None) -> Daemon:
        """A daemon against the venue, or by the road that `document` tells of. `errors`: where its log goes."""
        paths = StatePaths(self.home / name)
        command = ["run", "--sim", str(document or self.document), "--state-dir", str(paths.root)]
        for setting in ("guardian.linger_s=5", *sets):
            command += ["--set", setting]
        daemon = Daemon(launch(self.home, command, name, errors=errors), paths)
        self.daemons.append(daemon)
        return daemon

    async def control(self, **request: Any) -> dict[str, Any]:
        """Ask the simulator for something that no venue would answer."""
        answer = await self.client.post("/sim", json.dumps(request).encode())
        assert answer.status == 200, answer.body
        reply: dict[str, Any] = json.loads(answer.body)
        return reply

    async def state(self) -> dict[str, Any]:
        state = await self.control(type="state")
        assert state["conservation_ok"]
        return state

    def document_of(self, account: str) -> Path:
        """What a daemon is given that trades another account than the first."""
        told = json.loads(self.document.read_text())
        accounts = told["venues"]["hyperliquid"]["accounts"]
        accounts.sort(key=lambda each: each["name"] != account)
        path = self.document.with_name(f"{account}.json")
        path.write_text(json.dumps(told))
        return path

    async def truth(self, account: str = FIRST) -> dict[str, Any]:
        """A traded account as the venue itself knows it."""
        found: dict[str, Any] = (await self.state())["accounts"][account]
        return found

    async def resting(self, account: str = FIRST) -> int:
        return int((await self.truth(account))["open_orders"])

    async def held(self, account: str = FIRST) -> int:
        """Tokens beyond complete sets: what a settlement could take."""
        by_outcome: dict[str, dict[str, int]] = {}
        for coin, row in (await self.truth(account))["tokens"].items():
            by_outcome.setdefault(coin[:-1], {})[coin[-1]] = parse(row["total"])
        return max((abs(legs.get("0", 0) - legs.get("1", 0)) for legs in by_outcome.values()), default=0)

    async def quoting(self, *, orders: int = 2, held: int = 0, within_s: float = 90, account: str = FIRST) -> None:
        with trio.fail_after(within_s):
            while await self.resting(account) < orders or await self.held(account) < held:
                await trio.sleep(POLL_S)


def launch(home: Path, arguments: list[str], name: str, *, errors: int | None = None) -> subprocess.Popen[str]:
    home.mkdir(exist_ok=True)
    environment = {
        "PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(Path.cwd()), "LANG": "C.UTF-8", "HOME": str(home),
        "XDG_STATE_HOME": os.environ["XDG_STATE_HOME"],
    }  # fmt: skip
    with (home / f"{name}.err").open("w") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "hlomm.cli.main", *arguments], env=environment, text=True,
            stderr=file if errors is None else errors,
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
        )  # fmt: skip


@asynccontextmanager
async def fresh(home: Path, seed: int) -> AsyncIterator[Ground]:
    """A venue of its own for every trial: a life takes most of the request weight that one gives in a minute."""
    simulator = launch(home, ["sim", "--venues", "hyperliquid", "--json", "--seed", str(seed), "--linger", "60"], "sim")
    assert simulator.stdout is not None
    line = simulator.stdout.readline()
    document = home / "sim.json"
    document.write_text(line)
    rest = json.loads(line)["venues"]["hyperliquid"]["rest"]
    async with Transport().http(rest, HttpLimits()) as client:
        made = Ground(home, simulator, document, client)
        try:
            yield made
        finally:
            for daemon in made.daemons:
                end(daemon.process)
            end(simulator)


def end(process: subprocess.Popen[str]) -> None:
    """However it stands, see it out."""
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
    process.communicate()


def ask(paths: StatePaths) -> Told | None:
    try:
        return tell_guardian(paths.guardian_socket, Ask(id=1))
    except (UsageError, ProtocolViolation):
        return None


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(round((len(ordered) - 1) * share + 0.499), len(ordered) - 1)]


def spread(values: list[float]) -> str:
    return f"p50 {quantile(values, 0.5):.2f} s, p99 {quantile(values, 0.99):.2f} s, max {max(values):.2f} s"


def say(text: str) -> None:
    """A measured figure, shown with `pytest -s`."""
    sys.stdout.write(f"\n{text}\n")
