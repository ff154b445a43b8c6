"""`hlomm tui`. The only place that knows the terminal; it hands it the means to start a simulator."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs
import click
from textual.pilot import Pilot

from hlomm.cli.client import how_to_start
from hlomm.domain.faults import ConfigError, UsageError
from hlomm.link.protocol import Access
from hlomm.settings.paths import StatePaths, state_paths
from tui.app import Terminal
from tui.places import MOST, Place, names
from tui.starting import Starter
from tui.theme import MANY

_PROFILE: Final = "sim"
_WEB_DRIVER: Final = "textual.drivers.web_driver:WebDriver"
"""Where textual-serve has a terminal draw itself."""
_PICTURE_S: Final = 10.0
_PICTURE_POLL_S: Final = 0.1
_PICTURE_SETTLE_S: Final = 1.0
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


def places_of(profiles: Sequence[str], state_dirs: Sequence[Path], sockets: Sequence[Path]) -> list[Place]:
    """The daemons that the command line names, in its order, each with a name of its own where there are several.

    As everywhere, what lies where is said by a socket, else by a state directory, else by the profile's. UsageError
    for what cannot be meant: ways mixed, one daemon twice, more than there are keys.
    """
    ways = [each for each in (sockets, state_dirs, profiles[1:]) if each]
    if len(ways) > 1 and max(map(len, (sockets, state_dirs, profiles))) > 1:
        raise UsageError("several daemons are named in one way: repeat --state-dir, or --socket, or --profile")
    found: dict[Path, str]
    if sockets:
        found = {path.absolute(): f"--socket {_quoted(path.absolute())}" for path in sockets}
    elif state_dirs:
        roots = [state_paths(path, profiles[0]) for path in state_dirs]
        found = {paths.socket: f"--state-dir {_quoted(paths.root)}" for paths in roots}
    else:
        found = {state_paths(None, name).socket: f"--profile {shlex.quote(name)}" for name in profiles}
    named = len(sockets) or len(state_dirs) or len(profiles)
    if len({os.path.realpath(path) for path in found}) < named:
        raise UsageError("a daemon is named twice: each is shown once")
    if named > MOST:
        raise UsageError(f"{named} daemons: one terminal shows {MOST} at most")
    if named == 1:
        return [Place(next(iter(found)))]
    return [Place(path, name, found[path]) for path, name in zip(found, names(list(found)), strict=True)]


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def tui_command(places: Sequence[Place], *, starter: Starter | None, viewer: bool) -> None:
    """Run the terminal until the operator leaves it."""
    browser = os.environ.get("TEXTUAL_DRIVER") == _WEB_DRIVER
    if not (browser or (sys.stdin.isatty() and sys.stderr.isatty())):  # Textual draws on stderr
        raise UsageError("`hlomm tui` needs a terminal — `hlomm status` prints the same figures once")
    access = Access.VIEWER if viewer else Access.OPERATOR
    may_start = None if viewer or browser else starter
    farewell = Terminal(places, starter=may_start, access=access, by="browser" if browser else "").run()
    if farewell and not browser:
        click.echo(farewell)


def serve_command(places: Sequence[Place], *, serve: str, operator: bool, beyond_loopback: bool) -> None:
    """The same in a browser, read-only unless told otherwise."""
    from hlomm.cli import serving

    address = serving.Address.parse(serve)
    if not address.loopback and not beyond_loopback:
        raise UsageError(
            f"--serve {serve} lets other machines in: use 127.0.0.1 and a tunnel (ssh -L), or say --beyond-loopback"
        )
    if operator and not address.loopback:
        raise UsageError("an operator's terminal is served on loopback only: use 127.0.0.1 and a tunnel (ssh -L)")
    sockets = [word for place in places for word in ("--socket", str(place.socket))]
    command = [sys.executable, "-P", "-m", "hlomm.cli.main", "tui", *sockets]
    serving.serve(shlex.join(command if operator else [*command, "--viewer"]), address, operator=operator)


def screenshot_command(places: Sequence[Place], *, viewer: bool, file: Path, size: tuple[int, int], press: str) -> None:
    """What the terminal would show now, as a picture (SVG); UsageError if the first daemon does not answer."""
    app = Terminal(places, access=Access.VIEWER if viewer else Access.OPERATOR)
    app.theme = MANY.name  # a picture has all colours, whatever this runs in
    pictures: list[str] = []

    async def look(pilot: Pilot[object]) -> None:
        try:
            async with asyncio.timeout(_PICTURE_S):
                while app.store.live is None:
                    await pilot.pause(_PICTURE_POLL_S)
        except TimeoutError:
            pass
        else:
            await pilot.press(*(key for key in press.split(",") if key))
            await pilot.pause(_PICTURE_SETTLE_S)
            pictures.append(app.export_screenshot(title=f"hlomm tui — {app.store.live.profile}"))
        app.exit()

    app.run(headless=True, size=size, auto_pilot=look)
    if not pictures:
        raise UsageError(f"no daemon answers at {app.store.socket} — {how_to_start(Path(app.store.socket))}")
    try:
        file.write_text(pictures[0], encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from None


def starter_for(profile: str, state_dir: Path | None, socket: Path | None) -> Starter | None:
    """How to start a simulator that this terminal will find; None where it would not be found."""
    if profile != _PROFILE or socket is not None:
        return None
    paths = state_paths(state_dir, profile)
    log = paths.root / "tui-run.log"
    command = [
        sys.executable, "-P", "-m", "hlomm.cli.main", "run", "--profile", _PROFILE, "--state-dir", str(paths.root),
    ]  # fmt: skip
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
