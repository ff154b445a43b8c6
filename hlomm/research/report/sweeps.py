"""A sweep's folder as a page: what was tried, what the best is worth, and how it would have gone on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from hlomm.domain.faults import DataDefect, UsageError
from hlomm.research.report.contents import Contents, Grid, Section, Tile
from hlomm.research.report.figures_sweeps import equity, heat, logits, ratios, walked
from hlomm.research.report.source import Source
from hlomm.research.sweep import summary
from hlomm.research.sweep.directory import MANIFEST, RESULTS, SUMMARY, read_manifest
from hlomm.research.sweep.judge import Rules
from hlomm.research.sweep.summary import Asking, Summary, number

SHOWN: Final = 25
_TOLD: Final = "Trials made elsewhere count only if they were told (`--trials`)."


def is_sweep(path: Path) -> bool:
    return (path / MANIFEST).is_file()


def from_sweep(root: Path) -> tuple[Contents, Mapping[str, Any]]:
    """The page, and what it says as a document. UsageError for a sweep that is not finished."""
    manifest = read_manifest(root)
    if manifest["source"] not in set(Source):
        raise UsageError(f"{root}: no source tag ({str(manifest['source'])[:40]!r}); not drawn")
    try:
        said = json.loads((root / SUMMARY).read_bytes())
        results = pl.read_parquet(root / RESULTS)
    except FileNotFoundError:
        raise UsageError(f"{root}: this sweep is not finished; the same `hlomm sweep` goes on") from None
    except (pl.exceptions.PolarsError, OSError, json.JSONDecodeError) as error:
        raise DataDefect(f"{root}: {str(error).partition(chr(10))[0]} — run the same `hlomm sweep` again") from None
    walk = said["walk"] or {"train": 0, "test": 0}
    asking = Asking(
        rules=Rules(**said["rules"]), earlier=said["trials"]["earlier"], top=SHOWN, train=walk["train"],
        test=walk["test"],
    )  # fmt: skip
    made = summary.summarise(manifest, results, asking)
    document = summary.document(made)
    return _contents(root, made, document), document


def _contents(root: Path, made: Summary, said: Mapping[str, Any]) -> Contents:
    manifest, source = made.manifest, Source(made.manifest["source"])
    return Contents(
        source=str(source), name=root.resolve().name, sound=not said["failed"], facts=[
            ("sweep", root.resolve().name), ("tier", manifest["tier"]), ("sets", str(manifest["sets"])),
            ("keys", ", ".join(manifest["keys"])), ("recordings", str(len(manifest["recordings"]))),
            ("observations", str(said["observations"])), ("code", manifest["code"][:12]),
        ],
        told=[*summary.lines(said)[:2], f"fills were made by the tier `{manifest['tier']}`: a model, no fact"],
        tiles=_tiles(said), sections=_sections(source, made, said),
        footer=["Sharpe ratios are per observation, not annualised.", _TOLD],
    )  # fmt: skip


def _tiles(said: Mapping[str, Any]) -> list[Tile]:
    winner = said["winner"]
    if winner is None:
        return [Tile("winner", "none", "no set has a result over every recording", "bad")]
    record = "-" if winner["min_trl"] is None else str(math.ceil(winner["min_trl"]))
    rules = said["rules"]
    tiles = [
        Tile(
            "verdict", "promoted" if winner["promoted"] else "not promoted", f"set {winner['point']}",
            "good" if winner["promoted"] else "bad",
        ),
        Tile("result of the winner", f"{winner['pnl']:+.2f}", f"{winner['fills']} fills, fees {winner['fees']:.2f}"),
        Tile("Sharpe", number(winner["sharpe"], 4), f"luck alone {number(winner['sharpe_of_luck'], 4)}"),
        Tile("t", number(winner["t"], 2), f"at least {rules['min_t']:g}"),
        Tile("PSR", number(winner["psr"], 3), "above 0"),
        Tile("deflated Sharpe", number(winner["dsr"], 3), f"at least {rules['min_dsr']:g}"),
        Tile("overfitting (PBO)", number(winner["pbo"], 3), f"at most {rules['max_pbo']:g}"),
        Tile("minimum track record", record, f"of {winner['observations']} observations"),
        Tile("trials counted", str(said["trials"]["counted"]), f"{said['trials']['earlier']} of them earlier"),
        Tile("failed sets", str(said["failed"]), "", "bad" if said["failed"] else ""),
    ]  # fmt: skip
    if said["walk"] is not None:
        detail = f"Sharpe {number(said['walk']['sharpe'], 4)}, PSR {number(said['walk']['psr'], 3)}"
        tiles.append(Tile("walk-forward, out of sample", f"{said['walk']['pnl']:+.2f}", detail))
    return tiles


def _sections(source: Source, made: Summary, said: Mapping[str, Any]) -> list[Section]:
    best = Grid(title=f"The best {SHOWN}", head=summary.HEAD, rows=summary.top_rows(said), empty="no set has a result")
    if made.judge is None:
        return [Section(title="Winner", tables=[best]), _failures(made)]
    verdict = summary.promotion_text(said["winner"])
    halves, map_ = logits(source, made.judge), heat(source, made)
    return [
        Section(title="Winner", text=verdict, figures=[equity(source, made, said)], tables=[best]),
        Section(
            title="Trials", figures=[ratios(source, made.judge, said), *([] if halves is None else [halves])],
            missing=[] if halves is not None else ["too little to halve: no probability of overfitting"],
        ),
        Section(
            title="Settings", figures=[] if map_ is None else [map_],
            missing=[] if map_ is not None else ["fewer than two keys were varied"],
        ),
        _walk(source, said), _failures(made),
    ]  # fmt: skip


def _walk(source: Source, said: Mapping[str, Any]) -> Section:
    found = said["walk"]
    if found is None:
        return Section(title="Walk-forward", missing=["not asked for (`hlomm sweep --train D --test D`)"])
    head = ("train", "test", "set", "trained Sharpe", "DSR", "PBO", "min. record", "out of sample", "settings")
    return Section(
        title="Walk-forward", text=f"By {found['unit_means']}: train {found['train']}, test {found['test']}.",
        figures=[walked(source, found)],
        tables=[Grid(title="Winner of each train", head=head, rows=[_window(row) for row in found["windows"]])],
    )  # fmt: skip


def _window(row: Mapping[str, Any]) -> Sequence[str]:
    winner = row["winner"]
    return [
        " to ".join(row["train"]), " to ".join(row["test"]), str(winner["point"]), number(winner["sharpe"], 4),
        number(winner["dsr"], 3), number(winner["pbo"], 3),
        "-" if winner["min_trl"] is None else str(math.ceil(winner["min_trl"])), f"{row['pnl']:+.2f}",
        summary.settings_text(winner["settings"]),
    ]  # fmt: skip


def _failures(made: Summary) -> Section:
    rows = made.results.filter(pl.col("error").is_not_null()).head(50)
    return Section(
        title="Failures", tables=[
            Grid(
                title="Sets without a result (the first 50); they count as trials", head=("set", "recording", "why"),
                rows=[[str(row["point"]), str(row["recording"]), row["error"]] for row in rows.iter_rows(named=True)],
            )
        ],
    )  # fmt: skip
