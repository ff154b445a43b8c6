"""The folder of a sweep: what it is a sweep of, and every result so far, whole or not there at all.

`manifest.json` says what was asked, `points.parquet` which sets were tried, `parts/` holds results in the order in
which they came, each file written beside its place, synced and renamed, and with a sum of its bytes in its name, for
Parquet has none: one that was changed is named, and never counts. When all are there, `results.parquet` has them
in order (the same bytes wherever and however often interrupted they were computed) and `times.parquet` how long each
took and where. `summary.json` is what was said of them last.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import polars as pl

from hlomm.domain.faults import DataDefect, UsageError
from hlomm.research.sweep.job import Row
from hlomm.research.tiers import Outcome, Point
from hlomm.rundir.lock import Lock
from hlomm.rundir.replacing import replace_file

SCHEMA: Final = "hlomm-sweep/1"
MANIFEST: Final = "manifest.json"
RESULTS: Final = "results.parquet"
SUMMARY: Final = "summary.json"
DESCRIBED: Final = (
    "source", "data", "recordings", "tier", "block_s", "keys", "sets", "points", "seed", "config", "code",
)  # fmt: skip
"""What every manifest says."""
PARTS_MAX: Final = 256
"""Beyond, they are put together."""
_NUMBERS: Final = ("pnl", "fees", "volume", "max_drawdown", "inventory_max")
_COUNTS: Final = ("fills", "quotes")
_COLUMNS: Final[Mapping[str, Any]] = {
    "point": pl.Int32, "recording": pl.Int32, **dict.fromkeys(_NUMBERS, pl.Float64),
    **dict.fromkeys(_COUNTS, pl.Int64), "returns": pl.List(pl.Float64), "error": pl.String, "left": pl.String,
    "checked": pl.Boolean, "wall_s": pl.Float64, "worker": pl.String,
}  # fmt: skip
_TIMES: Final = ("wall_s", "worker")
_DIGITS: Final = 8
_PART: Final = re.compile(rf"[0-9]{{{_DIGITS}}}-[0-9a-f]{{8}}\.parquet", re.ASCII)
"""Number and CRC-32."""


@attrs.frozen(kw_only=True)
class Directory:
    root: Path
    manifest: Mapping[str, Any]
    keys: tuple[str, ...]
    points: Sequence[Point]
    _lock: Lock

    @classmethod
    def open(cls, root: Path, manifest: Mapping[str, Any], points: Sequence[Point]) -> Directory:
        """Begin or go on. UsageError for a folder of another sweep, with the first difference; AnotherInstance."""
        keys = tuple(manifest["keys"])
        try:
            (root / "parts").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{root}: {error.strerror or error}") from None
        lock = Lock(root / "lock", f"the sweep in {root}", "wait for it, or choose another --out")
        with contextlib.ExitStack() as held:
            held.callback(lock.release)
            if (root / MANIFEST).exists():
                _refuse_another(root, manifest, points)
            else:
                _begin(root, manifest, points)
            held.pop_all()
        for left in (*root.glob("*.partial"), *(root / "parts").glob("*.partial")):
            left.unlink()
        return cls(root=root, manifest=manifest, keys=keys, points=points, lock=lock)

    def close(self) -> None:
        self._lock.release()

    # -- parts

    def done(self) -> set[tuple[int, int]]:
        """(point, recording) of every result there is."""
        return set(read_parts(self.root).select("point", "recording").rows())

    def append(self, rows: Iterable[Row]) -> None:
        """On the disk when this returns."""
        parts = _parts(self.root)
        number = int(parts[-1].name[:_DIGITS]) + 1 if parts else 0
        frame = frame_of(rows)
        if len(parts) >= PARTS_MAX:
            frame = pl.concat([read_parts(self.root), frame]).unique(["point", "recording"], keep="first")
        content = _bytes(frame)
        _keep(self.root / "parts" / f"{number:0{_DIGITS}}-{_sum(content)}.parquet", content)
        if len(parts) >= PARTS_MAX:  # dying here leaves results twice, which reading puts right
            for part in parts:
                part.unlink()

    def finish(self) -> pl.DataFrame:
        """Everything in order, as files and as a frame."""
        names = pl.DataFrame(
            {"point": range(len(self.points)), **{key: [point[key] for point in self.points] for key in self.keys}},
            schema={"point": pl.Int32, **dict.fromkeys(self.keys, pl.String)},
        )
        whole = read_parts(self.root).sort("point", "recording")
        results = names.join(whole.drop(_TIMES), on="point", how="inner", maintain_order="right")
        _write(self.root / "times.parquet", whole.select("point", "recording", *_TIMES))
        _write(self.root / RESULTS, results)
        return results


def read_parts(root: Path) -> pl.DataFrame:
    """All results, each once. DataDefect for a part that is none, or not as it was written."""
    frames = [pl.DataFrame(schema=dict(_COLUMNS))]
    for part in _parts(root):
        try:
            content = part.read_bytes()
        except OSError as error:
            raise DataDefect(f"{part}: {error.strerror or error}") from None
        if not part.stem.endswith(f"-{_sum(content)}"):
            raise DataDefect(f"{part}: not as it was written — remove it, and run again")
        frames.append(pl.read_parquet(io.BytesIO(content), schema=dict(_COLUMNS)))
    return pl.concat(frames).unique(["point", "recording"], keep="first", maintain_order=True)


def _parts(root: Path) -> list[Path]:
    """In their order. DataDefect for a file that is none of them."""
    found = sorted((root / "parts").glob("*.parquet"))
    if strange := [path for path in found if _PART.fullmatch(path.name) is None]:
        raise DataDefect(f"{strange[0]}: not a part of a sweep — remove it, and run again")
    return found


def _sum(content: bytes) -> str:
    return f"{zlib.crc32(content):08x}"


def frame_of(rows: Iterable[Row]) -> pl.DataFrame:
    made = [
        {
            "point": row.point, "recording": row.recording, **_fields(row.outcome), "error": row.error or None,
            "left": None if row.outcome is None else row.outcome.left or None, "checked": row.checked,
            "wall_s": row.wall_s, "worker": row.worker,
        }
        for row in rows
    ]  # fmt: skip
    return pl.DataFrame(made, schema=dict(_COLUMNS))


def _fields(outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None:
        return dict.fromkeys((*_NUMBERS, *_COUNTS, "returns"))
    return {name: getattr(outcome, name) for name in (*_NUMBERS, *_COUNTS)} | {"returns": list(outcome.returns)}


def _write(path: Path, frame: pl.DataFrame) -> None:
    _keep(path, _bytes(frame))


def _bytes(frame: pl.DataFrame) -> bytes:
    held = io.BytesIO()
    frame.write_parquet(held, compression="zstd", statistics=False)
    return held.getvalue()


def _keep(path: Path, content: bytes) -> None:
    try:
        replace_file(path, content)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; what is done is kept, run again to go on") from None


# -- the same sweep, or another


def _begin(root: Path, manifest: Mapping[str, Any], points: Sequence[Point]) -> None:
    """The manifest comes last: with it the folder is a sweep's."""
    if any((root / "parts").glob("*.parquet")):
        raise UsageError(f"{root}: results of a sweep that nothing describes ({MANIFEST} is missing)")
    columns = {key: [point[key] for point in points] for key in manifest["keys"]}
    _write(root / "points.parquet", pl.DataFrame({"point": range(len(points)), **columns}))
    replace_file(root / MANIFEST, json.dumps(dict(manifest), indent=1).encode())


