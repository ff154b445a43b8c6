"""`hlomm tune`: one setting of a strategy, while it trades."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click

from hlomm.cli.client import Client, socket_path
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError
from hlomm.domain.inputs import OperatorAction
from hlomm.domain.report import AlertRow, Snapshot

_ANSWERS: Final = ("tuned", "tune_refused")


def tune_command(
    assignment: str, profile: str, state_dir: Path | None, socket: Path | None, *, reason: str, as_json: bool
) -> ExitCode:
    """Prints what the daemon said to it; USAGE if it refused."""
    key, equals, value = (part.strip() for part in assignment.partition("="))
    if not key or not equals or not value:
        raise UsageError(f"{assignment!r}: expected KEY=VALUE, e.g. strategy.avellaneda.gamma=0.0005")
    client = Client(socket_path(profile, state_dir, socket))
    try:
        if not client.snapshot().engine.strategies:
            raise UsageError("this daemon cannot be tuned: it has no strategy, or is older than this program")
        snapshot = client.command(OperatorAction.TUNE, reason, f"{key}={value}")
    finally:
        client.close()
    answer = answer_about(snapshot, tuple(each.partition("=")[0].strip() for each in assignment.split(";")))
    applied = answer is not None and answer.code == "tuned"
    text = "the daemon has taken it and said nothing: see its log" if answer is None else answer.text
    document = {
        "action": "tune", "key": key, "value": value, "applied": applied, "text": text, "state": snapshot.engine.state,
    }  # fmt: skip
    click.echo(json.dumps(document) if as_json else text)
    return ExitCode.CLEAN if applied else ExitCode.USAGE


def answer_about(snapshot: Snapshot, keys: tuple[str, ...]) -> AlertRow | None:
    """The newest answer about these keys: the snapshot was made right after the command was taken."""
    answers = (row for row in reversed(snapshot.alerts) if row.code in _ANSWERS)
    return next((row for row in answers if row.text.startswith(keys)), None)
