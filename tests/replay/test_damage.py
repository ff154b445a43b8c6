"""What a journal lost or had changed is said, with the place; what stands before it is still replayed."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hlomm.domain.faults import ConfigError
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import BookSnapshot, MarkPrice
from hlomm.domain.outputs import PlaceOrders, QueryAccount
from hlomm.domain.times import Now
from hlomm.domain.units import Cash, Px
from hlomm.journal.codec import CheckpointRecord, InputRecord, Record, TurnRecord, encode
from hlomm.journal.framing import HEADER, frame
from hlomm.journal.segments import Segment
from hlomm.research.replay import ReplayResult, replay
from tests.replay.journals import Run, starts, write
from tests.support.values import EPOCH_MS

CUTS = 40
FLIPS = 90


@pytest.fixture(scope="module")
def trading() -> Run:
    """A run that quotes; not too long, for it is replayed often."""
    return Run().weather(1, 60, hostility=0.0)


def changed(record: Any, **values: Any) -> Any:
    return msgspec.structs.replace(record, **values)


def replayed(directory: Path, records: list[Record]) -> ReplayResult:
    write(directory, records)
    return replay(directory)


# -- torn tails


def test_after_a_crash_in_the_middle_of_a_record_all_before_it_replays(trading: Run, tmp_path: Path) -> None:
    (file,) = write(tmp_path, trading.records)
    data, at = file.read_bytes(), starts(trading.records)
    for cut in range(len(data) - 1, at[-4], -max((len(data) - at[-4]) // CUTS, 1)):
        file.write_bytes(data[:cut])
        whole = sum(start <= cut for start in at) - 1
        result = replay(tmp_path)
        assert result.document()["identical"] is True
        assert result.torn_bytes == cut - at[whole]
        assert result.inputs + result.turns == sum(
            isinstance(record, InputRecord | TurnRecord) for record in trading.records[:whole]
        )
        assert ("torn tail" in result.text()) == (result.torn_bytes > 0)


def test_a_crash_between_an_input_and_its_turn_loses_nothing(tmp_path: Path) -> None:
    run = Run().weather(2, 50)
    while not isinstance(run.records[-1], InputRecord):
        run.records.pop()
    result = replayed(tmp_path, run.records)
    assert result.document()["identical"] is True
    assert result.inputs == result.turns + 1 - sum(
        isinstance(record, TurnRecord) and not isinstance(before, InputRecord)
        for before, record in zip(run.records, run.records[1:], strict=False)
    )


def test_a_torn_segment_with_more_behind_it_is_no_crash(tmp_path: Path) -> None:
    files = write(tmp_path, Run().weather(1, 60).records, segment_bytes=4_000)
    files[1].write_bytes(files[1].read_bytes()[:-3])
    result = replay(tmp_path)
    assert result.corrupt is not None
    assert files[1].name in result.corrupt
    assert "although segments follow" in result.corrupt
    assert result.document()["identical"] is False


# -- flipped bits


def test_one_flipped_bit_anywhere_is_noticed(trading: Run, tmp_path: Path) -> None:
    (file,) = write(tmp_path, trading.records)
    data, at = file.read_bytes(), starts(trading.records)
    for number in range(FLIPS):
        offset = number * (len(data) - 1) // (FLIPS - 1)
        damaged = bytearray(data)
        damaged[offset] ^= 1 << number % 8
        file.write_bytes(damaged)
        result = replay(tmp_path)
        assert result.document()["identical"] is False
        assert result.corrupt is not None
        hit = max(sum(start <= offset for start in at) - 1, 0)
        assert f"byte {at[hit] if offset >= len(HEADER) else 0}," in result.corrupt
        assert result.turns == sum(isinstance(record, TurnRecord) for record in trading.records[:hit])
        assert result.divergence is None, "what stands before the damage is as it was"
        assert "CORRUPT" in result.text()


def test_one_flipped_bit_of_a_packed_segment_is_noticed_or_harmless(trading: Run, tmp_path: Path) -> None:
    """A name or a date in its header may change; nothing else, and no way of being broken may crash the reader."""
    (file,) = write(tmp_path, trading.records, packed=[0])
    data = file.read_bytes()
    for number in range(FLIPS):
        offset = number * (len(data) - 1) // (FLIPS - 1)
        damaged = bytearray(data)
        damaged[offset] ^= 1 << number % 8
        file.write_bytes(damaged)
        result = replay(tmp_path)
        if offset >= 10:
            assert result.corrupt is not None
            assert result.document()["identical"] is False
        else:
            assert (result.corrupt is None) == (result.turns == len(trading.turns))


@pytest.mark.parametrize("cut", [1, 8, 9, 500])
def test_a_packed_segment_cut_short_is_told(trading: Run, cut: int, tmp_path: Path) -> None:
    """It was complete when it was packed: whatever is missing now was lost later."""
    (file,) = write(tmp_path, trading.records, packed=[0])
    file.write_bytes(file.read_bytes()[:-cut])
    result = replay(tmp_path)
    assert result.corrupt is not None
    assert file.name in result.corrupt


def test_bytes_that_are_sound_but_no_record_are_told(trading: Run, tmp_path: Path) -> None:
    (file,) = write(tmp_path, trading.records[:6])
    for payload in (b"", b"no record", msgspec.msgpack.encode(["z", 7, [1, 1]]), b"\x94\xa1n\x07\x92\x01\x01\xa1\xff"):
        (file,) = write(tmp_path, trading.records[:6])
        file.write_bytes(file.read_bytes() + frame(payload))
        result = replay(tmp_path)
        assert result.corrupt is not None
        assert "record 7 of the segment is not readable" in result.corrupt
        assert result.divergence is None


# -- records missing, moved or repeated


@pytest.mark.parametrize("lost", [1, 2, 7, 40])
def test_a_record_that_is_missing_is_named(trading: Run, lost: int, tmp_path: Path) -> None:
    result = replayed(tmp_path, trading.records[:lost] + trading.records[lost + 1 :])
    assert result.corrupt == f"record {lost + 1} is missing (found {lost + 2})"


def test_a_record_told_twice_is_named(trading: Run, tmp_path: Path) -> None:
    result = replayed(tmp_path, [*trading.records[:9], trading.records[8], *trading.records[9:]])
    assert result.corrupt == "record 10 is missing (found 9)"


def test_two_records_exchanged_are_named(trading: Run, tmp_path: Path) -> None:
    records = list(trading.records)
    records[5], records[6] = records[6], records[5]
    assert replayed(tmp_path, records).corrupt == "record 6 is missing (found 7)"


def test_a_segment_that_is_missing_is_noticed(tmp_path: Path) -> None:
    run = Run().weather(1, 100)
    files = write(tmp_path, run.records, segment_bytes=5_000)
    assert len(files) > 3
    for missing in files[1:-1]:
        data = missing.read_bytes()
        missing.unlink()
        result = replay(tmp_path)
        assert result.corrupt is not None
        assert "is missing" in result.corrupt
        missing.write_bytes(data)
    assert replay(tmp_path).corrupt is None


def test_without_its_first_segment_a_run_cannot_be_replayed(tmp_path: Path) -> None:
    files = write(tmp_path, Run().weather(1, 100).records, segment_bytes=5_000)
    files[0].unlink()
    result = replay(tmp_path)
    assert result.corrupt is not None
    assert result.corrupt.startswith("record 1 is missing")
    assert (result.inputs, result.turns) == (0, 0)


# -- decisions that were changed


def find(records: list[Record], wanted: Callable[[Record], bool]) -> int:
    return next(index for index, record in enumerate(records) if wanted(record))


def places(record: Record) -> bool:
    return isinstance(record, TurnRecord) and any(isinstance(output, PlaceOrders) for output in record.outputs)


def forged(run: Run, index: int, record: Record) -> list[Record]:
    return [*run.records[:index], record, *run.records[index + 1 :]]


def test_an_order_that_was_changed_is_the_first_divergence(trading: Run, tmp_path: Path) -> None:
    index = find(trading.records, places)
    turn = trading.records[index]
    assert isinstance(turn, TurnRecord)
    at = next(number for number, output in enumerate(turn.outputs) if isinstance(output, PlaceOrders))
    batch = turn.outputs[at]
    assert isinstance(batch, PlaceOrders)
    order = changed(batch.orders[0], px=Px(batch.orders[0].px + 1))
    outputs = (*turn.outputs[:at], changed(batch, orders=(order, *batch.orders[1:])), *turn.outputs[at + 1 :])
    result = replayed(tmp_path, forged(trading, index, changed(turn, outputs=outputs)))
    assert result.divergence is not None
    assert (result.divergence.seq, result.divergence.what) == (index + 1, f"output {at + 1}")
    assert f"px={order.px}" in result.divergence.recorded
    assert f"px={batch.orders[0].px}" in result.divergence.replayed
    assert f"DIVERGED at record {index + 1}" in result.text()
    assert result.document()["first_divergence"]["seq"] == index + 1


def test_a_decision_that_was_dropped_or_added_is_the_first_divergence(trading: Run, tmp_path: Path) -> None:
    index = find(trading.records, places)
    turn = trading.records[index]
    assert isinstance(turn, TurnRecord)
    dropped = replayed(tmp_path, forged(trading, index, changed(turn, outputs=turn.outputs[:-1])))
    assert dropped.divergence is not None
    assert dropped.divergence.recorded == "None"
    assert (dropped.divergence.seq, dropped.divergence.what) == (index + 1, f"output {len(turn.outputs)}")
    more = (*turn.outputs, QueryAccount(turn.outputs[0].venue))  # type: ignore[union-attr]
    added = replayed(tmp_path, forged(trading, index, changed(turn, outputs=more)))
    assert added.divergence is not None
    assert added.divergence.replayed == "None"


def test_a_digest_that_was_changed_is_a_divergence_though_the_decisions_agree(trading: Run, tmp_path: Path) -> None:
    index = len(trading.records) - 1
    while not isinstance(trading.records[index], TurnRecord):
        index -= 1
    turn = trading.records[index]
    assert isinstance(turn, TurnRecord)
    result = replayed(tmp_path, forged(trading, index, changed(turn, digest=turn.digest ^ 1)))
    assert result.divergence is not None
    assert (result.divergence.seq, result.divergence.what) == (index + 1, "state digest")
    assert result.divergence.recorded == f"{turn.digest ^ 1:016x}"


def test_books_that_were_changed_are_a_divergence(trading: Run, tmp_path: Path) -> None:
    index = find(trading.records, lambda record: isinstance(record, CheckpointRecord))
    record = trading.records[index]
    assert isinstance(record, CheckpointRecord)
    richer = changed(record.books, cash=Cash(record.books.cash + 1))
    result = replayed(tmp_path, forged(trading, index, changed(record, books=richer)))
    assert result.divergence is not None
    assert (result.divergence.seq, result.divergence.what) == (index + 1, "books")


def test_a_price_the_venue_never_said_shows_in_what_follows(trading: Run, tmp_path: Path) -> None:
    def shows_a_book(record: Record) -> bool:
        return isinstance(record, InputRecord) and isinstance(record.item, BookSnapshot) and bool(record.item.bids)

    index = find(trading.records, shows_a_book)
    record = trading.records[index]
    assert isinstance(record, InputRecord)
    assert isinstance(record.item, BookSnapshot)
    (px, qty), *deeper = record.item.bids
    item = changed(record.item, bids=((px - 1_000_000, qty), *deeper))
    result = replayed(tmp_path, forged(trading, index, changed(record, item=item)))
    assert result.divergence is not None
    assert result.divergence.seq > index + 1


def test_a_clock_reading_that_was_changed_shows_in_its_own_turn(trading: Run, tmp_path: Path) -> None:
    index = find(trading.records, places)
    turn = trading.records[index]
    assert isinstance(turn, TurnRecord)
    later = changed(turn, now=Now(turn.now.mono_ns + 1, turn.now.wall_ns))
    result = replayed(tmp_path, forged(trading, index, later))
    assert result.divergence is not None
    assert (result.divergence.seq, result.divergence.what) == (index + 1, "state digest")


def test_a_fault_that_was_not_recorded_is_a_divergence(trading: Run, tmp_path: Path) -> None:
    """The engine of today breaks where that of the record went on."""
    boot = trading.records[0]
    assert isinstance(boot, InputRecord)
    last = len(trading.records)
    again = InputRecord(last + 1, trading.storm.now, boot.item)
    result = replayed(tmp_path, [*trading.records, again, TurnRecord(last + 2, trading.storm.now, 0, ())])
    assert result.divergence is not None
    assert result.divergence.what == "fault"
    assert (result.divergence.recorded, result.divergence.seq) == ("a decision", last + 1)
    assert "booted twice" in result.divergence.replayed


def test_a_recorded_fault_that_does_not_come_back_is_a_divergence(trading: Run, tmp_path: Path) -> None:
    run = Run().weather(1, 30)
    write(tmp_path, run.note("engine fault: ZeroDivisionError('once')").records)
    result = replay(tmp_path)
    assert result.divergence is not None
    assert (result.divergence.recorded, result.divergence.replayed) == ("ZeroDivisionError('once')", "a decision")


# -- other settings


@pytest.mark.parametrize(
    "setting",
    ["strategy.avellaneda.min_half_spread=0.02", "strategy.avellaneda.max_size=20", "limits.max_order_notional=20"],
)
def test_another_setting_shows_where_it_would_have_decided_otherwise(
    trading: Run, setting: str, tmp_path: Path
) -> None:
    write(tmp_path, trading.records)
    assert replay(tmp_path).divergence is None
    result = replay(tmp_path, sets=[setting])
    assert result.divergence is not None
    first_order = find(trading.records, places)
    assert result.divergence.seq >= first_order + 1 - 2, "nothing but decisions about orders depends on it"
    assert "PlaceOrders" in result.divergence.recorded + result.divergence.replayed


def test_the_same_setting_said_again_changes_nothing(trading: Run, tmp_path: Path) -> None:
    write(tmp_path, trading.records)
    assert replay(tmp_path, sets=["strategy.avellaneda.max_size=40"]).document()["identical"] is True


@pytest.mark.parametrize(
    ("setting", "named"),
    [("limits.max_positon=5", "did you mean"), ("limits.max_position=-5", "max_position"), ("x", "expected")],
)
def test_a_wrong_setting_is_refused_before_anything_is_replayed(
    trading: Run, setting: str, named: str, tmp_path: Path
) -> None:
    write(tmp_path, trading.records)
    with pytest.raises(ConfigError, match=named):
        replay(tmp_path, sets=[setting])


def test_an_input_that_no_market_knows_is_replayed_like_any_other(trading: Run, tmp_path: Path) -> None:
    """Nothing of the journal is left out because it had no effect: the count says so."""
    run = Run().weather(1, 10)
    run.storm.feed(MarkPrice(MarketId("hyperliquid:NONE"), Px(1), 0))
    before = sum(isinstance(record, InputRecord) for record in run.records)
    assert replayed(tmp_path, run.records).inputs == before == len(run.storm.seen)


def test_a_packed_twin_that_was_never_finished_is_not_read(trading: Run, tmp_path: Path) -> None:
    write(tmp_path, trading.records)
    (tmp_path / Segment(EPOCH_MS, 0, packed=True).name).write_bytes(gzip.compress(HEADER)[:-4])
    assert replay(tmp_path).document()["identical"] is True


def test_equal_records_give_equal_files(trading: Run, tmp_path: Path) -> None:
    assert (
        b"".join(frame(encode(record)) for record in trading.records)
        == (write(tmp_path, trading.records)[0].read_bytes()[len(HEADER) :])
    )
    again = Run().weather(1, 60, hostility=0.0)
    assert again.records == trading.records
