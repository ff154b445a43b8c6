"""A thousand sets as real processes: on two cores, on a Dask cluster of two workers, killed half way and resumed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.trials.conftest import say
from tests.trials.sweeping import SETS
from tests.unit.store.making import minute, write

pytestmark = pytest.mark.trial

WITHIN_S = 300


def environment() -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(Path.cwd()), "LANG": "C.UTF-8",
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0", "DASK_DISTRIBUTED__ADMIN__LOG_LENGTH": "0",
    }  # fmt: skip


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)], env=environment(), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def sweep(store: Path, out: Path, tier: str, where: str) -> subprocess.Popen[str]:
    return start("tests.trials.sweeping", store, out, tier, where)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=WITHIN_S)
    return process.returncode, out, err


def kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.kill()
    process.communicate()


def done(out: Path) -> int:
    """Results that are on the disk."""
    return sum(pl.scan_parquet(part).select(pl.len()).collect().item() for part in (out / "parts").glob("*.parquet"))


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + WITHIN_S
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def killed_half_way(process: subprocess.Popen[str], out: Path) -> int:
    """How many results it left."""
    until(lambda: process.poll() is not None or ((out / "parts").is_dir() and done(out) >= SETS // 3))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = done(out)
    assert SETS // 3 <= left < SETS
    assert not (out / "results.parquet").exists()
    return left


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    write(root, minute())
    return root


@pytest.fixture(scope="module")
def straight(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """On two processes, undisturbed."""
    out = tmp_path_factory.mktemp("straight") / "out"
    began = time.monotonic()
    code, text, err = ended(sweep(store, out, "Slow", "2"))
    assert code == 0, err
    assert json.loads(text)["trials"]["counted"] == SETS
    assert not json.loads(text)["promoted"], "it is noise"
    say(f"sweep of {SETS} sets (20 ms each) on two processes: {time.monotonic() - began:.1f} s")
    return out


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """A scheduler and two workers of one thread each; nothing of it listens anywhere but here."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    here = ("--host", "127.0.0.1", "--no-dashboard")
    with contextlib.ExitStack() as stack:
        started = [start("distributed.cli.dask_scheduler", *here, "--port", address.rpartition(":")[2], "--no-show")]
        stack.callback(lambda: [kill(each) for each in reversed(started)])
        started += [
            start("distributed.cli.dask_worker", address, *here, "--nthreads", "1", "--no-nanny",
                  "--local-directory", tmp_path / f"worker-{number}")
            for number in range(2)
        ]  # fmt: skip
        yield address, started


def test_killed_half_way_and_gone_on_with_it_is_the_same_bytes(store: Path, straight: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    left = killed_half_way(sweep(store, out, "Slow", "2"), out)
    code, text, err = ended(sweep(store, out, "Slow", "2"))
    assert code == 0, err
    assert (out / "results.parquet").read_bytes() == (straight / "results.parquet").read_bytes()
    assert json.loads(text)["trials"]["counted"] == SETS
    assert done(out) == SETS, "nothing was computed twice"
    say(f"killed with {left} of {SETS} sets done; gone on with: the same bytes")


def test_a_cluster_of_two_workers_has_the_same_bytes_also_killed_half_way(
    store: Path, straight: Path, cluster: tuple[str, list[subprocess.Popen[str]]], tmp_path: Path
) -> None:
    address, processes = cluster
    wanted = (straight / "results.parquet").read_bytes()
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    began = time.monotonic()
    code, _, err = ended(sweep(store, whole, "Slow", address))
    assert code == 0, err
    assert (whole / "results.parquet").read_bytes() == wanted
    assert pl.read_parquet(whole / "times.parquet")["worker"].n_unique() == 2
    say(f"the same on a Dask cluster of two workers: {time.monotonic() - began:.1f} s")
    left = killed_half_way(sweep(store, halved, "Slow", address), halved)
    resumed = sweep(store, halved, "Slow", address)
    until(lambda: done(halved) > left + SETS // 10)
    kill(processes[1])
    code, _, err = ended(resumed)
    assert code == 0, err
    assert "a worker died: tcp://127.0.0.1:" in err
    assert (halved / "results.parquet").read_bytes() == wanted
    say(f"killed there with {left} done, gone on with, and a worker of the cluster killed: the same bytes")


def test_a_scheduler_that_dies_costs_nothing_but_time(
    store: Path, straight: Path, cluster: tuple[str, list[subprocess.Popen[str]]], tmp_path: Path
) -> None:
    address, processes = cluster
    out = tmp_path / "out"
    process = sweep(store, out, "Slow", address)
    until(lambda: (out / "parts").is_dir() and done(out) >= SETS // 5)
    kill(processes[0])
    code, _, err = ended(process)
    assert code == 5, err
    assert "the scheduler is gone" in err
    assert "Traceback" not in err.partition("hlomm:")[2]
    code, text, err = ended(sweep(store, out, "Slow", "2"))  # begun there, ended here
    assert code == 0, err
    assert json.loads(text)["failed"] == 0, "no set is to blame"
    assert (out / "results.parquet").read_bytes() == (straight / "results.parquet").read_bytes()


def test_workers_of_a_killed_sweep_end_with_it(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = sweep(store, out, "Slow", "2")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until(lambda: (out / "parts").is_dir() and done(out) >= 20)
    pids = [int(pid) for pid in children.read_text().split()]
    assert len(pids) >= 2
    process.kill()
    process.communicate()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
