"""Runs of the whole engine, put on record as the daemon puts them on record.

A `Run` is a storm whose every turn is noted down: the input, the turn, and the books where they moved. `write` makes
the files of it: segments as long as asked for, some of them packed.
"""

from __future__ import annotations

import gzip
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from hlomm.domain.carried import Carried
from hlomm.domain.ids import HYPERLIQUID, outcome_market
from hlomm.domain.inputs import BookSnapshot, Booted, Input, MarketListed, MarkPrice, SessionUp
from hlomm.engine.core import Engine
from hlomm.journal.codec import FAULT_NOTE, CheckpointRecord, InputRecord, NoteRecord, Record, TurnRecord, encode
from hlomm.journal.framing import HEADER, frame
from hlomm.journal.segments import Segment
from tests.support.storm import Storm, weather
from tests.support.values import EPOCH_MS, PERP, account, outcome, perp, px

TRADED = 0.05
"""Hostility at which an engine trades and yet meets everything now and then."""


class Run:
    def __init__(self, *sets: str) -> None:
        self.records: list[Record] = []
        self.storm = Storm(*sets, look=self._note)
        self._noted = 0

    def weather(self, seed: int, steps: int, *, hostility: float = TRADED) -> Run:
        self.storm.boot().run(weather(seed, steps, hostility=hostility))
        return self

    def boot_with(self, books: Carried) -> Run:
        """A start that goes on with the books of an earlier run."""
        storm = self.storm
        epoch_ms = EPOCH_MS + 1
        boot = Booted(
            epoch_ms=epoch_ms, profile="sim", version="0", config=storm.config, halted=None, account=books.account,
            carried=books,
        )  # fmt: skip
        storm.feed(boot)
        for item in (
            account(10_000),
            MarketListed(perp()),
            MarketListed(outcome(15, tau_s=900.0, period="15m")),
            SessionUp(HYPERLIQUID),
            MarkPrice(PERP, px(80_010), storm.ms),
            BookSnapshot(outcome_market(HYPERLIQUID, 15), *storm._book(40, 20), storm.ms),
        ):
            storm.feed(item)
        return self

    def break_with(self, item: Input) -> Run:
        """An input that the engine cannot stand, with the note that the daemon leaves in place of a turn."""
        engine, now = self.storm.engine, self.storm.now
        fault: Exception | None = None
        try:
            engine.feed(item, now)
            engine.turn(now)
        except Exception as error:  # noqa: BLE001 - whatever it is, as in the daemon
            fault = error
        assert fault is not None, "that input broke nothing"
        self._add(InputRecord(self._next, now, item))
        self._add(NoteRecord(self._next, now, f"{FAULT_NOTE}{fault!r}"))
        return self

    def note(self, text: str) -> Run:
        self._add(NoteRecord(self._next, self.storm.now, text))
        return self

    @property
    def turns(self) -> list[TurnRecord]:
        return [record for record in self.records if isinstance(record, TurnRecord)]

    @property
    def outputs(self) -> int:
        return sum(len(turn.outputs) for turn in self.turns)

    @property
    def books(self) -> Carried:
        """The newest checkpoint."""
        return [record.books for record in self.records if isinstance(record, CheckpointRecord)][-1]

    @property
    def _next(self) -> int:
        return len(self.records) + 1

    def _add(self, record: Record) -> None:
        self.records.append(record)

    def _note(self, engine: Engine) -> None:
        # A merge is answered within the turn that asked for it: then several turns are new here.
        for now, item, outputs, digest in self.storm.record[self._noted :]:
            if item is not None:
                self._add(InputRecord(self._next, now, item))
            self._add(TurnRecord(self._next, now, digest, tuple(outputs)))
        self._noted = len(self.storm.record)
        books = engine.checkpoint()
        if books is not None:
            self._add(CheckpointRecord(self._next, self.storm.now, books))


def write(
    directory: Path,
    records: Iterable[Record],
    *,
    epoch_ms: int = EPOCH_MS,
    segment_bytes: int = 1 << 30,
    packed: Collection[int] = (),
) -> list[Path]:
    """The files of a run, in order; a new one is begun when the last is full."""
    bodies = [HEADER]
    for record in records:
        framed = frame(encode(record))
        if len(bodies[-1]) + len(framed) > segment_bytes and bodies[-1] != HEADER:
            bodies.append(HEADER)
        bodies[-1] += framed
    files = []
    for number, body in enumerate(bodies):
        segment = Segment(epoch_ms, number, packed=number in packed)
        files.append(directory / segment.name)
        files[-1].write_bytes(gzip.compress(body, mtime=0) if segment.packed else body)
    return files


def starts(records: Sequence[Record]) -> list[int]:
    """Byte at which each record of a one-segment run starts, and the end."""
    found = [len(HEADER)]
    for record in records:
        found.append(found[-1] + len(frame(encode(record))))
    return found
