"""A seed is the same run everywhere: the same order of tasks, the same decisions, the same bytes on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import attrs
import trio
import trio.testing

from hlomm.sim.faults import FaultName
from tests.world.whole.life import live
from tests.world.whole.plan import plan
from tests.world.whole.schedule import ordered_by

SEED = "3"


def test_three_processes_that_hash_differently_write_the_same_journal() -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.world.whole.life", SEED], env=os.environ | {"PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE, text=True,
        )
        for hash_seed in ("0", "1", "4242")
    ]  # fmt: skip
    said = [process.communicate(timeout=120)[0].split() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    digests = {words[1] for words in said}
    assert len(digests) == 1
    assert len(digests.pop()) == 64


def test_what_travels_at_once_arrives_in_an_order_of_the_seed(tmp_path: Path) -> None:
    """Were it not so, half of what the seeds are for would not be tried; were it not repeatable, none."""
    told = plan(5, FaultName.REPLY_DELAYED, storm_s=5)
    digest = live(told, tmp_path / "a").digest
    assert live(told, tmp_path / "b").digest == digest
    assert live(attrs.evolve(told, order=6), tmp_path / "c").digest != digest


def test_order_and_threads_repeat() -> None:
    def order(seed: int) -> list[int]:
        done: list[int] = []

        async def one(number: int) -> None:
            for _ in range(3):
                await trio.to_thread.run_sync(lambda: None)
                done.append(number)

        async def all_of_them() -> None:
            async with trio.open_nursery() as nursery:
                for number in range(6):
                    nursery.start_soon(one, number)

        with ordered_by(seed):
            trio.run(all_of_them, clock=trio.testing.MockClock(autojump_threshold=0))
        return done

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) > 1
