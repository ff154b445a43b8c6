"""What is written beside the page: Parquet with typed columns, GIFs that move, the tag in all of it."""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np
import polars as pl
import pytest
from PIL import Image

from hlomm.research.report import gif, parquet
from hlomm.research.report.gather import Gathered
from hlomm.research.report.source import Source
from hlomm.research.report.tables import SCHEMAS


def test_parquet_is_typed_tagged_and_whole(gathered: Gathered, tmp_path: Path) -> None:
    written = parquet.write(gathered, tmp_path / "run")
    assert [path.name for path in written] == [f"run-{name}.parquet" for name in SCHEMAS]
    for name, path in zip(SCHEMAS, written, strict=True):
        frame = pl.read_parquet(path)
        assert frame.equals(gathered.tables[name])
        wanted = {"source": pl.String, **{column: kind for column, (kind, _) in SCHEMAS[name].items()}}
        assert dict(frame.schema) == wanted
        assert frame["source"].unique().to_list() == ["sim"]
        assert all(meaning for _, meaning in SCHEMAS[name].values())
    money = pl.read_parquet(written[2])
    assert money["equity"].dtype == pl.Int64
    assert money["equity"][-1] == gathered.final.equity


def test_an_empty_table_has_its_columns_too(gathered: Gathered, tmp_path: Path) -> None:
    empty = attrs.evolve(gathered, tables={name: frame.clear() for name, frame in gathered.tables.items()})
    for name, path in zip(SCHEMAS, parquet.write(empty, tmp_path / "run"), strict=True):
        assert dict(pl.read_parquet(path).schema) == dict(gathered.tables[name].schema)


def test_each_surface_moves(gathered: Gathered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gif, "FRAMES", 3)
    written, missing = gif.write(gathered, tmp_path / "run")
    assert missing == []
    assert [path.name for path in written] == ["run-quote-band.gif", "run-p-yes.gif", "run-inefficiency.gif"]
    for path in written:
        frames = pixels(path)
        assert 2 <= len(frames) <= 3
        assert any((frame != frames[0]).any() for frame in frames[1:]), "it moves"
        heads = [head(frame) for frame in frames]
        assert all(apart(one, heads[0]) < 0.055 for one in heads), "its title, and in it the tag, is in every frame"
        assert heads[0].sum() > 500


def test_the_tag_is_what_differs_in_the_title_of_another_source(
    gathered: Gathered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gif, "FRAMES", 2)
    live = attrs.evolve(gathered, source=Source.LIVE)
    heads = []
    for name, one in (("sim", gathered), ("live", live)):
        (path, *_), _ = gif.write(one, tmp_path / name)
        heads.append([head(frame) for frame in pixels(path)])
    assert all(apart(sim, other) > 0.08 for sim, other in zip(*heads, strict=True))


def test_the_text_of_every_frame_has_the_tag_and_no_name_is_read_as_a_formula(gathered: Gathered) -> None:
    odd = attrs.evolve(
        gathered,
        tables={
            **gathered.tables,
            "quotes": gathered.tables["quotes"].with_columns(pl.lit("$\\frac{").alias("ticker")),
        },
    )
    for make in (gif.band_frames, gif.odds_frames, gif.inefficiency_frames):
        frames = make(odd)
        assert len(frames) > 2
        for frame in (frames[0](), frames[-1]()):
            assert any("source: sim" in text.get_text() for text in frame.texts)
            frame.canvas.draw()


def test_what_cannot_be_drawn_is_said(gathered: Gathered, tmp_path: Path) -> None:
    bare = attrs.evolve(
        gathered, configs={}, tables={**gathered.tables, "standings": gathered.tables["standings"].clear()}
    )
    written, missing = gif.write(bare, tmp_path / "run")
    assert written == []
    assert [line.partition(":")[0] for line in missing] == [
        "no GIF of quote-band", "no GIF of p-yes", "no GIF of inefficiency",
    ]  # fmt: skip


def pixels(path: Path) -> list[np.ndarray]:
    found = []
    with Image.open(path) as image:
        for number in range(image.n_frames):
            image.seek(number)
            found.append(np.asarray(image.convert("L")).copy())
    return found


def head(frame: np.ndarray) -> np.ndarray:
    """Where there is ink in the strip with the title."""
    return frame[: frame.shape[0] * 6 // 100] < 128


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Share of the ink that is not the same; a little is, because palettes differ from frame to frame."""
    return float((one != other).sum() / (one | other).sum())
