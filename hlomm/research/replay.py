"""Re-run a journal: the same construction, inputs and clock readings must give the same outputs and digests."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import msgspec

from hlomm.assembly.engine import build_engine
from hlomm.domain.carried import without_flat, without_prices, without_sale
from hlomm.domain.faults import JournalCorrupt, UsageError
from hlomm.domain.inputs import Booted
from hlomm.domain.times import Now
from hlomm.engine.core import Engine
from hlomm.journal.codec import (
    FAULT_NOTE,
    CheckpointRecord,
    InputRecord,
    NoteRecord,
    Record,
    TurnRecord,
    decode,
    encode_outputs,
)
from hlomm.journal.framing import scan
from hlomm.journal.segments import latest_run, parse_name, run_of
from hlomm.research.onlooker import Onlooker
from hlomm.settings.load import engine_settings

_START = Now(0, 0)


@attrs.frozen
class Segment:
    """A stretch of journal, wherever it is kept. `read` may raise OSError, EOFError or zlib.error."""

    name: str
    read: Callable[[], bytes]


@attrs.frozen(kw_only=True)
class Divergence:
    """First decision that differs."""

    seq: int
    what: str
    recorded: str
    replayed: str


@attrs.define(kw_only=True)
class ReplayResult:
    segments: list[str]
    inputs: int = 0
    outputs: int = 0
    turns: int = 0
    notes: int = 0
    torn_bytes: int = 0
    corrupt: str | None = None
    """Where the journal stops being trustworthy, if it does."""
    divergence: Divergence | None = None
    recorded_fault: str | None = None
    """What the engine raised in the recorded run; the run ends there."""
    replayed_fault: str | None = None
    last_now: Now = _START

    @property
    def identical(self) -> bool:
        return self.divergence is None

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "inputs": self.inputs, "outputs": self.outputs, "turns": self.turns, "notes": self.notes,
            "identical": self.identical and self.corrupt is None, "torn_bytes": self.torn_bytes,
            "segments": self.segments, "fault": self.recorded_fault,
        }  # fmt: skip
        if self.corrupt is not None:
            document["corrupt"] = self.corrupt
        if self.divergence is not None:
            document["first_divergence"] = attrs.asdict(self.divergence)
        return document

    def text(self) -> str:
        counts = f"{self.inputs} inputs, {self.turns} turns, {self.outputs} outputs"
        lines = []
        if self.torn_bytes:
            lines.append(f"torn tail: {self.torn_bytes} bytes of an unfinished record ignored")
        if self.corrupt is not None:
            lines.append(f"CORRUPT: {self.corrupt}; replayed what precedes it")
        if self.divergence is not None:
            d = self.divergence
            lines.append(f"DIVERGED at record {d.seq} ({d.what})\n  recorded: {d.recorded}\n  replayed: {d.replayed}")
        elif self.corrupt is None:
            lines.append(
                "identical" if self.recorded_fault is None else f"identical, to the fault: {self.recorded_fault}"
            )
        return "\n".join([counts, *lines])


def replay(
    path: Path, *, until: int | None = None, sets: Sequence[str] = (), onlooker: Onlooker | None = None
) -> ReplayResult:
    """Replay the run that `path` names: a segment of it, or a directory (its newest run)."""
    return replay_segments(segments_of(path), until=until, sets=sets, onlooker=onlooker)


def replay_segments(
    segments: Sequence[Segment],
    *,
    until: int | None = None,
    sets: Sequence[str] = (),
    onlooker: Onlooker | None = None,
) -> ReplayResult:
    """Replay one run out of its segments, in order. UsageError if there is no complete record.

    The onlooker sees every step that was taken as it is on record, and none that was not.
    """
    result = ReplayResult(segments=[segment.name for segment in segments])
    engine: Engine | None = None
    expected_seq = 1
    for record in read_records(segments, result):
        if until is not None and record.seq > until:
            break
        if record.seq != expected_seq:
            result.corrupt = f"record {expected_seq} is missing (found {record.seq})"
            break
        expected_seq += 1
        if isinstance(record, NoteRecord):
            result.notes += 1
            if record.text.startswith(FAULT_NOTE):
                result.recorded_fault = record.text[len(FAULT_NOTE) :]
                result.last_now = record.now  # of the turn that broke, which may have come by the clock alone
                break
            continue
        if engine is None:
            engine = _boot(record, sets)
        if isinstance(record, CheckpointRecord):
            if not _same_books(engine, record, result):
                break
            continue
        if result.replayed_fault is not None:
            expected_seq -= 1
            break  # the recorded run went on where this one broke
        if not _step(engine, record, result):
            if result.divergence is not None or isinstance(record, TurnRecord):
                break  # after a fault while taking an input, the note that it is to be held against comes next
        elif onlooker is not None:
            _show(engine, record, onlooker)
    if engine is None and result.corrupt is None:
        raise UsageError(f"{segments[0].name}: the journal holds no complete record yet")
    if result.recorded_fault is not None and result.replayed_fault is None and result.divergence is None:
        # A fault while deciding leaves no turn record: take that turn now.
        assert engine is not None
        _guarded(result, lambda: engine.turn(result.last_now))
    if result.recorded_fault != result.replayed_fault and result.divergence is None:
        result.divergence = Divergence(
            seq=expected_seq - 1, what="fault", recorded=result.recorded_fault or "a decision",
            replayed=result.replayed_fault or "a decision",
        )  # fmt: skip
    return result


def segments_of(path: Path) -> list[Segment]:
    """As `run_files`, to be read."""
    return [Segment(file.name, partial(_read, file)) for file in run_files(path)]


def run_files(path: Path) -> list[Path]:
    """Segments of one run, in order."""
    if path.is_dir():
        segments = latest_run(entry.name for entry in path.iterdir())
        if not segments and (path / "journal").is_dir():
            return run_files(path / "journal")
        if not segments:
            raise UsageError(f"{path}: no journal segments here")
        return [path / segment.name for segment in segments]
    if not path.exists():
        raise UsageError(f"{path}: no such file or directory")
    named = parse_name(path.name)
    if named is None:
        return [path]
    siblings = [entry.name for entry in path.parent.iterdir()]
    return [path.parent / segment.name for segment in run_of(siblings, named.epoch_ms)]


def _read(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


def read_records(segments: Sequence[Segment], result: ReplayResult) -> Iterator[Record]:
    """Records of one run up to where it stops being readable; `result` is told what is torn and what is corrupt."""
    for file in segments:
        last = file is segments[-1]
        try:
            data = file.read()
        except (OSError, EOFError, zlib.error) as error:
            result.corrupt = f"{file.name}: {error}"
            return
        found = scan(data)
        for number, payload in enumerate(found.payloads):
            try:
                yield decode(payload)
            except msgspec.DecodeError as error:
                result.corrupt = f"{file.name}: record {number + 1} of the segment is not readable ({error})"
                return
        if found.corrupt is not None:
            result.corrupt = f"{file.name}: {found.corrupt}"
            return
        if found.torn and not last:
            result.corrupt = f"{file.name}: ends in the middle of a record although segments follow"
            return
        result.torn_bytes = found.torn


def _boot(record: Record, sets: Sequence[str]) -> Engine:
    """The engine as it was built, with overrides; the boot record carries what it was built from."""
    if not isinstance(record, InputRecord) or not isinstance(record.item, Booted):
        raise JournalCorrupt("the run does not start with its boot record", offset=0, records=0)
    # Overrides change the construction only: the recorded boot input stays as it is, so just decisions can differ.
    return build_engine(engine_settings(record.item.config, sets), tuple(record.item.account_of))


def _step(engine: Engine, record: InputRecord | TurnRecord, result: ReplayResult) -> bool:
    """Feed or turn; False at the first difference or fault."""
    result.last_now = record.now
    if isinstance(record, InputRecord):
        result.inputs += 1
        return _guarded(result, lambda: engine.feed(record.item, record.now)) is not _FAULTED
    result.turns += 1
    outputs = _guarded(result, lambda: engine.turn(record.now))
    if outputs is _FAULTED:
        return False
    assert isinstance(outputs, list)
    result.outputs += len(outputs)
    if encode_outputs(outputs) != encode_outputs(record.outputs):
        result.divergence = _output_divergence(record, tuple(outputs))
        return False
    if engine.digest() != record.digest:
        result.divergence = Divergence(
            seq=record.seq, what="state digest", recorded=f"{record.digest:016x}", replayed=f"{engine.digest():016x}"
        )
        return False
    return True


def _show(engine: Engine, record: InputRecord | TurnRecord, onlooker: Onlooker) -> None:
    if isinstance(record, InputRecord):
        onlooker.fed(engine, record.item, record.now)
    else:
        onlooker.turned(engine, record.outputs, record.now)


def _same_books(engine: Engine, record: CheckpointRecord, result: ReplayResult) -> bool:
    books = engine.checkpoint()
    if books == record.books:
        return True
    if books is not None:
        older = without_sale(books), without_prices(books), without_flat(without_prices(books))
        if record.books in older:
            return True
    result.divergence = Divergence(seq=record.seq, what="books", recorded=repr(record.books), replayed=repr(books))
    return False


def _guarded(result: ReplayResult, step: Callable[[], object]) -> object:
    """What the step returns; a fault of the engine is a result here, to be held against the recorded one."""
    try:
        return step()
    except Exception as error:  # noqa: BLE001 - whatever broke the engine then must break it the same way now
        result.replayed_fault = repr(error)
        return _FAULTED


_FAULTED = object()


def _output_divergence(record: TurnRecord, outputs: tuple[Any, ...]) -> Divergence:
    for index in range(max(len(outputs), len(record.outputs))):
        recorded = record.outputs[index] if index < len(record.outputs) else None
        replayed = outputs[index] if index < len(outputs) else None
        if recorded != replayed:
            return Divergence(
                seq=record.seq, what=f"output {index + 1}", recorded=repr(recorded), replayed=repr(replayed)
            )
    return Divergence(seq=record.seq, what="encoding", recorded=repr(record.outputs), replayed=repr(outputs))
