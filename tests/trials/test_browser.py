"""The terminal in a real browser: prices that change, a kill that is refused as read-only."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from hlomm.rundir.audit_file import AuditFile
from tests.trials.chromium import PROGRAM, browsing, installed
from tests.trials.conftest import POLL_S, Daemon, end, fresh, launch
from tests.trials.glass import Glass

pytestmark = [
    pytest.mark.trial,
    pytest.mark.skipif(
        installed() is None and not os.environ.get("CI"),  # there its absence is a failure
        reason=f"NOT CHECKED: the terminal in a browser (no {PROGRAM} here; .ci/run installs it)",
    ),
]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def served(daemon: Daemon, home: Path) -> AsyncIterator[int]:
    """`hlomm tui --serve` on a port of its own."""
    port = free_port()
    command = ["tui", "--state-dir", str(daemon.paths.root), "--serve", f"127.0.0.1:{port}"]
    process: subprocess.Popen[str] = launch(home, command, "serve")
    try:
        with trio.fail_after(20):
            while "serving the terminal (read-only)" not in (home / "serve.err").read_text():
                await trio.sleep(POLL_S)
        yield port
    finally:
        end(process)
    assert process.returncode == 0, (home / "serve.err").read_text()


async def test_a_browser_looks_and_may_not_touch(tmp_path: Path) -> None:
    glass = Glass(80, 24)
    async with fresh(tmp_path / "t", 6) as ground:
        daemon = ground.start("daemon")
        await ground.quoting()
        async with served(daemon, tmp_path) as port:
            url = f"http://127.0.0.1:{port}/"
            async with browsing(tmp_path / "browser", url, glass) as page:
                await glass.until("QUOTING", "READ-ONLY", within_s=90)
                await glass.prices_change()
                before = await page.picture()
                await page.click(300, 8)
                await page.press("K")
                await glass.until("KILL — all venues", "read-only (viewer)")
                await page.press("\r")
                await glass.holds(lambda text: "KILL — all venues" not in text, "the window closed")
                await glass.prices_change(1)
                assert await page.picture() != before, "it is drawn, too"
                assert await page.value("document.body.className") == "-loaded -first-byte"
                assert page.sockets[0].startswith(f"ws://127.0.0.1:{port}/ws")
                assert page.loaded
                assert all(each.startswith(url) for each in page.loaded), "nothing from elsewhere"
            assert await ground.resting() > 0, "it quotes on"
            assert daemon.process.poll() is None
        assert AuditFile(daemon.paths.audit).read().links == (), "nothing was ever sent"
