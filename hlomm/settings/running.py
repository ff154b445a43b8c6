"""What a run was configured with, kept beside it, so that a file can be held against it while it runs.

Values are there as digests: whatever a setting holds, it is in no second place, and equality is all that is asked.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from hlomm.domain.faults import UsageError
from hlomm.rundir.replacing import replace_file
from hlomm.settings.load import Layer, Loaded, Tree, leaves, load


class Running(msgspec.Struct, frozen=True, kw_only=True):
    profile: str
    files: tuple[str, ...]
    sets: tuple[str, ...]
    beneath: tuple[str, Tree] | None
    digests: dict[str, str]
    """By dotted key."""
    canary: bool = False
    """What the sources say was made smaller for this run."""

    def again(self) -> Loaded:
        """The same sources read anew, with this process's environment; ConfigError lists what is wrong with them."""
        beneath = None if self.beneath is None else Layer(*self.beneath)
        return load(self.profile, [Path(name) for name in self.files], self.sets, beneath=beneath)

    def differing(self, loaded: Loaded) -> list[str]:
        """Keys whose value is another now; also those that came or went."""
        now = _digests(loaded)
        return [key for key in {**self.digests, **now} if self.digests.get(key) != now.get(key)]


def running(loaded: Loaded) -> Running:
    sources = loaded.sources
    return Running(
        profile=sources.profile, files=tuple(map(str, sources.files)), sets=sources.sets,
        beneath=None if sources.beneath is None else (sources.beneath.name, sources.beneath.tree),
        digests=_digests(loaded), canary="canary" in loaded.origins.values(),
    )  # fmt: skip


def keep(path: Path, loaded: Loaded) -> None:
    """OSError if the disk does not take it."""
    replace_file(path, msgspec.json.encode(running(loaded)))


def kept(path: Path) -> Running:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Running)
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(
            f"{path}: {error} — it says what the daemon runs with, and the daemon writes it when it starts: restart it"
        ) from None


def _digests(loaded: Loaded) -> dict[str, str]:
    return {key: _digest(value) for key, value in leaves(loaded.tree)}


def _digest(value: Any) -> str:
    return blake2b(msgspec.json.encode(value, order="sorted"), digest_size=8).hexdigest()
