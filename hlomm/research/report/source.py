"""Where the data of a report come from.

One of four tags, printed on everything that is drawn or written:

| tag | what | how it is told |
|---|---|---|
| `live` | a journal of a run at real venues | boot record, profile `testnet` or `mainnet` |
| `paper` | a journal of a run on public data (a simulator's: said), fills made up by a model | profile `paper` |
| `sim` | a journal of a run at simulated venues; a recording that says so | profile `sim`; column `source` |
| | a sweep over such recordings | its manifest, which took it from their data |
| `recorded` | a recorded real market; our orders are filled from its tape | column `source`, else `venue` (below) |

A recording's files say it in a column `source` (`recorded` or `sim`). Files without one were made by a recorder of a
real venue if their column `venue` names one that we know. Everything else - a profile nobody knows, no column, two
tags in one recording - is refused: figures whose origin is not known are not drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final

import polars as pl

from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET
from hlomm.research.store.read import Store, is_store


class Source(StrEnum):
    LIVE = "live"
    PAPER = "paper"
    RECORDED = "recorded"
    SIM = "sim"


PROFILES: Final = {"sim": Source.SIM, "paper": Source.PAPER, "testnet": Source.LIVE, "mainnet": Source.LIVE}
RECORDED_AT: Final = (str(HYPERLIQUID), str(POLYMARKET), str(KALSHI))
_OF_RECORDINGS: Final = (Source.RECORDED, Source.SIM)


def of_profile(profile: str) -> Source:
    """Tag of a journal; UsageError for a profile that says nothing."""
    found = PROFILES.get(profile)
    if found is None:
        known = ", ".join(PROFILES)
        raise UsageError(
            f"the journal's boot record has no source tag: profile {profile[:40]!r} is none of {known}; not drawn"
        )
    return found


def of_data(folder: Path) -> Source:
    """Tag of a folder of parquet files or of a store; UsageError without one, or with several."""
    if not folder.exists():
        raise UsageError(f"{folder}: no such file or folder")
    if not is_store(folder):
        return of_recording(folder)
    tags = Store.open(folder).scan().select(pl.col("source").unique().sort()).collect()["source"].to_list()
    found = dict.fromkeys(Source.SIM if tag == Source.SIM else Source.RECORDED for tag in tags)
    if len(found) != 1:
        raise UsageError(f"{folder}: needs one source, has {_listed(tags) or 'no rows'}; rows of several never mix")
    return next(iter(found))


def of_recording(folder: Path) -> Source:
    """Tag of a folder of parquet files; UsageError without one, or with several."""
    found: dict[Source, None] = {}
    for path in sorted(folder.rglob("*.parquet")):
        try:
            columns = pl.read_parquet_schema(path)
            tags = [str(name) for name in ("source", "venue") if name in columns][:1]
            values = pl.read_parquet(path, columns=tags)[tags[0]].unique().to_list() if tags else []
        except (pl.exceptions.PolarsError, OSError) as error:
            raise UsageError(f"{path}: not a readable parquet file ({error})") from None
        if not tags:
            raise UsageError(f"{path}: no source tag (column `source`, or `venue` of a recorder); not drawn")
        found |= dict.fromkeys(_tag(path, tags[0], value) for value in values)
    if len(found) != 1:
        if not found:
            raise UsageError(f"{folder}: no parquet file here has any row")
        raise UsageError(f"{folder}: needs one source tag, has {_listed(found)}; not drawn")
    return next(iter(found))


def _tag(path: Path, column: str, value: object) -> Source:
    if column == "venue":
        if value in RECORDED_AT:
            return Source.RECORDED
        raise UsageError(f"{path}: no source tag, and venue {str(value)[:40]!r} is none of {_listed(RECORDED_AT)}")
    if value in _OF_RECORDINGS:
        return Source(str(value))
    raise UsageError(f"{path}: source {str(value)[:40]!r} of a recording is none of {_listed(_OF_RECORDINGS)}")


def _listed(values: Iterable[str]) -> str:
    return ", ".join(values)
