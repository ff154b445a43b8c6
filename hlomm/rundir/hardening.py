"""What a process that holds keys does first: its memory is written to no file when it crashes.

No core file (a limit of zero), and not dumpable: then no core goes to a collector either, and no other process of this
user may attach to it or read its memory or environment. Linux.
"""

from __future__ import annotations

import ctypes
import resource
from typing import Final

_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4


def no_core_dumps() -> tuple[str, ...]:
    """Switch them off for this process and its children (who set the second part for themselves); what failed."""
    failed = []
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (OSError, ValueError) as error:
        failed.append(f"core limit: {error}")
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError) as error:
        return (*failed, f"prctl: {error}")
    if prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 or prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != 0:
        failed.append("prctl: still dumpable")
    return tuple(failed)
