"""`hlomm doctor` beside a real daemon whose guardian is stopped: it says so until the daemon has made another."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import trio
from click.testing import CliRunner

from hlomm.cli.main import main
from hlomm.domain.checkup import Code
from tests.trials.conftest import POLL_S, Daemon, fresh

pytestmark = pytest.mark.trial


async def looked(daemon: Daemon, document: Path) -> dict[str, Any]:
    """Failed checks by code, beside the venue's own answers."""
    arguments = ["doctor", "--state-dir", str(daemon.paths.root), "--live", "--sim", str(document), "--json"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hlomm.rundir.hardening.no_core_dumps", lambda: ())  # of this very process
        done = await trio.to_thread.run_sync(lambda: CliRunner().invoke(main, arguments))
    checks = json.loads(done.stdout.splitlines()[-1])["checks"]
    return {check["code"]: check for check in checks if check["status"] == "fail"}


async def test_a_stopped_guardian_is_named_while_the_daemon_goes_on(tmp_path: Path) -> None:
    async with fresh(tmp_path, 0) as ground:
        daemon = ground.start("daemon")
        await ground.quoting(held=0)
        assert await looked(daemon, ground.document) == {}
        guardian = daemon.guardians()[-1]
        os.kill(guardian, signal.SIGSTOP)
        found = await looked(daemon, ground.document)
        assert set(found) <= {Code.GUARDIAN_STOPPED, Code.GUARDIAN_DOWN}, "the daemon may have ended it meanwhile"
        assert found
        with trio.fail_after(60):
            while await looked(daemon, ground.document):
                await trio.sleep(POLL_S)
