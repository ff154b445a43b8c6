"""`hlomm config reload` on a daemon that trades: one change in the journal, all of it or nothing of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from hlomm.cli.canary import as_canary
from hlomm.cli.reloading import reload_command
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import ConfigError, UsageError
from hlomm.domain.inputs import OperatorAction
from hlomm.research.replay import replay
from hlomm.settings.load import load
from hlomm.settings.paths import StatePaths
from hlomm.sim.harness import simulated_hyperliquid
from tests.daemon.test_canary import SETS, flown

GAMMA, LEAST = "strategy.avellaneda.gamma", "strategy.avellaneda.min_half_spread"


def write(path: Path, *, gamma: float, least: float = 0.0025, rest: str = "") -> None:
    path.write_text(f"[strategy.avellaneda]\ngamma = {gamma}\nmin_half_spread = {least}\n{rest}")


async def test_the_files_win_over_what_runs_in_one_journalled_change(
    rig, autojump_clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine.toml"
    write(mine, gamma=0.0005)

    async with rig(files=(mine,), sets=("limits.max_position=900",)) as r:
        await r.quoting(2)

        async def reload(*, tunable_only: bool = False) -> dict[str, object]:
            """The command, in a thread: its socket blocks."""
            code = await trio.to_thread.run_sync(
                lambda: reload_command(
                    "sim", r.paths.root, None, reason="mine", tunable_only=tunable_only, as_json=True
                )
            )
            said: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
            assert (code is ExitCode.CLEAN) == said["applied"]
            return said

        def tuned() -> dict[str, float]:
            return {key: each.change.value for key, each in r.engine.state.tuned.items()}

        assert (await reload())["text"] == "nothing that runs differs"

        others = "[limits]\nmax_drawdown = 50\n[strategy.complete_set]\nmin_edge = 0.9"
        write(mine, gamma=0.001, least=0.03, rest=others)
        said = await reload()
        assert set(said["restart"]) == {"limits.max_drawdown", "strategy.complete_set.min_edge"}, "the latter is off"
        assert f"limits.max_drawdown ({mine})" in str(said["text"])
        assert str(said["text"]).endswith(f"--tunable-only takes the others: {GAMMA}, {LEAST}")
        assert tuned() == {}

        said = await reload(tunable_only=True)
        assert tuned() == {GAMMA: 0.001, LEAST: 0.03}
        assert "as before until a restart: limits.max_drawdown" in str(said["text"])

        write(mine, gamma=0.0005, rest="gama = 1")
        with pytest.raises(ConfigError, match=r"gama.*did you mean"):
            await reload()
        assert tuned() == {GAMMA: 0.001, LEAST: 0.03}

        write(mine, gamma=0.0005)
        assert "as configured again" in str((await reload())["text"])
        assert tuned() == {}

        await r.until(lambda: len(r.daemon.ledger.audit_tail.rows) == 2, 10)
        first, second = r.daemon.ledger.audit_tail.rows
        assert (first.action, first.target) == (OperatorAction.TUNE.value, f"{GAMMA}=0.001; {LEAST}=0.03")
        assert first.reason == "reload: mine"
        assert f"{GAMMA} 0.0005 -> 0.001, {LEAST} 0.0025 -> 0.03" in first.result
        assert second.target == f"{GAMMA}=0.0005; {LEAST}=0.0025"

        r.paths.running.unlink()
        with pytest.raises(UsageError, match="restart it"):
            await reload()
        await r.stop()
    assert replay(r.paths.journal).document()["identical"] is True


async def test_a_canary_that_reloads_stays_a_canary(
    autojump_clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing was edited: what the canary made smaller is not taken back."""
    paths = StatePaths(tmp_path)
    paths.prepare()
    loaded = as_canary(load("sim", (), SETS, environ={}))
    async with simulated_hyperliquid(seed=7) as sim, trio.open_nursery() as nursery:
        nursery.start_soon(flown, sim, loaded, paths, 20.0)
        await trio.sleep(10)
        code = await trio.to_thread.run_sync(
            lambda: reload_command("sim", paths.root, None, reason="", tunable_only=True, as_json=True)
        )
        assert code is ExitCode.CLEAN
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["text"] == "nothing that runs differs"
