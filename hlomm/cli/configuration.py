"""`hlomm config show`, `init` and `schema`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hlomm.cli.venues import configured
from hlomm.domain.faults import UsageError
from hlomm.settings.load import leaves
from hlomm.settings.starting import own_file, schema


def show(profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], *, as_json: bool) -> None:
    loaded = configured(profile, config_files, sets)
    rows = [(key, value, loaded.origins[key]) for key, value in leaves(loaded.tree)]
    if as_json:
        click.echo(json.dumps({key: {"value": value, "origin": origin} for key, value, origin in rows}))
        return
    for key, value, origin in rows:
        click.echo(f"{key} = {json.dumps(value)}   # {origin}")


def init(file: Path) -> None:
    """UsageError rather than touch a file that is there."""
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(own_file())
    except FileExistsError:
        raise UsageError(f"{file} exists: name another file, or move it away") from None
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from None
    click.echo(f"{file}: every setting with its default, commented out; check it with "
               f"`hlomm config check --config {file}`", err=True)  # fmt: skip


def print_schema() -> None:
    click.echo(json.dumps(schema(), indent=1))
