"""`hlomm config show`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from hlomm.settings.load import Tree, load


def show(profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], *, as_json: bool) -> None:
    loaded = load(profile, config_files, sets)
    rows = [(key, value, loaded.origins[key]) for key, value in _leaves(loaded.tree, "")]
    if as_json:
        click.echo(json.dumps({key: {"value": value, "origin": origin} for key, value, origin in rows}))
        return
    for key, value, origin in rows:
        click.echo(f"{key} = {json.dumps(value)}   # {origin}")


def _leaves(tree: Tree, prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
