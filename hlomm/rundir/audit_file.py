"""The chain of operator actions on disk: `audit.log`, only ever appended to, each line synced before it counts.

Several processes may append (the daemon, and the guardian when it acts for an operator): a file lock orders them, and
whoever appends reads the end of the chain anew if another was there.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from hlomm.domain.audit import Action, Chain, Link, link_after, read_chain


class AuditFile:
    """Blocking: to be used from a thread wherever something must not wait."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._chain = Chain(links=())
        self._recorded: set[tuple[int | None, int | None]] = set()
        """Journal records that the chain tells of."""
        self._size = -1
        """Length of the file after our own last look."""

    def read(self) -> Chain:
        """The chain as it stands; OSError where the file cannot be read."""
        try:
            return read_chain(self._path.read_bytes())
        except FileNotFoundError:
            return Chain(links=())

    def append(self, actions: Sequence[Action]) -> list[Link]:
        """Tie actions to the end of the chain, those left out whose journal record it tells of already.

        OSError if the disk will not take them: then none of them counts. A chain that is broken is gone on with at its
        last sound link: what breaks it stays for people to look at.
        """
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            size = os.fstat(fd).st_size
            if size != self._size:
                self._look(os.pread(fd, size, 0))
            links = self._linked(actions)
            try:
                if links:
                    _write(fd, (b"\n" if self._chain.unfinished else b"") + b"".join(link.line() for link in links))
                    os.fsync(fd)
            except OSError:
                self._size = -1
                os.ftruncate(fd, size)
                raise
            self._remember(links, os.fstat(fd).st_size)
            return links
        finally:
            os.close(fd)

    def _look(self, data: bytes) -> None:
        self._chain = read_chain(data)
        self._recorded = {(link.action.epoch, link.action.seq) for link in self._chain.links}

    def _linked(self, actions: Sequence[Action]) -> list[Link]:
        (n, prev), known = self._chain.head, set(self._recorded)
        links: list[Link] = []
        for action in actions:
            record = (action.epoch, action.seq)
            if action.seq is not None and record in known:
                continue
            known.add(record)
            links.append(link_after(n, prev, action))
            n, prev = links[-1].n, links[-1].hash
        return links

    def _remember(self, links: Sequence[Link], size: int) -> None:
        if links:
            self._chain = Chain(links=(links[-1],))
            self._recorded.update((link.action.epoch, link.action.seq) for link in links)
        self._size = size


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
