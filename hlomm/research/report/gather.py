"""A journal or a recording, run again through the engine, as tables and the engine's last word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import polars as pl

from hlomm import __version__
from hlomm.domain.edge_rows import IncomeRow
from hlomm.domain.faults import UsageError
from hlomm.domain.ids import MarketId, StrategyId
from hlomm.domain.inputs import Booted
from hlomm.domain.markets import Market
from hlomm.domain.report import EngineReport
from hlomm.domain.times import NS_PER_S
from hlomm.engine import income
from hlomm.engine.report import report
from hlomm.journal.segments import parse_name
from hlomm.research import backtest as backtests
from hlomm.research.replay import replay
from hlomm.research.report import source as sources
from hlomm.research.report.source import Source
from hlomm.research.report.watch import InForce, Settled, Watcher
from hlomm.research.source import recordings
from hlomm.research.store.read import is_store
from hlomm.settings.load import Loaded


@attrs.frozen(kw_only=True)
class Gathered:
    """Everything that a page, a GIF or a file is made from."""

    source: Source
    name: str
    """Of the run or the recording."""
    boot: Booted
    version: str
    """Of the program that replayed it; the one that ran is in the boot record."""
    first_ns: int
    last_ns: int
    final: EngineReport
    income: Sequence[IncomeRow]
    """What venues should pay for quoting, estimated; no part of any result."""
    tables: Mapping[str, pl.DataFrame]
    """As in `hlomm.research.report.tables`, every one with the source tag."""
    markets: Mapping[MarketId, Market]
    """Terms of every market sampled."""
    settled: Mapping[MarketId, Settled]
    configs: Mapping[StrategyId, Sequence[InForce]]
    alerts: Mapping[tuple[str, str], int]
    told: Sequence[str]
    """What has to be said of the data: how the replay went, what was filled how, what is missing."""
    sound: bool
    """Nothing is damaged and every decision came out as recorded."""
    every_s: float
    """Grid of the samples."""


def is_recording(path: Path) -> bool:
    """A store, or a folder of parquet files or of folders of them, and no journal."""
    if not path.is_dir() or (path / "journal").is_dir():
        return False
    if is_store(path):
        return True
    journal = any(parse_name(entry.name) for entry in path.iterdir())
    return not journal and next(path.rglob("*.parquet"), None) is not None


def from_journal(path: Path, *, every_s: float, decisions: bool) -> Gathered:
    """Replay the run that `path` names. UsageError without a complete record, or without a source tag."""
    watcher = Watcher(every_s=every_s, decisions=decisions, admit=_admit)
    result = replay(path, onlooker=watcher)
    watcher.finish(whole=result.recorded_fault is None and result.replayed_fault is None)
    told = result.text().splitlines()
    if watcher.boot is None:
        raise UsageError(f"{path}: nothing to report: {'; '.join(told)}")
    told[0] = f"replayed {told[0]}"
    if model := watcher.boot.fill_model:
        data = "public data" if watcher.boot.seed is None else "data of a simulator"
        told.append(f"{data}; our orders never were at the venue, and fills are made up; fill model: {model}")
    return _gathered(
        watcher, sources.of_profile(watcher.boot.profile), name=result.segments[0].partition("-")[0],
        told=told, sound=result.identical and result.corrupt is None,
    )  # fmt: skip


def from_recording(folder: Path, loaded: Loaded, *, every_s: float, decisions: bool) -> Gathered:
    """Run the engine over a recording, filling from its tape."""
    source = sources.of_data(folder)
    watcher = Watcher(every_s=every_s, decisions=decisions)
    chosen = recordings(folder)
    if len(chosen.recordings) > 1:
        tickers = ", ".join(one.outcome.ticker for one in chosen.recordings[:5])
        raise UsageError(f"{folder}: {len(chosen.recordings)} outcomes ({tickers}): a page shows one recording")
    (recording,) = chosen.recordings
    result = backtests.backtest(recording, loaded, onlooker=watcher)
    watcher.finish()
    told = [
        (
            f"backtest over {len(recording.events)} events: {recording.books} books, {recording.prints_raw} prints, "
            f"{recording.prints_replayed} of them replays that were dropped"
        ),
        f"orders and fills are ours alone and never were at the venue; fill model: {result.model.tag}",
        *(f"left out: {one.ticker or one.market}: {one.reason}" for one in chosen.excluded),
    ]
    return _gathered(watcher, source, name=folder.resolve().name, told=told, sound=True)


def _admit(boot: Booted) -> None:
    sources.of_profile(boot.profile)


def _gathered(watcher: Watcher, source: Source, *, name: str, told: Sequence[str], sound: bool) -> Gathered:
    assert watcher.boot is not None
    assert watcher.engine is not None
    heard = " of simulated data," if source is Source.PAPER and watcher.boot.seed is not None else ""
    origin = f"{source}{heard} {watcher.boot.fill_model}".strip()
    return Gathered(
        source=source, name=name, boot=watcher.boot, version=__version__, first_ns=watcher.first.wall_ns,
        last_ns=watcher.last.wall_ns, final=report(watcher.engine.state), income=income.rows(watcher.engine.state),
        tables={
            name: table.frame(origin).sort("wall_ns", maintain_order=True) for name, table in watcher.tables.items()
        },
        markets={market_id: market.market for market_id, market in watcher.markets.items()},
        settled=watcher.settled, configs=watcher.configs, alerts=watcher.alerts, told=[*told, *_missing(watcher)],
        sound=sound, every_s=watcher.every_ns / NS_PER_S,
    )  # fmt: skip


def _missing(watcher: Watcher) -> list[str]:
    said = [f"sampled every {watcher.every_ns / NS_PER_S:g} s ({watcher.samples} samples)"]
    if watcher.dropped:
        said.append(f"{watcher.dropped} samples dropped again to keep the number bounded")
    if watcher.fills_missed:
        said.append(f"{watcher.fills_missed} fills came faster than they could be noted and are missing")
    if watcher.markouts_missed:
        said.append(f"{watcher.markouts_missed} fills came so close together that their later markouts are missing")
    if watcher.tunes:
        said.append(f"settings were tuned {watcher.tunes} times; surfaces use those in force at their moment")
    return said
