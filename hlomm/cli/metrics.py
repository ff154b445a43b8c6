"""`hlomm metrics`."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import trio

from hlomm.assembly.documents import amount
from hlomm.cli import trades, views
from hlomm.cli.canary import profile_of
from hlomm.cli.client import Client, socket_path
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import UsageError
from hlomm.domain.report import Snapshot
from hlomm.link.protocol import Access
from hlomm.rundir.signals import ending
from hlomm.settings.load import PROFILES
from hlomm.settings.paths import StatePaths

INSTALL: Final = (
    "metrics need hypercorn and prometheus-client: `pip install hypercorn prometheus-client`, or this checkout with "
    "`pip install '.[metrics]'`"
)
try:
    from hlomm.daemon.api.pages import Pages
    from hlomm.daemon.api.server import bound_files, listening, serve
    from hlomm.daemon.api.snapshots import Snapshots
except ModuleNotFoundError:
    raise UsageError(INSTALL) from None

DAEMON_S: Final = 3.0
"""A daemon that takes longer to answer is told to be down."""


def metrics_command(
    *, profile: str, state_dir: Path | None, socket_file: Path | None, port: int, as_json: bool
) -> ExitCode:  # fmt: skip
    """Serve until SIGINT or SIGTERM, whether or not a daemon runs meanwhile."""
    if profile_of(profile) not in PROFILES:
        raise UsageError(f"no profile {profile!r}; there are: {', '.join(PROFILES)}")
    path = socket_path(profile, state_dir, socket_file)
    listener = listening(port)
    bound_files()
    snapshots = Snapshots(lambda: Client(path, DAEMON_S, access=Access.VIEWER))
    pages = Pages(StatePaths(path.parent), snapshots, {"/positions": positions, "/performance": performance})
    try:
        trio.run(_run, pages, listener, as_json, strict_exception_groups=True)
    finally:
        snapshots.close()
        listener.close()
    return ExitCode.CLEAN


async def _run(pages: Pages, listener: socket.socket, as_json: bool) -> None:  # noqa: FBT001 - trio passes positions
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_until_signalled, stop)
        host, port = listener.getsockname()
        await nursery.start(serve, pages, listener, stop)
        url = f"http://{host}:{port}"
        click.echo(json.dumps({"ready": True, "url": url}) if as_json else f"{url}/metrics — Ctrl-C ends it")
        await stop.wait()
        nursery.cancel_scope.deadline = trio.current_time() + 5.0


async def _until_signalled(stop: trio.Event) -> None:
    with trio.open_signal_receiver(*ending()) as signals:
        async for _ in signals:
            stop.set()
            return


def positions(snapshot: Snapshot) -> dict[str, Any]:
    """As `hlomm positions --json`, with hedges and what is at stake."""
    engine = snapshot.engine
    return {
        "wall_ms": engine.wall_ms, "state": engine.state, "positions": views.positions(snapshot)[0],
        "hedges": [
            {"market": row.market, "held": amount(row.held), "target": amount(row.target), "band": amount(row.band),
             "naked": amount(row.naked)}
            for row in engine.hedges
        ],
        "gross": amount(engine.gross), "gross_limit": amount(engine.gross_limit),
        **views.pnl(snapshot, scenarios=True)[0], "orders": trades.orders(snapshot)[0],
    }  # fmt: skip


def performance(snapshot: Snapshot) -> dict[str, Any]:
    """As `hlomm pnl --json`, with the curve, markouts, fills and strategies."""
    engine = snapshot.engine
    return {
        "wall_ms": engine.wall_ms, "uptime_s": snapshot.uptime_s, "equity": amount(engine.equity),
        "pnl": views.pnl(snapshot)[0], "volume": amount(engine.volume), "drawdown": amount(engine.drawdown),
        "max_drawdown": amount(engine.max_drawdown), "fills": engine.fills, "settlements": engine.settlements,
        "markouts": {
            str(row.horizon_s): {"mean": None if row.mean is None else amount(row.mean), "fills": row.fills}
            for row in engine.markouts
        },
        "strategies": [
            msgspec.structs.asdict(row) | {"result": amount(row.result)} for row in engine.strategies
        ],
        "curve": [{"wall_ms": at, "total": amount(total)} for at, total in snapshot.pnl_curve],
        "recent_fills": trades.fills(snapshot)[0],
    }  # fmt: skip