def _refuse_another(root: Path, manifest: Mapping[str, Any], points: Sequence[Point]) -> None:
    was = read_manifest(root)
    for name, now in manifest.items():
        if name == "paths" or was.get(name) == now:
            continue
        raise UsageError(f"{root}: another sweep: {_difference(root, name, was.get(name), now, points)} — "
                         "choose another --out, or remove it")  # fmt: skip


def _difference(root: Path, name: str, was: Any, now: Any, points: Sequence[Point]) -> str:
    if name == "points":
        before = pl.read_parquet(root / "points.parquet").drop("point").rows(named=True)
        for number, (old, new) in enumerate(zip(before, points, strict=False)):
            if old != new:
                key = next(key for key in new if old[key] != new[key])
                return f"set {number} had {key}={old[key]}, now {new[key]}"
        return f"it had {len(before)} sets, now {len(points)}"
    if isinstance(was, dict) and isinstance(now, dict):
        for key in sorted({*was, *now}):
            if was.get(key) != now.get(key):
                return _difference(root, f"{name}.{key}", was.get(key), now.get(key), points)
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for number, (old, new) in enumerate(zip(was, now, strict=True)):
            if old != new:
                return _difference(root, f"{name}[{number}]", old, new, points)
    return f"{name} was {_short(was)}, is {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def read_manifest(root: Path) -> dict[str, Any]:
    """UsageError for a folder that is not a sweep's."""
    try:
        found = json.loads((root / MANIFEST).read_bytes())
    except (OSError, json.JSONDecodeError) as error:
        raise UsageError(f"{root}: no sweep ({error})") from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise UsageError(f"{root}: its {MANIFEST} is not that of a sweep ({SCHEMA})")
    if missing := [name for name in DESCRIBED if name not in found]:
        raise UsageError(f"{root}: its {MANIFEST} does not say: {', '.join(missing)}")
    return dict(found)
