"""A sweep's results are the same however it ran, and whatever became of those who did the work."""

from __future__ import annotations

import io
import shutil
import sys

import attrs
import polars as pl
import pytest

from hlomm.domain.faults import DataDefect, UsageError
from hlomm.research.sweep import local, worker
from hlomm.research.sweep.directory import Directory
from hlomm.research.sweep.job import TIERS, Unfit, sample, tier_at
from hlomm.research.sweep.local import Processes, WorkersDie
from hlomm.research.sweep.run import BATCH_MAX, BATCH_S, Progress, run
from hlomm.research.tiers import Disagreement
from tests.unit.research.sweep import tiers
from tests.unit.research.sweep.making import Inline, job_of, manifest_of, points_of, sweep
from tests.unit.research.sweep.tiers import GAMMA, HALF

POINTS = points_of(f"{GAMMA}=0.001:0.012:12", f"{HALF}=0.001,0.002,0.003")


@pytest.fixture(scope="module")
def straight(store, tmp_path_factory):
    """What an undisturbed sweep in one process has as its results."""
    return sweep(tmp_path_factory.mktemp("straight"), Inline(job_of(store, tiers.Noise)), POINTS)


@pytest.mark.parametrize("ends_after", [0, 1, 4])
def test_interrupted_and_gone_on_with_it_is_the_same_bytes(store, tmp_path, straight, ends_after):
    job = job_of(store, tiers.Noise)
    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path, Inline(job, ends_after), POINTS)
    assert not (tmp_path / "results.parquet").exists()
    rest = Inline(job)
    assert sweep(tmp_path, rest, POINTS) == straight
    evaluated = sum(len(batch.numbers) for batch in rest.batches)
    assert evaluated < len(POINTS) if ends_after else evaluated == len(POINTS), "nothing is computed twice"


@pytest.mark.slow
def test_processes_come_to_the_same_bytes(store, tmp_path, straight):
    assert sweep(tmp_path, Processes(job_of(store, tiers.Noise), 2, point_s=60), POINTS) == straight
    times = pl.read_parquet(tmp_path / "times.parquet")
    assert len(times) == len(POINTS)
    assert 1 <= times["worker"].n_unique() <= 2


@pytest.mark.slow
def test_a_set_that_kills_its_worker_is_named_tried_once_more_and_given_up(store, tmp_path):
    points = points_of(f"{GAMMA}=0.001:0.012:12")
    wanted = sweep(tmp_path / "straight", Inline(job_of(store, tiers.Noise)), points)
    said: list[str] = []
    sweep(tmp_path / "out", Processes(job_of(store, tiers.Deadly), 1, point_s=60), points, said)
    results = pl.read_parquet(tmp_path / "out" / "results.parquet")
    dead = results.filter(pl.col("error").is_not_null())
    assert dead[GAMMA].to_list() == ["0.003"]
    assert "SIGKILL, twice with this set" in dead["error"][0]
    good = pl.read_parquet(io.BytesIO(wanted)).filter(pl.col(GAMMA) != "0.003")
    assert results.filter(pl.col("error").is_null()).equals(good), "nobody else suffers"
    assert len([line for line in said if "was ended by SIGKILL; it had set" in line]) == 2


@pytest.mark.slow
def test_a_set_whose_worker_somebody_else_killed_is_not_given_up(store, tmp_path, straight, monkeypatch):
    monkeypatch.setenv("HLOMM_TEST_DIED", str(tmp_path / "died"))
    said: list[str] = []
    assert sweep(tmp_path / "out", Processes(job_of(store, tiers.DeadlyOnce), 1, point_s=60), POINTS, said) == straight
    assert len(said) == 1


@pytest.mark.slow
def test_a_set_that_never_comes_back_is_given_up(store, tmp_path):
    said: list[str] = []
    points = points_of(f"{GAMMA}=0.002,0.003")
    sweep(tmp_path, Processes(job_of(store, tiers.Hanging), 1, point_s=0.3), points, said)
    results = pl.read_parquet(tmp_path / "results.parquet")
    assert results["error"].is_null().to_list() == [True, False]
    assert "was killed: no answer within" in results["error"][1]


@pytest.mark.slow
def test_workers_that_never_come_up_end_the_sweep_and_blame_no_set(store, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "IDLE_DEATHS_MAX", 1)
    with pytest.raises(WorkersDie, match=r"before they have begun anything; the last: worker .* SIGKILL"):
        sweep(tmp_path, Processes(job_of(store, tiers.Stillborn), 1, point_s=60), POINTS)
    assert not list((tmp_path / "parts").iterdir())


def test_a_set_that_raises_fails_alone(store, tmp_path, straight):
    executor = Inline(job_of(store, tiers.Raising))
    sweep(tmp_path, executor, POINTS)
    assert any(len(batch.numbers) > 1 for batch in executor.batches)
    results = pl.read_parquet(tmp_path / "results.parquet")
    assert results.filter(pl.col("error").is_not_null())[GAMMA].to_list() == ["0.003"] * 3
    assert results["error"].drop_nulls().unique().to_list() == ["ZeroDivisionError: gamma is unlucky"]
    good = pl.read_parquet(io.BytesIO(straight)).filter(pl.col(GAMMA) != "0.003")
    assert results.filter(pl.col("error").is_null()).equals(good)


