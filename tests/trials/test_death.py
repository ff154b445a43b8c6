"""The promise with real processes: kill or stop the daemon, and the venue is clean within seconds.

`HLOMM_TRIALS=50 pytest -s -m trial` is the slow lane; the times are printed and bounded either way.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import trio

from hlomm.cli.client import Client
from hlomm.daemon.guardian_process import make_room
from hlomm.domain.faults import UsageError
from hlomm.rundir import halt_file, owned_file
from tests.trials.conftest import LEAST_HELD, POLL_S, TRIALS, Daemon, Ground, ask, fresh, quantile, say, spread

pytestmark = pytest.mark.trial

ORDERS_GONE_S = 5.0
SAFE_S = 15.0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=lambda number: number.name)
async def test_a_daemon_that_dies_or_stands_still(tmp_path: Path, number: signal.Signals) -> None:
    gone_s: list[float] = []
    safe_s: list[float] = []
    for trial in range(TRIALS):
        async with fresh(tmp_path / f"{trial}", trial) as ground:
            daemon = ground.start("daemon")
            await ground.quoting(held=0 if trial % 10 else LEAST_HELD)
            struck = trio.current_time()
            daemon.send(number)
            with trio.fail_after(60):
                while await ground.resting():
                    await trio.sleep(POLL_S)
                gone_s.append(trio.current_time() - struck)
                while not any(line.get("now") == "done" for line in daemon.record()):
                    await trio.sleep(POLL_S)
            safe_s.append(trio.current_time() - struck)
            await safe(ground, daemon)
    say(f"{number.name}: {TRIALS} trials; orders gone {spread(gone_s)}; flat or held {spread(safe_s)}")
    assert quantile(gone_s, 0.99) <= ORDERS_GONE_S, gone_s
    assert max(safe_s) <= SAFE_S, safe_s


async def safe(ground: Ground, daemon: Daemon) -> None:
    """Flat or held by policy by the venue's account, on record, and nobody left who could go on."""
    done = next(line for line in daemon.record() if line.get("now") == "done")
    held = await ground.held()
    assert held == 0 or "(" in done["why"].rpartition("left: ")[2], "flat, or held by policy and said so"
    assert done["held_back"] == 0
    note = halt_file.read(daemon.paths.halt)
    assert note is not None
    assert note.reason.startswith("guardian: ")
    assert owned_file.read(daemon.paths.owned) is None
    assert daemon.process.wait(5) == -signal.SIGKILL, "nothing is left that could be resumed"
    assert await ground.resting() == 0
    told = ask(daemon.paths)
    assert told is not None, "it stays to say what it did"
    assert told.phase.value == "done"
    await make_room(daemon.paths)  # as the next run on this state directory would


async def test_a_guardian_that_dies_is_missed_and_replaced_and_nothing_is_quoted_without_one(tmp_path: Path) -> None:
    out_s: list[float] = []
    another_s: list[float] = []
    for trial in range(TRIALS):
        async with fresh(tmp_path / f"{trial}", trial) as ground:
            daemon = ground.start("daemon")
            await ground.quoting()
            (first,) = daemon.guardians()
            # Standing still is worse than dying: nothing ends, only the answers stop.
            os.kill(first, signal.SIGSTOP)
            struck = trio.current_time()
            with trio.fail_after(20):
                while await ground.resting():
                    await trio.sleep(POLL_S)
                out_s.append(trio.current_time() - struck)
                while len(daemon.guardians()) < 2:
                    await trio.sleep(POLL_S)
                while await ground.resting() < 2:
                    await trio.sleep(POLL_S)
            second = daemon.guardians()[1]
            os.kill(second, signal.SIGKILL)
            struck = trio.current_time()
            with trio.fail_after(20):
                while len(daemon.guardians()) < 3:
                    await trio.sleep(POLL_S)
                another_s.append(trio.current_time() - struck)
                while await ground.resting() < 2:
                    await trio.sleep(POLL_S)
            assert daemon.process.poll() is None, "no guardian took the change for a death"
            assert (ground.home / "daemon.err").read_text().count('"guardian_down"') >= 2
            daemon.send(signal.SIGINT)
            assert daemon.process.wait(30) == 0
            assert await ground.resting() == 0
    say(f"guardian stopped: {TRIALS} trials; quotes out {spread(out_s)}; killed: another {spread(another_s)}")


async def test_a_kill_reaches_the_guardian_past_a_daemon_that_does_not_answer(tmp_path: Path) -> None:
    gone_s: list[float] = []
    for trial in range(TRIALS):
        async with fresh(tmp_path / f"{trial}", trial) as ground:
            gone_s.append(await killed_past(ground))
    say(f"hlomm kill past a stopped daemon: {TRIALS} trials; orders gone {spread(gone_s)}")


async def killed_past(ground: Ground) -> float:
    """Seconds to clean, from the stop on."""
    daemon = ground.start(
        "kill", "guardian.dead_s=60", "guardian.warn_s=30"
    )  # so that only the operator can be the cause
    await ground.quoting()
    daemon.send(signal.SIGSTOP)
    struck = trio.current_time()
    with pytest.raises(UsageError, match="does not answer within 1 s"):
        Client(daemon.paths.socket, 1.0)
    arguments = ["kill", "--state-dir", str(daemon.paths.root), "--reason", "drill", "--json"]
    done = await trio.run_process(
        [sys.executable, "-m", "hlomm.cli.main", *arguments], capture_stdout=True, capture_stderr=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert b'"state": "guardian acting"' in done.stdout
    with trio.fail_after(20):
        while await ground.resting():
            await trio.sleep(POLL_S)
    gone_s = trio.current_time() - struck
    assert daemon.process.wait(5) == -signal.SIGKILL
    with trio.fail_after(20):
        while (note := halt_file.read(daemon.paths.halt)) is None:
            await trio.sleep(POLL_S)
    assert "kill by uid" in note.reason
    assert "(drill)" in note.reason
    return gone_s


async def test_the_end_of_the_terminal_that_reads_its_log_is_a_stop_in_order(tmp_path: Path) -> None:
    """As when an SSH session breaks: SIGHUP, and every line of the log is refused from then on."""
    async with fresh(tmp_path, 0) as ground:
        master, slave = os.openpty()
        daemon = ground.start("terminal", errors=slave)
        os.close(slave)
        await ground.quoting()
        os.close(master)
        daemon.send(signal.SIGHUP)
        assert await trio.to_thread.run_sync(daemon.process.wait, 30) == 0
        assert await ground.resting() == 0
        phases = [line["now"] for line in daemon.record() if line["event"] == "phase"]
        assert phases == ["watching", "stood_down"], "the guardian had nothing to do"
