"""A real daemon on paper beside a real simulator: it trades at home through a cut, a kill and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.trials.conftest import end, launch
from tests.trials.road import relayed

pytestmark = pytest.mark.trial

WITHIN_S = 90.0


def hlomm(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "hlomm.cli.main", *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout or done.stderr


def state_of(rest: str) -> dict[str, Any]:
    request = urllib.request.Request(f"{rest}/sim", b'{"type":"state"}', {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        told: dict[str, Any] = json.load(answer)
    return told


async def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not await trio.to_thread.run_sync(what):
        assert time.monotonic() < deadline
        await trio.sleep(0.5)


async def test_it_trades_at_home_survives_a_cut_and_a_kill_and_ends_flat(tmp_path: Path) -> None:
    simulator = launch(
        tmp_path, ["sim", "--json", "--venues", "hyperliquid", "--seed", "5", "--linger", "240"], "sim"
    )  # fmt: skip
    state = str(tmp_path / "state")

    def status() -> dict[str, Any]:
        code, text = hlomm("status", "--state-dir", state, "--json")
        return json.loads(text) if code == 0 else {"state": "", "venues": {"hyperliquid": {}}}

    def venue(name: str) -> Any:
        return status()["venues"]["hyperliquid"].get(name)

    try:
        assert simulator.stdout is not None
        document = tmp_path / "sim.json"
        document.write_text(simulator.stdout.readline())
        rest = json.loads(document.read_text())["venues"]["hyperliquid"]["rest"]
        ours = json.loads(document.read_text())["venues"]["hyperliquid"]["accounts"][0]["name"]
        before = state_of(rest)["accounts"][ours]
        async with relayed(document) as road:
            run = ["run", "--profile", "paper", "--sim", str(road.document), "--state-dir", state, "--json"]
            daemon = launch(tmp_path, run, "first")
            await until(lambda: (venue("open_orders") or 0) >= 2)
            assert status()["profile"] == "paper"
            assert status()["fill_model"].startswith("queue-back/v")
            road.cable.unplug()
            await until(lambda: venue("session") == "rest_only" and venue("open_orders") == 0)
            assert status()["state"] == "running"
            road.cable.plug()
            await until(lambda: venue("session") == "live" and (venue("open_orders") or 0) >= 1)
            os.kill(daemon.pid, signal.SIGKILL)
            daemon.communicate()
            again = launch(tmp_path, run, "second")
            await until(lambda: (venue("open_orders") or 0) >= 1)
            again.send_signal(signal.SIGINT)
            out, _ = await trio.to_thread.run_sync(lambda: again.communicate(timeout=60))
        assert again.returncode == 0
        summary = json.loads(out)
        assert summary["profile"] == "paper"
        assert summary["venue_open_orders"] == 0
        assert summary["invariant_breaks"] == 0
        assert summary["account"]["hyperliquid"]["differences"] == []
        assert state_of(rest)["accounts"][ours] == before, "nothing of it ever was at the venue"
        code, told = hlomm("replay", state, "--json")
        assert (code, json.loads(told)["identical"]) == (0, True)
    finally:
        end(simulator)
