"""The folder of keys: one file for each slot, and one more while a rotation waits to be confirmed.

A slot is a venue, a role and a network (`hyperliquid-engine-testnet.json`); an API key of Polymarket lies beside the
wallet's (`polymarket-api-mainnet.json`). The folder is 0700, its files 0600; anything else is refused with the command
that mends it. Files are written beside their place, synced and renamed over it, so a slot that has a key always has a
whole one. A rotation first links the old file to `*.previous.json`: at every moment the slot is the old key or the new.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from hlomm.domain.checkup import Code
from hlomm.domain.faults import ConfigError, KeyFault, UsageError
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET
from hlomm.keystore.files import KeyFile, parse
from hlomm.rundir.home import data_home, expanded
from hlomm.rundir.lock import Lock
from hlomm.rundir.private_file import folder_exposure, read_private
from hlomm.rundir.replacing import replace_file, sync_directory

ENGINE: Final = "engine"
GUARDIAN: Final = "guardian"
API: Final = "api"
"""What Polymarket's requests are signed with, beside the wallet's key that signs orders."""
ROLES: Final = {HYPERLIQUID: (ENGINE, GUARDIAN), POLYMARKET: (ENGINE, API), KALSHI: (ENGINE,)}
NETWORKS: Final = ("mainnet", "testnet")
FILES_MAX: Final = 100
"""A folder with more is not ours."""
_PREVIOUS: Final = ".previous.json"


@attrs.frozen
class Slot:
    venue: str
    role: str
    network: str

    @property
    def name(self) -> str:
        return f"{self.venue}-{self.role}-{self.network}"

    def __str__(self) -> str:
        return f"{self.venue} {self.role} on {self.network}"


def default_folder() -> Path:
    return data_home() / "keys"


def keystore_at(folder: str | Path | None) -> Keystore:
    """The one in a folder, or the platform's where that is empty."""
    return Keystore(expanded(folder).absolute() if folder else default_folder())


@attrs.frozen
class Found:
    """One file of the folder. `key` is None if `fault` says what is wrong with it."""

    path: Path
    key: KeyFile | None
    fault: KeyFault | None = None

    @property
    def wrong(self) -> str:
        return "" if self.fault is None else str(self.fault)

    @property
    def previous(self) -> bool:
        return self.path.name.endswith(_PREVIOUS)


@attrs.frozen
class Keystore:
    folder: Path

    # -- reading

    def check(self) -> bool:
        """Whether there is one; KeyFault if others could read it or put something into it."""
        try:
            wrong = folder_exposure(self.folder)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise KeyFault(Code.KEYSTORE_EXPOSED, f"keystore {self.folder}: {error.strerror or error}") from None
        if wrong is not None:
            raise KeyFault(Code.KEYSTORE_EXPOSED, f"keystore {wrong}")
        return True

    def files(self) -> list[Found]:
        """Every key file by name, the wrong ones too. KeyFault as `check`."""
        if not self.check():
            return []
        names = sorted(path for path in self.folder.iterdir() if path.suffix == ".json")
        if len(names) > FILES_MAX:
            text = f"keystore {self.folder} has {len(names)} files: that is no folder of keys, name another"
            raise KeyFault(Code.KEYSTORE_EXPOSED, text)
        return [_look(path) for path in names]

    def path(self, slot: Slot) -> Path:
        return self.folder / f"{slot.name}.json"

    def previous(self, slot: Slot) -> Path:
        return self.folder / f"{slot.name}{_PREVIOUS}"

    def has(self, slot: Slot) -> bool:
        return self.check() and os.path.lexists(self.path(slot))

    def need_free(self, slot: Slot) -> None:
        """UsageError if there is a key already, before anybody is asked for another."""
        if self.has(slot):
            raise UsageError(
                f"there is a key for {slot} already: hlomm keys rotate {slot.venue} --role {slot.role} "
                f"--network {slot.network} replaces it, `hlomm keys remove` takes it away"
            )

    def need_key(self, slot: Slot) -> None:
        """UsageError if there is none."""
        if not self.has(slot):
            raise UsageError(
                f"there is no key for {slot}: `hlomm keys list` shows what there is, `hlomm keys import` adds one"
            )

    # -- writing

    @contextmanager
    def _held(self) -> Iterator[None]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.check()
        lock = Lock(self.folder / ".lock", f"keystore {self.folder}", "wait until it is done")
        try:
            yield
        finally:
            lock.release()

    def add(self, slot: Slot, content: bytes) -> Path:
        """Put a key into an empty slot. UsageError if it has one; the file that is there is never touched."""
        with _on_disk(self.folder), self._held():
            self.need_free(slot)
            replace_file(self.path(slot), content)
        return self.path(slot)

    def rotate(self, slot: Slot, content: bytes) -> Path:
        """Put a new key in place of the old, which is kept until `confirm` or `undo`."""
        here, before = self.path(slot), self.previous(slot)
        with _on_disk(self.folder), self._held():
            self.need_key(slot)
            if os.path.lexists(before) and not before.samefile(here):
                raise UsageError(f"the last rotation of {slot} waits for --confirm or --undo")
            with contextlib.suppress(FileExistsError):  # a rotation that died at this point left it
                os.link(here, before)
                sync_directory(self.folder)
            replace_file(here, content)
        return here

    def confirm(self, slot: Slot) -> Path:
        """Remove the key from before the rotation."""
        before = self.previous(slot)
        with _on_disk(self.folder), self._held():
            _need(before, slot)
            before.unlink()
            sync_directory(self.folder)
        return before

    def undo(self, slot: Slot) -> Path:
        """Put the key from before the rotation back in place of the new one, which is lost."""
        here, before = self.path(slot), self.previous(slot)
        with _on_disk(self.folder), self._held():
            _need(before, slot)
            if before.samefile(here):
                before.unlink()  # POSIX renames a file over its own other name by doing nothing
            else:
                before.rename(here)
            sync_directory(self.folder)
        return here

    def remove(self, slot: Slot) -> list[Path]:
        """Take the key away, and the one from before a rotation too."""
        gone = []
        with _on_disk(self.folder), self._held():
            self.need_key(slot)
            for path in (self.previous(slot), self.path(slot)):
                if os.path.lexists(path):
                    path.unlink()
                    gone.append(path)
            sync_directory(self.folder)
        return gone


def _need(before: Path, slot: Slot) -> None:
    if not os.path.lexists(before):
        raise UsageError(f"no rotation of {slot} waits to be confirmed")


def _look(path: Path) -> Found:
    try:
        return Found(path, parse(path, read_private(path, "key file")))
    except KeyFault as fault:
        return Found(path, None, fault)


@contextmanager
def _on_disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"keystore {folder}: {error.strerror or error} — make it writable, or choose another with --keystore"
        ) from None
