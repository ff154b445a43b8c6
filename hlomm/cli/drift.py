"""`hlomm drift`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hlomm.domain.exits import ExitCode
from hlomm.research.drift.drifting import drift


def drift_command(path: Path, *, as_json: bool) -> ExitCode:
    found = drift(path)
    click.echo(json.dumps(found.document()) if as_json else found.text())
    return ExitCode.CLEAN if found.sound else ExitCode.DIVERGED
