"""The ledger as a fold: the same records give the same rows, in whatever pieces they come and however often."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.daemon.journal_files import Found
from hlomm.daemon.ledger_fold import Fold, Hole
from hlomm.daemon.ledger_store import Store, rebuild
from hlomm.rundir.audit_file import AuditFile
from hlomm.rundir.ledger_schema import TABLES, VERSION, version_of
from tests.support.records import ACCOUNT, EPOCH, Script, whole_run
from tests.unit.ledger.conftest import connected

BIG = 1 << 70


def rows(connection: sqlite3.Connection):
    return {name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in TABLES}


def folded(*batches):
    connection = connected(":memory:")
    fold = Fold(connection)
    for batch in batches:
        fold.apply(batch, gaps=False)
    return rows(connection)


def one(connection, what):
    return connection.execute(f"SELECT {what}").fetchone()


# -- what the rows say


def test_every_table_has_its_rows():
    found = folded(whole_run().batch())
    assert found["runs"] == [(EPOCH, "sim", "0", ACCOUNT, EPOCH, None, 0, 1, "flattening")]
    assert [row[4] for row in found["decisions"]] == ["place"]
    (fill,) = found["fills"]
    assert (fill[9], fill[10], fill[11], fill[16]) == (50, 40, 1, 1)
    assert found["positions"][0][6:9] == (40, 0, 20)
    assert [row[5] for row in found["pnl"]] == [80]
    assert [(row[5], row[6]) for row in found["alerts"]][-1] == ("note", "swept one order")
    assert [row[4] for row in found["halts"]] == ["flattening"]
    commands = [(row[3], row[7]) for row in found["commands"]]
    assert ("kill", "flattening: kill by uid 0 (root) from 10.0.0.7 (drill)") in commands
    assert ("pause", "refused, still starting: no strategy 'nobody'") in commands
    assert found["gaps"] == []


def test_word_of_an_order_of_nobody_makes_no_row():
    found = folded(Script().boot().opened().fill().batch())
    assert found["orders"] == []
    assert found["fills"][0][16] == 0, "told before the books were open: inside the balances"


def test_amounts_beyond_63_bits_are_kept_exactly():
    script = Script().boot().books(BIG).place(px=BIG, qty=BIG).opened().fill(qty=BIG - 1).fill("g", qty=1)
    found = folded(script.batch())
    assert found["orders"][0][6:9] == (str(BIG), str(BIG), str(BIG))
    assert found["orders"][0][12] == "filled"
    assert found["pnl"][0][5] == str(BIG)
    connection = connected(":memory:")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO funding VALUES ('a', 'k', 1, 1, 1, 'm', 0.5, 1)")


def test_an_engine_fault_is_what_became_of_the_command():
    script = Script().boot().kill()
    script.records[-1:] = []
    script.note("engine fault: ValueError()")
    assert folded(script.batch())["commands"][0][7] == "engine fault: ValueError()"


def test_a_command_without_a_decision_is_told_when_the_next_run_begins():
    first, second = Script().boot().kill(), Script(EPOCH + 1).boot()
    del first.records[-1]
    assert folded(first.batch())["commands"] == []
    found = folded(first.batch(), second.batch())["commands"]
    assert [row[7] for row in found] == ["no decision on record: the run ended first"]


# -- how they come to be


@given(st.lists(st.integers(0, 40), max_size=6), st.booleans())
def test_pieces_and_repetitions_change_nothing(cuts, again):
    batch = whole_run().batch() + whole_run(EPOCH + 5).batch()[:5]
    edges = sorted({0, len(batch), *(cut for cut in cuts if cut < len(batch))})
    pieces = [batch[a:b] for a, b in itertools.pairwise(edges)]
    assert folded(*pieces, *([batch] if again else [])) == folded(batch)


def test_a_hole_is_refused_and_nothing_of_the_batch_counts():
    batch = whole_run().batch()
    connection = connected(":memory:")
    fold = Fold(connection)
    fold.apply(batch[:4], gaps=False)
    before = rows(connection)
    with pytest.raises(Hole, match="record 5 of run"):
        fold.apply(batch[5:], gaps=False)
    assert rows(connection) == before
    assert fold.position == (EPOCH, 4)
    fold.apply(batch, gaps=False)
    assert rows(connection) == folded(batch)


def test_what_the_journal_itself_lacks_is_noted():
    batch = whole_run().batch()
    connection = connected(":memory:")
    Fold(connection).apply(batch[:4] + batch[6:], gaps=True)
    assert rows(connection)["gaps"] == [(EPOCH, 4, 7)]


def test_a_failed_batch_leaves_the_ledger_as_it_was(tmp_path):
    connection = connected(tmp_path / "l.sqlite")
    fold = Fold(connection)
    batch = whole_run().batch()
    fold.apply(batch[:6], gaps=False)
    before = rows(connection)
    connection.execute("CREATE TEMP TRIGGER full BEFORE INSERT ON main.fills BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(sqlite3.IntegrityError, match="full"):
        fold.apply(batch, gaps=False)
    assert rows(connection) == before
    connection.execute("DROP TRIGGER full")
    fold.apply(batch, gaps=False)
    assert rows(connection) == folded(batch)


KILLED = """
import os, signal, sys
from pathlib import Path
from hlomm.daemon.ledger_fold import Fold
from hlomm.rundir.ledger_schema import connect
from tests.support.records import whole_run
connection = connect(Path(sys.argv[1]))
fold = Fold(connection)
batch = whole_run().batch()
fold.apply(batch[:8], gaps=False)
fold._books = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
fold.apply(batch, gaps=False)
"""


def test_killed_in_a_transaction_it_is_behind_and_never_wrong(tmp_path):
    path = tmp_path / "l.sqlite"
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    connection = connected(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert rows(connection) == folded(whole_run().batch()[:8])
    Fold(connection).apply(whole_run().batch(), gaps=False)
    assert rows(connection) == folded(whole_run().batch())


# -- the file


def test_rebuilding_gives_the_rows_that_were_there(tmp_path):
    journal, audit = tmp_path / "journal", AuditFile(tmp_path / "audit.log")
    for epoch in (EPOCH, EPOCH + 10):
        whole_run(epoch).write(journal)
    store = Store(tmp_path / "l.sqlite", journal, audit)
    assert sum(store.catch_up()) == 2 * len(whole_run().records)
    assert store.complete_audit() == 6
    before = rows(store.connection), store.connection.execute("SELECT * FROM audit").fetchall()
    store.close()
    found = rebuild(tmp_path / "l.sqlite", journal, audit, lambda _: None)
    assert (found.segments, found.corrupt) == (2, [])
    again = connected(tmp_path / "l.sqlite")
    assert (rows(again), again.execute("SELECT * FROM audit").fetchall()) == before
    assert len(audit.read().links) == 6, "nothing is chained twice"


def test_a_damaged_journal_gives_what_stands_before_the_damage(tmp_path):
    journal = tmp_path / "journal"
    path = whole_run().write(journal)
    whole_run(EPOCH + 10).write(journal, torn=3)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    found = Found()
    store = Store(tmp_path / "l.sqlite", journal, AuditFile(tmp_path / "audit.log"))
    assert sum(store.catch_up(found)) > len(whole_run().records)
    assert len(found.corrupt) == len(found.torn) == 1
    store.close()


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"SQLite format 3\0" + bytes(range(256)) * 20], ids=["text", "torn"]
)
def test_garbage_is_moved_aside_and_begun_anew(tmp_path, content):
    path = tmp_path / "l.sqlite"
    for number in (1, 2):
        path.write_bytes(content)
        store = Store(path, tmp_path, AuditFile(tmp_path / "audit.log"))
        assert store.moved_aside == tmp_path / f"l.sqlite.damaged-{number}"
        assert store.moved_aside.read_bytes() == content
        store.apply(whole_run().batch())
        store.close()
        path.unlink()


def test_a_ledger_of_a_later_version_is_moved_aside(tmp_path):
    path = tmp_path / "l.sqlite"
    later = connected(path)
    later.execute(f"PRAGMA user_version = {VERSION + 1}")
    later.close()
    store = Store(path, tmp_path, AuditFile(tmp_path / "audit.log"))
    assert store.moved_aside is not None
    assert version_of(store.connection) == VERSION
    store.close()


def test_a_ledger_is_private(tmp_path):
    before = os.umask(0o000)
    try:
        store = Store(tmp_path / "l.sqlite", tmp_path, AuditFile(tmp_path / "audit.log"))
        store.apply(whole_run().batch())
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"l.sqlite": 0o600, "l.sqlite-wal": 0o600, "l.sqlite-shm": 0o600}
    assert one(store.connection, "count(*) FROM fills") == (1,)
    store.close()
