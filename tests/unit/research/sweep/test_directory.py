"""The folder of a sweep: whole results or none, gone on with or refused."""

from __future__ import annotations

import json

import polars as pl
import pytest

from hlomm.domain.faults import AnotherInstance, DataDefect, UsageError
from hlomm.research.sweep import directory as directories
from hlomm.research.sweep.directory import SCHEMA, Directory, read_manifest, read_parts
from hlomm.research.sweep.job import Row
from tests.unit.research.sweep.making import manifest_of, points_of
from tests.unit.research.sweep.tiers import GAMMA, HALF, outcome

POINTS = points_of(f"{GAMMA}=0.001:0.006:6")


def row(point: int, *, error: str = "") -> Row:
    made = None if error else outcome([0.1 * point, -0.2])
    return Row(point=point, recording=0, outcome=made, error=error, wall_s=0.1, worker="here:1")


def opened(root, points=POINTS, **other) -> Directory:
    return Directory.open(root, manifest_of(points, **other), points)


def test_results_come_back_in_order_with_their_settings(tmp_path):
    made = opened(tmp_path)
    made.append([row(4), row(1)])
    made.append([row(0, error="it raised")])
    assert made.done() == {(4, 0), (1, 0), (0, 0)}
    frame = made.finish()
    assert frame["point"].to_list() == [0, 1, 4]
    assert frame[GAMMA].to_list() == [POINTS[at][GAMMA] for at in (0, 1, 4)]
    assert frame["returns"].to_list() == [None, [0.1, -0.2], [0.4, -0.2]]
    assert frame["error"].to_list() == ["it raised", None, None]
    assert not {"wall_s", "worker"} & set(frame.columns)
    assert pl.read_parquet(tmp_path / "results.parquet").equals(frame)
    assert pl.read_parquet(tmp_path / "times.parquet")["worker"].to_list() == ["here:1"] * 3


def test_a_second_start_goes_on(tmp_path):
    first = opened(tmp_path)
    first.append([row(2)])
    first.close()
    assert opened(tmp_path, paths=["elsewhere"]).done() == {(2, 0)}, "where the data lie is no difference"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"block_s": 30.0}, "block_s was 5.0, is 30.0"),
        ({"config": {"limits": {"max_position": 500.0}}}, "config.limits.max_position was 400.0, is 500.0"),
        ({"data": [{"a": "1"}]}, "data was [], is"),
        ({"seed": 7}, "seed was 1, is 7"),
    ],
)
def test_another_sweep_is_refused_with_the_first_difference(tmp_path, other, words):
    opened(tmp_path).close()
    with pytest.raises(UsageError, match="another sweep") as caught:
        opened(tmp_path, **other)
    assert words in str(caught.value)
    opened(tmp_path).close()


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (points_of(f"{GAMMA}=0.001,0.007,0.003"), f"set 1 had {GAMMA}=0.002, now 0.007"),
        (POINTS[:4], "it had 6 sets, now 4"),
        (points_of(f"{HALF}=0.001,0.002"), "keys[0] was"),
    ],
)
def test_other_points_are_refused_and_the_first_of_them_named(tmp_path, points, words):
    opened(tmp_path).close()
    with pytest.raises(UsageError) as caught:
        opened(tmp_path, points)
    assert words in str(caught.value)


def test_two_at_once_are_refused(tmp_path):
    held = opened(tmp_path)
    with pytest.raises(AnotherInstance, match="choose another --out"):
        opened(tmp_path)
    held.close()
    opened(tmp_path).close()


def test_what_was_being_written_when_it_died_is_nothing(tmp_path):
    made = opened(tmp_path)
    made.append([row(2)])
    made.close()
    (part,) = (tmp_path / "parts").iterdir()
    whole = part.read_bytes()
    (tmp_path / "parts" / "00000001.partial").write_bytes(whole[: len(whole) // 2])
    again = opened(tmp_path)
    assert again.done() == {(2, 0)}
    assert list((tmp_path / "parts").iterdir()) == [part]


def test_a_part_that_was_cut_changed_or_put_there_is_named(tmp_path):
    """Parquet checks no sums: a flipped bit of a page may be read as another number."""
    made = opened(tmp_path)
    made.append([row(2)])
    (part,) = (tmp_path / "parts").iterdir()
    whole = part.read_bytes()
    flipped = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), 97)]
    for content in (whole[:-20], b"", *flipped):
        part.write_bytes(content)
        with pytest.raises(DataDefect, match=r"00000000-[0-9a-f]{8}\.parquet: not as it was written"):
            made.done()
    part.write_bytes(whole)
    (part.parent / "copy.parquet").write_bytes(whole)
    for asked in (made.done, lambda: made.append([row(3)])):
        with pytest.raises(DataDefect, match=r"copy\.parquet: not a part of a sweep"):
            asked()


def test_many_parts_become_one_and_dying_in_between_doubles_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(directories, "PARTS_MAX", 3)
    made = opened(tmp_path)
    kept = {}
    for point in range(4):
        made.append([row(point)])
        kept |= {path.name: path.read_bytes() for path in (tmp_path / "parts").iterdir()}
    assert [path.name[:9] for path in (tmp_path / "parts").iterdir()] == ["00000003-"]
    whole = made.finish()
    assert whole["point"].to_list() == [0, 1, 2, 3]
    for name, data in kept.items():  # as if it had died before the old ones were gone
        (tmp_path / "parts" / name).write_bytes(data)
    assert len(read_parts(tmp_path)) == 4
    assert made.finish().equals(whole)


def test_what_is_no_sweep(tmp_path):
    with pytest.raises(UsageError, match="no sweep"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(UsageError, match="not that of a sweep"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": SCHEMA, "keys": []}))
    with pytest.raises(UsageError, match="does not say: source, data, recordings"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "00000000.parquet").write_bytes(b"")
    with pytest.raises(UsageError, match="nothing describes"):
        opened(tmp_path)
