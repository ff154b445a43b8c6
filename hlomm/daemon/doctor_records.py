"""Whether the records agree: the journal with itself, the ledger with the journal, the audit chain with both.

The journal is folded once more into memory, as far as the ledger has come, and compared row by row. The ledger is read
first, then the chain, then the journal: each is written before the one read before it, so a running daemon that adds
to them meanwhile is no disagreement.
"""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
from collections.abc import Iterator
from typing import Any, Final

import attrs

from hlomm.daemon.journal_files import Found, records
from hlomm.daemon.ledger_fold import Fold
from hlomm.daemon.ledger_store import CHUNK, mirror_row
from hlomm.domain.audit import Chain, Link
from hlomm.domain.checkup import Check, Code, fail, ok, warn
from hlomm.journal.codec import Record
from hlomm.journal.commands import Commands, Told
from hlomm.rundir.audit_file import AuditFile
from hlomm.rundir.ledger_schema import TABLES, VERSION, connect, connect_to_read, version_of, written_by_somebody
from hlomm.settings.paths import StatePaths

REBUILD: Final = "stop the daemon, then `hlomm doctor --rebuild-ledger`"
SHOWN: Final = 3
Sums = dict[str, tuple[int, str]]
"""Rows and hash of them, by table."""


@attrs.define(kw_only=True)
class Ledgered:
    """The ledger as read in one go."""

    missing: bool = False
    broken: str | None = None
    position: tuple[int, int] = (0, 0)
    runs: set[int] = attrs.field(factory=set)
    tables: Sums = attrs.field(factory=dict)
    audit: list[tuple[Any, ...]] = attrs.field(factory=list)


@attrs.define(kw_only=True)
class Journaled:
    """The journal as read, and what a ledger of it must say up to the real one's position."""

    found: Found = attrs.field(factory=Found)
    last: tuple[int, int] = (0, 0)
    beyond: int = 0
    """Records that the ledger has not reached."""
    tables: Sums = attrs.field(factory=dict)
    commands: list[Told] = attrs.field(factory=list)
    runs: set[int] = attrs.field(factory=set)


def examine(paths: StatePaths, *, live: bool) -> tuple[list[Check], Found]:
    ledger = _read_ledger(paths, live=live)
    try:
        chain: Chain | str = AuditFile(paths.audit).read()
    except OSError as error:
        chain = error.strerror or str(error)
    journal = _read_journal(paths, ledger)
    checks = [_journal_check(journal, live=live), *_ledger_checks(paths, ledger, journal, live=live)]
    if isinstance(chain, str):
        checks.append(fail("audit", Code.RECORDS_UNREADABLE, f"{paths.audit}: {chain}", "give this user access to it"))
    else:
        checks += _audit_checks(paths, chain, ledger, journal)
    return checks, journal.found


# -- reading


def _read_ledger(paths: StatePaths, *, live: bool) -> Ledgered:
    if not paths.ledger.exists():
        return Ledgered(missing=True)
    try:
        connection = connect_to_read(paths.ledger, alone=not live and not written_by_somebody(paths.ledger))
    except sqlite3.Error as error:
        return Ledgered(broken=str(error))
    try:
        return _rows_of(connection)
    except sqlite3.Error as error:
        return Ledgered(broken=str(error))
    finally:
        connection.close()


def _rows_of(connection: sqlite3.Connection) -> Ledgered:
    version = version_of(connection)
    if version != VERSION:
        return Ledgered(broken=f"it is of version {version}, this program reads {VERSION}")
    connection.execute("BEGIN")
    damage = [row[0] for row in connection.execute("PRAGMA integrity_check(3)") if row[0] != "ok"]
    if damage:
        return Ledgered(broken="; ".join(damage))
    position = connection.execute("SELECT epoch, seq FROM progress ORDER BY epoch DESC LIMIT 1").fetchone()
    return Ledgered(
        position=position or (0, 0), tables=_sums(connection),
        runs={epoch for (epoch,) in connection.execute("SELECT epoch FROM progress")},
        audit=connection.execute("SELECT * FROM audit ORDER BY n").fetchall(),
    )  # fmt: skip


