"""`hlomm config reload`: the configuration is read again, and what may change while it trades does, all at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import attrs
import click

from hlomm.cli.canary import as_canary
from hlomm.cli.client import Client, socket_path
from hlomm.cli.tuning import answer_about
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import ConfigError
from hlomm.domain.inputs import OperatorAction
from hlomm.domain.report import EngineReport
from hlomm.settings.load import Loaded, leaves
from hlomm.settings.paths import StatePaths
from hlomm.settings.running import Running, kept
from hlomm.settings.tunable import section_key


@attrs.frozen
class Plan:
    """What differs between the configuration as it reads now and what runs."""

    wanted: Mapping[str, str]
    """By key, for the daemon."""
    restart: Mapping[str, str]
    """By key, the layer that says otherwise."""

    def left(self) -> str:
        return ", ".join(f"{key} ({layer})" for key, layer in self.restart.items())


def planned(began: Running, now: Loaded, engine: EngineReport) -> Plan:
    """The file wins over what was tuned by hand. A strategy that is off takes nothing, so its keys wait."""
    values, differing = dict(leaves(now.tree)), began.differing(now)
    tuned = {row.key: float(row.value) for row in engine.tuned}
    enabled = {row.id for row in engine.strategies}
    wanted, restart = {}, {}
    for key in [*differing, *(key for key in tuned if key not in differing)]:
        try:
            strategy, _ = section_key(key)
        except ConfigError:
            strategy = ""
        if strategy not in enabled:
            restart[key] = now.origins.get(key, "no longer said")
        elif key not in tuned or tuned[key] != float(values[key]):
            wanted[key] = repr(values[key])
    return Plan(wanted, restart)


def reload_command(
    profile: str, state_dir: Path | None, socket: Path | None, *, reason: str, tunable_only: bool, as_json: bool
) -> ExitCode:
    """USAGE, and nothing is changed, if the daemon refuses or something would need a restart."""
    path = socket_path(profile, state_dir, socket)
    client = Client(path)
    try:
        began = kept(StatePaths(path.parent).running)
        before = client.snapshot().engine
        now = began.again()
        plan = planned(began, as_canary(now) if began.canary else now, before)
        applied, text, state = not plan.wanted, "nothing that runs differs", before.state
        if plan.restart and not tunable_only:
            applied = False
            text = f"nothing is reloaded: these need a restart: {plan.left()}"
            if plan.wanted:
                text += f"; --tunable-only takes the others: {', '.join(plan.wanted)}"
        elif plan.wanted:
            words = f"reload: {reason}" if reason else "reload"
            target = "; ".join(f"{key}={value}" for key, value in plan.wanted.items())
            snapshot = client.command(OperatorAction.TUNE, words, target)
            answer = answer_about(snapshot, tuple(plan.wanted))
            applied, state = answer is not None and answer.code == "tuned", snapshot.engine.state
            text = "the daemon has taken it and said nothing: see its log" if answer is None else answer.text
    finally:
        client.close()
    if plan.restart and tunable_only:
        text += f"; as before until a restart: {plan.left()}"
    document = {
        "action": "reload", "wanted": plan.wanted, "restart": plan.restart, "applied": applied, "text": text,
        "state": state,
    }  # fmt: skip
    click.echo(json.dumps(document) if as_json else text)
    return ExitCode.CLEAN if applied else ExitCode.USAGE
