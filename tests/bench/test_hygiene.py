"""Measures of process hygiene: what is taken away is gone and comes back, and ratios are those of one round."""

from __future__ import annotations

import gc
import os
import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click.testing
import pytest
import trio

from hlomm.bench import desk, hygiene
from hlomm.bench.hygiene import AGAIN, FULL, MEASURES, Plan
from hlomm.cli import bench as look
from hlomm.cli.main import main
from hlomm.daemon import collector, pump
from hlomm.daemon.collector import Collector
from hlomm.daemon.journal_writer import JournalWriter
from hlomm.venues.websocket_direct import Socket
from tests.bench.test_documents import whole

Json = dict[str, Any]


def state() -> list[Any]:
    """Everything that a measure exchanges."""
    return [gc.freeze, collector.THRESHOLDS, desk.open_stream, pump._JOINED, Socket.send_now, JournalWriter.sync]


@pytest.mark.parametrize(("name", "place"), [
    ("freeze", 0), ("thresholds", 1), ("TCP_NODELAY", 2), ("joined", 3), ("sent at once", 4), ("fsync in a thread", 5),
])  # fmt: skip
def test_one_thing_is_exchanged_and_comes_back(name: str, place: int) -> None:
    before = state()
    with MEASURES[name].without():
        assert [index for index, (one, two) in enumerate(zip(before, state(), strict=True)) if one != two] == [place]
    assert state() == before


def test_nothing_is_frozen_nothing_joined_and_counts_are_the_interpreters() -> None:
    with MEASURES["freeze"].without(), MEASURES["thresholds"].without(), MEASURES["joined"].without():
        counts = gc.get_threshold()
        beside = SimpleNamespace(stages=SimpleNamespace(tidying=False))
        with Collector(beside).installed():  # type: ignore[arg-type]
            assert gc.get_freeze_count() == 0
            assert gc.get_threshold() == counts
        assert len(list(pump._turns([object(), object()]))) == 2  # type: ignore[list-item]


async def test_the_loop_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda _fd: threads.append(threading.current_thread().name))
    writer = JournalWriter(tmp_path, 1, segment_bytes=1 << 20)
    await writer.sync()
    with MEASURES["fsync in a thread"].without():
        await writer.sync()
    assert threads[0] != threads[1] == threading.main_thread().name
    writer.close()


async def test_small_segments_are_held_back() -> None:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    where = ("127.0.0.1", listener.socket.getsockname()[1], False)
    held = []
    with MEASURES["TCP_NODELAY"].without():
        held.append(await desk.open_stream(*where))
    held.append(await desk.open_stream(*where))
    assert [one.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for one in held] == [0, 1]
    for one in held:
        await one.aclose()
    await listener.aclose()


def test_a_round_in_which_others_slowed_everything_changes_no_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    speeds, told = iter([1.0] * 4 + [3.0] * 4), []

    def apart(name: str, _plan: Plan) -> Json:
        us = 100.0 * next(speeds) * (2.0 if name == "joined" else 1.0)
        told.append(name)
        total = {"p50": us, "p99": 4 * us, "p999": 9 * us, "count": 50}
        return {"rates": {"20": {"total": total, "cpu_us_per_frame": us}}, "disturbed": ["noise"]}

    monkeypatch.setattr(hygiene, "_apart", apart)
    document = whole(hygiene.run(Plan(rates=(20.0,), rounds=2, only=("freeze", "joined"))))
    assert told == [FULL, "freeze", "joined", AGAIN, FULL, "joined", "freeze", AGAIN], "each begins with another"
    assert document["full"]["20"] == {"p50": 100, "p99": 400, "p999": 900, "cpu_us_per_frame": 100, "count": 100}
    assert set(document["measures"]["joined"]["ratio"]["20"].values()) == {2.0}
    assert set(document["again"]["20"].values()) == {1.0}
    assert "joined: noise" in document["disturbed"]
    text = "\n".join(look.hygiene(document))
    assert "without joined" in text
    assert "x 2.00" in text


def test_a_measure_that_is_none_is_refused() -> None:
    shown = click.testing.CliRunner().invoke(main, ["bench", "hygiene", "--only", "joined,prayer"])
    assert shown.exit_code == 2
    assert "no such measure: prayer" in shown.output


@pytest.mark.bench
def test_each_run_is_a_daemon_in_a_process_of_its_own() -> None:
    document = whole(hygiene.run(Plan(seconds=1.0, rates=(40.0,), rounds=1, only=("quiet logs", "pinned"))))
    assert list(document["measures"]) == ["quiet logs", "pinned"]
    assert document["full"]["40"]["count"] > 10
    for ratios in (document["again"]["40"], *(one["ratio"]["40"] for one in document["measures"].values())):
        assert min(ratios.values()) > 0
