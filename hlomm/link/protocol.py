"""Messages and frames of the control link, both ends, without I/O.

A frame is a four-byte little-endian length and a MessagePack map. The client speaks first: `Hello`. Then it asks
(`Ask`, answered by `Answer` or `Refused`), commands (`Command`, answered likewise once the engine has taken it) or
watches (`Watch`, answered by `Update` after `Update` until the connection ends). Whoever watches may look at one market
in full (`Look`): the updates carry it until another is named. Numbers are scaled as in `domain`.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import Final

import msgspec

from hlomm.domain.desk_rows import AuditRow, ChainRow, LogRow, SettingRow
from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import OperatorAction
from hlomm.domain.look_rows import LookRow
from hlomm.domain.report import Snapshot

VERSION: Final = 1
MAX_FRAME: Final = 4 << 20
"""4 MiB; a snapshot of 50 markets is about 60 kB."""
MAX_COMMAND_FRAME: Final = 64 << 10
"""What a client may send."""

_LENGTH: Final = struct.Struct("<I")


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Base of the tagged unions."""


class Access(StrEnum):
    """What a connection may do. Asked for once, at its beginning; whoever serves it holds it to that."""

    OPERATOR = "operator"
    VIEWER = "viewer"
    """Looks, and is refused every command."""


class Hello(Message, frozen=True):
    version: int
    role: str
    """`terminal`, `script`, ...: shown in the audit, grants nothing."""
    origin: str = ""
    """Where the person sits, as far as the client knows (SSH_CONNECTION)."""
    access: Access = Access.OPERATOR


class Ask(Message, frozen=True):
    """Ask for one snapshot."""

    id: int


class Watch(Message, frozen=True):
    id: int
    interval_ms: int = 250


class Look(Message, frozen=True):
    """What the updates from now on carry in full. Sent only to a daemon whose `Welcome` says that it knows it."""

    market: MarketId | None = None
    """None: nothing."""
    surfaces: bool = False


class Command(Message, frozen=True):
    id: int
    action: OperatorAction
    reason: str = ""
    target: str = ""


class Welcome(Message, frozen=True):
    version: int
    pid: int
    profile: str
    access: Access = Access.OPERATOR
    """What was granted. A daemon that knows no viewers says nothing: a viewer must not stay with it."""
    looks: bool = False
    """Whether it knows `Look`."""


class Answer(Message, frozen=True):
    id: int
    snapshot: Snapshot


class Update(Message, frozen=True):
    """The rest is news since the update before: all there is in the first one, most often nothing later."""

    id: int
    snapshot: Snapshot
    settings: tuple[SettingRow, ...] = ()
    log: tuple[LogRow, ...] = ()
    audit: tuple[AuditRow, ...] = ()
    chain: ChainRow | None = None
    look: LookRow | None = None
    """Of the market that this watcher looks at: the whole of it, every time."""


class EncodedAnswer(Message, frozen=True, tag="Answer"):
    """`Answer` as the daemon writes it: the snapshot in its bytes."""

    id: int
    snapshot: msgspec.Raw


class EncodedUpdate(Message, frozen=True, tag="Update"):
    """`Update` as the daemon writes it: one encoding of the snapshot serves every watcher."""

    id: int
    snapshot: msgspec.Raw
    settings: tuple[SettingRow, ...] = ()
    log: tuple[LogRow, ...] = ()
    audit: tuple[AuditRow, ...] = ()
    chain: ChainRow | None = None
    look: LookRow | None = None


class Refused(Message, frozen=True):
    id: int
    code: str
    text: str


READ_ONLY: Final = "read_only"
"""Code of the refusal that a viewer's commands meet."""


def read_only(number: int) -> Refused:
    return Refused(id=number, code=READ_ONLY, text="this connection is read-only (viewer): no command is taken from it")


ToDaemon = Hello | Ask | Watch | Look | Command
ToClient = Welcome | Answer | Update | Refused


def one_line(text: str, room: int) -> str:
    """What a client says in words, cut and without control characters: terminals of others and logs show it."""
    return "".join(char if char.isprintable() else " " for char in text[:room])


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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolViolation("malformed", str(error)) from None


def decode_to_client(body: bytes) -> ToClient:
    try:
        return _TO_CLIENT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
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
