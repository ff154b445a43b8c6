"""From spools to Parquet: rows by table, venue, market and day, each file whole or not there at all.

Packing the same spool again writes the same files, so a crash at any point is mended by packing once more. The spool
goes last: as long as it stands, its rows are read from it.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import attrs
import polars as pl

from hlomm.domain.ticker import utc_day
from hlomm.research.store import spool, sums
from hlomm.research.store.schema import (
    COLUMNS,
    EVENTS,
    FRAMES,
    SCHEMA,
    TABLES,
    Row,
    event_columns,
    folder_of,
    market_of,
    recorded,
)
from hlomm.research.store.spool import sync_path

QUARANTINE: Final = "damaged"
ROWS_HELD: Final = 50_000
_LEVEL: Final = 3
"""Of zstd: raw JSON shrinks about twentyfold, and packing stays far ahead of recording."""


@attrs.frozen(kw_only=True)
class Packed:
    """What became of one spool."""

    part: str
    files: int
    rows: int
    torn: int
    corrupt: str


def pack(root: Path) -> list[Packed]:
    """Pack every spool that nobody writes. OSError where the disk will not take it; the spool stays then."""
    return [pack_spool(root, path) for path in spool.abandoned(root)]


def pack_spool(root: Path, path: Path) -> Packed:
    """Pack one spool and remove it. One that is damaged in the middle is kept beside, for people to look at."""
    read = spool.read(path)
    rows = rows_of(read)
    files = 0
    for table in TABLES:
        files += write_rows(root, table, rows[table], read.part)
    if read.corrupt:
        aside = root / QUARANTINE
        aside.mkdir(exist_ok=True)
        path.rename(aside / path.name)
    else:
        path.unlink()
    sync_path(path.parent)
    return Packed(
        part=read.part, files=files, rows=sum(map(len, rows.values())), torn=read.torn, corrupt=read.corrupt
    )  # fmt: skip


def rows_of(read: spool.Spool) -> dict[str, list[Row]]:
    """Rows of both tables. A frame is filed under the one market that all of its events are about."""
    rows: dict[str, list[Row]] = {EVENTS: [], FRAMES: []}
    if read.head is None:
        return rows
    shared = {"run": read.head.run, "source": read.head.source}
    about: dict[int, str] = {}
    for record in read.records:
        if isinstance(record, spool.EventRecord) and record.frame is not None:
            market = market_of(record.item)
            about[record.frame] = market if about.get(record.frame, market) == market else ""
    for record in read.records:
        common = {
            **shared, "seq": record.seq, "recv_ns": record.recv_ns, "mono_ns": record.mono_ns, "venue": record.venue,
        }  # fmt: skip
        match record:
            case spool.FrameRecord():
                rows[FRAMES].append(
                    common | {
                        "market": about.get(record.seq, ""), "connection": record.connection,
                        "channel": record.channel, "request": record.request, "data": record.data,
                    }
                )  # fmt: skip
            case spool.EventRecord() if recorded(record.item):
                rows[EVENTS].append(
                    common | {"market": market_of(record.item), "frame": record.frame, **event_columns(record.item)}
                )
            case spool.OwnRecord():
                rows[EVENTS].append(common | {"market": record.market, "kind": record.kind, "detail": record.detail})
            case _:
                pass  # an input that a later version records
    return rows


def write_rows(root: Path, table: str, rows: Iterable[Row], part: str) -> int:
    """Rows of one table to their files; how many files."""
    frames: dict[tuple[str, str, str], list[pl.DataFrame]] = defaultdict(list)
    for chunk in _batched(rows):
        groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
        for row in chunk:
            groups[row["venue"], row["market"], utc_day(row["recv_ns"])].append(row)
        for where, group in groups.items():
            frames[where].append(frame_of(table, group))
    for where, parts in frames.items():
        write_frame(root, table, pl.concat(parts, rechunk=True), where, part)
    return len(frames)


def _batched(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """In pieces: a row is ten times as large before it is one of a frame."""
    coming = iter(rows)
    while piece := list(islice(coming, ROWS_HELD)):
        yield piece


def frame_of(table: str, rows: list[Row]) -> pl.DataFrame:
    """Rows as a frame of the table's schema; columns that a row lacks are null."""
    return pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in COLUMNS[table]}, schema=dict(COLUMNS[table]), strict=True
    )


def write_frame(root: Path, table: str, frame: pl.DataFrame, where: tuple[str, str, str], part: str) -> Path:
    """One file at (venue, market, day), written beside, synced and renamed."""
    folder = root / folder_of(table, *where)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{part}.parquet"
    partial = path.with_suffix(".partial")
    metadata: dict[str, str] = {"hlomm.schema": str(SCHEMA), "hlomm.table": table, sums.KEY: sums.EMPTY}
    held = io.BytesIO()
    frame.write_parquet(held, compression="zstd", compression_level=_LEVEL, metadata=metadata)
    partial.write_bytes(sums.summed(held.getvalue()))
    sync_path(partial)
    partial.rename(path)
    sync_path(folder)
    return path
