"""`hlomm run`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
import structlog
import trio

from hlomm.cli.arming import check_arming
from hlomm.cli.canary import as_canary, profile_of, state_of
from hlomm.cli.keys import forget, venue_keys
from hlomm.cli.options import silence
from hlomm.cli.password import Password
from hlomm.cli.venues import beneath, chosen_sets
from hlomm.daemon import logs
from hlomm.daemon.launch import RunOptions, launch
from hlomm.daemon.service import Service
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.units import to_text
from hlomm.rundir.hardening import no_core_dumps
from hlomm.settings.load import UNREAL, load
from hlomm.settings.paths import state_paths

_log = structlog.get_logger("hlomm")


def run_command(
    *, profile: str, config_files: tuple[Path, ...], sets: tuple[str, ...], state_dir: Path | None,
    sim_file: Path | None, venues: str | None, duration_s: float | None, seed: int, speed: float, arm: float | None,
    password_fd: int | None, i_know: bool, canary: bool, as_json: bool,
) -> ExitCode:  # fmt: skip
    undone = no_core_dumps()
    canary, profile = canary or profile_of(profile) != profile, profile_of(profile)
    if sim_file is not None and profile not in UNREAL:
        raise UsageError(f"--sim has no meaning in profile {profile}: its venues are those of the configuration")
    if canary and profile == "sim" and venues is None:
        venues = HYPERLIQUID
    if venues is not None:
        layer, sets = None, (*chosen_sets(venues), *sets)
    else:
        layer = beneath(profile, sim_file)
    loaded = load(profile, config_files, sets, beneath=layer)
    logs.configure(loaded.settings.daemon.log, loaded.settings.daemon.log_of)
    for what in undone:
        _log.warning("core dumps are not off", why=what)
    os.umask(0o077)  # whatever this process and its helpers create is for this user alone
    armed = check_arming(loaded, arm)
    own, label = loaded, profile
    if canary:
        loaded, label = as_canary(loaded), state_of(profile)
    if profile != "sim":
        logs.say_always(profile=label, **({"armed": to_text(armed)} if armed else {}))
    paths = state_paths(state_dir, label)
    keys = {}
    local = None
    if profile == "paper":
        from hlomm.cli.paper import paper_desks  # what backtests are made of: nobody else waits for it

        local = paper_desks(loaded, sim_file)
    elif profile != "sim":
        keys = venue_keys(own, os.environ, Password(os.environ, password_fd), i_know=i_know)
    forget(os.environ)
    service = Service.from_environment(os.environ, os.getpid())
    _tell(
        f"hlomm · profile {label}{f' · ARMED {to_text(armed)}' if armed else ''} · state {paths.root}\n"
        f"look in with: hlomm tui{_where(state_dir, label)} · stop with Ctrl-C", err=True,
    )  # fmt: skip
    result = trio.run(
        launch,
        RunOptions(
            loaded=loaded, paths=paths, sim_file=sim_file, duration_s=duration_s, seed=seed, speed=speed, armed=armed,
            keys=keys, service=service, local=local, label=label,
        ),
        strict_exception_groups=True,
    )  # fmt: skip
    _tell(json.dumps(result.summary) if as_json else _human(result.summary))
    return result.exit_code


def _tell(text: str, *, err: bool = False) -> None:
    """Print, if anybody still takes it: how a run ended is in its exit code, and that must not depend on a reader."""
    try:
        click.echo(text, err=err)
    except OSError as error:
        _log.warning("not printed", why=error.strerror or str(error), to="stderr" if err else "stdout")
        silence(2 if err else 1)


def _where(state_dir: Path | None, profile: str) -> str:
    if state_dir is not None:
        return f" --state-dir {state_dir}"
    return "" if profile == "sim" else f" --profile {profile}"


def _human(summary: dict[str, Any]) -> str:
    pnl = summary["pnl"]
    resting = summary["venue_open_orders"]
    lines = [
        (
            f"ran {summary['duration_s']:.0f} s: {summary['orders_placed']} orders, {summary['cancels']} cancels, "
            f"{summary['fills']} fills, volume {summary['volume']:.2f}"
        ),
        (
            f"pnl {pnl['total']:+.2f} (spread {pnl['spread']:+.2f}, inventory {pnl['inventory']:+.2f}, "
            f"settlement {pnl['settlement']:+.2f}, fees {-pnl['fees']:+.2f}), drawdown {summary['max_drawdown']:.2f}"
        ),
        (
            f"settlements {summary['settlements']}, rolls {summary['rolls']}, "
            f"orders left at the venue: {'not known' if resting is None else resting}"
        ),
        f"{summary['halt']['state']}: {summary['halt']['reason']}",
        f"prove it: hlomm replay {summary['journal']}",
    ]
    return "\n".join(lines)
