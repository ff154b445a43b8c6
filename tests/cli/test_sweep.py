"""`hlomm sweep` as people use it: over a small store with the engine itself, and its page."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from hlomm.cli.main import main
from hlomm.cli.sweep import _Showing
from hlomm.research.store import sums
from hlomm.research.sweep.judge import Rules
from hlomm.research.sweep.run import Progress
from tests.unit.research.sweep.making import Inline, job_of, points_of
from tests.unit.research.sweep.making import sweep as swept
from tests.unit.research.sweep.tiers import GAMMA, HALF, Edge
from tests.unit.store.making import minute, write

GRID = ("--grid", f"{GAMMA}=0.0001,0.001", "--grid", f"{HALF}=0.001:0.002:2", "--block", "5", "--jobs", "1")


def hlomm(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    write(root, minute())
    return root


@pytest.mark.slow
def test_a_sweep_begun_gone_on_with_refused_and_drawn(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = hlomm("sweep", store, "--out", out, *GRID, "--train", "6", "--test", "3", "--trials", "100", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["sets"], said["tier"], said["source"], said["failed"]) == (4, "queue", "sim", 0)
    assert said["trials"] == {"here": 4, "earlier": 100, "counted": 104}
    assert said["observations"] == 12
    assert said["recordings"][0]["market"].startswith("OUT:BTC")
    assert not said["promoted"]
    assert len(said["walk"]["windows"]) == 2
    assert re.fullmatch(r"(\d+/4, .*left\n)+", done.stderr), done.stderr
    results = pl.read_parquet(out / "results.parquet")
    assert results["point"].to_list() == [0, 1, 2, 3]
    assert results["error"].null_count() == 4

    before = (out / "results.parquet").read_bytes(), {path.name for path in (out / "parts").iterdir()}
    again = hlomm("sweep", store, "--out", out, *GRID)
    assert again.exit_code == 0, again.output
    assert again.stderr == "", "nothing was left to do"
    assert "trials counted: 4 (4 here" in again.stdout
    assert "not promoted: " in again.stdout
    assert ((out / "results.parquet").read_bytes(), {path.name for path in (out / "parts").iterdir()}) == before

    other = hlomm("sweep", store, "--out", out, *GRID, "--set", "limits.max_position=350")
    assert other.exit_code == 2
    assert "another sweep: config.limits.max_position was 400" in other.stderr

    drawn = hlomm("report", out, "--out", tmp_path / "page.html")
    assert drawn.exit_code == 0, drawn.output
    assert "not promoted" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say what to try in one way"),
        (("--grid", f"{GAMMA}=1", "--random", "3"), "say what to try in one way"),
        (("--random", "3"), "belong together"),
        (("--grid", f"{GAMMA}=1", "--range", f"{HALF}=0..1"), "belong together"),
        (("--grid", f"{GAMMA}=1", "--train", "3"), "--train and --test belong together"),
        (("--grid", "strategy.avellaneda.gama=1,2"), "did you mean strategy.avellaneda.gamma?"),
        (("--grid", f"{GAMMA}=-1"), f"{GAMMA}=-1"),
        (("--grid", f"{GAMMA}=1", "--strategy", "none"), "no strategy 'none'"),
        (("--grid", f"{GAMMA}=1", "--scheduler", "tcp://127.0.0.1:1"), "--scheduler tcp://127.0.0.1:1"),
    ],
)
def test_what_cannot_be_tried_is_said_before_anything_runs(
    store: Path, tmp_path: Path, arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hlomm.research.sweep.cluster.CONNECT_S", 0.5)
    done = hlomm("sweep", store, "--out", tmp_path / "out", *arguments)
    assert done.exit_code == 2, done.output
    assert words in done.stderr
    assert not list(tmp_path.glob("out/parts/*"))


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_one_line_on_a_terminal_and_a_line_now_and_then_elsewhere(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    monkeypatch.setattr("hlomm.cli.sweep.time.monotonic", lambda: now[0])
    showing = _Showing()
    for done in range(61):  # a second each
        showing.show(Progress(done=done, total=60, failed=done // 30, before=0, elapsed_s=float(done)))
        now[0] += 1.0
    showing.line("set 3 failed")
    showing.end()
    said = capsys.readouterr().err
    if terminal:
        assert said.count("\r") == 61
        assert "\r30/60, 1 failed, 1.00/s, 0:00:30 left\x1b[K\r31/60" in said
        assert said.endswith("\r60/60, 2 failed, 1.00/s, 0:00:00 left\x1b[K\nset 3 failed\n"), "below, not over it"
    else:
        assert said.count("\n") == 6 + 1
        assert said.splitlines()[0] == "10/60, 1.00/s, 0:00:50 left"
        assert "\r" not in said


def test_without_dask_it_says_how_to_get_it(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)  # as if it were not installed
    done = hlomm("sweep", store, "--out", tmp_path / "out", *GRID, "--scheduler", "tcp://127.0.0.1:1")
    assert done.exit_code == 2
    assert "a cluster needs dask: `pip install distributed`" in done.stderr


def test_data_that_cannot_be_run_or_come_from_two_places(store: Path, tmp_path: Path) -> None:
    assert hlomm("sweep", tmp_path / "none", "--out", tmp_path / "o", *GRID).exit_code == 2
    recorded = tmp_path / "recorded"
    shutil.copytree(store, recorded)
    for part in (recorded / "events").rglob("*.parquet"):
        metadata = {key: value for key, value in pl.read_parquet_metadata(part).items() if key.startswith("hlomm.")}
        del metadata[sums.KEY]
        pl.read_parquet(part).with_columns(source=pl.lit("live")).write_parquet(part, metadata=metadata)
    done = hlomm("sweep", store, recorded, "--out", tmp_path / "o", *GRID)
    assert done.exit_code == 2
    assert "results of different sources are never mixed" in done.stderr
    assert "is recorded" in done.stderr


@pytest.fixture(scope="module")
def finished(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of 144 sets with an edge in it, as `hlomm sweep` leaves one."""
    from hlomm.research.sweep import summary

    out = tmp_path_factory.mktemp("sweeps") / "mine"
    points = points_of(f"{GAMMA}=0.001:0.012:12", f"{HALF}=0.001:0.012:12")
    swept(out, Inline(job_of(store, Edge)), points)
    manifest = json.loads((out / "manifest.json").read_text()) | {
        "source": "sim", "tier": "queue", "seed": 1, "code": "c" * 64, "block_s": 60.0,
        "recordings": [{"market": "M", "settles": "2026-05-10T06:00:00+00:00", "events": 9}],
    }  # fmt: skip
    (out / "manifest.json").write_text(json.dumps(manifest))
    asking = summary.Asking(rules=Rules(), earlier=50, train=24, test=8)
    said = summary.document(summary.summarise(manifest, pl.read_parquet(out / "results.parquet"), asking))
    (out / "summary.json").write_text(json.dumps(said))
    return out


