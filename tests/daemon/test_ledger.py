"""The ledger and the audit chain beside a real daemon: they say what was done; whatever befalls them, it trades on."""

from __future__ import annotations

import errno
import os
import sqlite3

import pytest
import trio

from hlomm.cli.doctor import look
from hlomm.daemon import ledger as ledger_module
from hlomm.daemon.journal_writer import JournalWriter
from hlomm.daemon.ledger_store import rebuild
from hlomm.domain.checkup import Status
from hlomm.domain.exits import ExitCode
from hlomm.domain.inputs import OperatorAction, OperatorCommand
from hlomm.rundir import audit_file
from hlomm.rundir.audit_file import AuditFile
from hlomm.rundir.ledger_schema import TABLES, connect
from hlomm.rundir.lock import Lock
from hlomm.settings.paths import StatePaths
from hlomm.sim.harness import simulated_hyperliquid
from tests.daemon.conftest import no_look


def rows(path):
    connection = sqlite3.connect(path)
    try:
        return {
            table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in (*TABLES, "audit")
        }
    finally:
        connection.close()


def rebuilt(paths, tmp_path):
    fresh = tmp_path / "rebuilt.sqlite"
    rebuild(fresh, paths.journal, AuditFile(paths.audit), lambda _: None)
    return rows(fresh)


def worries(paths):
    return [check for check in look(paths, "sim", (), ()) if check.status is not Status.OK]


def command(r, action, reason="drill", target=""):
    r.daemon.pump([OperatorCommand(action=action, actor="uid 0 (root)", reason=reason, target=target)], 0)


async def test_live_ledger_equals_one_built_from_the_journal(rig, autojump_clock, tmp_path):
    async with rig(seed=7) as r:
        await r.quoting()
        await r.until(lambda: r.engine.state.portfolio.settlements >= 1 and r.engine.state.portfolio.fills > 5, 200)
        command(r, OperatorAction.PAUSE, target="nobody")
        await trio.sleep(3)
        books = r.engine.state.portfolio
        result = await r.stop()
    assert result.summary["ledger"] == {
        "folded": result.summary["journal_records"], "behind": False, "dropped": 0, "failures": 0, "unchained": 0,
        "late": 0,
    }  # fmt: skip
    live = rows(r.paths.ledger)
    assert live == rebuilt(r.paths, tmp_path)
    trades = [row for row in live["fills"] if row[12] == "trade"]
    assert len(trades) == books.fills
    assert sum(row[11] for row in live["fills"]) == books.fees
    assert len(live["orders"]) == result.summary["orders_placed"]
    assert {row[12] for row in live["orders"]} <= {"canceled", "filled", "rejected"}
    assert [row[3] for row in live["commands"]] == ["pause", "stop"]
    assert [row[4] for row in live["audit"]] == ["pause", "stop"]
    assert worries(r.paths) == []


async def test_doctor_finds_nothing_while_a_daemon_trades(rig, autojump_clock, tmp_path):
    async with rig(seed=3) as r:
        await r.quoting()
        command(r, OperatorAction.KILL)
        await r.until(lambda: r.state == "halted")
        await trio.sleep(2.5)
        held = Lock(r.paths.lock, "it")  # as `hlomm run` does
        found = {check.name: check.status for check in look(r.paths, "sim", (), ("guardian.enabled=false",))}
        assert found.pop("halt") is Status.WARN, "a halt is kept"
        assert found.pop("guardian") is Status.WARN, "nobody would act"
        assert set(found.values()) == {Status.OK}
        (link,) = AuditFile(r.paths.audit).read().links
        assert (link.action.action, link.action.who, link.action.reason) == ("kill", "uid 0 (root)", "drill")
        assert link.action.result.startswith("flattening: kill by uid 0 (root) (drill)")
        assert r.paths.audit.stat().st_mode & 0o777 == 0o600
        held.release()


async def test_the_chain_goes_on_over_restarts(rig, autojump_clock, tmp_path):
    async with rig(seed=3) as r:
        await r.quoting()
        await r.stop("SIGTERM")
        async with rig(sim=r.sim, state=r.paths.root) as again:
            await again.quoting()
            await again.stop("SIGINT")
    links = AuditFile(r.paths.audit).read().links
    assert [(link.n, link.action.who, link.action.reason) for link in links] == [
        (1, "signal", "SIGTERM"), (2, "signal", "SIGINT"),
    ]  # fmt: skip
    assert rows(r.paths.ledger) == rebuilt(r.paths, tmp_path)
    assert worries(r.paths) == []


class Died(BaseException):
    """The process is gone."""


