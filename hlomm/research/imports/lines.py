"""What an importer yields, and how it becomes rows of a store.

Rows are numbered in the order of their receive times; lines of one time keep the order of their file. Nothing is made
up: a line that cannot be read is counted and left out, a time or size that the source does not tell stays unknown, and
an import of which nothing remains writes nothing and fails.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Final

import attrs

from hlomm.domain.faults import UsageError
from hlomm.domain.inputs import Input, Level
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import SCALE
from hlomm.research.store.pack import write_rows
from hlomm.research.store.schema import EVENTS, FRAMES, Row, event_columns, market_of
from hlomm.research.usable import END_NS, FIRST_NS, MOST

NS: Final = Decimal(10**9)
_GZIP: Final = b"\x1f\x8b"


@attrs.frozen(kw_only=True)
class Line:
    """One line or record of a source: what it was, byte for byte where it was a message, and what it says."""

    recv_ns: int
    news: tuple[tuple[Input, int | None], ...]
    """Inputs, with the venue's stamp in ns where it is finer or other than the input's own."""
    raw: bytes | None = None
    channel: str = ""
    file: str = ""
    """Within a file receive times are looked at for order."""


@attrs.define(eq=False)
class Tally:
    """What was left out or looked odd, by kind."""

    counts: Counter[str] = attrs.field(factory=Counter)

    def add(self, kind: str, by: int = 1) -> None:
        self.counts[kind] += by


Reader = Callable[[Sequence[Path], Tally], Iterable[Line]]


@attrs.frozen(kw_only=True)
class Kind:
    """A layout that can be imported."""

    name: str
    venue: str
    help: str
    read: Reader
    suffixes: tuple[str, ...]
    """Of the files in a folder that are tried; a file that is named is always tried."""
    of_folders: bool = False
    """It is told the paths as they were named, for its files mean something only together."""


@attrs.frozen(kw_only=True)
class Imported:
    kind: str
    files: int
    lines: int
    events: int
    frames: int
    markets: tuple[str, ...]
    first_ns: int
    last_ns: int
    odd: dict[str, int]

    def document(self) -> dict[str, Any]:
        return attrs.asdict(self)


def import_into(root: Path, kind: Kind, paths: Sequence[Path]) -> Imported:
    """Read everything and write it; the same input writes the same files. UsageError if nothing real can be had."""
    files = list(files_in(paths, kind.suffixes))
    tally = Tally()
    lines = list(_sound(kind.read(paths if kind.of_folders else files, tally), tally)) if files else []
    if not any(line.news for line in lines):
        odd = ", ".join(f"{count} {name}" for name, count in tally.counts.items() if count)
        raise UsageError(f"nothing of kind {kind.name} in {', '.join(map(str, paths))}{f' ({odd})' if odd else ''}")
    latest: Counter[str] = Counter()
    for line in lines:
        tally.add("out_of_order", int(line.recv_ns < latest[line.file]))
        latest[line.file] = max(latest[line.file], line.recv_ns)
    lines.sort(key=lambda line: line.recv_ns)
    run = _run(lines[0].recv_ns, kind, files)
    for table in (EVENTS, FRAMES):
        write_rows(root, table, _rows(lines, kind, run, table), f"{run:013d}-000001")
    return Imported(
        kind=kind.name, files=len(files), lines=len(lines), events=sum(len(line.news) for line in lines),
        frames=sum(line.raw is not None for line in lines), first_ns=lines[0].recv_ns, last_ns=lines[-1].recv_ns,
        markets=tuple(sorted({market_of(item) for line in lines for item, _ in line.news} - {""})),
        odd={name: count for name, count in sorted(tally.counts.items()) if count},
    )  # fmt: skip


def _sound(lines: Iterable[Line], tally: Tally) -> Iterator[Line]:
    """Lines of which the venue's stamps can be meant, where there are any."""
    for line in lines:
        stamps = [getattr(item, "venue_ms", 0) * NS_PER_MS for item, _ in line.news]
        if all(stamp == 0 or FIRST_NS <= stamp < END_NS for stamp in stamps):
            yield line
        else:
            tally.add("impossible_times")


