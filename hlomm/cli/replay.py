"""`hlomm replay`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hlomm.domain.exits import ExitCode
from hlomm.research.replay import Segment, replay_segments, segments_of
from hlomm.rundir.bundle_file import is_bundle, run_members


def replay_command(path: Path, *, until: int | None, sets: tuple[str, ...], as_json: bool) -> ExitCode:
    segments = bundled(path) if is_bundle(path) else segments_of(path)
    result = replay_segments(segments, until=until, sets=sets)
    if as_json:
        click.echo(json.dumps(result.document()))
    else:
        click.echo(result.text())
    return ExitCode.CLEAN if result.identical and result.corrupt is None else ExitCode.DIVERGED


def bundled(path: Path, epoch_ms: int | None = None) -> list[Segment]:
    """The newest run in a bundle, or that one, to be replayed."""
    return [Segment(member.name, member.read) for member in run_members(path, epoch_ms)]
