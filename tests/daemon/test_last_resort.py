"""The hard outer deadline: it ends a process whose loop has stopped turning, and only such a one."""

from __future__ import annotations

import queue
import subprocess
import sys

import pytest

from hlomm.daemon.last_resort import LastResort
from hlomm.domain.exits import ExitCode


def test_it_ends_the_process_when_nobody_disarms_it() -> None:
    ends: queue.Queue[int] = queue.Queue()
    LastResort(0.01, ends.put).start("test")
    assert ends.get(timeout=10) == ExitCode.FAULT


def test_disarmed_it_does_nothing() -> None:
    ends: queue.Queue[int] = queue.Queue()
    resort = LastResort(0.05, ends.put)
    resort.start("test")
    resort.disarm()
    assert resort._thread is not None
    resort._thread.join(10)
    assert ends.empty()


def test_a_hung_loop_does_not_outlive_it() -> None:
    program = (
        "import signal, trio\n"
        "from hlomm.daemon.last_resort import LastResort\n"
        "async def hang():\n"
        "    LastResort(0.2).start('test')\n"
        "    with trio.CancelScope(shield=True):\n"
        "        while True:\n"
        "            pass\n"
        "trio.run(hang)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], timeout=30, capture_output=True, check=False)
    assert ended.returncode == ExitCode.FAULT
    assert b"last_resort" in ended.stdout + ended.stderr


async def test_a_stop_that_goes_well_disarms_it(rig, autojump_clock) -> None:
    async with rig() as r:
        await r.quoting()
        await r.stop()
    thread = r.daemon.last_resort._thread
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("stop_s", [38, 40])
def test_it_may_not_come_before_the_orderly_end(stop_s: int) -> None:
    from hlomm.domain.faults import ConfigError
    from hlomm.settings.load import load

    with pytest.raises(ConfigError, match=r"daemon\.hard_stop_s: must exceed twice"):
        load("sim", (), (f"daemon.stop_deadline_s={stop_s}", "daemon.hard_stop_s=75"), environ={})
