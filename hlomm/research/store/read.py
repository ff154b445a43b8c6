"""Reading a store: its Parquet files lazily, its open or abandoned spools beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import polars as pl

from hlomm.domain.faults import UsageError
from hlomm.research.store import spool, sums
from hlomm.research.store.pack import frame_of, rows_of
from hlomm.research.store.schema import ALL_TABLES, COLUMNS, EVENTS, SCHEMA, TABLES, SchemaError, market_in

UNREADABLE: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What reading a damaged Parquet file raises; the second is how polars says that it did not expect this damage."""
ATTEMPTS: Final = 5
"""A spool may be packed while it is read; after so many times somebody does nothing else."""


class DamagedFile(SchemaError):  # noqa: N818 - as in `hlomm.domain.faults`
    """A file whose sum is not that of its bytes."""


@attrs.frozen(kw_only=True)
class File:
    """One Parquet file of a store."""

    path: Path
    table: str
    venue: str
    market: str
    day: str

    @property
    def part(self) -> str:
        return self.path.stem


@attrs.frozen(kw_only=True)
class Store:
    """One look at a store: its files, and the spools that stand at that moment."""

    root: Path
    files: tuple[File, ...]
    spools: tuple[spool.Spool, ...]
    superseded: tuple[File, ...]
    """Files of a spool that still stands: a packing that was not finished."""
    _spooled: dict[str, pl.DataFrame] = attrs.field(factory=dict, init=False)
    """Read once, when first asked for."""
    _of_market: dict[tuple[str, str], list[File]] = attrs.field(factory=dict, init=False)
    """By table and market id, likewise: a store may have twenty thousand."""

    @classmethod
    def open(cls, root: Path) -> Store:
        """UsageError for a folder that is no store."""
        if not is_store(root):
            raise UsageError(f"{root}: no recorded data — `hlomm record` and `hlomm import` make it")
        for _ in range(ATTEMPTS):
            try:
                # Spools first: what is packed in between is then seen twice, and told from the files by name.
                standing = tuple(spool.read(path) for path in spool.spools(root))
            except FileNotFoundError:
                continue
            parts = {one.part for one in standing}
            files = list(_files(root))
            if any(not path.exists() for path in (one.path for one in standing)):
                continue
            return cls(
                root=root, files=tuple(one for one in files if one.part not in parts), spools=standing,
                superseded=tuple(one for one in files if one.part in parts),
            )  # fmt: skip
        raise UsageError(f"{root}: spools come and go faster than they can be read")

    def scan(self, table: str = EVENTS, *, venue: str | None = None, market: str | None = None) -> pl.LazyFrame:
        """Rows of a table, unsorted. SchemaError for a file of another version or one that cannot be read."""
        files = self.files if market is None else self._files_of(table, market)
        chosen = [one.path for one in files if one.table == table and venue in (None, one.venue)]
        for path in chosen:
            check_file(path, table)
        frames = [pl.scan_parquet(chosen, schema=dict(COLUMNS[table]), hive_partitioning=False)] if chosen else []
        if table in TABLES:
            frames.append(_only(self.spooled(table).lazy(), venue=venue, market=market))
        elif not frames:
            frames.append(pl.LazyFrame(schema=dict(COLUMNS[table])))
        return pl.concat(frames, how="vertical")

    def _files_of(self, table: str, market: str) -> list[File]:
        if not self._of_market:
            for one in self.files:
                self._of_market.setdefault((one.table, one.market), []).append(one)
        return self._of_market.get((table, market), [])

    def spooled(self, table: str) -> pl.DataFrame:
        """Rows of a table that are in spools."""
        if not self._spooled:
            rows = [rows_of(one) for one in self.spools]
            for name in TABLES:
                self._spooled[name] = frame_of(name, [row for one in rows for row in one[name]])
        return self._spooled[table]

    def markets(self) -> list[str]:
        """Every market id that has rows."""
        found = {one.market for one in self.files if one.table == EVENTS and one.market}
        found.update(self.spooled(EVENTS)["market"].unique())
        return sorted(found - {""})


def is_store(root: Path) -> bool:
    return any((root / name).is_dir() for name in (*ALL_TABLES, spool.FOLDER))


def check_file(path: Path, table: str) -> None:
    """SchemaError unless the file is readable and of this schema and table."""
    try:
        metadata = pl.read_parquet_metadata(path)
        columns = pl.read_parquet_schema(path)
    except UNREADABLE as error:
        raise SchemaError(f"{path}: not a readable Parquet file ({first_line(error)})") from None
    version = metadata.get("hlomm.schema")
    if version != str(SCHEMA) or metadata.get("hlomm.table") != table:
        raise SchemaError(f"{path}: schema {version or 'unknown'} of {metadata.get('hlomm.table')}, this is {SCHEMA}")
    if columns != dict(COLUMNS[table]):
        raise SchemaError(f"{path}: its columns are not those of schema {SCHEMA}")
    told = metadata.get(sums.KEY)
    try:
        sound = told is None or sums.is_sound(path.read_bytes(), told)  # none: a file from before there were sums
    except OSError as error:
        raise SchemaError(f"{path}: {error.strerror or error}") from None
    if not sound:
        raise DamagedFile(f"{path}: not as it was written: `hlomm data check`")


def first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:160]


def ordered(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Rows in the order in which they came."""
    return frame.sort("run", "seq")


def rows(frame: pl.LazyFrame, columns: Sequence[str] | None = None) -> Iterator[Mapping[str, Any]]:
    """Rows of a frame as mappings."""
    chosen = frame if columns is None else frame.select(columns)
    try:
        return chosen.collect().iter_rows(named=True)
    except UNREADABLE as error:  # a page may be damaged though the footer is whole
        raise SchemaError(f"a file of the store cannot be read ({first_line(error)}): `hlomm data check`") from None


def _only(frame: pl.LazyFrame, *, venue: str | None, market: str | None) -> pl.LazyFrame:
    if venue is not None:
        frame = frame.filter(pl.col("venue") == venue)
    return frame if market is None else frame.filter(pl.col("market") == market)


def _files(root: Path) -> Iterator[File]:
    for table in ALL_TABLES:
        for path in sorted((root / table).glob("venue=*/market=*/day=*/*.parquet")):
            venue, market, day = path.parts[-4:-1]
            name = venue.removeprefix("venue=")
            yield File(
                path=path, table=table, venue=name, market=market_in(market, name), day=day.removeprefix("day=")
            )  # fmt: skip
