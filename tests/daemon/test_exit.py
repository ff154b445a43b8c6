"""Ends with a code of their own: the equity stop through the whole daemon, and a start that there is no room for."""

from __future__ import annotations

import errno
import json
import os

import pytest
import trio

from hlomm.daemon.journal_writer import JournalWriter
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import ConfigError


async def test_an_equity_stop_flattens_ends_the_run_and_stays_halted(rig, autojump_clock, tmp_path):
    tight = ("breakers.equity_stop=0.00001", "breakers.daily_loss=0.01")
    async with rig(sets=tight, state=tmp_path / "state") as made:
        await made.until(lambda: made.state != "running" and made.engine.state.opened, within_s=600)
        await made.until(lambda: made.daemon.pump.engine.state.counters.trips.get("equity_stop", 0) == 1, within_s=600)
        with trio.fail_after(120):
            await made.done.wait()
        assert made.result is not None
        assert made.result.exit_code == ExitCode.HALTED
        assert made.resting_at_venue() == 0
        assert made.result.summary["breakers"]["equity_stop"] == 1
        assert made.result.summary["halt"]["state"] == "stopped"
    note = json.loads(made.paths.halt.read_text())
    assert note["reason"].startswith("equity stop: lost ")


async def test_without_room_for_a_journal_it_does_not_start(rig, autojump_clock, monkeypatch):
    def full(_writer: JournalWriter, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(JournalWriter, "_write_all", full)
    with pytest.RaisesGroup(
        pytest.RaisesExc(ConfigError, match="No space left on device — no journal can be begun: free the disk"),
        flatten_subgroups=True,
    ):
        async with rig():
            pass