def test_the_page_of_a_sweep(finished: Path, tmp_path: Path) -> None:
    done = hlomm("report", finished, "--out", tmp_path, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["files"] == [str(tmp_path / "report-sim-mine.html")]
    assert (said["promoted"], said["trials"]["counted"]) == (True, 194)
    text = (tmp_path / "report-sim-mine.html").read_text(encoding="utf-8")
    held = re.search(r'<script type="application/json" id="figures">(.*?)</script>', text)
    assert held is not None
    figures = json.loads(held.group(1))["figures"]
    assert set(figures) == {"sweep-winner", "sweep-ratios", "sweep-logits", "sweep-heat", "sweep-walk"}
    assert all("source: sim" in made["layout"]["title"]["text"] for made in figures.values())
    assert sum(figures["sweep-ratios"]["data"][0]["y"]) == 144
    assert sum(figures["sweep-logits"]["data"][0]["y"]) == said["winner"]["pbo_choices"]
    (heat,) = figures["sweep-heat"]["data"]
    assert (len(heat["x"]), len(heat["y"])) == (12, 12)
    assert heat["x"][3] == "0.004", "the key with the edge lies across"
    assert sum(row[3] for row in heat["z"]) > 12
    walk = figures["sweep-walk"]["data"][0]["y"]
    assert walk[-1] == pytest.approx(said["walk"]["pnl"], abs=1e-3)
    assert len(walk) == said["walk"]["observations"] + 1
    assert figures["sweep-winner"]["data"][0]["y"][-1] == pytest.approx(said["winner"]["pnl"], abs=1e-3)
    for word in ("promoted", "deflated Sharpe", "minimum track record", "positions carry over", "trials counted: 194"):
        assert word in text
    assert "http-equiv" in text.partition("<body>")[0]
    assert not re.search(r'(src|href)="https?:', text.partition('id="figures"')[0])


def test_the_page_of_a_sweep_in_which_everything_failed(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "failed"
    shutil.copytree(finished, out)
    results = pl.read_parquet(out / "results.parquet").with_columns(
        pl.lit("<b>it died</b>").alias("error"), pl.lit(None, pl.List(pl.Float64)).alias("returns"), pnl=None
    )
    results.write_parquet(out / "results.parquet")
    done = hlomm("report", out, "--out", tmp_path / "r.html")
    assert done.exit_code == 3, done.output
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "no set has a result over every recording" in text
    assert "&lt;b&gt;it died&lt;/b&gt;" in text


def test_a_sweep_that_is_not_finished_is_not_drawn(finished: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    shutil.copytree(finished, half)
    (half / "results.parquet").unlink()
    done = hlomm("report", half, "--out", tmp_path / "r.html")
    assert done.exit_code == 2
    assert "not finished" in done.stderr
    cut = (finished / "results.parquet").read_bytes()[:-9]
    (half / "results.parquet").write_bytes(cut)
    assert hlomm("report", half, "--out", tmp_path / "r.html").exit_code == 3
    done = hlomm("report", finished, "--gif")
    assert done.exit_code == 2
    assert "drawn as it is" in done.stderr
    assert not (tmp_path / "r.html").exists()
