"""Three tags and nothing else: data whose origin is not known are refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import polars as pl
import pytest

from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import Booted
from hlomm.journal.codec import InputRecord, Record
from hlomm.research.record.writer import Writer
from hlomm.research.report.gather import from_journal, is_recording
from hlomm.research.report.source import Source, of_data, of_profile, of_recording
from tests.replay.journals import Run, write
from tests.unit.store.making import at, mark


def test_profiles() -> None:
    assert {name: of_profile(name) for name in ("sim", "paper", "testnet", "mainnet")} == {
        "sim": Source.SIM, "paper": Source.PAPER, "testnet": Source.LIVE, "mainnet": Source.LIVE,
    }  # fmt: skip


@pytest.mark.parametrize("profile", ["", "Paper", "SIM", "live", "recorded", "sim "])
def test_a_journal_without_a_tag_is_refused_before_anything_is_made_of_it(profile: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no source tag"):
        of_profile(profile)
    records = list[Record](Run().weather(1, 20).records)
    boot = records[0]
    assert isinstance(boot, InputRecord)
    assert isinstance(boot.item, Booted)
    records[0] = msgspec.structs.replace(boot, item=msgspec.structs.replace(boot.item, profile=profile))
    write(tmp_path, records)
    with pytest.raises(UsageError, match="no source tag"):
        from_journal(tmp_path, every_s=1.0, decisions=False)


def recording(folder: Path, *files: dict[str, list[str]]) -> Path:
    for number, columns in enumerate(files):
        pl.DataFrame(columns or {"price": [1.0]}).write_parquet(folder / f"{number}.parquet")
    return folder


@pytest.mark.parametrize(
    ("files", "tag"),
    [
        ([{"venue": ["hyperliquid"]}], Source.RECORDED),
        ([{"venue": ["kalshi", "kalshi"]}, {"venue": ["polymarket"]}], Source.RECORDED),
        ([{"source": ["recorded"], "venue": ["nyse"]}], Source.RECORDED),
        ([{"source": ["sim"], "venue": ["hyperliquid"]}], Source.SIM),
    ],
)
def test_recordings(files: list[dict[str, list[str]]], tag: Source, tmp_path: Path) -> None:
    assert of_recording(recording(tmp_path, *files)) is tag


@pytest.mark.parametrize(
    "files",
    [
        [{}],
        [{"venue": ["nyse"]}],
        [{"source": ["live"]}],
        [{"source": [""]}],
        [{"source": ["made up"], "venue": ["hyperliquid"]}],
        [{"source": ["sim"]}, {"source": ["recorded"]}],
        [{"source": ["sim", "recorded"]}],
        [{"venue": ["hyperliquid"]}, {}],
        [{"venue": ["hyperliquid"]}, {"source": ["sim"]}],
    ],
)
def test_recordings_that_do_not_say_where_they_are_from(files: list[dict[str, list[str]]], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"source|tag"):
        of_recording(recording(tmp_path, *files))


@pytest.mark.parametrize(
    ("said", "tag"),
    [
        (["sim"], Source.SIM), (["live"], Source.RECORDED), (["import:hip4"], Source.RECORDED),
        (["import:hip4", "live"], Source.RECORDED), (["sim", "live"], None),
    ],
)  # fmt: skip
def test_stores(said: list[str], tag: Source | None, tmp_path: Path) -> None:
    for number, source in enumerate(said):
        pen = Writer(tmp_path, 1_795_000_000_000 + number, source)
        pen.event(at(number), HYPERLIQUID, mark(79_000), None)
        pen.close()
    if tag is not None:
        assert of_data(tmp_path) is tag
        return
    with pytest.raises(UsageError, match="needs one source, has live, sim; rows of several never mix"):
        of_data(tmp_path)


def test_what_is_no_parquet_file_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 or so")
    with pytest.raises(UsageError, match="not a readable parquet file"):
        of_recording(tmp_path)


def test_what_a_path_is(journal: Path, tmp_path: Path) -> None:
    assert not is_recording(journal)
    assert not is_recording(journal.parent)
    assert not is_recording(tmp_path)
    assert not is_recording(tmp_path / "none")
    assert is_recording(recording(tmp_path, {"venue": ["kalshi"]}))


def test_what_is_not_there_is_said_as_that(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nosuch: no such file or folder$"):
        of_data(tmp_path / "nosuch")
    with pytest.raises(UsageError, match=r"no parquet file here has any row$"):
        of_data(tmp_path)
