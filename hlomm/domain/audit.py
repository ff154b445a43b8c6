"""The chain of operator actions: who did what, when, why, and what became of it, each line tied to the one before.

One line is one JSON object in a fixed order of keys; its hash covers the previous hash and every other byte of the
line. So a line that was changed, removed from the middle or moved breaks the chain at a place that can be named.
Lines taken off the end leave a shorter chain that is sound by itself: those are found by holding the chain against
the journal and the ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import attrs
import msgspec

GENESIS: Final = hashlib.sha256(b"hlomm audit 1").hexdigest()
"""What the first line is tied to."""


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One thing an operator did. `epoch` and `seq` name its journal record, None if none could be written."""

    at_ms: int
    """Wall time of the daemon when it was taken."""
    epoch: int | None
    seq: int | None
    action: str
    who: str
    """Uid and user name as the kernel tells them, the SSH origin as the client tells it."""
    reason: str
    target: str
    result: str
    """The halt state that followed, or the refusal."""
    late: bool = False
    """Chained from the journal afterwards: the run ended before it could be done at once."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    n: int
    prev: str
    action: Action
    hash: str = ""

    def line(self) -> bytes:
        """Canonical bytes, line end included."""
        return _ENCODER.encode(self) + b"\n"

    def due_hash(self) -> str:
        """What `hash` must be."""
        body = _ENCODER.encode(msgspec.structs.replace(self, hash=""))
        return hashlib.sha256(bytes.fromhex(self.prev) + body).hexdigest()


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Link, strict=True)


def link_after(n: int, prev: str, action: Action) -> Link:
    """The link that follows the one numbered `n` with hash `prev`."""
    bare = Link(n=n + 1, prev=prev, action=action)
    return msgspec.structs.replace(bare, hash=bare.due_hash())


@attrs.frozen(kw_only=True)
class Chain:
    """What a file of links says. Nothing of it is believed from `broken` on."""

    links: tuple[Link, ...]
    broken: str | None = None
    """Which line breaks the chain and how."""
    torn: tuple[str, ...] = ()
    """Unfinished lines, as a crash or a full disk leaves them: harmless, for the chain goes on around them."""
    unfinished: bool = False
    """The last line has no end: what is appended next must begin a new one."""

    @property
    def head(self) -> tuple[int, str]:
        """(number, hash) of the last link, GENESIS for an empty chain."""
        return (self.links[-1].n, self.links[-1].hash) if self.links else (0, GENESIS)


def read_chain(data: bytes) -> Chain:
    """Follow the chain line by line; never raises for damage, it reports it."""
    links: list[Link] = []
    torn: list[str] = []
    suspect: str | None = None
    head = (0, GENESIS)
    for number, line, ended in _lines(data):
        link = _parse(line)
        if link is None:
            torn.append(f"line {number} is unfinished ({len(line)} bytes)")
            if ended and suspect is None:
                suspect = f"line {number} is no link"
            continue
        wrong = _wrong(link, line, head)
        if wrong is not None:
            return Chain(links=tuple(links), broken=f"line {number}: {wrong}", torn=tuple(torn))
        suspect = None  # the chain went on around it: it was a torn line and not a link that was defaced
        head = (link.n, link.hash)
        links.append(link)
    return Chain(
        links=tuple(links), broken=suspect, torn=tuple(torn), unfinished=bool(data) and not data.endswith(b"\n")
    )


def _lines(data: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """(number, bytes, whether it has its line end)."""
    parts = data.split(b"\n")
    for number, part in enumerate(parts, 1):
        if part or number < len(parts):
            yield number, part, number < len(parts)


def _parse(line: bytes) -> Link | None:
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _wrong(link: Link, line: bytes, head: tuple[int, str]) -> str | None:
    n, previous = head
    if link.n != n + 1:
        return f"is link {link.n}, expected link {n + 1}: lines are missing or were moved"
    if link.prev != previous:
        return f"link {link.n} is not tied to the line before it"
    if link.hash != link.due_hash() or _ENCODER.encode(link) != line:
        return f"link {link.n} was changed: its hash does not fit"
    return None
