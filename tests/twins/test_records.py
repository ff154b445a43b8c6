"""Journal records byte for byte as plain arrays through a packer in Python, with a checksum in Python."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest
from msgpack import fallback

from hlomm.journal.codec import CheckpointRecord, Record, decode, encode, encode_outputs, is_checkpoint
from hlomm.journal.framing import HEADER, frame, scan
from tests.replay.journals import Run
from tests.twins import slow
from tests.twins.test_actions import MANY, SEED
from tests.unit.journal.generating import INPUTS, OUTPUTS, RECORDS, record_of

STEPS: Final = 150
"""Of a storm: each is an input, a decision, now and then the books."""


def records(count: int) -> Iterator[Record]:
    """Every type that there is, then what engines wrote in storms."""
    yield from (record_of(kind) for kind in (*INPUTS, *OUTPUTS, *RECORDS))
    seed = SEED
    while count > 0:
        made = Run().weather(seed, STEPS).records
        yield from made[:count]
        count -= len(made)
        seed += 1


def plain(value: Any) -> Any:
    """What msgpack has a form of: a struct is its tag and its fields in order."""
    if isinstance(value, msgspec.Struct):
        config = type(value).__struct_config__
        fields = [plain(getattr(value, name)) for name in value.__struct_fields__]
        assert config.array_like, f"{type(value)} is no array"
        return fields if config.tag is None else [config.tag, *fields]
    if isinstance(value, enum.Enum):
        return value.value
    return [plain(part) for part in value] if isinstance(value, (tuple, list)) else value


def checksum(data: bytes) -> int:
    """CRC-32 by its polynomial."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _entry(index: int) -> int:
    for _ in range(8):
        index = (index >> 1) ^ (0xEDB88320 if index & 1 else 0)
    return index


_TABLE: Final = [_entry(index) for index in range(256)]


def compare(count: int) -> Counter[str]:
    """How many records of each kind were compared."""
    seen, segment, payloads = Counter[str](), [HEADER], []
    for record in records(count):
        payload, expected = encode(record), slow.packed(plain(record))
        assert payload == expected, f"{record}\nprogram:   {payload!r}\nslow twin: {expected!r}"
        size = len(payload).to_bytes(4, "little")
        framed = b"\xa5J" + size + checksum(size + payload).to_bytes(4, "little") + payload
        assert frame(payload) == framed, f"{record}"
        assert plain(decode(payload)) == fallback.unpackb(payload, strict_map_key=False), f"{record}"
        assert is_checkpoint(payload) == isinstance(record, CheckpointRecord)
        segment.append(framed)
        payloads.append(payload)
        seen[type(record).__name__] += 1
    assert scan(b"".join(segment)).payloads == payloads
    return seen


def test_records_are_written_and_read_alike() -> None:
    seen = compare(2 * STEPS)
    assert set(seen) == {kind.__name__ for kind in RECORDS}


@pytest.mark.trial
def test_a_hundred_thousand_records_are_written_and_read_alike() -> None:
    seen = compare(MANY)
    print(f"\n{sum(seen.values()):,} records, no difference: {dict(seen.most_common())}")  # noqa: T201 - the report


def test_the_bytes_by_which_decisions_are_compared_are_those_of_the_record() -> None:
    for kind in OUTPUTS:
        record = record_of(kind)
        assert encode_outputs(record.outputs) == slow.packed(plain(record.outputs))
