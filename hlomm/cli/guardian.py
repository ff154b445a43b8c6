"""`hlomm guardian`: started by `hlomm run`, not by people."""

from __future__ import annotations

import sys
from pathlib import Path

import trio

from hlomm.guardian.app import configure_logs, guard
from hlomm.guardian.record import Careful
from hlomm.settings.charge import MAX_CHARGE, decode_charge
from hlomm.settings.paths import StatePaths


def guardian_command(state_dir: Path) -> None:
    """Read the charge from standard input, then watch."""
    charge = decode_charge(sys.stdin.buffer.read(MAX_CHARGE))
    configure_logs(Careful(sys.stderr))
    trio.run(guard, charge, StatePaths(state_dir.absolute()), strict_exception_groups=True)
