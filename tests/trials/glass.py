"""What a person sees: characters on a terminal of a given size, from the bytes that a program wrote to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import pyte
import trio

from tests.trials.conftest import POLL_S

_UNREAD: Final = re.compile(rb"\x1b\[[?>=<][0-9;]*(?:\$[a-zA-Z]|u)|\x1b\[[0-9;]*\$[a-zA-Z]")
"""Questions about the terminal and modes of its keyboard, which pyte would take for text."""
_TAIL: Final = re.compile(rb"\x1b[^a-zA-Z]*$")
"""The beginning of a sequence that goes on in the next bytes."""


class Glass:
    def __init__(self, columns: int, rows: int) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._rest = b""

    def feed(self, data: bytes) -> None:
        data = self._rest + data
        tail = _TAIL.search(data)
        self._rest = tail.group() if tail else b""
        self._stream.feed(_UNREAD.sub(b"", data[: len(data) - len(self._rest)]))

    def resize(self, columns: int, rows: int) -> None:
        self._screen.resize(rows, columns)

    @property
    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self._screen.display)

    async def until(self, *words: str, within_s: float = 20.0) -> str:
        """The text once every word stands there; what was there instead, if it never does."""
        await self.holds(lambda text: all(word in text for word in words), f"{words}", within_s)
        return self.text

    async def holds(self, what: Callable[[str], bool], called: str, within_s: float = 20.0) -> None:
        with trio.move_on_after(within_s):
            while not what(self.text):
                await trio.sleep(POLL_S)
            return
        raise AssertionError(f"never saw {called}; last:\n{self.text}")

    async def prices_change(self, times: int = 3) -> None:
        """The prices beside a market's name are other ones, again and again."""
        seen: set[tuple[str, ...]] = set()
        with trio.move_on_after(30):
            while len(seen) <= times:
                rows = tuple(row for row in self.text.split("\n") if "BTC≥" in row)
                seen.add(tuple(" ".join(re.findall(r"\.\d{4}", row)) for row in rows))
                await trio.sleep(POLL_S)
            return
        raise AssertionError(f"the prices stand still:\n{self.text}")
