"""What passes between the app and its link."""

from __future__ import annotations

from typing import Protocol

from textual.message import Message

from hlomm.domain.inputs import OperatorAction
from tui.client import Event, Pictured
from tui.looked import Ask


class FromLink(Message):
    """An event of the link. A snapshot that waits behind an older one replaces it: only the newest is worth drawing."""

    def __init__(self, event: Event, place: int = 0) -> None:
        """`place`: of its daemon among those of the terminal."""
        super().__init__()
        self.event = event
        self.place = place

    def can_replace(self, message: Message) -> bool:
        return (
            isinstance(message, FromLink)
            and message.place == self.place
            and isinstance(self.event, Pictured)
            and isinstance(message.event, Pictured)
        )


class Link(Protocol):
    """What the app needs of the client; tests put a recording in its place."""

    async def run(self) -> None: ...

    def command(self, action: OperatorAction, reason: str = "", target: str = "") -> int | None: ...

    @property
    def look(self) -> Ask: ...