def test_numbers_that_cannot_be_are_no_result(store, tmp_path):
    sweep(tmp_path, Inline(job_of(store, tiers.Broken)), POINTS)
    failed = pl.read_parquet(tmp_path / "results.parquet").filter(pl.col("error").is_not_null())
    assert failed[GAMMA].to_list() == ["0.003"] * 3 + ["0.004"] * 3
    assert "is not finite" in failed["error"][0]
    assert "its blocks add up to" in failed["error"][5]


def test_where_nothing_succeeds_it_ends_early(store, tmp_path):
    with pytest.raises(DataDefect, match="sets all failed, the last of them: RuntimeError: there is no such market"):
        sweep(tmp_path, Inline(job_of(store, tiers.Hopeless)), POINTS)


def test_data_are_loaded_once_and_batches_grow_while_they_are_quick(store, tmp_path, monkeypatch):
    loads = []
    real = worker.recordings_of
    monkeypatch.setattr(worker, "recordings_of", lambda job: loads.append(job) or real(job))
    monkeypatch.setattr(worker, "_held", [])
    points = points_of(f"{GAMMA}=0.001:0.9:3000")
    quick = Inline(job_of(store, tiers.Noise))
    sweep(tmp_path / "quick", quick, points)
    assert len(loads) == 1
    sizes = [len(batch.numbers) for batch in quick.batches]
    assert sizes[0] == 1
    assert 256 <= max(sizes) <= BATCH_MAX
    assert sorted(at for batch in quick.batches for at in batch.numbers) == list(range(3000))
    slow = Inline(job_of(store, tiers.Noise), wall_s=3 * BATCH_S)
    sweep(tmp_path / "slow", slow, POINTS)
    assert {len(batch.numbers) for batch in slow.batches} == {1}, "a kill loses one set, not many"


def test_progress_counts_and_ends_full(store, tmp_path):
    seen: list[Progress] = []
    directory = Directory.open(tmp_path, manifest_of(POINTS), POINTS)
    run(directory, 1, Inline(job_of(store, tiers.Raising)), progress=seen.append)
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    last = seen[-1]
    assert (last.done, last.total, last.failed, last.before) == (36, 36, 3, 0)
    assert last.left_s == 0.0
    assert attrs.evolve(last, done=18, elapsed_s=9.0).left_s == 9.0
    assert attrs.evolve(last, done=18, before=18).left_s is None


def test_a_tier_that_is_not_installed_is_said():
    for place in ("hlomm.research.no_such_tier:Tier", "numba_of_another_world:Tier"):
        with pytest.raises(UsageError, match=r"the tier at \w[\w.]* is not to be had here"):
            tier_at(place)


@pytest.mark.slow
def test_other_data_or_another_program_is_refused(store, tmp_path):
    shutil.copytree(store, tmp_path / "copy")
    job = job_of(tmp_path / "copy", tiers.Noise)
    with pytest.raises(Unfit, match="its hlomm is not the one that asks"):
        worker.prepare(attrs.evolve(job, code="0" * 64))
    part = next((tmp_path / "copy" / "events").rglob("*.parquet"))
    part.write_bytes(part.read_bytes() + b" ")
    with pytest.raises(Unfit, match="not those that the sweep began with"):
        sweep(tmp_path / "out", Processes(job, 1, point_s=60), POINTS)


def test_a_tier_that_differs_from_the_engine_ends_the_sweep_and_leaves_no_results(store, tmp_path):
    for _ in range(2):  # gone on with it is no other
        with pytest.raises(Disagreement, match=r"set \d+ over recording 0 .* decision 3: .*nothing of it is accepted"):
            sweep(tmp_path, Inline(job_of(store, tiers.Differing)), POINTS, check=2)
    assert not (tmp_path / "results.parquet").exists()


def test_what_was_compared_and_what_was_left_stands_in_the_results(store, tmp_path):
    sweep(tmp_path, Inline(job_of(store, tiers.Agreeing)), POINTS, check=5)
    results = pl.read_parquet(tmp_path / "results.parquet")
    asked = sample(0, len(POINTS), 5)
    left = {number for number, point in enumerate(POINTS) if point[GAMMA] == "0.003"}
    assert set(results.filter("checked")["point"]) == asked - left
    assert set(results.filter(pl.col("left").is_not_null())["point"]) == left


def test_the_sample_is_the_same_everywhere_and_another_one_for_each_recording():
    assert sample(3, 1_000, 5) == sample(3, 1_000, 5)
    assert sample(3, 1_000, 5) != sample(4, 1_000, 5)
    assert sample(0, 2, 5) == {0, 1}


def test_a_tier_whose_library_is_missing_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("hlomm.research.kernel")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(UsageError, match=r"pip install numba"):
        tier_at(TIERS["kernel"])
