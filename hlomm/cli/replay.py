"""`hlomm replay`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hlomm.domain.exits import ExitCode
from hlomm.research.replay import replay


def replay_command(path: Path, *, until: int | None, sets: tuple[str, ...], as_json: bool) -> ExitCode:
    result = replay(path, until=until, sets=sets)
    if as_json:
        click.echo(json.dumps(result.document()))
    else:
        click.echo(result.text())
    return ExitCode.CLEAN if result.identical and result.corrupt is None else ExitCode.DIVERGED
