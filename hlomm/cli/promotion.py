"""`hlomm report DIR --promotion`: criteria from the configuration, facts from the ledger, and no decision."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hlomm.domain.exits import ExitCode
from hlomm.research.promotion import records
from hlomm.settings.load import load
from hlomm.settings.paths import StatePaths


def promotion_command(
    path: Path, *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], as_json: bool
) -> ExitCode:
    """One account below the other: nothing is added up over accounts."""
    asked = load(profile, config_files, sets).settings.canary
    found = records(path if path.suffix == ".sqlite" else StatePaths(path).ledger)
    if as_json:
        click.echo(json.dumps([one.document(asked) for one in found]))
    else:
        click.echo("\n".join(one.text(asked) for one in found) or "nothing has been traded here")
    return ExitCode.CLEAN
