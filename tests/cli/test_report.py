"""`hlomm report` through click, and as a process over the journal of a real run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from hlomm.cli.main import main
from tests.replay.journals import Run, write


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    folder = tmp_path / "st" / "journal"
    folder.mkdir(parents=True)
    write(folder, Run().weather(2, 400).records)
    return folder


def test_one_file_and_a_document(journal: Path, tmp_path: Path) -> None:
    done = report(journal.parent, "--out", tmp_path / "made" / "mine.html", "--parquet", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["source"], document["profile"], document["sound"]) == ("sim", "sim", True)
    assert document["unaccounted"] == 0
    files = [Path(name) for name in document["files"]]
    assert files[0] == tmp_path / "made" / "mine.html"
    assert {path.name for path in files[1:]} == {
        f"mine-{name}.parquet" for name in ("fills", "quotes", "equity", "decisions", "standings")
    }
    assert sorted(files) == sorted((tmp_path / "made").iterdir())
    assert {path.stem.partition("-")[2]: len(pl.read_parquet(path)) for path in files[1:]} == document["rows"]
    assert document["rows"]["decisions"] > 0
    assert files[0].read_text(encoding="utf-8").startswith("<!doctype html>")


def test_without_a_name_it_is_named_by_source_and_run(journal: Path, tmp_path: Path) -> None:
    done = report(journal, "--out", tmp_path / "here")
    assert done.exit_code == 0, done.output
    (file,) = (tmp_path / "here").iterdir()
    run = next(journal.iterdir()).name.partition("-")[0]
    assert file.name == f"report-sim-{run}.html"
    assert "identical" in done.stdout


def test_a_run_against_its_own_backtest_is_a_section_where_asked_for(journal: Path, tmp_path: Path) -> None:
    for name, more in (("with.html", ["--drift"]), ("without.html", [])):
        done = report(journal, "--out", tmp_path / name, *more)
        assert done.exit_code == 0, done.output
    assert "Live against the model" in (tmp_path / "with.html").read_text(encoding="utf-8")
    assert "Live against the model" not in (tmp_path / "without.html").read_text(encoding="utf-8")


def test_a_damaged_journal_is_drawn_and_ends_with_3(journal: Path, tmp_path: Path) -> None:
    (file,) = journal.iterdir()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    done = report(journal, "--out", tmp_path / "r.html")
    assert done.exit_code == 3
    assert "CORRUPT" in done.stdout
    assert "The data are damaged" in (tmp_path / "r.html").read_text()


def test_a_torn_tail_is_said_and_ends_with_0(journal: Path, tmp_path: Path) -> None:
    (file,) = journal.iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    done = report(journal, "--out", tmp_path / "r.html")
    assert done.exit_code == 0, done.output
    assert "torn tail" in done.stdout
    assert "torn tail" in (tmp_path / "r.html").read_text()


def test_what_cannot_be_reported_is_said_in_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    untagged = tmp_path / "untagged"
    untagged.mkdir()
    pl.DataFrame({"price": [1.0]}).write_parquet(untagged / "x.parquet")
    empty = tmp_path / "empty"
    empty.mkdir()
    for path, words in ((untagged, "no source tag"), (empty, "no journal segments"), (tmp_path / "none", "no such")):
        done = report(path, "--out", tmp_path / "out")
        assert done.exit_code == 2
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_said_in_one_line(journal: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = report(journal, "--out", tmp_path / "file" / "r.html")
    assert done.exit_code == 2
    assert done.stderr.startswith("hlomm: cannot write the report:")
    assert len(done.stderr.splitlines()) == 1


def test_a_run_is_not_reported_with_other_settings(journal: Path) -> None:
    for option in (("--set", "strategy.avellaneda.gamma=0.2"), ("--strategy", "btc_parity")):
        done = report(journal, *option)
        assert done.exit_code == 2
        assert "with the settings it ran with" in done.stderr


def test_without_plotly_it_says_how_to_get_it(journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)  # as if it were not installed
    done = report(journal, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert done.stderr.startswith("hlomm: the page needs plotly: `pip install plotly`")
    assert not (tmp_path / "out").exists()


@pytest.mark.trial
def test_the_journal_of_a_real_run(hlomm, tmp_path):
    """Processes and sockets: what ran at three simulated venues is drawn, its seed and its accounts with it."""
    state = tmp_path / "st"
    ran = hlomm("run", "--state-dir", state, "--seed", "31", "--duration", "20", "--speed", "4", "--json", timeout=120)
    assert ran.code == 0, ran.err
    summary = ran.json()
    done = hlomm("report", state, "--out", tmp_path / "r.html", "--parquet", "--gif", "--json", timeout=300)
    assert done.code == 0, done.err
    document = done.json()
    assert (document["source"], document["seed"], document["sound"]) == ("sim", 31, True)
    assert document["unaccounted"] == 0
    equity = pl.read_parquet(tmp_path / "r-equity.parquet")
    assert equity["equity"][-1] == round(summary["equity"] * 10**8)
    assert equity["total"][-1] == round(summary["pnl"]["total"] * 10**8)
    trades = pl.read_parquet(tmp_path / "r-fills.parquet").filter(pl.col("kind") == "trade")
    assert len(trades) == summary["fills"]
    assert {"r-quote-band.gif", "r-p-yes.gif"} <= {path.name for path in tmp_path.iterdir()}
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<dd>31</dd>" in text
    assert "hyperliquid, polymarket, kalshi" in text
