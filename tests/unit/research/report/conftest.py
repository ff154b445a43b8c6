"""One simulated morning of the whole daemon in virtual time, on record, and what a report gathers of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlomm.journal.segments import Segment
from hlomm.research.report.gather import Gathered, from_journal
from hlomm.research.soak.day import Day
from hlomm.research.soak.plan import draw

SEED = 4
DAYS = 0.05


@pytest.fixture(scope="session")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the journal of a run that quoted, was filled and saw contracts settle, with nothing going wrong."""
    day = Day(draw(SEED, days=DAYS, faults=()))
    assert not day.live().findings
    folder = tmp_path_factory.mktemp("run") / "journal"
    folder.mkdir()
    for epoch_ms, data in day.world.disk.files.items():
        (folder / Segment(epoch_ms, 0).name).write_bytes(bytes(data))
    return folder


@pytest.fixture(scope="session")
def gathered(journal: Path) -> Gathered:
    return from_journal(journal, every_s=1.0, decisions=True)
