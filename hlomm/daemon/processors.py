"""Which processors the event loop keeps to (`daemon.cpus`), and what else is kept off them.

Affinity belongs to a thread, and a thread or a process begins with that of whoever began it. So pinning the event loop
would squeeze everything else onto the same core, each thread that syncs the journal or writes the ledger and the
guardian too. The other threads of this process are therefore looked for every second and moved to the processors that
are left; a process that is started may run anywhere, like this one before it was pinned.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import attrs
import structlog
import trio

from hlomm.domain.faults import ConfigError

_log = structlog.get_logger("hlomm")

EVERY_S: Final = 1.0
_THREADS: Final = Path("/proc/self/task")


@attrs.frozen
class Processors:
    """`loop`: those of the event loop, none if the scheduler chooses. `allowed`: those of this process."""

    loop: tuple[int, ...]
    allowed: tuple[int, ...]

    @classmethod
    def of(cls, wanted: Sequence[int]) -> Self:
        """ConfigError that names what is not there; the system is asked, and nothing is changed."""
        if not wanted:
            return cls((), ())
        if not hasattr(os, "sched_setaffinity"):
            raise ConfigError("daemon.cpus: this system pins nothing; leave it empty")
        allowed = os.sched_getaffinity(0)
        absent = sorted(set(wanted) - allowed)
        if absent:
            raise ConfigError(
                f"daemon.cpus: {_listed(absent)} is not among the processors that this process may use: "
                f"{_listed(sorted(allowed))}"
            )
        found = cls(tuple(sorted(set(wanted))), tuple(sorted(allowed)))
        try:
            os.sched_setaffinity(0, found.loop)
            os.sched_setaffinity(0, allowed)
        except OSError as error:
            raise ConfigError(f"daemon.cpus: pinning is refused: {error.strerror or error}; leave it empty") from None
        return found

    @property
    def others(self) -> tuple[int, ...]:
        """For every other thread: off the loop's core, if there is another."""
        return tuple(cpu for cpu in self.allowed if cpu not in self.loop) or self.allowed

    def __str__(self) -> str:
        if not self.loop:
            return "the scheduler chooses"
        return f"the event loop keeps to {_listed(self.loop)}, its threads to {_listed(self.others)}"

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """The calling thread, which is the event loop's."""
        if not self.loop:
            yield
            return
        os.sched_setaffinity(0, self.loop)
        _log.info("pinned", processors=str(self))
        try:
            yield
        finally:
            _move(0, self.allowed)

    async def keep(self, note: Callable[[str], None]) -> None:
        """Put it on record, and move the other threads off the loop's core again and again: they come and go."""
        if not self.loop:
            return
        note(str(self))
        own = threading.get_native_id()
        while True:
            if not all(_move(thread, self.others) for thread in _threads() if thread != own):
                return
            await trio.sleep(EVERY_S)

    def release(self, process: int) -> None:
        """Let a process that was started from here run wherever this one could."""
        if self.loop:
            _move(process, self.allowed)


def _threads() -> list[int]:
    return [int(entry.name) for entry in _THREADS.iterdir()]


def _move(thread: int, cpus: Sequence[int]) -> bool:
    """Whether that works here: processors may be taken away from a running process, and trading goes on without."""
    try:
        os.sched_setaffinity(thread, cpus)
    except ProcessLookupError:
        return True  # it has ended
    except OSError as error:
        _log.warning("not_moved", why=error.strerror or str(error), next="threads stay where they are; daemon.cpus")
        return False
    return True


def _listed(cpus: Sequence[int]) -> str:
    return ", ".join(map(str, cpus))
