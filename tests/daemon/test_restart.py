"""Crash-only restart: the next run begins with the last run's books, books what it missed, and only then quotes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from hlomm.daemon.journal_writer import JournalWriter
from hlomm.daemon.restart import last_books
from hlomm.domain.exits import ExitCode
from hlomm.domain.fills import FillKind
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import OperatorAction, OperatorCommand
from hlomm.journal.codec import CheckpointRecord, InputRecord, TurnRecord, decode, encode
from hlomm.journal.framing import HEADER, frame, scan
from hlomm.journal.segments import Segment, latest_run, parse_name
from hlomm.research.replay import replay
from hlomm.rundir import halt_file
from hlomm.settings.paths import StatePaths
from hlomm.sim.harness import read_host, simulated_hyperliquid
from tests.daemon.conftest import no_look

POINTS = int(os.environ.get("HLOMM_CRASH_POINTS", "8"))
"""Boundaries tried per way of dying; 0 means every one of the scripted session."""


class Died(BaseException):
    """The process is gone: nothing of it runs any more, not even its cleanup."""


def die_at(monkeypatch: pytest.MonkeyPatch, count: int, *, torn: bool) -> None:
    """Kill the daemon at its `count`th write: after the record and before anything is sent, or in the middle of it."""
    append, written = JournalWriter.append, 0

    def dying(self: JournalWriter, frames: bytes, records: int) -> None:
        nonlocal written
        written += 1
        if written < count:
            append(self, frames, records)
            return
        if written == count:
            append(self, frames[: len(frames) // 2] if torn else frames, records)
        raise Died

    monkeypatch.setattr(JournalWriter, "append", dying)


async def crash(rig: Any, sim: Any, state: Path) -> None:
    """Run until the planted death, with no cleanup."""

    async def live() -> None:
        async with rig(sim=sim, state=state) as r:
            r.daemon.last_look.at_all = no_look
            await r.until(lambda: False, 120)

    with pytest.raises(BaseExceptionGroup) as caught:
        await live()
    assert caught.value.split(Died)[1] is None, "nothing but the planted death"


def client_ids_used(journal: Path) -> list[str]:
    found = []
    for path in sorted(journal.iterdir()):
        for payload in scan(path.read_bytes()).payloads:
            record = decode(payload)
            if isinstance(record, TurnRecord):
                found += [order.client_id for out in record.outputs for order in getattr(out, "orders", ())]
    return found


def books_equal_truth(r: Any) -> None:
    books, truth = r.engine.state.portfolio, r.truth
    held = {
        (market, leg): total
        for market, position in books.positions.items()
        for leg, total in (("yes", position.yes), ("no", position.no))
        if total
    }
    assert sum(held.values()) == sum(r.tokens_at_venue().values())
    assert f"{books.cash / 1e8:.6f}" == f"{float(truth['quote']):.6f}"
    assert books.adjustments == 0, "nothing was taken over: every movement is explained"


SCRIPT_S = 6.0
"""Virtual seconds of quoting in which the scripted session dies."""


async def length_of_script(rig: Any, state: Path) -> int:
    async with simulated_hyperliquid(seed=7) as sim, rig(sim=sim, state=state) as r:
        await r.quoting(2)
        await trio.sleep(SCRIPT_S)
        count = r.engine.state.counters.turns
        await r.stop()
    return count


@pytest.mark.parametrize("torn", [False, True], ids=["unsent", "torn"])
async def test_no_crash_point_loses_a_fill_or_leaves_an_orphan(rig, autojump_clock, tmp_path, monkeypatch, torn):
    total = await length_of_script(rig, tmp_path / "script")
    assert total > 60
    points = range(2, total, max(total // POINTS, 1) if POINTS else 1)
    for point in points:
        state = tmp_path / f"at-{point}"
        async with simulated_hyperliquid(seed=7) as sim:
            with monkeypatch.context() as patch:
                die_at(patch, point, torn=torn)
                await crash(rig, sim, state)
            await trio.sleep(4)  # what rests may fill while nobody looks
            async with rig(sim=sim, state=state) as again:
                await again.quoting()
                assert again.engine.state.reconciled
                await trio.sleep(3)
                result = await again.stop()
                books_equal_truth(again)
            assert again.resting_at_venue() == 0, f"orphans after a crash at write {point}"
            assert result.exit_code is ExitCode.CLEAN
            assert result.summary["invariant_breaks"] == 0
            assert sim.state()["conservation_ok"]
        used = client_ids_used(state / "journal")
        assert len(used) == len(set(used)), "a client id was used twice"
        assert replay(state).identical


async def test_books_go_on_where_they_were(rig, autojump_clock, tmp_path):
    async with simulated_hyperliquid(seed=7) as sim:
        async with rig(sim=sim, state=tmp_path, sets=("flatten.on_stop=keep",)) as r:
            await r.until(lambda: r.engine.state.portfolio.fills >= 5, 200)
            await r.stop()
            before = r.engine.state
        async with rig(sim=sim, state=tmp_path) as again:
            await again.quoting()
            after = again.engine.state
            assert after.portfolio.deposits == before.portfolio.deposits
            assert after.portfolio.fills >= before.portfolio.fills
            assert after.high_water >= before.high_water
            assert "reconciled" in again.daemon.monitor.alert_counts
            await again.stop()
            books_equal_truth(again)


async def test_client_ids_never_repeat_however_far_back_the_clock_was_set(rig, autojump_clock, tmp_path):
    paths = StatePaths(tmp_path)
    paths.prepare()
    later_ms = read_host().wall_ms + 3_600_000
    JournalWriter(paths.journal, later_ms, segment_bytes=1_000).close()
    async with rig(state=tmp_path) as r:
        begun = parse_name(r.daemon.journal.path.name)
        assert begun is not None
        assert begun.epoch_ms == later_ms + 1, "ids of orders begin with it"


async def test_fills_and_settlements_while_away_are_booked(rig, autojump_clock, tmp_path, monkeypatch):
    async with simulated_hyperliquid(seed=7) as sim:
        with monkeypatch.context() as patch:
            die_at(patch, 400, torn=False)
            await crash(rig, sim, tmp_path)
        await trio.sleep(200)  # the short contracts settle and the orders left behind fill or go with them
        async with rig(sim=sim, state=tmp_path) as again:
            await again.quoting()
            await again.stop()
            books_equal_truth(again)
        records = [decode(p) for path in (tmp_path / "journal").iterdir() for p in scan(path.read_bytes()).payloads]
        kinds = {
            record.item.fill.kind
            for record in records
            if isinstance(record, InputRecord) and type(record.item).__name__ == "FillReceived"
        }
        assert FillKind.SETTLEMENT in kinds
        assert replay(tmp_path).identical


async def test_a_difference_that_nothing_explains_is_never_overwritten(rig, autojump_clock, tmp_path):
    async with simulated_hyperliquid(seed=7) as sim:
        async with rig(sim=sim, state=tmp_path) as r:
            await r.quoting()
            await r.stop()
        forge(tmp_path / "journal", cash=-5 * 10**8)
        async with rig(sim=sim, state=tmp_path) as again:
            await again.until(lambda: again.state == "halted", 60)
            assert "account differs from our books" in again.engine.state.halt_reason
            assert again.engine.state.counters.placed == 0, "nothing is quoted before the books are confirmed"
            assert halt_file.read(again.paths.halt) is not None
            again.daemon.pump([OperatorCommand(action=OperatorAction.RESUME, actor="test")], 0)
            await again.quoting()
            assert again.engine.state.portfolio.adjustments == 5 * 10**8
            assert again.daemon.monitor.alert_counts["adopted_balances"] == 1


def forge(journal: Path, *, cash: int) -> None:
    """Add a checkpoint whose books lack some cash, as if a withdrawal had been booked that never was."""
    (segment,) = latest_run(path.name for path in journal.iterdir())
    path = journal / segment.name
    records = [decode(payload) for payload in scan(path.read_bytes()).payloads]
    last = [record for record in records if isinstance(record, CheckpointRecord)][-1]
    books = last.books
    wrong = msgspec.structs.replace(books, cash=books.cash + cash, deposits=books.deposits + cash)
    with path.open("ab") as out:
        out.write(frame(encode(CheckpointRecord(records[-1].seq + 1, last.now, wrong))))


def test_books_of_another_account_are_left_alone(tmp_path):
    assert last_books(tmp_path, {HYPERLIQUID: "anybody"}) is None


async def test_damaged_journals_give_what_stands_before_the_damage(rig, autojump_clock, tmp_path):
    async with simulated_hyperliquid(seed=7) as sim, rig(sim=sim, state=tmp_path) as r:
        await r.until(lambda: r.engine.state.portfolio.fills >= 2, 200)
        account = r.daemon._accounts
        await r.stop()
    (path,) = (tmp_path / "journal").iterdir()
    whole = last_books(tmp_path / "journal", account)
    assert whole is not None
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    earlier = last_books(tmp_path / "journal", account)
    assert earlier is not None
    assert earlier.fills <= whole.fills
    assert last_books(tmp_path / "journal", {HYPERLIQUID: "somebody else"}) is None
    path.write_bytes(os.urandom(1000))
    assert last_books(tmp_path / "journal", account) is None


async def test_a_checkpoint_far_back_in_a_long_quiet_run_is_found(rig, autojump_clock, tmp_path):
    async with simulated_hyperliquid(seed=7) as sim, rig(sim=sim, state=tmp_path) as r:
        await r.quoting()
        account = r.daemon._accounts
        await r.stop()
    (path,) = (tmp_path / "journal").iterdir()
    whole, epoch = last_books(tmp_path / "journal", account), parse_name(path.name).epoch_ms
    for number in range(1, 301):
        (tmp_path / "journal" / Segment(epoch, number).name).write_bytes(HEADER)
    assert last_books(tmp_path / "journal", account) == whole