async def test_what_a_dead_run_could_not_chain_or_fold_the_next_one_does(rig, autojump_clock, tmp_path, monkeypatch):
    async def crash(sim):
        async with rig(sim=sim, state=tmp_path) as r:
            await r.quoting()
            monkeypatch.setattr(ledger_module.Ledger, "_round", idle)
            command(r, OperatorAction.FLATTEN)
            monkeypatch.setattr(JournalWriter, "append", dying)
            r.daemon.last_look.at_all = no_look
            await r.until(lambda: False, 60)

    async def idle(self):
        await trio.lowlevel.checkpoint()

    def dying(self, frames, records):
        raise Died

    async with simulated_hyperliquid(seed=3) as sim:
        with pytest.raises(BaseExceptionGroup) as caught:
            await crash(sim)
        assert caught.value.split(Died)[1] is None
        monkeypatch.undo()
        paths = StatePaths(tmp_path)
        assert AuditFile(paths.audit).read().links == ()
        assert {check.name for check in worries(paths)} >= {"ledger"}
        async with rig(sim=sim, state=tmp_path) as again:
            await again.until(lambda: again.daemon.ledger.late == 1)
            await again.stop()
    links = AuditFile(paths.audit).read().links
    assert [(link.action.action, link.action.late) for link in links] == [("flatten", True), ("stop", False)]
    assert rows(paths.ledger) == rebuilt(paths, tmp_path)
    assert [check for check in worries(paths) if check.status is Status.FAIL] == []


# -- a ledger that cannot be written never stops trading


async def trades_on(r):
    placed = r.engine.state.counters.placed
    await r.until(lambda: r.engine.state.counters.placed > placed + 3, 120)
    assert r.state == "running"


async def test_a_locked_ledger_costs_one_alert_and_is_filled_up_later(rig, autojump_clock, tmp_path, monkeypatch):
    async with simulated_hyperliquid(seed=7) as sim, rig(sim=sim) as r:
        await r.quoting()
        await trio.sleep(1.5)
        other = sqlite3.connect(r.paths.ledger, isolation_level=None)
        r.daemon.ledger._store.connection.execute("PRAGMA busy_timeout = 1")
        other.execute("BEGIN IMMEDIATE")
        await trades_on(r)
        await r.until(lambda: r.daemon.ledger.failures >= 2, 120)
        other.execute("ROLLBACK")
        other.close()
        assert r.daemon.monitor.alert_counts["ledger_failed"] == 1
        command(r, OperatorAction.PAUSE, target="x")
        result = await r.stop()
        assert result.exit_code is ExitCode.CLEAN
        async with rig(sim=sim, state=r.paths.root) as again:
            await again.until(lambda: not again.daemon.ledger.document()["behind"])
            await again.stop()
    assert rows(r.paths.ledger) == rebuilt(r.paths, tmp_path)
    assert [check for check in worries(r.paths) if check.status is Status.FAIL] == []


async def test_a_full_disk_under_the_ledger_alone(rig, autojump_clock, tmp_path, monkeypatch):
    async with rig(seed=7) as r:
        await r.quoting()
        await trio.sleep(1.5)
        (pages,) = r.daemon.ledger._store.connection.execute("PRAGMA page_count").fetchone()
        r.daemon.ledger._store.connection.execute(f"PRAGMA max_page_count = {pages}")
        await r.until(lambda: r.daemon.ledger.failures >= 1, 200)
        assert "full" in r.daemon.monitor.alerts[-1].text
        await trades_on(r)
        r.daemon.ledger._store.connection.execute("PRAGMA max_page_count = 100000")
        await r.until(lambda: not r.daemon.ledger._failing, 60)
        result = await r.stop()
    assert result.exit_code is ExitCode.CLEAN
    assert rows(r.paths.ledger) == rebuilt(r.paths, tmp_path)


async def test_an_audit_log_that_cannot_be_written_waits_for_the_disk(rig, autojump_clock, tmp_path, monkeypatch):
    async with rig(seed=7) as r:
        await r.quoting()
        with monkeypatch.context() as patch:

            def full(fd, data):
                os.write(fd, data[:20])
                raise OSError(errno.ENOSPC, "No space left on device")

            patch.setattr(audit_file, "_write", full)
            command(r, OperatorAction.PAUSE, target="x")
            await r.until(lambda: r.daemon.ledger.failures >= 2)
            assert r.daemon.monitor.alert_counts["audit_failed"] == 1
            assert r.daemon.ledger.document()["unchained"] == 1
            await trades_on(r)
            assert r.paths.audit.read_bytes() == b"", "half a line is taken back"
        await r.until(lambda: len(AuditFile(r.paths.audit).read().links) == 1)
        await r.stop()
    assert worries(r.paths) == []


async def test_garbage_in_the_ledgers_place_is_moved_aside_and_the_ledger_built_again(rig, autojump_clock, tmp_path):
    async with rig(seed=3) as r:
        await r.quoting()
        await r.stop()
        before = rows(r.paths.ledger)
        r.paths.ledger.write_bytes(b"this is not a database" * 400)
        assert {check.name for check in worries(r.paths)} == {"ledger"}
        async with rig(sim=r.sim, state=r.paths.root) as again:
            await again.quoting()
            await trio.sleep(2)
            assert "kept as ledger.sqlite.damaged-1" in again.daemon.monitor.alerts[0].text
            await again.stop()
    after = rows(r.paths.ledger)
    assert [row for row in after["fills"] if row in before["fills"]] == before["fills"]
    assert after == rebuilt(r.paths, tmp_path)