def _sums(connection: sqlite3.Connection) -> Sums:
    return {name: _sum(connection, name) for name in TABLES}


def _sum(connection: sqlite3.Connection, table: str) -> tuple[int, str]:
    """Every row, in the order of the key."""
    columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    key = ", ".join(row[1] for row in sorted(columns, key=lambda row: int(row[5])) if row[5])
    count, digest = 0, hashlib.sha256()
    for row in connection.execute(f"SELECT * FROM {table} ORDER BY {key}"):  # noqa: S608 - names of our own tables
        count += 1
        digest.update(repr(row).encode())
    return count, digest.hexdigest()


def _read_journal(paths: StatePaths, ledger: Ledgered) -> Journaled:
    journal, commands = Journaled(), Commands()
    memory = connect(":memory:")
    try:
        fold = Fold(memory)
        unread = records(paths.journal, found=journal.found)
        while chunk := list(itertools.islice(unread, CHUNK)):
            for epoch, record in chunk:
                _note(journal, commands.feed(epoch, record), epoch, record)
            reached = [one for one in chunk if (one[0], one[1].seq) <= ledger.position]
            journal.beyond += len(chunk) - len(reached)
            fold.apply(reached, gaps=True)
        journal.tables = _sums(memory)
    finally:
        memory.close()
    return journal


def _note(journal: Journaled, told: Told | None, epoch: int, record: Record) -> None:
    journal.last = (epoch, record.seq)
    journal.runs.add(epoch)
    if told is not None:
        journal.commands.append(told)


# -- judging


def _journal_check(journal: Journaled, *, live: bool) -> Check:
    found = journal.found
    if not found.segments:
        return ok("journal", "no run is on record yet")
    said = f"{found.records} records of {len(journal.runs)} runs in {found.segments} segments"
    if found.corrupt:
        more = f" (and {len(found.corrupt) - 1} more)" if len(found.corrupt) > 1 else ""
        text = f"{found.corrupt[0]}{more}; what stands before it is sound"
        return fail(
            "journal",
            Code.JOURNAL_DAMAGED,
            text,
            "keep a copy; `hlomm replay` proves what precedes it, the venue has the rest",
        )
    if found.torn and not live:
        text = f"{said}; torn tail: {found.torn[-1]}"
        return warn("journal", Code.JOURNAL_TORN, text, "nothing: it was never sent, a crash cut it")
    return ok("journal", f"{said}, all sound")


def _ledger_checks(paths: StatePaths, ledger: Ledgered, journal: Journaled, *, live: bool) -> Iterator[Check]:
    if ledger.missing:
        if journal.found.records:
            text = f"{paths.ledger.name} is missing"
            yield warn("ledger", Code.LEDGER_BEHIND, text, f"the next run builds it, or {REBUILD}")
        else:
            yield ok("ledger", "none yet: the first run makes it")
        return
    if ledger.broken is not None:
        text = f"{paths.ledger.name} cannot be read: {ledger.broken}"
        yield fail("ledger", Code.LEDGER_DAMAGED, text, REBUILD)
        return
    if journal.found.corrupt:
        text = "it is sound; a damaged journal has nothing to hold it against"
        yield warn("ledger", Code.LEDGER_ALONE, text, "keep it: do not rebuild")
        return
    gone = ledger.runs - journal.runs
    differing = [] if gone else [name for name in TABLES if ledger.tables[name] != journal.tables[name]]
    if differing:
        yield fail("ledger", Code.LEDGER_DIFFERS, f"differs from the journal in: {', '.join(differing)}", REBUILD)
    elif gone:
        text = f"{len(gone)} runs of the ledger are not in the journal any more: it cannot be compared"
        yield warn("ledger", Code.LEDGER_ALONE, text, "put the segments back into journal/ if they were only moved")
    elif journal.beyond and not live:
        text = f"agrees with the journal up to record {ledger.position[1]}, {journal.beyond} records are not in it yet"
        yield warn("ledger", Code.LEDGER_BEHIND, text, "nothing: the next run folds them")
    else:
        rows = sum(count for count, _ in ledger.tables.values())
        yield ok("ledger", f"sound, and its {rows} rows are what the journal says")


