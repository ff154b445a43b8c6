"""Which processors the event loop keeps to, and that nothing else is squeezed onto them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from hlomm.cli.views import status
from hlomm.daemon import processors
from hlomm.daemon.doctor_machine import processors as checked
from hlomm.daemon.processors import Processors
from hlomm.domain.checkup import Code, Status
from hlomm.domain.faults import ConfigError
from hlomm.journal.codec import NoteRecord, decode
from hlomm.journal.framing import scan

ALLOWED = tuple(sorted(os.sched_getaffinity(0)))
HOT = ALLOWED[-1]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    assert os.sched_getaffinity(0) == set(ALLOWED), "a pin has outlived its test"


def test_what_is_not_there_is_refused_with_its_number() -> None:
    there = ", ".join(map(str, ALLOWED))
    with pytest.raises(ConfigError, match=rf"daemon.cpus: 8000, 8001 is not among .* may use: {there}$"):
        Processors.of([8001, HOT, 8000])
    check = checked([8000])
    assert (check.status, check.code) == (Status.FAIL, Code.CPUS_ABSENT)
    assert checked([HOT]).text.endswith(str(Processors.of([HOT])))
    assert checked([]).text.endswith("the scheduler chooses")


def test_a_system_that_pins_nothing_or_refuses_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int, _cpus: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(processors.os, "sched_setaffinity", refuse)
    with pytest.raises(ConfigError, match="pinning is refused: Operation not permitted"):
        Processors.of([HOT])
    monkeypatch.delattr(processors.os, "sched_setaffinity")
    with pytest.raises(ConfigError, match="pins nothing"):
        Processors.of([HOT])
    assert Processors.of([]).loop == ()


async def test_processors_that_are_taken_away_end_the_moving_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    def refuse(_thread: int, _cpus: object) -> None:
        raise OSError(22, "Invalid argument")

    found, done = Processors.of([HOT]), threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    with monkeypatch.context() as patch:
        patch.setattr(processors.os, "sched_setaffinity", refuse)
        with trio.fail_after(processors.EVERY_S / 2):
            await found.keep(lambda _text: None)
        found.release(os.getpid())
    done.set()
    thread.join()


def test_other_threads_have_what_the_loop_leaves_or_all_if_it_leaves_nothing() -> None:
    assert Processors((1,), (0, 1, 2)).others == (0, 2)
    assert Processors((0, 1), (0, 1)).others == (0, 1)


async def test_the_loop_is_pinned_its_threads_and_processes_are_not(autojump_clock: trio.testing.MockClock) -> None:
    found, done, notes = Processors.of([HOT]), threading.Event(), list[str]()
    with found.pinned():
        thread = threading.Thread(target=done.wait)
        thread.start()
        assert thread.native_id is not None
        assert os.sched_getaffinity(thread.native_id) == {HOT}, "threads begin where they were begun"
        process = await trio.lowlevel.open_process([sys.executable, "-c", "input()"], stdin=-1)
        found.release(process.pid)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(found.keep, notes.append)
            await trio.sleep(processors.EVERY_S / 2)
            where = os.sched_getaffinity(thread.native_id)
            assert os.sched_getaffinity(0) == {HOT}
            assert os.sched_getaffinity(process.pid) == set(ALLOWED)
            nursery.cancel_scope.cancel(reason="seen")
        done.set()
        thread.join()
        process.kill()
        await process.wait()
        found.release(process.pid)  # gone: nothing to do
    assert where == set(found.others)
    assert notes == [f"the event loop keeps to {HOT}, its threads to {', '.join(map(str, found.others))}"]


async def test_a_daemon_runs_pinned_says_so_and_lets_go(rig, autojump_clock: trio.testing.MockClock) -> None:
    async with rig(sets=(f"daemon.cpus=[{HOT}]",)) as r:
        await r.until(lambda: r.state == "running")
        assert os.sched_getaffinity(0) == {HOT}
        document, text = status(r.daemon.monitor.snapshot())
        assert document["cpus"] == [HOT]
        assert f" on processor {HOT}\n" in text
    assert os.sched_getaffinity(0) == set(ALLOWED)
    records = [decode(payload) for payload in scan(r.daemon.journal.path.read_bytes()).payloads]
    notes = [record.text for record in records if isinstance(record, NoteRecord)]
    assert str(Processors.of([HOT])) in notes
