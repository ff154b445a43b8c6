"""The terminal's way past a daemon that does not answer: one kill, straight to its guardian."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.inputs import OperatorAction
from hlomm.link.guardian import VERSION, FromGuardian, Met, Told, decode_from_guardian
from hlomm.link.protocol import Command, Frames, Hello, Refused, encode

SOCKET_NAME: Final = "guardian.sock"
_READ_BYTES: Final = 1 << 16


class NoGuardianError(Exception):
    """There is none, or it does not take the order."""


async def kill(daemon_socket: Path, reason: str, origin: str, within_s: float) -> Told:
    """How it stands once the guardian has taken the kill; NoGuardianError within the time otherwise."""
    path = daemon_socket.with_name(SOCKET_NAME)
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return await _converse(reader, writer, reason, origin)
            finally:
                writer.close()
    except TimeoutError:
        raise NoGuardianError(f"the guardian does not answer in {within_s:g} s") from None
    except OSError:
        raise NoGuardianError("no guardian answers") from None
    except ProtocolViolation as violation:
        raise NoGuardianError(f"the guardian sends what this terminal cannot read ({violation})") from None


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reason: str, origin: str) -> Told:
    frames = Frames()
    writer.write(encode(Hello(version=VERSION, role="terminal", origin=origin)))
    met = await _hear(reader, frames)
    if not isinstance(met, Met):
        raise NoGuardianError(met.text if isinstance(met, Refused) else f"expected Met, was {type(met).__name__}")
    writer.write(encode(Command(id=1, action=OperatorAction.KILL, reason=reason)))
    told = await _hear(reader, frames)
    if not isinstance(told, Told):
        raise NoGuardianError(told.text if isinstance(told, Refused) else f"expected Told, was {type(told).__name__}")
    return told


async def _hear(reader: asyncio.StreamReader, frames: Frames) -> FromGuardian:
    while True:
        data = await reader.read(_READ_BYTES)
        if not data:
            raise NoGuardianError("the guardian closed the connection")
        bodies = frames.feed(data)
        if bodies:
            return decode_from_guardian(bodies[0])
