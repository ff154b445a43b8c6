"""The signals that ask a process of ours to end."""

from __future__ import annotations

import signal


def ending() -> tuple[signal.Signals, ...]:
    """To be asked before any of them is listened to: a SIGHUP that we were started to ignore (`nohup`) is none."""
    asked = (signal.SIGINT, signal.SIGTERM)
    return asked if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (*asked, signal.SIGHUP)
