"""Messages and frames of the control link, both ends, without I/O.

A frame is a four-byte little-endian length and a MessagePack map. The client speaks first: `Hello`. Then it asks
(`Ask`, answered by `Answer` or `Refused`), commands (`Command`, answered likewise once the engine has taken it) or
watches (`Watch`, answered by `Update` after `Update` until the connection ends). Numbers are scaled as in `domain`.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.inputs import OperatorAction
from hlomm.domain.report import Snapshot

VERSION: Final = 1
MAX_FRAME: Final = 4 << 20
"""4 MiB; a snapshot of 50 markets is about 60 kB."""
MAX_COMMAND_FRAME: Final = 64 << 10
"""What a client may send."""

_LENGTH: Final = struct.Struct("<I")


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Base of the tagged unions."""


class Hello(Message, frozen=True):
    version: int
    role: str
    """`terminal`, `script`, ...: shown in the audit, grants nothing."""
    origin: str = ""
    """Where the person sits, as far as the client knows (SSH_CONNECTION)."""


class Ask(Message, frozen=True):
    """Ask for one snapshot."""

    id: int


class Watch(Message, frozen=True):
    id: int
    interval_ms: int = 250


class Command(Message, frozen=True):
    id: int
    action: OperatorAction
    reason: str = ""
    target: str = ""


class Welcome(Message, frozen=True):
    version: int
    pid: int
    profile: str


class Answer(Message, frozen=True):
    id: int
    snapshot: Snapshot


class Update(Message, frozen=True):
    id: int
    snapshot: Snapshot


class Refused(Message, frozen=True):
    id: int
    code: str
    text: str


ToDaemon = Hello | Ask | Watch | Command
ToClient = Welcome | Answer | Update | Refused

_ENCODER = msgspec.msgpack.Encoder()
_TO_DAEMON: msgspec.msgpack.Decoder[ToDaemon] = msgspec.msgpack.Decoder(ToDaemon)
_TO_CLIENT: msgspec.msgpack.Decoder[ToClient] = msgspec.msgpack.Decoder(ToClient)


def encode(message: Message) -> bytes:
    """One frame."""
    body = _ENCODER.encode(message)
    if len(body) > MAX_FRAME:
        raise ProtocolViolation("oversized", f"message of {len(body)} bytes exceeds {MAX_FRAME}")
    return _LENGTH.pack(len(body)) + body


def decode_to_daemon(body: bytes) -> ToDaemon:
    try:
        return _TO_DAEMON.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolViolation("malformed", str(error)) from None


def decode_to_client(body: bytes) -> ToClient:
    try:
        return _TO_CLIENT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolViolation("malformed", str(error)) from None


class Frames:
    """Splits a byte stream into frame bodies. ProtocolViolation ends the connection that caused it."""

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Bodies completed by these bytes, in order."""
        self._buffer += data
        bodies: list[bytes] = []
        while len(self._buffer) >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._buffer)
            if size > self._limit:
                raise ProtocolViolation("oversized", f"frame of {size} bytes exceeds {self._limit}")
            end = _LENGTH.size + size
            if len(self._buffer) < end:
                break
            bodies.append(bytes(self._buffer[_LENGTH.size : end]))
            del self._buffer[:end]
        return bodies
