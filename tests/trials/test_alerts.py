"""`hlomm alerts` beside a real daemon that is killed outright: what people are sent, whatever their endpoints do."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import trio

from tests.support.endpoint import HANGS, Endpoint, endpoint
from tests.trials.conftest import POLL_S, end, fresh, launch

pytestmark = pytest.mark.trial


async def sent(there: Endpoint, *codes: str, times: int = 1) -> None:
    with trio.fail_after(60):
        while min(there.titles().count(code) for code in codes) < times:
            await trio.sleep(POLL_S)


async def test_a_daemon_that_is_killed_is_told_of_and_so_is_what_its_guardian_did(tmp_path: Path) -> None:
    with endpoint() as good, endpoint(HANGS) as hangs:
        urls = tmp_path / "urls"
        urls.write_text(f"{hangs.url('T', '?rto=60')}\n{good.url('T')}\n")
        urls.chmod(0o600)
        async with fresh(tmp_path / "ground", 1) as ground:
            daemon = ground.start("daemon")
            await ground.quoting()
            settings = (f"urls_file={urls}", "digest_s=2", "fills=true", "send_s=1")
            sets = [word for one in settings for word in ("--set", f"alerts.{one}")]
            alerts = launch(
                tmp_path / "alerts", ["alerts", "--json", "--state-dir", str(daemon.paths.root), *sets], "a"
            )
            try:
                assert alerts.stdout is not None
                assert json.loads(alerts.stdout.readline())["services"] == ["1 json", "2 json"]
                await sent(good, "running")
                daemon.send(signal.SIGKILL)
                daemon.process.wait(10)
                await sent(good, "guardian_done", "daemon_gone")
                again = ground.start("daemon")
                await sent(good, "halted")
                await sent(good, "daemon_gone", times=2)
                again.send(signal.SIGINT)
                await sent(good, "daemon_stopped")
                alerts.send_signal(signal.SIGTERM)
                assert await trio.to_thread.run_sync(alerts.wait, 30) == 0
            finally:
                end(alerts)
        assert hangs.paths, "and nobody waited for that one"
    order = [title for title in good.titles() if title.startswith(("daemon_", "guardian_done", "halted"))]
    gone = [str(one["message"]) for one in good.received if str(one["title"]).endswith("daemon_gone")]
    assert gone[0].startswith("the daemon is gone (")
    assert gone[1].startswith("over after ")
    assert order.index("guardian_done") < order.index("halted") < order.index("daemon_stopped")
    errors = (tmp_path / "alerts" / "a.err").read_text()
    assert "Traceback" not in errors
    assert "/T" not in errors
