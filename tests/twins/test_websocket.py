"""What a websocket tells is what another implementation of the standard reads from the same bytes, however cut."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

import pytest
import trio
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import WebSocketURI
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, Ping, TextMessage

from hlomm.venues.websocket import WebSocketLimits, WebSocketLink
from hlomm.venues.websocket_direct import Socket
from tests.twins.test_actions import MANY, SEED

FEW: Final = 300
_LENGTHS: Final = (0, 1, 125, 126, 127, 400, 1_600, 65_535, 65_536)


def spoken(rng: random.Random, count: int) -> Iterator[bytes]:
    """What a server sends: texts and bytes, some in parts with a ping between them."""
    for _ in range(count):
        binary = rng.random() < 0.1
        size = rng.choice(_LENGTHS) if rng.random() < 0.1 else rng.randrange(2_000)
        data = rng.randbytes(size) if binary else ("€" * (size // 30) + "x" * size).encode()
        code = Opcode.BINARY if binary else Opcode.TEXT
        if rng.random() < 0.8:
            yield Frame(code, data).serialize(mask=False)
        else:
            cut = rng.randint(0, len(data))
            yield Frame(code, data[:cut], fin=False).serialize(mask=False)
            if rng.random() < 0.5:
                yield Frame(Opcode.PING, b"between").serialize(mask=False)
            yield Frame(Opcode.CONT, data[cut:]).serialize(mask=False)
        if rng.random() < 0.05:
            yield Frame(Opcode.PING, rng.randbytes(rng.randrange(126))).serialize(mask=False)


def cut(rng: random.Random, stream: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(stream):
        size = rng.choice((1, 2, 3, rng.randrange(1, 200), rng.randrange(1, 20_000), 70_000))
        yield stream[at : at + size]
        at += size


def ours(pieces: list[bytes]) -> tuple[list[str | bytes], bytes]:
    """Messages, and the answers to pings without their masks."""
    heard: list[str | bytes] = []
    limits, socket_of = WebSocketLimits(), ClientProtocol(
        WebSocketURI(secure=False, host="", port=80, path="/", query=""), state=OPEN, max_size=None
    )  # fmt: skip
    link = WebSocketLink.of(limits)
    near, _ = trio.testing.memory_stream_pair()
    socket = Socket(link, near, limits, lambda data, _at_ns: heard.append(data), lambda: 0, None, socket_of)
    pongs = b""
    for piece in pieces:
        socket.take(piece)
        pongs += b"".join(map(unmasked, socket._pongs))
        socket._pongs.clear()
    assert link.lost_because is None
    return heard, pongs


def unmasked(frames: bytes) -> bytes:
    """Payloads of short frames that follow one another."""
    told, at = b"", 0
    while at < len(frames):
        size, mask = frames[at + 1] & 0x7F, frames[at + 2 : at + 6]
        told += bytes(byte ^ mask[place % 4] for place, byte in enumerate(frames[at + 6 : at + 6 + size]))
        at += 6 + size
    return told


def theirs(pieces: list[bytes]) -> tuple[list[str | bytes], bytes]:
    """The same by wsproto."""
    connection, heard, pongs = Connection(ConnectionType.CLIENT), [], b""
    parts: list[Any] = []
    for piece in pieces:
        connection.receive_data(piece)
        for event in connection.events():
            if isinstance(event, Ping):
                pongs += bytes(event.payload)
            elif isinstance(event, TextMessage | BytesMessage):
                parts.append(event.data if isinstance(event, TextMessage) else bytes(event.data))
                if event.message_finished:
                    heard.append(parts[0][:0].join(parts))
                    parts.clear()
    return heard, pongs


def compare(count: int, seed: int) -> int:
    rng = random.Random(seed)
    pieces = list(cut(rng, b"".join(spoken(rng, count))))
    mine, other = ours(pieces), theirs(pieces)
    assert len(mine[0]) == len(other[0]) == count, f"seed {seed}"
    for number, (one, two) in enumerate(zip(mine[0], other[0], strict=True)):
        assert one == two, f"message {number} of seed {seed} differs\nprogram:   {one!r}\nslow twin: {two!r}"
    assert mine[1] == other[1], f"seed {seed}: pongs differ"
    return count


async def test_messages_are_the_same_however_they_are_cut() -> None:
    assert compare(FEW, SEED) == FEW


@pytest.mark.trial
async def test_a_hundred_thousand_messages_are_the_same_however_they_are_cut() -> None:
    seen = 0
    while seen < MANY:
        seen += compare(FEW, SEED + seen)
    print(f"\n{seen:,} messages in pieces, no difference")  # noqa: T201 - the report of this lane
