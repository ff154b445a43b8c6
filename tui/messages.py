"""What reaches the app from elsewhere."""

from __future__ import annotations

from textual.message import Message

from tui.client import Event, Pictured


class FromLink(Message):
    """An event of the link. A snapshot that waits behind an older one replaces it: only the newest is worth drawing."""

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event

    def can_replace(self, message: Message) -> bool:
        return (
            isinstance(message, FromLink) and isinstance(self.event, Pictured) and isinstance(message.event, Pictured)
        )
