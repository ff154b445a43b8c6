"""The equity stop through the whole daemon: flat, verified empty, exit code 4, HALTED when it comes back."""

from __future__ import annotations

import json

import trio

from hlomm.domain.exits import ExitCode


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
