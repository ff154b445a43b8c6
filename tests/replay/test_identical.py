"""A run on record is the run: replayed it decides the same to the last byte, in any process, from any files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from hlomm.domain.carried import Carried, without_flat, without_prices, without_sale
from hlomm.domain.faults import JournalCorrupt, UsageError
from hlomm.domain.ids import HYPERLIQUID, outcome_market
from hlomm.domain.inputs import BookSnapshot, Booted, MarketListed, OperatorAction, OperatorCommand
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, HaltChanged, PlaceOrders
from hlomm.domain.units import Qty
from hlomm.journal.codec import CheckpointRecord, InputRecord
from hlomm.journal.framing import HEADER
from hlomm.journal.segments import Segment
from hlomm.research.replay import replay, run_files
from tests.replay.journals import Run, write
from tests.support.storm import Storm, encoded, weather
from tests.support.values import EPOCH_MS, lots, outcome, px

ROOT = Path(__file__).resolve().parents[2]
HOSTILITY = (0.0, 0.02, 0.1, 0.3, 1.0)


@pytest.mark.parametrize("seed", range(10))
def test_a_run_of_the_whole_engine_replays_byte_for_byte(seed: int, tmp_path: Path) -> None:
    run = Run().weather(seed, 500, hostility=HOSTILITY[seed % len(HOSTILITY)])
    write(tmp_path, run.records)
    result = replay(tmp_path)
    assert result.document() == {
        "inputs": len(run.storm.seen), "turns": len(run.turns), "outputs": run.outputs, "notes": 0, "identical": True,
        "torn_bytes": 0, "segments": [Segment(EPOCH_MS, 0).name], "fault": None,
    }  # fmt: skip
    assert result.text().endswith("\nidentical")


@pytest.mark.parametrize("lean_of", [without_sale, without_prices, lambda books: without_flat(without_prices(books))])
def test_books_of_an_older_version_are_the_same_books(tmp_path: Path, lean_of: Callable[[Carried], Carried]) -> None:
    """From before a sale was carried, before prices were, and before flat markets were."""
    run, changed = Run().weather(11, 300, hostility=0.3), 0
    for at, record in enumerate(run.records):
        if isinstance(record, CheckpointRecord):
            lean = lean_of(record.books)
            changed += lean != record.books
            run.records[at] = CheckpointRecord(record.seq, record.now, lean)
    assert changed > 3
    write(tmp_path, run.records)
    assert replay(tmp_path).identical


def test_the_runs_replayed_here_hold_decisions_of_every_kind() -> None:
    """A replay of an engine that never did anything would prove nothing."""
    made = {
        type(output)
        for seed in range(10)
        for turn in Run().weather(seed, 500, hostility=HOSTILITY[seed % len(HOSTILITY)]).turns
        for output in turn.outputs
    }
    assert {PlaceOrders, AmendOrders, CancelOrders, ConvertSet, HaltChanged} <= made
    records = Run().weather(2, 500).records
    assert sum(isinstance(record, CheckpointRecord) for record in records) > 5


@pytest.mark.parametrize("segment_bytes", [1, 3_000, 20_000])
def test_segments_of_any_length_packed_or_not_are_one_run(segment_bytes: int, tmp_path: Path) -> None:
    run = Run().weather(1, 150)
    count = len(write(tmp_path, run.records, segment_bytes=segment_bytes, packed=range(0, 1_000, 3)))
    assert count > 1
    result = replay(tmp_path)
    assert result.document()["identical"] is True
    assert len(result.segments) == count
    assert (result.turns, result.outputs) == (len(run.turns), run.outputs)


def test_settings_of_the_run_are_those_on_record_not_those_of_today(tmp_path: Path) -> None:
    run = Run("strategy.avellaneda.max_size=60", "quotes.min_interval_s=0.2").weather(3, 300)
    write(tmp_path, run.records)
    assert replay(tmp_path).document()["identical"] is True


def test_a_run_that_took_over_the_books_of_another_replays_alone(tmp_path: Path) -> None:
    first = Run().weather(4, 400)
    second = Run().boot_with(first.books)
    second.storm.run(weather(5, 300, hostility=0.05))
    write(tmp_path, first.records)
    write(tmp_path, second.records, epoch_ms=EPOCH_MS + 1)
    assert replay(tmp_path / Segment(EPOCH_MS, 0).name).document()["identical"] is True
    newest = replay(tmp_path)
    assert newest.segments == [Segment(EPOCH_MS + 1, 0).name]
    assert newest.document()["identical"] is True


# -- settings tuned on the way

_TUNED = (
    "strategy.avellaneda.min_half_spread=0.03; strategy.avellaneda.requote_share=0.3",
    "strategy.avellaneda.max_size=17",
    "strategy.avellaneda.gamma=-1",
)


def tuned(seed: int) -> Run:
    """A run that trades, with two changes, one of them of two settings, and one that is refused."""
    run = Run().weather(seed, 150, hostility=0.0)
    for number, target in enumerate(_TUNED):
        run.storm.feed(OperatorCommand(action=OperatorAction.TUNE, actor="storm", target=target))
        run.storm.run(weather(seed + number, 150, hostility=0.0))
    return run


@pytest.mark.parametrize("seed", [1, 5])
def test_a_run_that_was_tuned_replays_byte_for_byte(seed: int, tmp_path: Path) -> None:
    run = tuned(seed)
    assert len(run.storm.engine.state.tuned) == 3
    write(tmp_path, run.records)
    assert replay(tmp_path).document()["identical"] is True


def test_a_tune_that_is_not_on_record_as_it_was_shows_in_its_own_turn(tmp_path: Path) -> None:
    run = tuned(1)
    at = next(
        number
        for number, record in enumerate(run.records)
        if isinstance(record, InputRecord) and isinstance(record.item, OperatorCommand)
    )
    record = run.records[at]
    assert isinstance(record, InputRecord)
    assert isinstance(record.item, OperatorCommand)
    for target in ("strategy.avellaneda.min_half_spread=0.031", "strategy.avellaneda.min_half_spread=2"):
        forged = msgspec.structs.replace(record, item=msgspec.structs.replace(record.item, target=target))
        write(tmp_path, [*run.records[:at], forged, *run.records[at + 1 :]])
        result = replay(tmp_path)
        assert result.divergence is not None
        assert result.divergence.seq == record.seq + 1


# -- the same in every process

_DIGESTS = """
import sys
from pathlib import Path
from hashlib import sha256
from hlomm.research.replay import replay
from tests.support.storm import Storm, encoded, weather
for seed in (1, 2, 3):
    storm = Storm().boot().run(weather(seed, 400, hostility=(0.02, 0.2, 0.8)[seed % 3]))
    print(sha256(encoded(storm.record)).hexdigest(), storm.engine.digest())
