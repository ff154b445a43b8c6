"""What the commands share: their options, and how they end."""

from __future__ import annotations

import errno
import io
import math
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from hlomm.domain.exits import ExitCode, exit_code_of
from hlomm.domain.faults import HlommError

F = TypeVar("F", bound=Callable[..., Any])


def reporting(command: F) -> F:
    """Turn our errors into one line on stderr and the exit code they stand for."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except HlommError as error:
            _end(str(error), exit_code_of(error))
        except UnicodeEncodeError as error:  # bytes of the command line or of a path that are no text
            _end(f"{error.object[:80]!a} is not UTF-8 text: give it another name", ExitCode.USAGE)
        except OSError as error:
            _refused(error)

    return wrapped  # type: ignore[return-value]


def _refused(error: OSError) -> None:
    """End over what the system does not do, unless that is only that whoever read has left."""
    if error.errno == errno.EPIPE:  # nothing to tell
        raise error
    where = "the output" if error.filename is None else os.fsdecode(error.filename)
    if error.filename is None:
        silence(1)
    _end(f"{where}: {error.strerror or error}", ExitCode.USAGE)


def _end(text: str, code: ExitCode) -> None:
    try:
        click.echo(f"hlomm: {text}", err=True)
    except OSError:  # the exit code must not depend on whether anybody can be told why
        silence(2)
    sys.exit(int(code))


def silence(fd: int) -> None:
    """Send a standard stream that takes nothing nowhere: what is in its buffer would fail again as the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, fd)
    os.close(nowhere)


def config_options(command: F) -> F:
    for option in reversed(
        (
            click.option("--profile", default="sim", show_default=True, help="sim, paper, testnet or mainnet."),
            click.option(
                "--config", "config_files", multiple=True, type=click.Path(path_type=Path),
                help="TOML file over the defaults; repeatable.",
            ),
            click.option("--set", "sets", multiple=True, metavar="A.B=V", help="One setting; repeatable."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


class Span(click.FloatRange):
    """Numbers between two bounds. `nan` is none, though no comparison finds it out of bounds; neither is `inf`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return found


def _have_streams() -> None:
    """Put nothing in the place of a standard stream that was closed before we came (`2>&-`, some supervisors).

    The next file that is opened would have its number, a journal or a socket, and take whatever is printed to it.
    """
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)  # the least number that is free
            if nowhere == fd:
                os.set_inheritable(fd, True)
            setattr(sys, name, os.fdopen(nowhere, "w" if fd else "r", encoding="utf-8"))


class Group(click.Group):
    """Keeps commands in the order they are declared: the way a newcomer meets them."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """What the terminal's encoding lacks is printed as `?`: a dash must not end `hlomm explain`."""
        _have_streams()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        try:
            return super().main(*args, **kwargs)
        except OSError as error:  # of help, and of what click says of a mistake
            _refused(error)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.commands)


STATE_DIR = click.option(
    "--state-dir", type=click.Path(path_type=Path), default=None, help="Where journal and socket live."
)
SOCKET = click.option("--socket", type=click.Path(path_type=Path), default=None, help="The daemon's socket itself.")
PROFILE = click.option("--profile", default="sim", show_default=True, help="Whose state directory to look in.")
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")

PASSWORD_FD = click.option(
    "--password-fd", type=click.IntRange(min=0), default=None, metavar="N",
    help="Read the password of the keys from this file descriptor.",
)  # fmt: skip


def _named(context: click.Context, option: click.Parameter, folder: Path | None) -> Path | None:
    """The folder; a variable says it as it does for a run, perhaps in TOML's quotes."""
    assert option.name is not None
    if folder is None or context.get_parameter_source(option.name) is not ParameterSource.ENVIRONMENT:
        return folder
    from hlomm.settings.load import text_value

    return Path(text_value(str(folder)))


KEYSTORE = click.option(
    "--keystore", type=click.Path(path_type=Path), default=None, envvar="HL_OMM__KEYS__FOLDER", callback=_named,
    help="Folder of the keys, if keys.folder of your configuration names one (its variable counts by itself).",
)  # fmt: skip


def key_options(command: F) -> F:
    """Which key."""
    return _with(
        command,
        click.argument("venue"),
        click.option("--role", default="engine", show_default=True, help="engine, guardian, or api (Polymarket)."),
        click.option("--network", required=True, help="mainnet or testnet (Kalshi: its demonstration)."),
        KEYSTORE,
    )


def new_key_options(command: F) -> F:
    """What a new key is made of."""
    return _with(
        command,
        click.option("--from", "source", default=None, metavar="FILE", help="Where the key is; - is standard input."),
        click.option(
            "--from-password-fd",
            type=click.IntRange(min=0),
            default=None,
            metavar="N",
            help="Password of FILE, if it is encrypted with another than the keystore's.",
        ),
        click.option("--key-id", default="", help="Kalshi: id of the API key, as the venue shows it."),
        click.option("--expires", default="", metavar="DAY", help="When the venue stops taking it, as 2027-05-31."),
        PASSWORD_FD,
    )


def _with(command: F, *options: Callable[[F], F]) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def finish(code: ExitCode) -> None:
    if code is not ExitCode.CLEAN:
        sys.exit(int(code))
