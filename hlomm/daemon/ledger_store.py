"""The ledger as a file: opened or begun anew, brought up to the journal, kept beside the audit chain. Blocking.

Everything here can be lost and made again: the journal and `audit.log` are what counts. So a file that is no ledger is
moved aside and not argued with, and whatever else goes wrong is an exception that leaves the file as it was.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from hlomm.daemon.journal_files import Found, records
from hlomm.daemon.ledger_fold import Fold
from hlomm.daemon.ledger_sieve import Sifted
from hlomm.domain.audit import Action, Link
from hlomm.journal.commands import Told
from hlomm.rundir.audit_file import AuditFile
from hlomm.rundir.ledger_schema import connect

CHUNK: Final = 2_000
"""Records of the journal folded in one transaction."""
_COMPANIONS: Final = ("-wal", "-shm")
_DAMAGED: Final = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CONSTRAINT})
_MIRROR: Final = "INSERT OR IGNORE INTO audit VALUES (?,?,?,?,?,?,?,?,?,?,?)"


class Store:
    def __init__(self, path: Path, journal: Path, audit: AuditFile) -> None:
        self.path = path
        self._journal = journal
        self._audit = audit
        self.moved_aside: Path | None = None
        """Where a file went that stood in the ledger's place and was none."""
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if not unusable(error):
                raise
            self.moved_aside = move_aside(path)
            self._open()

    def _open(self) -> None:
        self.connection = connect(self.path)
        try:
            self.fold = Fold(self.connection)
        except BaseException:
            self.connection.close()
            raise

    def close(self) -> None:
        self.connection.close()

    def apply(self, batch: Iterable[tuple[int, Sifted]]) -> int:
        """Fold records as the daemon hands them over."""
        return self.fold.apply(batch, gaps=False)

    def catch_up(self, found: Found | None = None) -> Iterator[int]:
        """Fold what the journal has and the ledger lacks, chunk by chunk, so that the caller may do something else."""
        self.connection.execute("BEGIN IMMEDIATE")  # nothing is read for a ledger that takes nothing
        self.connection.execute("ROLLBACK")
        unseen = records(self._journal, after=self.fold.position, found=found)
        while chunk := list(itertools.islice(unseen, CHUNK)):
            yield self.fold.apply(chunk, gaps=True)

    def complete_audit(self) -> int:
        """Chain the commands that a run which ended too early could not, mirror the whole chain; how many were late."""
        rows = self.connection.execute("SELECT * FROM commands ORDER BY epoch, seq").fetchall()
        late = self._audit.append([action_of(_told(row), late=True) for row in rows]) if rows else []
        self.mirror(self._audit.read().links)
        return len(late)

    def mirror(self, links: Iterable[Link]) -> None:
        """Rows for links of the chain; those that are there stay."""
        self.connection.executemany(_MIRROR, [mirror_row(link) for link in links])


def _told(row: tuple[Any, ...]) -> Told:
    epoch, seq, wall_ms, action, who, reason, target, result = row
    return Told(
        epoch=epoch, seq=seq, wall_ms=wall_ms, action=action, who=who, reason=reason, target=target, result=result
    )


def action_of(told: Told, *, late: bool = False) -> Action:
    return Action(
        at_ms=told.wall_ms, epoch=told.epoch, seq=told.seq, action=told.action, who=told.who, reason=told.reason,
        target=told.target, result=told.result, late=late,
    )  # fmt: skip


def mirror_row(link: Link) -> tuple[object, ...]:
    act = link.action
    return (
        link.n, act.at_ms, act.epoch, act.seq, act.action, act.who, act.reason, act.target, act.result, int(act.late),
        link.hash,
    )  # fmt: skip


def unusable(error: sqlite3.Error) -> bool:
    """Whether an error at opening means that the file is no ledger of ours: no database, another's, a later version."""
    return damaged(error) or _code(error) in {None, sqlite3.SQLITE_ERROR}


def damaged(error: Exception) -> bool:
    """Whether the file cannot be used any more: destroyed while in use, or at odds with the journal."""
    return _code(error) in _DAMAGED


def _code(error: Exception) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def move_aside(path: Path) -> Path:
    """Out of the way, never over something that lies there already; its companions go with it."""
    for number in itertools.count(1):
        target = path.with_name(f"{path.name}.damaged-{number}")
        if not target.exists():
            break
    for suffix in ("", *_COMPANIONS):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(target.with_name(target.name + suffix))
    return target


def rebuild(path: Path, journal: Path, audit: AuditFile, progress: Callable[[int], None]) -> Found:
    """A new ledger from the journal and the chain, then put in the old one's place; the caller holds the lock."""
    fresh = path.with_name(f"{path.name}.new")
    for suffix in ("", *_COMPANIONS):
        fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
    found = Found()
    store = Store(fresh, journal, audit)
    try:
        total = 0
        for folded in store.catch_up(found):
            total += folded
            progress(total)
        store.complete_audit()
        store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        store.close()
    for suffix in _COMPANIONS:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    os.replace(fresh, path)  # noqa: PTH105 - the name says that something may stand there
    return found
