"""Loggers that forget: a command that runs inside a test sets them up for its whole process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog


@contextmanager
def as_before() -> Iterator[None]:
    """A logger that was used keeps the level and the stream that it had then, unless it is made to forget them."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
    for module in list(sys.modules.values()):
        log = vars(module).get("_log")
        if log is not None and module.__name__.startswith("hlomm"):
            vars(log).pop("bind", None)
