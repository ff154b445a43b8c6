"""The command line of the terminal: `hlomm tui`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from hlomm.cli.options import reporting
from hlomm.domain.faults import UsageError

VIEWER_HELP: Final = (
    "Look only: the daemon refuses every command from this terminal. For somebody who logs in to look: "
    '`command="hlomm tui --viewer",restrict,pty` before the key in authorized_keys.'
)


@click.command()
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    default=("sim",),
    show_default=True,
    help="Whose state directory to look in; repeatable.",
)
@click.option(
    "--state-dir",
    "state_dirs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Where journal and socket live. Repeat it for several daemons in one terminal: d goes to the next, K kills "
    "the one that is shown, X all of them.",
)
@click.option(
    "--socket", "sockets", multiple=True, type=click.Path(path_type=Path), help="A daemon's socket itself; repeatable."
)
@click.option("--viewer", is_flag=True, help=VIEWER_HELP)
@click.option("--serve", default=None, metavar="HOST:PORT", help="Show it in a browser instead, read-only.")
@click.option("--operator", is_flag=True, help="With --serve: commands too, for whoever has the key in the address.")
@click.option("--beyond-loopback", is_flag=True, help="With --serve: let other machines look in as well.")
@click.option("--screenshot", type=click.Path(path_type=Path), default=None, help="Write one picture (SVG) and end.")
@click.option("--size", default="120x40", show_default=True, metavar="WxH", help="With --screenshot: in characters.")
@click.option("--press", default="", metavar="KEYS", help="With --screenshot: keys first, with commas (`i`, `enter`).")
@reporting
def tui(
    *, profiles: tuple[str, ...], state_dirs: tuple[Path, ...], sockets: tuple[Path, ...], viewer: bool,
    serve: str | None, operator: bool, beyond_loopback: bool, screenshot: Path | None, size: str, press: str,
) -> None:  # fmt: skip
    """Look in: the terminal. Leaving it never touches trading."""
    from hlomm.cli import terminal

    if viewer and operator:
        raise UsageError("--viewer and --operator: choose one")
    if serve is None and (operator or beyond_loopback):
        raise UsageError("--operator and --beyond-loopback go with --serve")
    places = terminal.places_of(profiles, state_dirs, sockets)
    if screenshot is not None:
        columns, _, rows = size.partition("x")
        if serve is not None or not (_extent(columns) and _extent(rows)):
            raise UsageError("--screenshot goes without --serve, and with a --size such as 120x40, at most 999x999")
        terminal.screenshot_command(places, viewer=viewer, file=screenshot, size=(int(columns), int(rows)), press=press)
    elif serve is None:
        alone = len(places) == 1
        starter = terminal.starter_for(profiles[0], next(iter(state_dirs), None), next(iter(sockets), None))
        terminal.tui_command(places, starter=starter if alone else None, viewer=viewer)
    else:
        terminal.serve_command(places, serve=serve, operator=operator, beyond_loopback=beyond_loopback)


def _extent(text: str) -> bool:
    return len(text) <= 3 and text.isdecimal() and int(text) > 0
