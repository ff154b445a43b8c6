"""Rung: the whole app. The daemon comes and goes, is started and left; terminals can do more or less."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hlomm.domain.faults import ConfigError
from hlomm.domain.inputs import OperatorAction
from hlomm.link.protocol import Answer, Command
from tests.tui import examples
from tests.tui.daemons import Peer, World
from tests.tui.driving import drive, glass, on_stage, pressed, settle
from tests.tui.examples import (
    NOW_S,
    daily,
    halted,
    quarter,
    snapshot,
)
from tests.tui.stage import Stage, alone, showing
from tui.app import Terminal
from tui.client import Lost, Pictured, Up
from tui.screens.overview import Overview
from tui.starting import Starter
from tui.widgets.blocks import TruthBar
from tui.widgets.lists import Markets


def test_the_bar_changes_its_class_with_its_word() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            bar = stage.app.screen.query_one(TruthBar)
            assert bar.has_class("-quoting")
            stage.app._deliver(Pictured(halted()))
            await settle(pilot)
            assert bar.has_class("-halted")
            assert not bar.has_class("-quoting")
            stage.app._deliver(Lost("closed"))
            await settle(pilot)
            assert bar.has_class("-no-link")
            assert stage.app.screen.has_class("-no-link")
            stage.app._deliver(Up("sim", 2))
            stage.app._deliver(Pictured(snapshot()))
            await settle(pilot)
            assert bar.has_class("-quoting")
            assert not stage.app.screen.has_class("-no-link")

    drive(main())


def test_waiting_snapshots_collapse_into_the_newest() -> None:
    """A terminal that was held up draws the present, not the past in quick motion."""

    async def main() -> None:
        stage = showing(snapshot())
        applied = []
        apply = stage.app.store.apply
        stage.app.store.apply = lambda event, now_s: (applied.append(event), apply(event, now_s))[1]  # type: ignore[method-assign]
        async with on_stage(stage) as pilot:
            applied.clear()
            for number in range(50):
                stage.app._deliver(Pictured(snapshot(fills=number)))
            await settle(pilot)
            assert len(applied) < 5
            assert applied[-1].snapshot.engine.fills == 49

    drive(main())


def test_nothing_is_repainted_when_nothing_has_changed() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            painted = []
            markets = stage.app.screen.query_one(Markets)
            refresh = markets.refresh
            markets.refresh = lambda *regions, **options: (painted.append(regions), refresh(*regions, **options))[1]  # type: ignore[method-assign]
            await settle(pilot)
            assert painted == []
            stage.app._deliver(Pictured(snapshot((quarter(), daily(fair=examples.px("0.5"))))))
            await settle(pilot)
            changed = snapshot((quarter(), daily(fair=examples.px("0.6"))))
            painted.clear()
            stage.app._deliver(Pictured(changed))
            await settle(pilot)
            assert [[region.y for region in regions] for regions in painted] == [[2]], "one row changed, one is painted"

    drive(main())


class Started:
    pid = 4711

    def __init__(self) -> None:
        self.end: str | None = None

    def ending(self) -> str | None:
        return self.end


def test_s_starts_a_simulator_once_and_reports_its_end() -> None:
    async def main() -> None:
        started: list[Started] = []

        def start() -> Started:
            started.append(Started())
            return started[-1]

        stage = Stage(Lost("nobody answers"), up=False, starter=Starter("/state/tui-run.log", start))
        async with on_stage(stage) as pilot:
            assert "start the simulator here" in glass(stage)
            await pressed(pilot, "s", "s")
            assert len(started) == 1
            assert "Starting the simulator (pid 4711)" in glass(stage)
            started[0].end = "exit code 7, another hlomm holds the state directory"
            await settle(pilot)
            assert "exit code 7" in glass(stage)
            await pressed(pilot, "s")
            assert len(started) == 2
            stage.app._deliver(Up("sim", 4711))
            stage.app._deliver(Pictured(snapshot()))
            await settle(pilot)
            assert "sim · QUOTING" in glass(stage)
            await pressed(pilot, "s")
            assert len(started) == 2, "nothing is started beside a daemon that answers"
            await pressed(pilot, "q")
        assert "kill -INT 4711" in (stage.app.return_value or "")

    drive(main())


def test_a_start_that_fails_says_why() -> None:
    def start() -> Started:
        raise ConfigError("state directory /state is open to others: chmod 700 /state")

    async def main() -> None:
        stage = Stage(Lost("nobody answers"), up=False, starter=Starter("/state/log", start))
        async with on_stage(stage) as pilot:
            await pressed(pilot, "s")
            assert "chmod 700" in glass(stage)
            assert "try again" in glass(stage)

    drive(main())


def test_without_a_starter_s_does_nothing() -> None:
    async def main() -> None:
        stage = alone()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "s")
            assert "No daemon answers" in glass(stage)

    drive(main())


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (showing, "the daemon (pid 20709) runs on: trading goes on (QUOTING, 4 orders open)"),
        (lambda _: showing(halted()), "runs on: it is HALTED"),
        (lambda _: alone(), "no daemon answers at"),
    ],
)
def test_leaving_says_what_goes_on(stage: object, said: str) -> None:
    async def main() -> str:
        assert callable(stage)
        made = stage(snapshot())
        async with on_stage(made) as pilot:
            await pilot.press("q")
        return made.app.return_value or ""

    assert said in drive(main())


def test_ctrl_c_explains_and_ctrl_q_leaves() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "ctrl+c")
            assert isinstance(stage.app.screen, Overview)
            await pilot.press("ctrl+q")
        assert "trading goes on" in (stage.app.return_value or "")

    drive(main())


def test_a_terminal_with_sixteen_colours_gets_a_theme_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "linux")
    monkeypatch.delenv("COLORTERM")

    async def main() -> None:
        stage = showing(halted())
        async with on_stage(stage) as pilot:
            assert stage.app.theme == "hlomm-16"
            await pressed(pilot, "K")
            assert "KILL" in glass(stage)

    drive(main())


@pytest.mark.parametrize("term", ["screen-256color", "xterm", "vt100", "dumb"])
def test_no_colours_at_all_lose_no_information(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    """Words, signs and glyphs carry everything: the characters are the same as with colours."""

    async def drawn() -> str:
        stage = showing(halted())
        async with on_stage(stage):
            return glass(stage)

    coloured = drive(drawn())
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("NO_COLOR", "1")
    assert drive(drawn()) == coloured


@pytest.mark.slow
def test_the_app_on_a_real_socket(socket_path: Path) -> None:
    """Everything together: a daemon that comes, takes an order, goes and comes again."""
    heard: list[Command] = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.send(Answer(id=99, snapshot=snapshot()))
        command = await peer.read()
        assert isinstance(command, Command)
        heard.append(command)
        await peer.send(Answer(id=command.id, snapshot=halted()))
        await peer.until_closed()

    async def until(app: Terminal, word: str) -> None:
        async with asyncio.timeout(10):
            while word not in app.screen.query_one(TruthBar).text:
                await asyncio.sleep(0.02)

    async def main() -> None:
        app = Terminal(socket_path)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(app, "NO LINK")
            server = World(socket_path, app.link._times)  # type: ignore[attr-defined]
            async with server.serving(script):
                await until(app, "QUOTING")
                await pilot.press("K", "enter")
                await until(app, "HALTED")
            await until(app, "NO LINK")
            await pilot.press("escape")
            async with server.serving(script):
                await until(app, "QUOTING")
            await pilot.press("q")

    drive(main())
    assert [(one.action, one.id) for one in heard] == [(OperatorAction.KILL, 1)]


def test_the_clock_of_the_stage_stands_still() -> None:
    assert showing(snapshot()).clock() == NOW_S
