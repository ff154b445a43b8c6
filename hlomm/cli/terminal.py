"""`hlomm tui`. The only place that knows the terminal; it hands it the means to start a simulator."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import attrs
import click

from hlomm.cli.client import socket_path
from hlomm.domain.faults import ConfigError, UsageError
from hlomm.settings.paths import StatePaths, state_paths
from tui.app import Terminal
from tui.starting import Starter

_PROFILE: Final = "sim"
_LAST_LINES_BYTES: Final = 4096


@attrs.define
class Spawned:
    """A daemon in a session of its own: closing the terminal, or its window, does not reach it."""

    _process: subprocess.Popen[bytes]
    _log: Path

    @property
    def pid(self) -> int:
        return self._process.pid

    def ending(self) -> str | None:
        code = self._process.poll()
        return None if code is None else f"exit code {code}, {_last_line(self._log) or 'without a word'}"


def tui_command(profile: str, state_dir: Path | None, socket: Path | None) -> None:
    """Run the terminal until the operator leaves it."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):  # Textual draws on stderr
        raise UsageError("`hlomm tui` needs a terminal — `hlomm status` prints the same figures once")
    path = socket_path(profile, state_dir, socket)
    farewell = Terminal(path, starter=starter_for(profile, state_dir, socket)).run()
    if farewell:
        click.echo(farewell)


def starter_for(profile: str, state_dir: Path | None, socket: Path | None) -> Starter | None:
    """How to start a simulator that this terminal will find; None where it would not be found."""
    if profile != _PROFILE or socket is not None:
        return None
    paths = state_paths(state_dir, profile)
    log = paths.root / "tui-run.log"
    command = [sys.executable, "-m", "hlomm.cli.main", "run", "--profile", _PROFILE, "--state-dir", str(paths.root)]
    return Starter(str(log), lambda: spawn(command, paths, log))


def spawn(command: list[str], paths: StatePaths, log: Path) -> Spawned:
    """Start it detached, with its output in a file."""
    paths.prepare()
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter with arguments of our own
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
    except OSError as error:
        raise ConfigError(f"cannot start {command[0]} with its log in {log}: {error.strerror or error}") from None
    return Spawned(process, log)


def _last_line(log: Path) -> str:
    """The last thing the log says."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - _LAST_LINES_BYTES, 0))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((text.strip() for text in reversed(lines) if text.strip()), "")