def files_in(paths: Sequence[Path], suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Files that are named, and those of folders that end so. UsageError for a path that does not exist."""
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.is_file() and one.name.endswith(suffixes))
        elif path.is_file():
            yield path
        else:
            raise UsageError(f"{path}: no such file or folder")


def _run(first_ns: int, kind: Kind, files: Sequence[Path]) -> int:
    """The first second, and three digits of what was imported: imports that begin together stay apart."""
    names = "\n".join((kind.name, *(one.name for one in files)))
    return first_ns // 10**9 * 1_000 + zlib.crc32(names.encode()) % 1_000


def _rows(lines: Sequence[Line], kind: Kind, run: int, table: str) -> Iterator[Row]:
    """Those of one table; both count together."""
    seq = 0
    for line in lines:
        common = {"run": run, "recv_ns": line.recv_ns, "source": f"import:{kind.name}", "venue": kind.venue}
        frame = None
        if line.raw is not None:
            seq += 1
            frame = seq
            if table == FRAMES:
                about = {market_of(item) for item, _ in line.news}
                market = about.pop() if len(about) == 1 else ""
                shown = {"seq": seq, "market": market, "connection": 0, "channel": line.channel, "data": line.raw}
                yield common | shown
        for item, exchange_ns in line.news:
            seq += 1
            if table == EVENTS:
                row = common | {"seq": seq, "market": market_of(item), "frame": frame, **event_columns(item)}
                yield row if exchange_ns is None else row | {"exchange_ns": exchange_ns}


# -- helpers of the readers


def text_lines(path: Path, tally: Tally) -> Iterator[bytes]:
    """Lines of a file, packed or not, without a byte order mark. One that breaks off gives what stands before that."""
    try:
        with _opened(path) as file:
            for number, line in enumerate(file):
                if stripped := (line if number else line.removeprefix(codecs.BOM_UTF8)).strip():
                    yield stripped
    except (OSError, EOFError, zlib.error):
        tally.add("broken_files")


def cells(path: Path, tally: Tally) -> Iterator[list[str]]:
    """Rows of a CSV file, packed or not, its header first. One that breaks off gives what stands before that."""
    try:
        with _opened(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="") as text:
            yield from csv.reader(text)
    except (OSError, EOFError, zlib.error, csv.Error):
        tally.add("broken_files")


def _opened(path: Path) -> IO[bytes]:
    """What is packed is told by its first bytes, not by its name. OSError where it cannot be opened."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]


@lru_cache(maxsize=65_536)
def scaled(number: str | float | Decimal) -> int:
    """A price or size in 1e-8, rounded to the nearest. ValueError for what is none, or below nothing."""
    try:
        value = (number if isinstance(number, Decimal) else Decimal(str(number))) * SCALE
        whole = int(value.to_integral_value())
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"expected a number, was {number!r}") from None
    if not 0 <= whole <= MOST:
        raise ValueError(f"expected a number from 0 to {MOST // SCALE}, was {number!r}")
    return whole


def unsized(price: str | float | None) -> Level | None:
    """A best price of which the source does not tell the size; None for an empty side, which reads 0 or 1.

    ValueError for more than 1: such a price is of another unit, cents for example.
    """
    px = 0 if price is None else scaled(price)
    if px > SCALE:
        raise ValueError(f"expected a price from 0 to 1, was {price!r}")
    return (px, 0) if 0 < px < SCALE else None


def zoned_ns(text: str) -> int:
    """An ISO time that names its zone, in ns. ValueError for any other."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time of nobody knows where")
    return possible(int(moment.replace(microsecond=0).timestamp()) * NS_PER_S + moment.microsecond * 1_000)


def possible(wall_ns: int) -> int:
    """The time. ValueError for one that cannot be meant: of another unit than its layout's, or damaged."""
    if not FIRST_NS <= wall_ns < END_NS:
        raise ValueError(f"expected a time between 2001 and 2099, was {wall_ns} ns")
    return wall_ns


def seconds(number: str | float) -> int:
    """Unix seconds with decimals as ns. ValueError for what is none."""
    try:
        return int(Decimal(str(number)) * NS)
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"expected seconds, was {number!r}") from None
