"""`hlomm shadow`."""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import click

from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError
from hlomm.research.fill_model import fill_model
from hlomm.research.latency import parse_latency
from hlomm.research.shadow.following import Followed, Following
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
    """Over the newest run of a state directory; with `follow` until SIGINT or SIGTERM, and over what runs later."""
    model = fill_model(queue, queue_n, parse_latency(latency, seed))
    paths = state_paths(state_dir, profile)
    stop = threading.Event()
    if follow:  # it ends between two looks, never in the middle of a turn
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
    try:
        for result in results_of(lambda: Following(paths, name, model, config_files, sets), stop if follow else None):
            click.echo(json.dumps(result.document()) if as_json else result.text())
    except sqlite3.Error as error:
        raise UsageError(f"{paths.ledger}: {error} - the run is not touched; run `hlomm shadow` again") from None
    return ExitCode.CLEAN


def results_of(begin: Callable[[], Following], stop: threading.Event | None) -> Iterator[Followed]:
    """Of the newest run; until `stop` of every one that follows, each when the next has begun.

    UsageError for a run whose account was never read, unless another one was or may be.
    """
    given = 0
    while True:
        following = begin()
        following.read(lambda seq: click.echo(f"record {seq}", err=True))
        over = False
        while stop is not None and not over and not stop.wait(EVERY_S):
            over = following.over
            following.read()
        try:
            yield following.finish()
            given += 1
        except UsageError as error:
            if not (over or given):
                raise
            click.echo(str(error), err=True)
        if not over:
            return
