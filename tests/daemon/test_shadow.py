"""A shadow beside a whole daemon: followed or run again it does the same, and nothing of it gets into what happened."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner

from hlomm.cli.main import main
from hlomm.cli.shadow import results_of
from hlomm.domain.faults import JournalCorrupt, UsageError
from hlomm.journal.segments import Segment
from hlomm.research.fill_model import FillModel
from hlomm.research.shadow.following import Followed, Following
from hlomm.research.shadow.ledger import shadows
from hlomm.rundir import ledger_schema
from hlomm.settings.paths import StatePaths
from tests.daemon.conftest import MakeRig

WIDER = "strategy.avellaneda.min_half_spread=0.03"


def shadow(paths: StatePaths, *sets: str, name: str = "test") -> Following:
    return Following(paths, name, FillModel(), (), sets)


def whole(paths: StatePaths, *sets: str) -> Followed:
    following = shadow(paths, *sets)
    following.read()
    return following.finish()


def rows(paths: StatePaths, table: str) -> list[Any]:
    with closing(sqlite3.connect(paths.ledger)) as connection:
        return connection.execute(f"SELECT * FROM {table}").fetchall()


class Restarted(threading.Event):
    """A daemon that is started again while somebody waits, and a stop once that run was looked at."""

    def __init__(self, paths: StatePaths, epoch_ms: int, later_ms: int) -> None:
        super().__init__()
        self._paths, self._epoch, self._later, self._waits = paths, f"{epoch_ms}", f"{later_ms}", 0

    def wait(self, timeout: float | None = None) -> bool:
        self._waits += 1
        if self._waits == 1:
            for path in sorted(self._paths.journal.iterdir()):
                path.with_name(path.name.replace(self._epoch, self._later)).write_bytes(path.read_bytes())
        return self._waits > 2


async def followed_run(rig: MakeRig) -> tuple[StatePaths, Followed]:
    """A run of a minute, followed while it went on."""
    async with rig(seed=7) as run:
        await run.quoting()
        following = shadow(run.paths)
        for _ in range(12):
            await trio.sleep(5)
            following.read()
        await run.stop()
        following.read()
    return run.paths, following.finish()


async def test_a_shadow_does_the_same_again_and_nothing_of_it_happened(
    rig: MakeRig, autojump_clock, monkeypatch
) -> None:
    paths, followed = await followed_run(rig)
    decisions, fills = rows(paths, "shadow_decisions"), rows(paths, "shadow_fills")
    happened = {
        table: rows(paths, table) for table in ("orders", "decisions", "fills", "positions", "pnl", "settlements")
    }
    assert followed.fills > 0
    assert len(decisions) > 20
    assert happened["fills"]

    assert whole(paths) == followed, "run again as when it was followed"
    assert rows(paths, "shadow_decisions") == decisions, "made anew, not added"
    assert rows(paths, "shadow_fills") == fills

    other = whole(paths, WIDER)
    assert {table: rows(paths, table) for table in happened} == happened
    assert other.label.tag != followed.label.tag
    assert other.live_total == followed.live_total
    assert (other.quotes, other.total) != (followed.quotes, followed.total), "it trades with its own settings"
    tags = {followed.label.tag, other.label.tag}
    assert {row["tag"] for row in shadows(paths.ledger)} == tags
    for table in ("shadow_decisions", "shadow_fills"):
        assert {row[0] for row in rows(paths, table)} <= tags
    assert FillModel().tag in followed.label.tag

    said = CliRunner().invoke(main, ["shadow", "--state-dir", str(paths.root), "--name", "test", "--json"])
    assert (said.exit_code, json.loads(said.stdout)) == (0, followed.document()), said.stderr
    listed = CliRunner().invoke(main, ["shadow", "--state-dir", str(paths.root), "--list", "--json"])
    assert {row["tag"] for row in json.loads(listed.stdout)} == tags
    monkeypatch.setattr(ledger_schema, "BUSY_MS", 50)
    with closing(sqlite3.connect(paths.ledger, isolation_level=None)) as held:
        held.execute("BEGIN IMMEDIATE")
        busy = CliRunner().invoke(main, ["shadow", "--state-dir", str(paths.root)])
        held.execute("ROLLBACK")
    assert busy.exit_code == 2
    assert "locked" in busy.stderr
    assert "the run is not touched" in busy.stderr

    later = followed.epoch_ms + 1_000
    results = list(results_of(lambda: shadow(paths), Restarted(paths, followed.epoch_ms, later)))
    assert [one.epoch_ms for one in results] == [followed.epoch_ms, later], "the run after a restart is followed, too"
    assert results[0] == followed
    assert results[1].total == followed.total

    segment = paths.journal / Segment(later, 0).name
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(bytes(data))
    with pytest.raises(JournalCorrupt):
        whole(paths)


def test_there_is_no_shadow_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no journal segments"):
        shadow(StatePaths(tmp_path))
    assert shadows(tmp_path / "ledger.sqlite") == []
