"""When garbage is collected: in gaps, on record as such, and nothing of it outlives the daemon."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import trio
import trio.testing

from hlomm.cli.latency import latency
from hlomm.daemon import collector
from hlomm.daemon.collector import THRESHOLDS, WARM_S, WORTH, Collector
from hlomm.daemon.journal_writer import JournalWriter
from hlomm.daemon.pump import Pump
from hlomm.daemon.stages import Stages
from hlomm.domain.latency_rows import STAGES, Stage
from hlomm.sim.harness import read_host
from hlomm.venues.clock import Clock
from tests.support.rig import Rig
from tests.tui.examples import snapshot


class Cycle:
    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def pump(tmp_path: Path) -> Iterator[Pump]:
    journal, stages = JournalWriter(tmp_path, 1, segment_bytes=1 << 20), Stages(dict.fromkeys(STAGES, 1e6))
    with stages.watching_collections():
        yield Pump(Rig().engine, Clock(read=read_host), journal, lambda output: None, stages)
    journal.close()


def counted(pump: Pump, stage: Stage) -> int:
    return next(row.count for row in pump.stages.rows() if row.stage == stage)


def missed(pump: Pump) -> int:
    """As people are shown it."""
    return {row.stage: row.missed for row in pump.stages.rows()}[Stage.TIDY]


def litter() -> weakref.ref[Cycle]:
    """Enough garbage to be worth a collection; a look at one piece of it."""
    pieces = [Cycle() for _ in range(2 * WORTH)]
    return weakref.ref(pieces[0])


def test_what_the_start_left_is_frozen_and_all_of_it_is_undone(pump: Pump) -> None:
    before = gc.get_threshold()
    with Collector(pump).installed():
        assert gc.get_threshold() == THRESHOLDS
        assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


async def test_the_start_is_no_reason_for_an_alarm_and_a_long_gap_is(tmp_path: Path, autojump_clock: object) -> None:
    """Everything there is takes longer to look through than any gap should: once, and nobody is to be woken by it."""
    journal, stages = JournalWriter(tmp_path, 1, segment_bytes=1 << 20), Stages(dict.fromkeys(STAGES, 0.001))
    with stages.watching_collections():
        pump = Pump(Rig().engine, Clock(read=read_host), journal, lambda output: None, stages)
        made = Collector(pump)
        with made.installed():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(made.keep)
                await trio.sleep(WARM_S + 0.01)
                assert counted(pump, Stage.TIDY) == 2, "both are on record"
                assert stages.judge() == []
                litter()
                await trio.sleep(1)
                assert [alert.text.partition(":")[0] for alert in stages.judge()] == ["tidy is slow"]
                nursery.cancel_scope.cancel()
    journal.close()


async def test_garbage_is_collected_in_a_gap_and_told_apart(pump: Pump, autojump_clock: object) -> None:
    made = Collector(pump)
    with made.installed():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.keep)
            await trio.sleep(WARM_S + 0.01)
            ours, alone = counted(pump, Stage.TIDY), counted(pump, Stage.COLLECT)
            piece = litter()
            assert piece() is not None, "nothing has collected it by itself"
            await trio.sleep(1)
            assert piece() is None
            nursery.cancel_scope.cancel()
    assert counted(pump, Stage.TIDY) == ours + 1
    assert counted(pump, Stage.COLLECT) == alone
    assert missed(pump) == 0


async def test_a_daemon_that_decides_all_the_time_is_not_interrupted(pump: Pump, autojump_clock: object) -> None:
    made = Collector(pump)

    async def decide() -> None:
        while True:
            pump.decided_ns = read_host().mono_ns
            await trio.sleep(0.001)

    with made.installed():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.keep)
            await trio.sleep(WARM_S + 0.01)
            nursery.start_soon(decide)
            await trio.sleep(0.3)
            ours, piece = counted(pump, Stage.TIDY), litter()
            await trio.sleep(1)
            assert piece() is not None
            nursery.cancel_scope.cancel()
    assert counted(pump, Stage.TIDY) == ours
    assert missed(pump) >= 1
    _, said = latency(msgspec.structs.replace(snapshot(), stages=pump.stages.rows()))
    assert f"tidy: due {missed(pump)} times without a gap for it" in said


async def test_older_garbage_has_its_turn(pump: Pump, autojump_clock: object, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    monkeypatch.setattr(Collector, "_collect", lambda _self, generation: looked.append(generation))
    monkeypatch.setattr(collector, "WORTH", 0)
    made = Collector(pump)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.keep)
        await trio.sleep(WARM_S + collector.ALL_EVERY_S + 1)
        nursery.cancel_scope.cancel()
    gc.unfreeze()
    assert looked[0] == 2, "all of it when warm"
    assert looked.count(2) == 2, "and again after a while"
    assert 0.02 < looked.count(1) / looked.count(0) < 0.1
