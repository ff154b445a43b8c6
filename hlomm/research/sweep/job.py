"""What a worker needs to know, in this process or on another machine, and how it is told apart from anything else."""

from __future__ import annotations

import hashlib
import random
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

import attrs

import hlomm
from hlomm.domain.faults import UsageError
from hlomm.research.tiers import Outcome, Point, Tier
from hlomm.settings.load import Loaded

TIERS: Final[dict[str, str]] = {
    "queue": "hlomm.research.sweep.queue_tier:QueueTier",
    "kernel": "hlomm.research.kernel.tier:KernelTier",
}
"""Where a tier lives, as `module:class`: imported only where it is used."""
COMPILED: Final = frozenset({"kernel"})
"""Those that are accepted only while they agree with the engine (`tiers.CheckedTier`)."""
_NO_PART: Final = ("cli", "daemon", "guardian", "link", "rundir", "research/imports", "research/record",
                   "research/report", "research/soak")  # fmt: skip
"""Folders of the package that no backtest runs through."""


class Unfit(UsageError):  # noqa: N818 - it is a statement
    """A worker that has other data or another program than the one that asks."""


@attrs.frozen(kw_only=True)
class Job:
    """A sweep as every worker sees it."""

    data: tuple[str, ...]
    """Folders, at the same place for every worker."""
    digest: str
    """Of those data."""
    code: str
    """Of the program."""
    tier: str
    """`module:class`."""
    loaded: Loaded
    block_s: float

    @property
    def key(self) -> str:
        """The same for the same job."""
        parts = (*self.data, self.digest, self.code, self.tier, self.loaded.engine_json(), repr(self.block_s))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@attrs.frozen(kw_only=True)
class Batch:
    """Sets over one recording, given out together."""

    recording: int
    """Its number among all of `Job.data`."""
    numbers: tuple[int, ...]
    points: tuple[Point, ...]
    checked: frozenset[int] = frozenset()
    """Numbers of those that are held against the engine, if the tier is one that has to be."""


@attrs.frozen(kw_only=True)
class Row:
    """What became of one set over one recording: an outcome, or why there is none."""

    point: int
    recording: int
    outcome: Outcome | None
    error: str
    wall_s: float
    worker: str
    checked: bool = False
    """The engine did the same, decision by decision."""
    differs: str = ""
    """What the engine did otherwise."""


def sample(recording: int, sets: int, count: int) -> frozenset[int]:
    """Numbers of so many sets: the same ones for the same recording, wherever and however often they are asked for."""
    return frozenset(random.Random(f"{recording} of {sets}").sample(range(sets), min(count, sets)))


def tier_at(place: str) -> Tier:
    """UsageError where it is not installed."""
    module, _, name = place.partition(":")
    try:
        made: Tier = getattr(import_module(module), name)()
    except ImportError as error:
        raise UsageError(f"the tier at {module} is not to be had here ({error}){_remedy(error)}") from None
    return made


def _remedy(error: ImportError) -> str:
    return " — `pip install numba`, or this checkout with `pip install '.[research]'`" if error.name == "numba" else ""


def data_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file with market data, by its place in the folder. UsageError where it cannot be read."""
    found: dict[str, str] = {}
    try:
        for path in sorted(folder.rglob("*")):
            place = path.relative_to(folder)
            if path.is_file() and (path.suffix == ".parquet" or place.parts[0] == "spool"):
                with path.open("rb") as file:
                    found[place.as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror or error}") from None
    return found


def one_digest(files: list[dict[str, str]]) -> str:
    lines = [f"{number}/{place} {digest}" for number, each in enumerate(files) for place, digest in each.items()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@cache
def code_digest() -> str:
    """Of every module that a backtest could run through, configuration apart."""
    whole = hashlib.sha256()
    root = Path(hlomm.__file__).parent
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root).as_posix()
        if not place.startswith(tuple(f"{name}/" for name in _NO_PART)):
            whole.update(f"{place}\0".encode() + path.read_bytes() + b"\0")
    return whole.hexdigest()
