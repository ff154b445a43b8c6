"""`hlomm shadow`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Final

import click

from hlomm.domain.exits import ExitCode
from hlomm.research.fill_model import fill_model
from hlomm.research.latency import parse_latency
from hlomm.research.shadow.following import Following
from hlomm.research.shadow.ledger import shadows, text
from hlomm.settings.paths import state_paths

EVERY_S: Final = 1.0


def list_command(state_dir: Path | None, *, profile: str, as_json: bool) -> ExitCode:
    found = shadows(state_paths(state_dir, profile).ledger)
    if as_json:
        click.echo(json.dumps(found))
    else:
        click.echo("\n".join(map(text, found)) or "no shadow is on record")
    return ExitCode.CLEAN


def shadow_command(
    state_dir: Path | None, *, profile: str, name: str, config_files: tuple[Path, ...], sets: tuple[str, ...],
    queue: str, queue_n: float, latency: str, seed: int, follow: bool, as_json: bool,
) -> ExitCode:  # fmt: skip
    """Over the newest run of a state directory; with `follow` until Ctrl-C."""
    model = fill_model(queue, queue_n, parse_latency(latency, seed))
    following = Following(state_paths(state_dir, profile), name, model, config_files, sets)
    following.read(lambda seq: click.echo(f"record {seq}", err=True))
    try:
        while follow:
            time.sleep(EVERY_S)
            following.read()
    except KeyboardInterrupt:
        pass  # how one stops following; what was read is on record
    result = following.finish()
    click.echo(json.dumps(result.document()) if as_json else result.text())
    return ExitCode.CLEAN
