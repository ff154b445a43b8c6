"""The terminal as a person has it: real processes, a real terminal, and the simulator's own word on what is left."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import trio

from hlomm.rundir.audit_file import AuditFile
from hlomm.settings.paths import StatePaths
from tests.trials.conftest import LEAST_HELD, POLL_S, Daemon, Ground, fresh
from tests.trials.terminal import Terminal, at_terminal

pytestmark = pytest.mark.trial

VERIFIED = "0 ✓ verified"


async def kill_with_the_keyboard(terminal: Terminal) -> None:
    await terminal.type("K")
    await terminal.glass.until("KILL — all venues", "Cancels", "on hyperliquid")
    await terminal.type("drill\r")


def last_link(daemon: Daemon) -> tuple[int, str, str, str]:
    link = AuditFile(daemon.paths.audit).read().links[-1]
    return link.n, link.action.action, link.action.who, link.action.reason


async def test_prices_change_and_a_kill_leaves_no_order_at_the_venue(tmp_path: Path) -> None:
    async with fresh(tmp_path / "t", 3) as ground:
        daemon = ground.start("daemon")
        await ground.quoting()
        async with at_terminal(daemon.paths.root) as terminal:
            await terminal.glass.until("QUOTING", "BTC≥")
            await terminal.glass.prices_change()
            await kill_with_the_keyboard(terminal)
            said = await terminal.glass.until("has taken it", "HALTED", VERIFIED, "audit #1")
            assert "NO LINK" not in said
            assert await ground.resting() == 0
            n, action, who, reason = last_link(daemon)
            assert (n, action, reason) == (1, "kill", "drill")
            assert who.endswith("from 10.0.0.7")
            await terminal.type("\x1bq")
            assert await terminal.ended() == 0
        assert daemon.process.poll() is None, "leaving the terminal ends nothing else"


async def test_a_kill_past_a_daemon_that_stands_still(tmp_path: Path) -> None:
    async with fresh(tmp_path / "t", 4) as ground:
        # So patient that only the operator can be the cause.
        daemon = ground.start("daemon", "guardian.dead_s=60", "guardian.warn_s=30")
        await ground.quoting()
        async with at_terminal(daemon.paths.root) as terminal:
            await terminal.glass.until("QUOTING", "BTC≥")
            await terminal.type("K")
            await terminal.glass.until("Cancels", "on hyperliquid")
            daemon.send(signal.SIGSTOP)
            await terminal.type("drill\r")
            await terminal.glass.until("daemon silent — guardian", "has taken it", VERIFIED, "audit #1")
            assert await ground.resting() == 0
            assert daemon.process.wait(5) == -signal.SIGKILL
            n, action, who, reason = last_link(daemon)
            assert (n, action, reason) == (1, "kill", "drill")
            assert who.endswith("from 10.0.0.7")


async def test_the_daemon_does_not_notice_what_becomes_of_its_terminals(tmp_path: Path) -> None:
    async with fresh(tmp_path / "t", 5) as ground:
        daemon = ground.start("daemon")
        await ground.quoting()
        state = daemon.paths.root
        async with at_terminal(state) as killed, at_terminal(state, "--viewer") as stopped, at_terminal(state) as kept:
            for terminal in (killed, stopped, kept):
                await terminal.glass.until("QUOTING", "BTC≥")
            await stopped.glass.until("READ-ONLY")
            killed.process.kill()
            stopped.process.send_signal(signal.SIGSTOP)
            kept.resize(60, 16)
            await kept.glass.until("QUOTING")
            kept.resize(140, 40)
            await kept.glass.until("QUOTING", "POSITIONS")
            await kept.glass.prices_change()
            await still_quoting(ground)
        assert daemon.process.poll() is None


async def still_quoting(ground: Ground) -> None:
    """For longer than the daemon waits for a client that does not read."""
    with trio.move_on_after(7):
        while True:
            assert await ground.resting() > 0
            await trio.sleep(10 * POLL_S)


async def test_first_steps_with_nothing_running(tmp_path: Path) -> None:
    """The offer, one key, prices: and the daemon stays when the terminal goes."""
    state = tmp_path / "s"
    async with at_terminal(state) as terminal:
        said = await terminal.glass.until("No daemon answers", "start the simulator here", "market maker")
        assert "NO LINK" in said
        await terminal.type("s")
        await terminal.glass.until("QUOTING", "BTC≥", within_s=60)
        pid = int(StatePaths(state).guardian_log.read_text().partition('"daemon":')[2].partition(",")[0])
        try:
            await terminal.glass.prices_change()
            picture = tmp_path / "picture.svg"
            command = [sys.executable, "-m", "hlomm.cli.main", "tui", "--state-dir", str(state), "--viewer"]
            await trio.run_process([*command, "--screenshot", str(picture), "--size", "80x24", "--press", "i"])
            drawn = picture.read_text()
            assert drawn.startswith("<svg")
            assert "QUOTING" in drawn
            assert "READ-ONLY" in drawn
            await terminal.type("q")
            assert await terminal.ended() == 0
            await terminal.glass.until(f"kill -INT {pid}")
            os.kill(pid, 0)
        finally:
            os.kill(pid, signal.SIGINT)
            with trio.fail_after(30):
                while StatePaths(state).socket.exists():
                    await trio.sleep(POLL_S)


async def test_one_terminal_over_two_daemons_kills_the_one_it_shows_and_then_all(tmp_path: Path) -> None:
    """Two accounts at one venue: the one that is killed ends cancelled and flat, the other quotes on."""
    async with fresh(tmp_path / "t", 6) as ground:
        # Slow enough for both: the venue counts the requests of an internet address, and they have one.
        slow = "quotes.min_interval_s=3"
        first = ground.start("one", slow)
        await ground.quoting()
        second = ground.start("two", slow, document=ground.document_of("free-1"))
        await ground.quoting(held=LEAST_HELD, account="free-1")
        options = ("--state-dir", str(second.paths.root))
        async with at_terminal(first.paths.root, *options, columns=80, rows=24) as terminal:
            await terminal.glass.until(" one · sim · QUOTING", "▸1 one QUOTING", " 2 two QUOTING", "worst")
            await terminal.type("d")
            await terminal.glass.until(" two · sim · QUOTING", " 1 one QUOTING", "▸2 two QUOTING", "K kill two")
            await terminal.glass.prices_change()
            await terminal.type("K")
            await terminal.glass.until("KILL two — all venues", "two alone: no other daemon is touched", "Cancels")
            await terminal.type("drill\r")
            said = await terminal.glass.until("two has taken it", "HALTED", VERIFIED, "audit #1")
            assert await ground.resting("free-1") == 0
            assert await ground.held("free-1") < LEAST_HELD or " held" in said, said
            await still_quoting(ground)
            assert [link.action.action for link in AuditFile(first.paths.audit).read().links] == []
            assert last_link(second)[:2] == (1, "kill")
            second.send(signal.SIGKILL)
            await terminal.type("\x1bD")
            await terminal.glass.until(" one · sim · QUOTING", " 2 two NO LINK", "two is away: ")
            await terminal.glass.prices_change()
            await terminal.type("X")
            await terminal.glass.until("KILL ALL 2 DAEMONS — one, two", "no link: its guardian is asked at once")
            await terminal.type("end\r")
            await terminal.glass.until("1 one taken", VERIFIED, "audit #1", "2 two")
            assert await ground.resting() == 0
            assert last_link(first)[1] == "kill"
            await terminal.glass.holds(lambda text: "sent, waiting" not in text, "an answer from each")
            await terminal.type("\x1bq")
            assert await terminal.ended() == 0
            await terminal.glass.until("one: left the terminal", "two: left the terminal")
