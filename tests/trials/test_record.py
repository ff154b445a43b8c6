"""A real recorder beside a real simulator: killed, what it wrote can be read, packed, checked and run over."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from hlomm.research.store.read import Store
from hlomm.research.store.schema import FRAMES
from tests.trials.conftest import end, launch

pytestmark = pytest.mark.trial

FIRST_EXPIRY_S = 15


def hlomm(*arguments: str) -> tuple[int, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "hlomm.cli.main", *arguments, "--json"], capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def rows(root: Path) -> int:
    return int(Store.open(root).scan().select("seq").collect().height)


async def test_a_recording_ends_at_its_budget(tmp_path: Path) -> None:
    simulator = launch(tmp_path, ["sim", "--json", "--seed", "5", "--linger", "60"], "sim")
    store, limit = tmp_path / "store", 2_500_000
    try:
        assert simulator.stdout is not None
        document = tmp_path / "sim.json"
        document.write_text(simulator.stdout.readline())
        command = ("record", "--sim", str(document), "--out", str(store), "--duration", "60", "--disk-max", "2.5M")
        code, report = hlomm(*command)
        assert (code, report["complete"]) == (4, False)
        assert "--disk-max" in report["stopped"]
        assert limit / 10 < sum(path.stat().st_size for path in store.rglob("*") if path.is_file()) <= limit
        code, found = hlomm("data", "check", str(store))
        assert (code, found["good"]) == (0, True)
        assert found["findings"]["unclean_ends"]["count"] == 0
    finally:
        end(simulator)


async def test_killed_recorder_leaves_files_that_are_read_packed_and_backtested(tmp_path: Path) -> None:
    simulator = launch(
        tmp_path, ["sim", "--json", "--venues", "hyperliquid", "--seed", "5", "--linger", "120", "--first-expiry",
                   str(FIRST_EXPIRY_S)], "sim",
    )  # fmt: skip
    store = tmp_path / "store"
    try:
        assert simulator.stdout is not None
        document = tmp_path / "sim.json"
        document.write_text(simulator.stdout.readline())
        command = ["record", "--sim", str(document), "--venues", "hyperliquid", "--out", str(store)]
        recorder = launch(tmp_path, command, "record")
        await trio.sleep(FIRST_EXPIRY_S + 6)
        recorder.send_signal(signal.SIGKILL)
        recorder.communicate()

        killed = rows(store)
        assert killed > 300
        assert len(list((store / "spool").iterdir())) == 1
        code, found = hlomm("data", "check", str(store))
        assert (code, found["good"]) == (0, True)
        assert found["findings"]["unclean_ends"]["count"] == 1
        assert found["rows"]["events"] == killed

        # The next run packs what the last one left, and ends by a signal as by a command.
        again = launch(tmp_path, [*command, "--json"], "again")
        await trio.sleep(6)
        again.send_signal(signal.SIGTERM)
        said, _ = again.communicate(timeout=60)
        report = json.loads(said)
        assert (again.returncode, report["stopped"]) == (0, "SIGTERM")
    finally:
        end(simulator)
    assert not list((store / "spool").iterdir())
    assert rows(store) > killed
    assert Store.open(store).scan(FRAMES).select("seq").collect().height > 300
    code, found = hlomm("data", "check", str(store))
    assert (code, found["findings"]["unclean_ends"]["count"]) == (0, 1)

    code, results = hlomm("backtest", str(store), "--out", str(tmp_path))
    assert code == 0
    results = results if isinstance(results, list) else [results]
    assert all(one["settled"] in (0.0, 1.0) for one in results)
    assert all(one["data"]["books"] > 5 and one["data"]["events"] > 50 for one in results)
