"""From paths to a calibration: what each path is, what it is read as, and who estimates what from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import attrs

from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID, venue_of
from hlomm.journal.segments import parse_name
from hlomm.research.calibrate import latency, series
from hlomm.research.calibrate.found import Calibration, names
from hlomm.research.calibrate.intensity import arrivals_of, fits
from hlomm.research.calibrate.latency import Clocks
from hlomm.research.calibrate.probit import nus
from hlomm.research.calibrate.queue import exponent
from hlomm.research.calibrate.series import Heard, merged
from hlomm.research.journal_recording import JournalRun, journal_run
from hlomm.research.recording import load as load_folder
from hlomm.research.store.read import is_store
from hlomm.settings.load import Loaded

_NOW = ("fill_rate", "fill_decay", "reaction_s", "nu_prior_s")


@attrs.define(kw_only=True)
class _Material:
    heard: list[Heard] = attrs.field(factory=list)
    runs: list[JournalRun] = attrs.field(factory=list)
    told: list[str] = attrs.field(factory=list)


def calibrate(paths: Sequence[Path], loaded: Loaded) -> Calibration:
    """Of everything at these paths together. UsageError for one that is nothing of the kind."""
    material = _Material()
    for path in paths:
        _read(path, material)
    heard = merged(material.heard)
    outcomes = [one for one in heard.series if one.outcome]
    clocks = Clocks.of(heard.skews)
    settings = loaded.settings.strategy.avellaneda
    arrivals = [arrivals_of(one) for one in outcomes if len(one.book_ns)]
    entry, response = latency.own(
        (one.own, clocks, HYPERLIQUID) for run in material.runs for one in run.markets
    )  # fmt: skip
    venues = sorted({one.venue for one in heard.stamped} - {str(HYPERLIQUID)})
    return Calibration(
        sources=tuple(str(path) for path in paths), now={name: float(getattr(settings, name)) for name in _NOW},
        quoted=tuple(settings.classes), intensities=tuple(fits(arrivals)), nus=tuple(nus(outcomes, settings.sample_s)),
        latency={
            "feed": latency.feed(heard.stamped, clocks, HYPERLIQUID), "entry": entry, "response": response,
        },
        other_feeds={venue: latency.feed(heard.stamped, clocks, venue) for venue in venues},
        queue=exponent([one for run in material.runs for one in run.markets]),
        told=(*material.told, *_noticed(heard, sum(one.lost for one in arrivals))),
    )  # fmt: skip


def is_journal(path: Path) -> bool:
    """A segment of a journal, a folder of them, or a state directory."""
    if path.is_file():
        return parse_name(path.name) is not None
    folders = [path, path / "journal"]
    return any(folder.is_dir() and any(parse_name(one.name) for one in folder.iterdir()) for folder in folders)


def _read(path: Path, material: _Material) -> None:
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    if is_journal(path):
        run = journal_run(path)
        material.runs.append(run)
        material.told += [f"{path}: {what}" for what in run.told]
        material.told += [f"{path}: {one.ticker or one.market} left out: {one.reason}" for one in run.excluded]
        for one in run.markets:
            material.heard.append(series.of_recording(one.recording, stand_ins=True))
        material.heard.append(Heard(skews=[(ns, str(venue), ms) for ns, venue, ms in run.skews]))
    elif is_store(path):
        material.heard.append(series.of_store(path))
    else:
        material.heard.append(series.of_recording(load_folder(path)))


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
