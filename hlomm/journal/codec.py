"""Journal records as values.

Two kinds make a run: an input with the clock reading at which it was fed, and a turn with the clock reading, the
outputs and the digest after it. Sequence numbers are contiguous over a run, so a missing record is noticed.
A note is for people: it is not replayed.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hlomm.domain.carried import Carried
from hlomm.domain.inputs import Input
from hlomm.domain.outputs import Output
from hlomm.domain.times import Now

FAULT_NOTE = "engine fault: "
"""Start of the note that stands where a turn would have stood had the engine not raised."""


class InputRecord(msgspec.Struct, frozen=True, array_like=True, tag="i"):
    seq: int
    now: Now
    item: Input


class TurnRecord(msgspec.Struct, frozen=True, array_like=True, tag="t"):
    seq: int
    now: Now
    digest: int
    outputs: tuple[Output, ...]


class NoteRecord(msgspec.Struct, frozen=True, array_like=True, tag="n"):
    """Something the shell did on its own (a sweep, a forced stop)."""

    seq: int
    now: Now
    text: str


class CheckpointRecord(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """The books after the turn before it. A restart begins with the newest one; a replay holds it against its own."""

    seq: int
    now: Now
    books: Carried


Record = InputRecord | TurnRecord | NoteRecord | CheckpointRecord

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


def encode(record: Record) -> bytes:
    """Canonical bytes: equal records give equal bytes."""
    return _ENCODER.encode(record)


def is_checkpoint(payload: bytes) -> bool:
    """Told from the first bytes, so that a scan for checkpoints decodes nothing else."""
    return payload[1:3] == b"\xa1c"


def decode(payload: bytes) -> Record:
    """A record; msgspec.DecodeError (incl. ValidationError) for bytes that are none."""
    try:
        return _DECODER.decode(payload)
    except (UnicodeDecodeError, RecursionError) as error:  # msgspec lets these two through as they are
        raise msgspec.DecodeError(str(error)) from None


def encode_outputs(outputs: Sequence[Output]) -> bytes:
    """Bytes by which a replay compares decisions."""
    return _ENCODER.encode(outputs)
