"""One message to people: plain text that no service reads as anything else; and how the services do."""

from __future__ import annotations

import re
from typing import Final

import attrs

from hlomm.domain.outputs import AlertLevel

LINE_MAX: Final = 600
"""Of one line: a text message of a telephone takes about as much."""
_MENTION: Final = re.compile(r"[@<](?=[\w!&@#])")


@attrs.frozen(kw_only=True)
class Message:
    level: AlertLevel
    code: str
    """Stable; what RUNBOOK.md says of it."""
    title: str
    body: str
    over: bool = False
    """Good news: what `code` stands for has ended."""


@attrs.frozen(kw_only=True)
class Health:
    """How one service does. There is nothing secret in it."""

    number: int
    """From 1, in the order of the URLs."""
    scheme: str
    why: str = ""
    """Why the last attempt failed; empty if it did not."""
    failing_s: float = 0.0
    """Since the first of the failures in a row."""
    waiting: int = 0
    sent: int = 0
    lost: int = 0


def one_line(text: str) -> str:
    """Without line breaks and control characters, bounded, and with nobody called by it.

    Names of markets and refusals of venues are other people's texts: `@everyone` in one must not ring.
    """
    plain = "".join(char if char.isprintable() else " " for char in text)
    quiet = _MENTION.sub(lambda found: f"{found[0]}\u200b", " ".join(plain.split()))
    return quiet if len(quiet) <= LINE_MAX else f"{quiet[: LINE_MAX - 1]}…"
