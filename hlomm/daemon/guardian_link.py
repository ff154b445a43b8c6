"""One connection from the daemon to a guardian: greet, then question and answer, every wait bounded."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import trio

from hlomm.domain.faults import ProtocolViolation
from hlomm.link.guardian import DAEMON_ROLE, VERSION, FromGuardian, Met, decode_from_guardian
from hlomm.link.protocol import Frames, Hello, Message, Refused, encode

CONNECT_S: Final = 2.0
GREET_S: Final = 5.0
READ_BYTES: Final = 65_536


class GuardianGone(Exception):  # noqa: N818 - a statement, like the faults of the domain
    """The guardian cannot be talked to any more; the text says why."""


class GuardianLink:
    """A greeted connection. One question at a time."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._frames = Frames()
        self._pending: list[FromGuardian] = []
        self._turn = trio.Lock()
        self.pid = 0

    async def ask(self, message: Message, within_s: float) -> FromGuardian:
        """The answer to one message; GuardianGone if there is none in time, or a refusal."""
        try:
            with trio.fail_after(within_s):
                async with self._turn:
                    await self._stream.send_all(encode(message))
                    answer = await self._hear()
        except trio.TooSlowError:
            raise GuardianGone(f"no answer in {within_s:g} s") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise GuardianGone("the connection broke") from None
        except ProtocolViolation as violation:
            raise GuardianGone(f"it speaks nonsense: {violation}") from None
        if isinstance(answer, Refused):
            raise GuardianGone(answer.text)
        return answer

    async def _hear(self) -> FromGuardian:
        while not self._pending:
            data = await self._stream.receive_some(READ_BYTES)
            if not data:
                raise GuardianGone("it closed the connection")
            self._pending += [decode_from_guardian(body) for body in self._frames.feed(bytes(data))]
        return self._pending.pop(0)

    async def greet(self) -> None:
        answer = await self.ask(Hello(version=VERSION, role=DAEMON_ROLE), GREET_S)
        if not isinstance(answer, Met):
            raise GuardianGone(f"expected Met, was {type(answer).__name__}")
        self.pid = answer.pid

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self._stream)


async def connect(path: Path) -> GuardianLink | None:
    """A greeted connection, None if nobody listens there; GuardianGone if somebody does and does not greet."""
    try:
        with trio.fail_after(CONNECT_S):
            stream = await trio.open_unix_socket(str(path))
    except (OSError, trio.TooSlowError):
        return None
    link = GuardianLink(stream)
    try:
        await link.greet()
    except BaseException:
        with trio.move_on_after(1, shield=True):
            await link.aclose()
        raise
    return link
