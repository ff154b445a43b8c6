"""Pairs that begin with a leg that rests, on record: fills at any moment, hedges of any fate, byte for byte again."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlomm.research.replay import replay
from tests.replay.journals import Run, write
from tests.support.makers import Makers

STEPS = 90


@pytest.mark.parametrize("seed", [3, 4])
def test_a_run_that_rests_and_hedges_replays_byte_for_byte(seed: int, tmp_path: Path) -> None:
    run = Run()
    storm = run.storm = Makers(seed, look=run._note)
    storm.boot()
    for _ in range(STEPS):
        storm.step()
    assert run.storm.engine.state.pairs.made
    assert run.books.rested
    write(tmp_path, run.records)
    assert replay(tmp_path).document()["identical"] is True
