"""`hlomm selftest`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import attrs
import click
import trio

from hlomm.assembly.documents import amount
from hlomm.cli.arming import check_arming
from hlomm.cli.keys import forget, venue_keys
from hlomm.cli.password import Password
from hlomm.cli.venues import beneath
from hlomm.daemon import logs
from hlomm.daemon.desks import Desk, enabled, held, live_desk, simulated_desks
from hlomm.daemon.selftest import Selftest
from hlomm.daemon.selftest_model import Plan, Result, Verdict
from hlomm.daemon.sim_process import read_document
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError
from hlomm.domain.ids import VenueId
from hlomm.domain.units import to_text
from hlomm.rundir import halt_file
from hlomm.settings.load import Loaded, load
from hlomm.settings.paths import state_paths
from hlomm.venues.clock import Clock

LINE_MAX: Final = 200
_MARKS: Final = {Verdict.SAME: "=", Verdict.WITHIN: "~", Verdict.DIFFERS: "!"}


@attrs.frozen(kw_only=True)
class Asked:
    """What the command line says."""

    profile: str
    config_files: tuple[Path, ...]
    sets: tuple[str, ...]
    state_dir: Path | None
    sim_file: Path | None
    venue: str
    market: str | None
    live: bool
    arm: float | None
    password_fd: int | None
    i_know: bool


def selftest_command(asked: Asked, *, as_json: bool) -> ExitCode:
    if not asked.live:
        raise UsageError("a selftest places orders: say --live (`hlomm doctor` only looks)")
    if asked.profile == "paper":
        raise UsageError("profile paper sends no orders, so there is nothing to test: --profile testnet or mainnet")
    layer = beneath(asked.profile, asked.sim_file)
    loaded = load(asked.profile, asked.config_files, asked.sets, beneath=layer)
    logs.configure(loaded.settings.daemon.log, loaded.settings.daemon.log_of)
    check_arming(loaded, asked.arm)
    note = halt_file.read(state_paths(asked.state_dir, asked.profile).halt)
    if note is not None:
        raise UsageError(f"HALTED: {note.reason} — look into it and `hlomm resume` before anything trades")
    clock, desk = _desk(asked, loaded)
    forget(os.environ)
    with held([desk], loaded.profile):
        test = Selftest(desk, loaded.settings, clock, asked.market, lambda plan: _confirmed(plan, desk, asked.profile))
        result = trio.run(test.run, strict_exception_groups=True)
    click.echo(json.dumps(_document(result, desk, asked.profile)) if as_json else _text(result))
    if not result.flat:
        return ExitCode.FAULT
    return ExitCode.CLEAN if result.good else ExitCode.DIVERGED


def _desk(asked: Asked, loaded: Loaded) -> tuple[Clock, Desk]:
    there = enabled(loaded.settings)
    if asked.venue not in there:
        raise UsageError(f"--venue {asked.venue}: this configuration trades at {', '.join(there)}")
    if asked.profile == "sim":
        if asked.sim_file is None:
            raise UsageError("profile sim: `hlomm sim --json > FILE` serves the venues, then add --sim FILE")
        document = read_document(asked.sim_file)
        clock = Clock(document.clock.map())
        desks = {desk.venue: desk for desk in simulated_desks(loaded.settings, document, clock)}
        return clock, desks[VenueId(asked.venue)]
    if asked.sim_file is not None:
        raise UsageError(f"--sim has no meaning in profile {asked.profile}: its venues are those of the configuration")
    keys = venue_keys(loaded, os.environ, Password(os.environ, asked.password_fd), i_know=asked.i_know)
    clock = Clock()
    return clock, live_desk(asked.venue, loaded.settings, keys, clock)


def _confirmed(plan: Plan, desk: Desk, profile: str) -> bool:
    """Whether the amount at stake was typed out."""
    token, most = plan.market.quote_token, to_text(plan.most)
    click.echo(
        f"{desk.venue}, account {desk.charged.account}, profile {profile}: {plan.market.ticker}\n"
        f"  rests and goes   buy {to_text(plan.rest_qty)} at {to_text(plan.rest_px)}, then {to_text(plan.amend_px)}\n"
        f"  trades           buy {to_text(plan.qty)} at {to_text(plan.buy_px)} at most, sell them no more than "
        f"{to_text(plan.slippage)} below the best bid\n"
        f"  at stake         {most} {token} at most; it usually costs the spread and the fees\n"
        f"type {most} to go on: ", err=True, nl=False,
    )  # fmt: skip
    return sys.stdin.readline(LINE_MAX).strip() == most


# -- words


def _document(result: Result, desk: Desk, profile: str) -> dict[str, Any]:
    plan = result.plan
    return {
        "profile": profile, "venue": desk.venue, "account": desk.charged.account,
        "market": plan.market.id, "ticker": plan.market.ticker, "at_stake": amount(plan.most), "ok": result.good,
        "flat": result.flat, "left": result.left, "cost": None if result.cost is None else amount(result.cost),
        "steps": [
            {"step": one.name, "ok": one.good, "said": one.said, "fields": [attrs.asdict(row) for row in one.fields]}
            for one in result.steps
        ],
    }  # fmt: skip


def _text(result: Result) -> str:
    lines = []
    for step in result.steps:
        lines.append(f"{'ok  ' if step.good else 'FAIL'}  {step.name}{'  ' + step.said if step.said else ''}")
        lines += [
            f"      {_MARKS[one.verdict]} {one.name:<11} {one.was}  (model: {one.expected})" for one in step.fields
        ]
    cost = "unknown" if result.cost is None else to_text(result.cost)
    lines.append(f"{'flat' if result.flat else f'NOT FLAT: {result.left}, sell it by hand'}; it cost {cost}")
    return "\n".join(lines)