print(replay(Path(sys.argv[1])).text())
print(hash("a text of this process") % 1_000_000)
"""


def test_neither_decisions_nor_replays_depend_on_the_seed_of_hashes(tmp_path: Path) -> None:
    write(tmp_path, Run().weather(6, 300).records)
    said: list[list[str]] = []
    for seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", _DIGESTS, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}, timeout=120,
        )  # fmt: skip
        said.append(done.stdout.splitlines())
    assert said[0][:-1] == said[1][:-1] == said[2][:-1]
    assert said[0][-2] == "identical"
    assert len({lines[-1] for lines in said}) == 3, "the processes did hash differently"


def test_two_engines_side_by_side_do_not_share_anything() -> None:
    """One engine driven between the steps of another: module-level state would show."""
    steps = weather(8, 300, hostility=0.1)
    alone = Storm().boot().run(steps)
    first, second = Storm().boot(), Storm().boot()
    for step in steps:
        first.run([step])
        second.run([step])
    assert encoded(first.record) == encoded(second.record) == encoded(alone.record)


# -- which files


def test_a_file_of_a_run_names_the_whole_run(tmp_path: Path) -> None:
    run = Run().weather(1, 100)
    files = write(tmp_path, run.records, segment_bytes=4_000)
    write(tmp_path, run.records, epoch_ms=EPOCH_MS + 5)
    assert len(files) > 2
    assert run_files(files[2]) == files
    assert replay(files[-1]).turns == len(run.turns)


def test_the_state_directory_names_its_journal_and_foreign_files_are_passed_over(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.mkdir()
    (files,) = [write(journal, Run().weather(1, 20).records)]
    (tmp_path / "halt.json").write_text("{}")
    (journal / (files[0].name + ".partial")).write_bytes(b"half packed")
    assert run_files(tmp_path) == files
    assert replay(tmp_path).document()["identical"] is True


def test_a_journal_under_another_name_is_read_alone(tmp_path: Path) -> None:
    (file,) = write(tmp_path, Run().weather(1, 20).records)
    renamed = file.rename(tmp_path / "from-the-server.bin")
    assert run_files(renamed) == [renamed]
    assert replay(renamed).document()["identical"] is True


def test_no_journal_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no journal segments here"):
        replay(tmp_path)
    with pytest.raises(UsageError, match="no such file or directory"):
        replay(tmp_path / "gone")


@pytest.mark.parametrize("data", [b"", HEADER[:5], HEADER, HEADER + b"\xa5J\x40"], ids=["empty", "cut", "bare", "torn"])
def test_a_run_that_never_wrote_a_record_is_told_in_one_line(data: bytes, tmp_path: Path) -> None:
    (tmp_path / Segment(EPOCH_MS, 0).name).write_bytes(data)
    with pytest.raises(UsageError, match="no complete record yet"):
        replay(tmp_path)


def test_a_run_must_start_with_its_boot(tmp_path: Path) -> None:
    run = Run().weather(1, 5)
    record = run.records[2]
    assert isinstance(record, InputRecord)
    write(tmp_path, [InputRecord(1, record.now, record.item)])
    with pytest.raises(JournalCorrupt, match="does not start with its boot record"):
        replay(tmp_path)


# -- how far


@pytest.mark.parametrize("until", [1, 2, 3, 50, 10_000])
def test_a_replay_goes_as_far_as_asked(until: int, tmp_path: Path) -> None:
    run = Run().weather(2, 60)
    write(tmp_path, run.records)
    result = replay(tmp_path, until=until)
    wanted = run.records[:until]
    assert result.inputs == sum(isinstance(record, InputRecord) for record in wanted)
    assert result.document()["identical"] is True


def test_notes_of_the_shell_are_counted_and_change_nothing(tmp_path: Path) -> None:
    run = Run().weather(3, 30).note("swept the account: 2 orders")
    run.storm.run(weather(4, 30))
    write(tmp_path, run.note("stopped").records)
    result = replay(tmp_path)
    assert result.notes == 2
    assert result.document()["identical"] is True


# -- faults


def test_a_fault_while_taking_an_input_is_the_same_fault_again(tmp_path: Path) -> None:
    run = Run().weather(1, 40)
    config = run.storm.config
    run.break_with(Booted(epoch_ms=EPOCH_MS, profile="sim", version="0", config=config, halted=None))
    write(tmp_path, run.records)
    result = replay(tmp_path)
    assert (result.recorded_fault, result.replayed_fault) == ("InvariantBroken('booted twice')",) * 2
    assert result.divergence is None
    assert "identical, to the fault: InvariantBroken" in result.text()


def test_a_fault_while_deciding_is_the_same_fault_again(tmp_path: Path) -> None:
    """A market without a lot size can be listed; whoever wants to sell its tokens divides by zero."""
    run = Run().weather(1, 0)
    storm, market = run.storm, outcome_market(HYPERLIQUID, 99)
    storm.feed(MarketListed(outcome(99, lot=Qty(0), klass="not ours")))
    storm.feed(BookSnapshot(market, *storm._book(43, 23), storm.ms))
    storm.feed(storm.fill(market, Leg.YES, Side.BUY, px("0.4"), lots(100)))
    run.break_with(OperatorCommand(action=OperatorAction.FLATTEN, actor="storm"))
    write(tmp_path, run.records)
    result = replay(tmp_path)
    assert result.recorded_fault == result.replayed_fault
    assert "ZeroDivisionError" in str(result.recorded_fault)
    assert result.document()["identical"] is True
