"""From paths to a calibration: what each path is, what it is read as, and who estimates what from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import numpy as np

from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID, venue_of
from hlomm.journal.segments import parse_name
from hlomm.research.calibrate import latency, series
from hlomm.research.calibrate.found import Calibration, names
from hlomm.research.calibrate.intensity import arrivals_of, fits
from hlomm.research.calibrate.latency import Clocks
from hlomm.research.calibrate.probit import nus
from hlomm.research.calibrate.queue import exponent
from hlomm.research.calibrate.series import Heard, Series, merged
from hlomm.research.journal_recording import JournalRun, journal_run
from hlomm.research.recording import load as load_folder
from hlomm.research.report.source import Source, of_profile, of_recording
from hlomm.research.store.read import Store, is_store
from hlomm.settings.load import Loaded

_NOW = ("fill_rate", "fill_decay", "reaction_s", "nu_prior_s")


@attrs.define(kw_only=True)
class _Part:
    """What was found at one path."""

    path: Path
    simulated: bool
    heard: Heard
    run: JournalRun | None = None

    @property
    def clocks(self) -> Clocks:
        return Clocks.of(self.heard.skews)


def calibrate(paths: Sequence[Path], loaded: Loaded) -> Calibration:
    """Of everything at these paths together. UsageError for one that is nothing of the kind, or for sim beside real."""
    parts = [_read(path) for path in paths]
    _one_world(parts)
    heard = merged([part.heard for part in parts])
    outcomes = _once([one for one in heard.series if one.outcome])
    clocks = [(part.heard.stamped, part.clocks) for part in parts]
    settings = loaded.settings.strategy.avellaneda
    arrivals = [arrivals_of(one) for one in outcomes if len(one.book_ns)]
    runs = [(part.run, part.clocks) for part in parts if part.run is not None]
    entry, response = latency.own((one.own, known, HYPERLIQUID) for run, known in runs for one in run.markets)
    venues = sorted({one.venue for one in heard.stamped} - {str(HYPERLIQUID)})
    return Calibration(
        sources=tuple(str(path) for path in paths), simulated=parts[0].simulated,
        now={name: float(getattr(settings, name)) for name in _NOW},
        quoted=tuple(settings.classes), intensities=tuple(fits(arrivals)), nus=tuple(nus(outcomes, settings.sample_s)),
        latency={"feed": latency.feed(clocks, HYPERLIQUID), "entry": entry, "response": response},
        other_feeds={venue: latency.feed(clocks, venue) for venue in venues},
        queue=exponent([one for run, _ in runs for one in run.markets]),
        told=(*_of_runs(parts), *_noticed(heard, sum(one.lost for one in arrivals))),
    )  # fmt: skip


def _once(found: Sequence[Series]) -> list[Series]:
    """Each taker once: of a market that two paths heard at the same time, the one with more books is taken."""
    kept: list[Series] = []
    for one in sorted(found, key=lambda each: -len(each.book_ns)):
        if not any(one.market == other.market and _same_hours(one, other) for other in kept):
            kept.append(one)
    return kept


def _same_hours(one: Series, other: Series) -> bool:
    """Whether most of the prints of one are prints of the other: venues stamp them."""
    shared = len(np.intersect1d(one.print_ns, other.print_ns))
    return 2 * shared > len(np.unique(one.print_ns))


def _one_world(parts: Sequence[_Part]) -> None:
    """What a simulator does says nothing about a market, and the mean of the two about neither."""
    if len({part.simulated for part in parts}) > 1:
        kinds = ", ".join(f"{part.path} is {'simulated' if part.simulated else 'real'}" for part in parts)
        raise UsageError(f"simulated and real data are never mixed: {kinds} — calibrate them one after another")


def is_journal(path: Path) -> bool:
    """A segment of a journal, a folder of them, or a state directory."""
    if path.is_file():
        return parse_name(path.name) is not None
    folders = [path, path / "journal"]
    return any(folder.is_dir() and any(parse_name(one.name) for one in folder.iterdir()) for folder in folders)


def _read(path: Path) -> _Part:
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    if is_journal(path):
        run = journal_run(path)
        if run.boot.fill_model:
            raise UsageError(f"{path}: a run on paper is made up by a model: calibrate from a recording beside it")
        heard = merged([series.of_recording(one.recording, stand_ins=True) for one in run.markets])
        heard.skews = [(ns, str(venue), ms) for ns, venue, ms in run.skews]
        return _Part(path=path, simulated=of_profile(run.boot.profile) is Source.SIM, heard=heard, run=run)
    if is_store(path):
        tags = Store.open(path).scan().select("source").unique().collect()["source"].to_list()
        if len({tag == Source.SIM for tag in tags}) > 1:
            raise UsageError(f"{path}: holds simulated and real rows ({', '.join(sorted(tags))}): never mixed")
        return _Part(path=path, simulated=Source.SIM in tags, heard=series.of_store(path))
    return _Part(
        path=path, simulated=of_recording(path) is Source.SIM, heard=series.of_recording(load_folder(path))
    )  # fmt: skip


def _of_runs(parts: Sequence[_Part]) -> Iterator[str]:
    for part in parts:
        if part.run is not None:
            yield from (f"{part.path}: {what}" for what in part.run.told)
            yield from (f"{part.path}: {one.ticker or one.market} left out: {one.reason}" for one in part.run.excluded)


def _noticed(heard: Heard, lost: int) -> list[str]:
    told = []
    if heard.dropped:
        told.append(f"{heard.dropped} crossed books, repeated trades and prints of history dropped")
    if lost:
        told.append(f"{lost} prints met no book with two sides: their distance is not known, and they are left out")
    if heard.unlisted:
        told.append(f"nothing says what {len(heard.unlisted)} markets are, nor when they end: {names(heard.unlisted)}")
    others = Counter(str(venue_of(one.market)) for one in heard.series if not one.outcome and len(one.print_ns))
    told += [f"{venue}: {count} perps are no outcomes: feed only" for venue, count in sorted(others.items())]
    return told
