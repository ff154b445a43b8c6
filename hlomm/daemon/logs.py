"""Logs: one rich line per event, on stderr; colours on a terminal, JSON elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping

import structlog

from hlomm.daemon.log_ring import tee

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
_METHODS = {**_LEVELS, "error": logging.ERROR}


_always: dict[str, object] = {}
"""What every line says: which profile, and what is armed."""


def say_always(**said: object) -> None:
    """From now on in every line of this process; a terminal has it in its bar."""
    _always.clear()
    _always.update(said)


def _with_standing(logger: object, method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    del logger, method
    return {**event, **_always}


class _Logger(structlog.PrintLogger):
    """Knows the name it was asked for by: the part of the program that speaks."""

    def __init__(self, area: str) -> None:
        super().__init__(sys.stderr)
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


def _logger(*names: str) -> _Logger:
    return _Logger(names[0] if names else "hlomm")


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
        logger_factory=_logger,
        cache_logger_on_first_use=True,
    )
