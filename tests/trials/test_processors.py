"""A real daemon pinned to a processor: its loop stays there, and its threads, its guardian and the simulator do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from hlomm.daemon.processors import EVERY_S
from tests.trials.conftest import fresh, launch

pytestmark = pytest.mark.trial

ALLOWED = os.sched_getaffinity(0)
HOT = max(ALLOWED)


def threads(process: int) -> dict[int, set[int]]:
    """Where each thread of a process may run."""
    found = [int(entry.name) for entry in Path(f"/proc/{process}/task").iterdir()]
    return {thread: os.sched_getaffinity(thread) for thread in found}


async def test_nothing_but_the_loop_is_on_its_processor(tmp_path: Path) -> None:
    async with fresh(tmp_path, 0) as ground:
        daemon = ground.start("daemon", f"daemon.cpus=[{HOT}]")
        await ground.quoting()
        await trio.sleep(3 * EVERY_S)
        found = threads(daemon.process.pid)
        assert found.pop(daemon.process.pid) == {HOT}
        assert found, "the journal is synced in a thread"
        assert set(map(frozenset, found.values())) == {frozenset(ALLOWED - {HOT} or ALLOWED)}
        for helper in (daemon.guardians()[-1], ground.simulator.pid):
            assert set(map(frozenset, threads(helper).values())) == {frozenset(ALLOWED)}


def test_a_run_on_a_processor_that_is_not_there_does_not_begin(tmp_path: Path) -> None:
    process = launch(tmp_path, ["run", "--set", "daemon.cpus=[8000]"], "none")
    assert process.wait(30) == 2
    process.communicate()
    said = (tmp_path / "none.err").read_text()
    assert "daemon.cpus: 8000 is not among the processors that this process may use" in said
    assert not list(tmp_path.glob("**/journal/*"))