async def test_a_ledger_destroyed_while_in_use_is_built_again_in_the_same_run(rig, autojump_clock, tmp_path):
    async with rig(seed=3) as r:
        await r.quoting()
        await trio.sleep(1.5)
        r.daemon.ledger._store.connection.execute("DELETE FROM progress WHERE epoch > 0")
        r.daemon.ledger._store.fold._epoch = 0
        r.daemon.ledger._behind = True  # so that the first rows meet their own traces
        await r.until(lambda: "ledger_damaged" in r.daemon.monitor.alert_counts)
        await trades_on(r)
        await r.stop()
    assert r.paths.ledger.with_name("ledger.sqlite.damaged-1").exists()
    assert rows(r.paths.ledger) == rebuilt(r.paths, tmp_path)


async def test_a_damaged_ledger_that_cannot_even_be_moved_never_reaches_trading(
    rig, autojump_clock, tmp_path, monkeypatch
):
    async with rig(seed=3) as r:
        await r.quoting()
        await trio.sleep(1.5)
        with monkeypatch.context() as patch:

            def read_only(path):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))

            patch.setattr(ledger_module, "move_aside", read_only)
            r.daemon.ledger._store.connection.execute("DELETE FROM progress WHERE epoch > 0")
            r.daemon.ledger._store.fold._epoch = 0
            r.daemon.ledger._behind = True  # so that the first rows meet their own traces
            await r.until(lambda: r.daemon.ledger.failures >= 2, 120)
            await trades_on(r)
        assert r.daemon.monitor.alert_counts["ledger_failed"] == 1
        await r.until(lambda: "ledger_damaged" in r.daemon.monitor.alert_counts, 120)
        await r.until(lambda: not r.daemon.ledger.document()["behind"])
        result = await r.stop()
    assert result.exit_code is ExitCode.CLEAN
    assert rows(r.paths.ledger) == rebuilt(r.paths, tmp_path)


async def test_a_full_queue_is_read_from_the_journal_instead(rig, autojump_clock, tmp_path, monkeypatch):
    monkeypatch.setattr(ledger_module, "QUEUE_LIMIT", 5)
    async with simulated_hyperliquid(seed=3) as sim, rig(sim=sim) as r:
        await r.quoting()
        command(r, OperatorAction.PAUSE, target="x")
        await trio.sleep(5)
        await r.stop()
        assert r.daemon.ledger.dropped > 100
        async with rig(sim=sim, state=r.paths.root) as again:
            await again.stop()
    assert rows(r.paths.ledger)["commands"] == rebuilt(r.paths, tmp_path)["commands"]
    actions = [link.action.action for link in AuditFile(r.paths.audit).read().links]
    assert sorted(actions) == ["pause", "stop", "stop"], "each once"


async def test_a_fault_in_the_fold_itself_never_reaches_trading(rig, autojump_clock, tmp_path, monkeypatch):
    async with rig(seed=3) as r:
        await r.quoting()
        await trio.sleep(1.5)
        monkeypatch.setattr(ledger_module.Ledger, "_fold", lambda self: 1 / 0)
        await r.until(lambda: r.daemon.ledger.failures >= 1)
        await trades_on(r)
        result = await r.stop()
    assert result.exit_code is ExitCode.CLEAN


async def test_an_action_that_no_record_tells_of_is_chained_too(rig, autojump_clock, tmp_path):
    async with rig(seed=3) as r:
        await r.quoting()
        r.daemon.ledger.unrecorded(OperatorCommand(action=OperatorAction.KILL, actor="uid 0"), 5, "refused: frozen")
        await r.stop()
    first = AuditFile(r.paths.audit).read().links[0].action
    assert (first.epoch, first.seq, first.result) == (None, None, "refused: frozen")
    assert worries(r.paths) == []


async def test_a_clock_put_back_still_gives_the_next_run_a_later_number(rig, autojump_clock, tmp_path):
    async with rig(seed=3) as r:
        await r.quoting()
        await r.stop()
        (path,) = r.paths.journal.iterdir()
        later = path.with_name(path.name.replace(path.name[:13], "1999999999999"))
        path.rename(later)
        async with rig(sim=r.sim, state=r.paths.root) as again:
            assert again.daemon._epoch_ms == 2_000_000_000_000
            await again.stop()


def test_connect_is_what_doctor_reads(tmp_path):
    connect(tmp_path / "x.sqlite").close()
    assert rows(tmp_path / "x.sqlite")["orders"] == []
