"""Each side of a measurement on a processor of its own, as on two machines.

A venue is somewhere else in truth. Left to the scheduler, its process is woken on the very core whose send wakes it,
and that send lasts as long as the venue has to do: on two processors a third of the time from a book to an order, which
no order at a real venue would take.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

_ALLOWED: Final = tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()
"""Processors of this process, before anything was pinned."""
OURS: Final = _ALLOWED[-1:] if len(_ALLOWED) > 1 else ()
"""Of what is measured; none where there is only one, or where nothing can be pinned."""
THEIRS: Final = _ALLOWED[:-1] if OURS else ()
"""Of whoever is talked to."""


def send_away(process: int) -> None:
    """Keep a process off the processor of what is measured."""
    if THEIRS:
        with suppress(ProcessLookupError):  # it has ended, and will be missed elsewhere
            os.sched_setaffinity(process, THEIRS)


@contextmanager
def alone() -> Iterator[None]:
    """The calling thread on that processor."""
    if not OURS:
        yield
        return
    os.sched_setaffinity(0, OURS)
    try:
        yield
    finally:
        os.sched_setaffinity(0, _ALLOWED)
