"""What is known from outside a daemon: its marker, its disk, its keys, its guardian. Nothing is changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from typing import Final

import attrs

from hlomm.daemon.alerts.conditions import KeyLife
from hlomm.domain.faults import ConfigError, ProtocolViolation, UsageError
from hlomm.domain.ids import VenueId
from hlomm.domain.outputs import HaltState
from hlomm.domain.report import Snapshot
from hlomm.keystore.files import Label
from hlomm.keystore.folder import Keystore
from hlomm.link.guardian import Phase, Told
from hlomm.settings.paths import StatePaths

SLOW_EVERY: Final = 30
"""Looks at disk and keys: every so many of the others."""
FAILED: Final = frozenset({"deadman_unanswered", "heartbeats_unanswered", "renewals_failed"})
RENEWED: Final = frozenset({"deadman_armed", "deadman_renewed", "heartbeats", "renewals"})
_TROUBLED: Final = frozenset({Phase.ACTING, Phase.DONE, Phase.GAVE_UP})


@attrs.frozen(kw_only=True)
class Outside:
    owned: bool
    guardian: Told | None
    disk_free: int | None
    keys: tuple[KeyLife, ...]


@attrs.define(eq=False)
class Looks:
    """Blocking, a few seconds at most."""

    paths: StatePaths
    keystore: Keystore
    ask: Callable[[], Told]
    """The guardian. UsageError or ProtocolViolation if none answers."""
    _count: int = 0
    _disk_free: int | None = None
    _keys: tuple[KeyLife, ...] = ()

    def look(self) -> Outside:
        if self._count % SLOW_EVERY == 0:
            self._disk_free, self._keys = self._free(), self._lives()
        self._count += 1
        return Outside(owned=self._owned(), guardian=self._guardian(), disk_free=self._disk_free, keys=self._keys)

    def _owned(self) -> bool:
        """What cannot be looked at is not said to be there; then nobody answers there either, and that is said."""
        try:
            return self.paths.owned.exists()
        except OSError:
            return False

    def _guardian(self) -> Told | None:
        try:
            return self.ask()
        except (UsageError, ProtocolViolation):
            return None

    def _free(self) -> int | None:
        try:
            root = next(path for path in (self.paths.root, *self.paths.root.parents) if path.exists())
            return shutil.disk_usage(root).free
        except OSError:
            return None

    def _lives(self) -> tuple[KeyLife, ...]:
        """Of a keystore that cannot be read the doctor tells."""
        try:
            labels = [
                found.key.label for found in self.keystore.files() if found.key is not None and not found.previous
            ]
        except (ConfigError, OSError):
            return ()
        return tuple(life for label in labels if label is not None and (life := key_life(label)) is not None)


def key_life(label: Label) -> KeyLife | None:
    if label.expires_ms is None:
        return None
    rotate = f"hlomm keys rotate {label.venue} --role {label.role} --network {label.network}"
    return KeyLife(f"{label.venue} {label.role} on {label.network}", rotate, label.expires_ms)


@attrs.define(eq=False)
class Deadmen:
    """Failures in a row of each venue's dead-man, counted from what its session counts."""

    _before: dict[VenueId, tuple[int, int]] = attrs.field(factory=dict)
    _in_row: dict[VenueId, int] = attrs.field(factory=dict)

    def see(self, snapshot: Snapshot) -> Mapping[VenueId, int]:
        for row in snapshot.venues:
            failed = sum(count for name, count in row.counters.items() if name in FAILED)
            renewed = sum(count for name, count in row.counters.items() if name in RENEWED)
            before_failed, before_renewed = self._before.get(row.venue, (0, 0))
            if failed < before_failed or renewed != before_renewed:  # another daemon, or it has worked since
                self._in_row[row.venue] = 0
            else:
                self._in_row[row.venue] = self._in_row.get(row.venue, 0) + failed - before_failed
            self._before[row.venue] = (failed, renewed)
        return dict(self._in_row)


@attrs.define(eq=False)
class Farewell:
    """Whether a daemon that no longer answers said goodbye.

    A guarded one leaves a marker that its guardian takes away when it says goodbye, or when the account was made safe
    in its place: whoever was seen at that is remembered.
    """

    _guarded: bool = True
    _stopping: bool = False
    _troubled: bool = False

    def see(self, snapshot: Snapshot | None, outside: Outside) -> bool:
        if snapshot is not None:
            self._guarded = snapshot.guardian.state != "disabled"
            self._stopping = snapshot.engine.state in (HaltState.STOPPING, HaltState.STOPPED)
            self._troubled = False
            return False
        self._troubled |= outside.guardian is not None and outside.guardian.phase in _TROUBLED
        return not self._troubled and (not outside.owned if self._guarded else self._stopping)
