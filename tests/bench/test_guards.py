"""What the hot path costs, against a loop of plain Python in the same run: a lane of its own (pytest -m bench).

Processor time only, the best of interleaved rounds, and room of about two and a half: what fails here has become a
multiple of what it was. Figures of a machine are `hlomm bench`'s business.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count, cycle
from pathlib import Path
from typing import Final

import pytest

from hlomm.bench import frames
from hlomm.bench.naive import NaiveCore
from hlomm.bench.rungs import FastCore
from hlomm.bench.synthetic import recording
from hlomm.daemon.histogram import Histogram
from hlomm.daemon.journal_writer import JournalWriter
from hlomm.domain.inputs import BookSnapshot
from hlomm.domain.times import Now
from hlomm.journal.codec import InputRecord, encode
from hlomm.journal.framing import frame
from hlomm.research.backtest import backtest
from hlomm.settings.load import load
from hlomm.venues.hyperliquid.wire.frames import decode_frame
from hlomm.venues.hyperliquid.wire.ladder import BookMemory

pytestmark = pytest.mark.bench

STAMP: Final = 1_790_000_000_000
ROUNDS: Final = 15
TIMES: Final = 200
KEY: Final = "0x" + "11" * 32
READ, FOLLOW, ORDER, WRITE, COUNT, EVENT = 9.0, 3.5, 15.0, 1.0, 0.09, 120.0
"""Bounds in units of the calibration loop (about 8 us); found when they were set: 3.5, 1.4, 4.3, 0.38, 0.034, 47."""


def calibration() -> None:
    """A unit of plain Python: dictionaries, integers, text."""
    table: dict[int, int] = {}
    for number in range(100):
        table[number & 31] = table.get(number & 31, 0) + number * 3 // 2
    assert len("".join(map(str, table.values()))) > 31


def costs(**works: Callable[[], object]) -> dict[str, float]:
    """Least processor time of each, in units of the calibration loop; all of them in every round."""
    best = dict.fromkeys(("unit", *works), float("inf"))
    for _ in range(ROUNDS):
        for name, work in {"unit": calibration, **works}.items():
            begun_ns = time.process_time_ns()
            for _ in range(TIMES):
                work()
            best[name] = min(best[name], (time.process_time_ns() - begun_ns) / TIMES)
    return {name: best[name] / best["unit"] for name in works}


def test_a_book_frame_is_read_within_its_bound() -> None:
    texts = cycle([one.at(STAMP).decode() for one in frames.books("#118010")])
    assert costs(read=lambda: decode_frame(next(texts)))["read"] < READ


def test_a_book_that_follows_another_is_read_within_its_bound() -> None:
    texts, books = cycle([one.at(STAMP).decode() for one in frames.books("#118010")]), BookMemory()
    assert costs(read=lambda: decode_frame(next(texts), books))["read"] < FOLLOW


def test_an_order_is_signed_within_its_bound_and_far_below_the_naive_way() -> None:
    texts, numbers = cycle([one.at(STAMP).decode() for one in frames.books("#118010")]), count()
    fast, naive = FastCore(KEY), NaiveCore(KEY)

    def order(core: FastCore | NaiveCore) -> object:
        return core.order_for(next(texts), STAMP, f"0x{next(numbers):032x}")

    found = costs(fast=lambda: order(fast), naive=lambda: order(naive))
    assert found["fast"] < ORDER
    assert found["naive"] > 2.5 * found["fast"]


def test_a_record_is_written_within_its_bound(tmp_path: Path) -> None:
    writer, now = JournalWriter(tmp_path, 1, segment_bytes=1 << 30), Now(1, 2)
    book = decode_frame(frames.books("#118010")[0].at(STAMP)).frame
    assert isinstance(book, BookSnapshot)
    record = InputRecord(1, now, book)
    found = costs(write=lambda: writer.append(frame(encode(record)), 1))["write"]
    writer.close()
    assert found < WRITE


def test_a_duration_is_counted_within_its_bound() -> None:
    made = Histogram()
    assert costs(add=lambda: made.add(123_456))["add"] < COUNT


def test_the_engine_takes_an_event_within_its_bound() -> None:
    tape, loaded = recording(600), load("sim", environ={})
    best = float("inf")
    for _ in range(3):
        begun_ns = time.process_time_ns()
        backtest(tape, loaded)
        best = min(best, (time.process_time_ns() - begun_ns) / len(tape.events))
    unit = best / costs_of_unit()
    assert unit < EVENT


def costs_of_unit() -> float:
    """Nanoseconds of the calibration loop."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun_ns = time.process_time_ns()
        for _ in range(TIMES):
            calibration()
        best = min(best, (time.process_time_ns() - begun_ns) / TIMES)
    return best
