"""The terminal's way past a daemon that does not answer: one kill, straight to its guardian, and then how it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.inputs import OperatorAction
from hlomm.link.guardian import VERSION, FromGuardian, Met, Phase, Told, decode_from_guardian
from hlomm.link.protocol import Ask, Command, Frames, Hello, Message, Refused, encode

SOCKET_NAME: Final = "guardian.sock"
_READ_BYTES: Final = 1 << 16
_ASK_EVERY_S: Final = 0.5
_DEAF_S: Final = 10.0
"""A guardian that does not say within that how it stands is followed no longer."""
_FOLLOW_S: Final = 7_200.0
"""Twice as long as a guardian tries (`guardian.give_up_s`), unless it was told to try for longer."""


class NoGuardianError(Exception):
    """There is none, or it does not take the order."""


async def kill(
    daemon_socket: Path, reason: str, origin: str, within_s: float, deliver: Callable[[Told], object]
) -> Told:
    """Have the guardian take a kill and follow it to its end: every answer is delivered, the first within the time.

    What it said last: still ACTING if it could not be followed to the end.
    NoGuardianError if it does not take it. That it can no longer be asked later on is no error: it may have ended.
    """
    path = daemon_socket.with_name(SOCKET_NAME)
    voice: _Voice | None = None
    try:
        async with asyncio.timeout(within_s):
            voice = await _Voice.to(path)
            told = await voice.begin(reason, origin)
        deliver(told)
        return await _follow(voice, told, deliver)
    except TimeoutError:
        raise NoGuardianError(f"the guardian does not answer in {within_s:g} s") from None
    except OSError:
        raise NoGuardianError("no guardian answers") from None
    except ProtocolViolation as violation:
        raise NoGuardianError(f"the guardian sends what this terminal cannot read ({violation})") from None
    finally:
        if voice is not None:
            voice.close()


async def _follow(voice: _Voice, told: Told, deliver: Callable[[Told], object]) -> Told:
    """Until its act is over and on record; what it said last stands when it can be asked no longer."""
    try:
        async with asyncio.timeout(_FOLLOW_S):
            while told.phase is Phase.ACTING or not told.audit:
                await asyncio.sleep(_ASK_EVERY_S)
                async with asyncio.timeout(_DEAF_S):
                    told = await voice.ask(Ask(id=2))
                deliver(told)
    except (NoGuardianError, TimeoutError, OSError, ProtocolViolation):
        pass
    return told


class _Voice:
    """One conversation with the guardian."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = Frames()

    @classmethod
    async def to(cls, path: Path) -> _Voice:
        return cls(*await asyncio.open_unix_connection(path))

    def close(self) -> None:
        self._writer.close()

    async def begin(self, reason: str, origin: str) -> Told:
        self._say(Hello(version=VERSION, role="terminal", origin=origin))
        met = await self._hear()
        if not isinstance(met, Met):
            raise NoGuardianError(met.text if isinstance(met, Refused) else f"expected Met, was {type(met).__name__}")
        return await self.ask(Command(id=1, action=OperatorAction.KILL, reason=reason))

    async def ask(self, message: Message) -> Told:
        self._say(message)
        told = await self._hear()
        if not isinstance(told, Told):
            words = told.text if isinstance(told, Refused) else f"expected Told, was {type(told).__name__}"
            raise NoGuardianError(words)
        return told

    def _say(self, message: Message) -> None:
        self._writer.write(encode(message))

    async def _hear(self) -> FromGuardian:
        while True:
            data = await self._reader.read(_READ_BYTES)
            if not data:
                raise NoGuardianError("the guardian closed the connection")
            bodies = self._frames.feed(data)
            if bodies:
                return decode_from_guardian(bodies[0])
