"""Logs: one rich line per event, on stderr; colours on a terminal, JSON elsewhere.

Whoever reads them may go away (the end of an SSH session, of a pipe), stand still (Ctrl-S, a pager) or have a full
disk. That costs lines and nothing else: every step to safety says what it does, and none may fail over saying it.
"""

from __future__ import annotations

import logging
import os
import select
import sys
from collections.abc import Mapping, MutableMapping
from functools import partial
from typing import Final, TextIO

import structlog

from hlomm.daemon.log_ring import tee

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
_METHODS = {**_LEVELS, "error": logging.ERROR}


PATIENCE_MS: Final = 50
"""How long a reader that takes nothing holds up what speaks; then nobody waits until it reads on."""

_always: dict[str, object] = {}
"""What every line says: which profile, and what is armed."""


def say_always(**said: object) -> None:
    """From now on in every line of this process; a terminal has it in its bar."""
    _always.clear()
    _always.update(said)


def _with_standing(logger: object, method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    del logger, method
    return {**event, **_always}


class Readers:
    """A text stream that loses lines which nobody takes: it raises nothing and waits for nobody.

    It writes past the buffers of `file`, which would keep what could not be written and fail over it again at the end.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._parts: list[str] = []
        self._poll: select.poll | None = None
        self._stuck = False
        self.lost = 0
        try:
            self._fd = file.fileno()
        except (OSError, ValueError):
            return  # one that is not of the system: it takes everything
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLOUT)

    def write(self, text: str) -> int:
        self._parts.append(text)
        return len(text)

    def flush(self) -> None:
        text, self._parts = "".join(self._parts), []
        try:
            if self._poll is None:
                self._file.write(text)
                self._file.flush()
            else:
                self._say(self._poll, text.encode(errors="backslashreplace"))
        except (OSError, ValueError):  # gone, full, or closed
            self.lost += 1

    def _say(self, poll: select.poll, data: bytes) -> None:
        left = memoryview(data)
        while left:
            # One that has hung up is ready too, and the write then tells.
            self._stuck = not poll.poll(0 if self._stuck else PATIENCE_MS)
            if self._stuck:
                self.lost += 1
                return
            # No more than a pipe that is ready certainly takes: more could wait for its reader.
            left = left[os.write(self._fd, left[: select.PIPE_BUF]) :]


class _Logger(structlog.PrintLogger):
    """Knows the name it was asked for by: the part of the program that speaks."""

    def __init__(self, area: str, file: TextIO) -> None:
        super().__init__(file)
        self.area = area


class _Areas:
    """Drops what is below the level of its area: that of the longest name it lies under."""

    def __init__(self, level: int, areas: Mapping[str, int]) -> None:
        self._level = level
        self._areas = sorted(areas.items(), key=lambda one: -len(one[0]))

    def __call__(
        self, logger: object, method: str, event: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:  # fmt: skip
        name = getattr(logger, "area", "hlomm").removeprefix("hlomm.")
        under = (level for area, level in self._areas if name == area or name.startswith(f"{area}."))
        if _METHODS.get(method, logging.CRITICAL) < next(under, self._level):
            raise structlog.DropEvent
        return event


def _logger(readers: Readers, *names: str) -> _Logger:
    return _Logger(names[0] if names else "hlomm", readers)  # type: ignore[arg-type]  # all that is asked of a file


def configure(level: str, areas: Mapping[str, str] | None = None) -> None:
    """Once per process, by the command that runs in it. `areas`: other levels for parts of the program."""
    chosen = {area: _LEVELS[name] for area, name in (areas or {}).items()}
    pretty = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        # Its own choice is a traceback with the locals of every frame, and locals may be keys.
        structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer(default=str)
    )
    structlog.configure(
        processors=[
            *([_Areas(_LEVELS[level], chosen)] if chosen else []),
            tee,
            _with_standing,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if pretty else "iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            min(_LEVELS[level], *chosen.values()) if chosen else _LEVELS[level]
        ),
        logger_factory=partial(_logger, Readers(sys.stderr)),
        cache_logger_on_first_use=True,
    )