def _audit_checks(paths: StatePaths, chain: Chain, ledger: Ledgered, journal: Journaled) -> Iterator[Check]:
    name = paths.audit.name
    if chain.broken is not None:
        text = f"{name} {chain.broken}; {len(chain.links)} links before it are sound"
        yield fail("audit chain", Code.AUDIT_BROKEN, text, "somebody changed it: keep a copy, compare with the journal")
        return
    if chain.torn:
        text = f"{name}: {chain.torn[-1]}; all {len(chain.links)} links are sound"
        yield warn("audit chain", Code.AUDIT_TORN, text, "nothing: the chain goes on around it")
    else:
        yield ok("audit chain", f"{len(chain.links)} operator actions, every link sound")
    if not ledger.missing and ledger.broken is None:
        yield _mirror_check(name, chain, ledger)
    yield _command_check(name, chain, ledger, journal)


def _mirror_check(name: str, chain: Chain, ledger: Ledgered) -> Check:
    kept = {row[0]: row for row in ledger.audit}
    if len(kept) > len(chain.links):
        text = f"the ledger knows {len(kept)} operator actions, {name} tells of {len(chain.links)}"
        return fail(
            "audit mirror", Code.AUDIT_DIFFERS, text, f"lines were taken off {name}: put the file back from a copy"
        )
    wrong = [link.n for link in chain.links if link.n in kept and kept[link.n] != mirror_row(link)]
    if wrong:
        text = f"link {wrong[0]} of {name} is another in the ledger"
        return fail(
            "audit mirror",
            Code.AUDIT_DIFFERS,
            text,
            f"one of them was changed: keep copies; {REBUILD} takes the chain's word",
        )
    return ok("audit mirror", "the ledger tells the same")


def _command_check(name: str, chain: Chain, ledger: Ledgered, journal: Journaled) -> Check:
    """Both ways: each command of the journal has its link, each link of a run has its command."""
    links = {(link.action.epoch, link.action.seq): link for link in chain.links if link.action.seq is not None}
    told = {(one.epoch, one.seq): one for one in journal.commands}
    unchained = [one for key, one in told.items() if key not in links and key <= ledger.position]
    # What stands behind the damage of a journal cannot be held against anybody.
    whole = set() if journal.found.corrupt else journal.runs
    invented = [link for (epoch, _), link in links.items() if epoch in whole and not _same(link, told)]
    if unchained:
        said = ", ".join(f"{one.action} by {one.who} (record {one.seq})" for one in unchained[:SHOWN])
        text = f"{len(unchained)} commands of the journal are not in {name}: {said}"
        return fail(
            "audit agreement",
            Code.AUDIT_DIFFERS,
            text,
            f"were lines taken off {name}? the next run chains them anew, marked late",
        )
    if invented:
        said = ", ".join(f"{link.action.action} by {link.action.who} (link {link.n})" for link in invented[:SHOWN])
        text = f"{len(invented)} links of {name} are not what the journal says: {said}"
        return fail(
            "audit agreement", Code.AUDIT_DIFFERS, text, "the journal is what was done: keep copies of both and compare"
        )
    return ok("audit agreement", f"{len(told)} commands of the journal, each in the chain")


def _same(link: Link, told: dict[tuple[int, int], Told]) -> bool:
    act = link.action
    assert act.epoch is not None
    assert act.seq is not None
    one = told.get((act.epoch, act.seq))
    return one is not None and (one.action, one.who, one.reason, one.target, one.result) == (
        act.action, act.who, act.reason, act.target, act.result,
    )  # fmt: skip
