"""`hlomm guardian`: started by `hlomm run`, not by people."""

from __future__ import annotations

import sys
from pathlib import Path

import structlog
import trio

from hlomm.guardian.app import configure_logs, guard
from hlomm.guardian.record import Careful
from hlomm.rundir.hardening import no_core_dumps
from hlomm.settings.charge import MAX_CHARGE, decode_charge
from hlomm.settings.paths import StatePaths

_log = structlog.get_logger("hlomm.guardian")


def guardian_command(state_dir: Path) -> None:
    """Read the charge from standard input, then watch."""
    undone = no_core_dumps()
    charge = decode_charge(sys.stdin.buffer.read(MAX_CHARGE))
    configure_logs(Careful(sys.stderr))
    for what in undone:
        _log.warning("core dumps are not off", why=what)
    trio.run(guard, charge, StatePaths(state_dir.absolute()), strict_exception_groups=True)
