"""`hlomm doctor` over state directories as runs, crashes and other people leave them."""

from __future__ import annotations

import json
import sqlite3

import pytest
from click.testing import CliRunner

from hlomm.cli.main import main
from hlomm.daemon.ledger_store import Store
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import AnotherInstance
from hlomm.rundir import halt_file, owned_file
from hlomm.rundir.audit_file import AuditFile
from hlomm.rundir.halt_file import HaltNote
from hlomm.rundir.lock import Lock, account_lock
from hlomm.rundir.owned_file import OwnedNote
from hlomm.settings.paths import StatePaths
from tests.support.records import EPOCH, whole_run


@pytest.fixture
def paths(tmp_path):
    """Two finished runs with their ledger and their chain."""
    made = StatePaths(tmp_path / "state")
    made.prepare()
    for epoch in (EPOCH, EPOCH + 10):
        whole_run(epoch).write(made.journal)
    store = Store(made.ledger, made.journal, AuditFile(made.audit))
    for _ in store.catch_up():
        pass
    store.complete_audit()
    store.close()
    return made


def doctor(paths, *more):
    done = CliRunner().invoke(main, ["doctor", "--state-dir", str(paths.root), "--json", *more])
    return done.exit_code, json.loads(done.stdout.splitlines()[-1])


def worries(paths, *more):
    """(exit code, {check: (status, text, next)}) of what is not fine."""
    code, document = doctor(paths, *more)
    assert document["ok"] == (code == 0)
    return code, {
        check["name"]: (check["status"], check["text"], check["next"])
        for check in document["checks"]
        if check["status"] != "ok"
    }


def test_sound_directory_passes_and_is_left_as_it_was(paths):
    before = {path: path.stat().st_mtime_ns for path in paths.root.rglob("*")}
    code, document = doctor(paths)
    assert code == 0
    assert {check["status"] for check in document["checks"]} == {"ok"}
    assert {path: path.stat().st_mtime_ns for path in paths.root.rglob("*")} == before


def test_text_for_people(paths):
    halt_file.write(paths.halt, HaltNote("kill by uid 0", EPOCH))
    done = CliRunner().invoke(main, ["doctor", "--state-dir", str(paths.root)])
    assert done.exit_code == 0
    assert "warn  halt " in done.stdout
    assert "HALTED since 2026-11-18" in done.stdout
    assert "next: look into the reason, then `hlomm resume`" in done.stdout
    assert done.stdout.rstrip().endswith("0 failed, 1 to look at, 19 fine")


def test_nothing_there_yet(tmp_path):
    code, found = worries(StatePaths(tmp_path / "none"))
    assert (code, found) == (0, {})
    assert not (tmp_path / "none").exists()


def test_configuration_mistake_is_a_failed_check(paths):
    code, found = worries(paths, "--set", "limits.max_postion=3")
    assert code == int(ExitCode.DIVERGED)
    assert "did you mean 'max_position'" in found["configuration"][1]
    assert CliRunner().invoke(main, ["doctor", "--profile", "nyse"]).exit_code == int(ExitCode.USAGE)


def test_open_directory_comes_with_the_command_that_mends_it(paths):
    paths.root.chmod(0o755)
    paths.audit.chmod(0o666)
    code, document = doctor(paths)
    assert code == 3
    fixes = [check["next"] for check in document["checks"] if check["name"] == "state directory"]
    assert fixes == [f"chmod 700 {paths.root}", f"chmod 600 {paths.audit}"]


# -- the journal and the ledger


def test_torn_tail_is_worth_a_word_and_damage_fails(paths):
    whole_run(EPOCH + 20).write(paths.journal, torn=3)
    code, found = worries(paths)
    assert code == 0
    assert found["journal"][0] == "warn"
    assert "torn tail" in found["journal"][1]
    assert "not in it yet" in found["ledger"][1]
    path = paths.journal / f"{EPOCH}-000000.journal"
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    path.write_bytes(data)
    code, found = worries(paths)
    assert code == 3
    assert f"{path.name}: damaged record" in found["journal"][1]
    assert found["ledger"][2] == "keep it: do not rebuild"


@pytest.mark.parametrize(
    "change",
    ["UPDATE fills SET fee = 0", "DELETE FROM orders", "UPDATE commands SET who = 'nobody'", "DELETE FROM pnl"],
)
def test_ledger_that_says_something_else_than_the_journal_fails_until_rebuilt(paths, change):
    connection = sqlite3.connect(paths.ledger)
    connection.execute(change)
    connection.commit()
    connection.close()
    code, found = worries(paths)
    assert code == 3
    assert change.split()[1 if change.startswith("U") else 2] in found["ledger"][1]
    assert "--rebuild-ledger" in found["ledger"][2]
    assert worries(paths, "--rebuild-ledger") == (0, {})


def test_garbage_in_the_ledgers_place_and_a_missing_one(paths):
    paths.ledger.write_bytes(b"nonsense" * 1000)
    code, found = worries(paths)
    assert code == 3
    assert "cannot be read" in found["ledger"][1]
    paths.ledger.unlink()
    assert worries(paths)[0] == 0
    assert worries(paths, "--rebuild-ledger") == (0, {})


