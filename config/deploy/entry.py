"""First process of a container: starts hlomm, hands signals on, and waits for whoever is left.

A container ends with its first process, and everything in it. The guardian has to outlive a daemon that was killed, so
the first process must be another one, and stay until the guardian is done.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from types import FrameType

_PR_SET_CHILD_SUBREAPER = 36


def main(arguments: list[str]) -> int:
    """Exit code of `arguments`, once nobody is left; 128 + n where signal n ended it."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = os.posix_spawnp(arguments[0], arguments, os.environ)

    def hand_on(number: int, frame: FrameType | None) -> None:
        del frame
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    code = None
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, hand_on)
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            break
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # that number may be another process soon
    assert code is not None, "the child was waited for"
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(["hlomm", *sys.argv[1:]]))
