"""Opening a ledger that an older program wrote."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from hlomm.rundir.ledger_schema import MIGRATIONS, VERSION, connect, version_of


def test_two_programs_that_open_an_older_ledger_at_once_bring_it_up_to_date_once(tmp_path: Path) -> None:
    """The daemon and `hlomm shadow --follow` start anew together; the later one took the file for no ledger."""
    path, found = tmp_path / "ledger.sqlite", []

    def open_it() -> None:
        try:
            with closing(connect(path)) as connection:
                found.append(version_of(connection))
        except sqlite3.Error as error:
            found.append(str(error))

    with closing(sqlite3.connect(path, isolation_level=None)) as first:
        first.executescript(f"PRAGMA journal_mode = WAL;BEGIN;{MIGRATIONS[0]}PRAGMA user_version = 1;COMMIT;")
        first.execute("BEGIN IMMEDIATE")
        other = threading.Thread(target=open_it)
        other.start()
        other.join(0.3)
        assert other.is_alive(), "it has read the version, and waits to write"
        for step in MIGRATIONS[1:]:
            for statement in step.split(";"):
                first.execute(statement)
        first.execute(f"PRAGMA user_version = {VERSION}")
        first.execute("COMMIT")
        other.join(5)
    assert found == [VERSION]