def test_runs_that_are_gone_from_the_journal_are_told(paths):
    (paths.journal / f"{EPOCH}-000000.journal").unlink()
    code, found = worries(paths)
    assert code == 0
    assert "1 runs of the ledger are not in the journal any more" in found["ledger"][1]


def test_rebuilding_is_refused_while_a_daemon_holds_the_directory(paths):
    held = Lock(paths.lock, "it")
    done = CliRunner().invoke(main, ["doctor", "--state-dir", str(paths.root), "--rebuild-ledger"])
    held.release()
    assert done.exit_code == int(ExitCode.BUSY)


# -- the audit chain


def lines(paths):
    return paths.audit.read_bytes().splitlines(keepends=True)


def test_changed_line_is_named(paths):
    paths.audit.write_bytes(b"".join(lines(paths)).replace(b"drill", b"lunch", 1))
    code, found = worries(paths)
    assert code == 3
    number = next(n for n, line in enumerate(lines(paths), 1) if b"lunch" in line)
    assert f"line {number}: link {number} was changed" in found["audit chain"][1]


def test_lines_taken_off_the_end_are_missed_by_ledger_and_journal(paths):
    paths.audit.write_bytes(b"".join(lines(paths)[:-1]))
    code, found = worries(paths)
    assert code == 3
    assert set(found) == {"audit mirror", "audit agreement"}
    assert "lines were taken off audit.log" in found["audit mirror"][2]
    paths.audit.unlink()
    assert set(worries(paths)[1]) == {"audit mirror", "audit agreement"}


def test_chain_made_anew_by_somebody_is_not_what_the_journal_says(paths):
    links = AuditFile(paths.audit).read().links
    paths.audit.unlink()
    invented = [type(link.action)(**{**_fields(link.action), "who": "uid 7"}) for link in links]
    AuditFile(paths.audit).append(invented)
    code, found = worries(paths)
    assert code == 3
    assert set(found) == {"audit mirror", "audit agreement"}
    assert "are not what the journal says" in found["audit agreement"][1]


def _fields(action):
    return {name: getattr(action, name) for name in action.__struct_fields__}


def test_torn_last_line_is_tolerated_and_told(paths):
    with paths.audit.open("ab") as out:
        out.write(b'{"n":7,"prev":')
    code, found = worries(paths)
    assert code == 0
    assert "line 7 is unfinished" in found["audit chain"][1]


# -- the daemon


def test_lock_socket_and_goodbye(paths):
    paths.socket.write_text("")
    owned_file.write(paths.owned, OwnedNote(pid=5, started=1, epoch_ms=EPOCH, account="x"))
    code, found = worries(paths)
    assert code == 0
    assert "a crash left its socket" in found["daemon"][1]
    assert "without goodbye" in found["last run"][1]
    held = Lock(paths.lock, "it")
    code, found = worries(paths)
    held.release()
    assert code == 3
    assert "holds the lock, but nobody answers" in found["daemon"][1]


def test_unreadable_halt_note_fails(paths):
    paths.halt.write_bytes(b'{"reason":"\xff"}')
    code, found = worries(paths)
    assert code == 3
    assert f"rm {paths.halt}" in found["halt"][2]


# -- one account, one daemon


def test_one_account_is_held_once_however_it_is_spelt():
    held = account_lock("hyperliquid", "https://x/", "0xAB")
    with pytest.raises(AnotherInstance, match="one account has one daemon"):
        account_lock("hyperliquid", "https://x", "0xab")
    account_lock("hyperliquid", "https://x", "0xac").release()
    held.release()
    account_lock("hyperliquid", "https://x", "0xab").release()


@pytest.mark.slow
def test_two_daemons_on_one_account_are_refused_from_two_state_directories(hlomm, tmp_path):
    sim = hlomm.start("sim", "--json", "--seed", "9")
    file = tmp_path / "sim.json"
    file.write_text(sim.stdout.readline())
    first = hlomm.start("run", "--sim", file, "--state-dir", tmp_path / "one")
    hlomm.until(lambda: hlomm("status", "--state-dir", tmp_path / "one").code == 0)
    second = hlomm("run", "--sim", file, "--state-dir", tmp_path / "two", "--duration", "3")
    assert second.code == int(ExitCode.BUSY)
    assert "one account has one daemon" in second.err
    assert hlomm("doctor", "--state-dir", tmp_path / "one").code == 0
    first.terminate()  # while its venue is there: without it, it looks for it as long as it may
    assert first.wait(30) == 0


def test_directory_open_to_others_ends_the_run_with_2(hlomm, tmp_path):
    state = tmp_path / "st"
    state.mkdir()
    state.chmod(0o777)
    done = hlomm("run", "--state-dir", state)
    assert done.code == int(ExitCode.USAGE)
    assert f"chmod 700 {state}" in done.err
