"""`hlomm tui`: what it is handed, and the daemon it can start."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hlomm.cli import serving, terminal
from hlomm.cli.look import tui
from hlomm.cli.terminal import Spawned, places_of, spawn, starter_for, tui_command
from hlomm.domain.faults import ConfigError, UsageError
from hlomm.settings.paths import StatePaths
from tui.places import Place


@pytest.fixture
def paths(tmp_path: Path) -> StatePaths:
    return StatePaths(tmp_path / "state")


@pytest.fixture
def spawned(paths: StatePaths) -> Iterator[list[Spawned]]:
    """Whatever a test starts ends with it."""
    made: list[Spawned] = []
    yield made
    for one in made:
        one._process.kill()
        one._process.wait()


def run(paths: StatePaths, code: str) -> Spawned:
    return spawn([sys.executable, "-c", code], paths, paths.root / "tui-run.log")


def until_ended(started: Spawned) -> str:
    deadline_s = time.monotonic() + 20
    while (ending := started.ending()) is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    return ending


def test_without_a_terminal_it_points_to_status() -> None:
    """Under pytest stdin is no terminal, as in a script or a cron job."""
    with pytest.raises(UsageError, match="hlomm status"):
        tui_command(places_of(["sim"], (), ()), starter=None, viewer=False)


def test_a_picture_needs_a_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "_PICTURE_S", 0.05)
    with pytest.raises(UsageError, match="no daemon answers at"):
        terminal.screenshot_command(
            [Place(tmp_path / "s")], viewer=True, file=tmp_path / "p.svg", size=(80, 24), press=""
        )
    assert not (tmp_path / "p.svg").exists()


@pytest.mark.parametrize("options", [["--size", "80"], ["--size", "0x24"], ["--serve", "127.0.0.1:1"]])
def test_a_picture_has_a_size_and_no_server(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        tui.main(["--screenshot", "p.svg", *options], standalone_mode=False)
    assert ended.value.code == 2
    assert "--screenshot goes without --serve" in capsys.readouterr().err


def test_only_the_sim_profile_in_its_own_directory_can_be_started(tmp_path: Path) -> None:
    assert starter_for("mainnet", tmp_path, None) is None
    assert starter_for("sim", None, tmp_path / "some.sock") is None
    starter = starter_for("sim", tmp_path, None)
    assert starter is not None
    assert starter.log == str(tmp_path / "tui-run.log")


def test_a_daemon_that_ends_leaves_its_last_word(paths: StatePaths, spawned: list[Spawned]) -> None:
    spawned.append(run(paths, "import sys; print('first'); print('another holds it\\n', file=sys.stderr); sys.exit(7)"))
    assert until_ended(spawned[0]) == "exit code 7, another holds it"


def test_a_daemon_that_ends_silently_is_reported_all_the_same(paths: StatePaths, spawned: list[Spawned]) -> None:
    spawned.append(run(paths, "pass"))
    (paths.root / "tui-run.log").unlink()
    assert until_ended(spawned[0]) == "exit code 0, without a word"


def test_a_daemon_lives_in_a_session_of_its_own(paths: StatePaths, spawned: list[Spawned]) -> None:
    """Closing the terminal's window sends a hangup to its session: the daemon must not be in it."""
    spawned.append(run(paths, "import os, time; print(os.getsid(0), flush=True); time.sleep(60)"))
    log = paths.root / "tui-run.log"
    deadline_s = time.monotonic() + 20
    while not log.read_text().strip():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)
    assert int(log.read_text()) == spawned[0].pid
    assert spawned[0].ending() is None


def test_what_cannot_be_started_says_why(paths: StatePaths) -> None:
    with pytest.raises(ConfigError, match="cannot start /nonexistent/python with its log in"):
        spawn(["/nonexistent/python"], paths, paths.root / "log")


def test_starting_makes_the_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    class Process:
        pid = 1

        def __init__(self, command: list[str], **options: object) -> None:
            commands.append(command)
            assert options["start_new_session"]

    monkeypatch.setattr(subprocess, "Popen", Process)
    starter = starter_for("sim", tmp_path / "new", None)
    assert starter is not None
    assert starter.start().pid == 1
    assert (tmp_path / "new" / "journal").is_dir()
    run = ["-m", "hlomm.cli.main", "run", "--profile", "sim", "--state-dir", str(tmp_path / "new")]
    assert commands[0][1:] == ["-P", *run], "nothing is imported from where it is started"


# -- several daemons

LONG = [f"/srv/{number}" for number in range(1, 9)]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], [("", "/state/hlomm/sim")]),
        (["--profile", "mainnet", "--state-dir", "/srv/btc"], [("", "/srv/btc")]),
        (["--state-dir", "/srv/btc", "--socket", "/run/x/hlomm.sock"], [("", "/run/x")]),
        (
            ["--state-dir", "/srv/btc", "--state-dir", "/srv/my eth"],
            [("btc --state-dir /srv/btc", "/srv/btc"), ("my eth --state-dir '/srv/my eth'", "/srv/my eth")],
        ),
        (
            ["--socket", "/run/a/main/hlomm.sock", "--socket", "/run/b/main/hlomm.sock"],
            [
                ("a/main --socket /run/a/main/hlomm.sock", "/run/a/main"),
                ("b/main --socket /run/b/main/hlomm.sock", "/run/b/main"),
            ],
        ),
        (
            ["--profile", "paper", "--profile", "mainnet"],
            [("paper --profile paper", "/state/hlomm/paper"), ("mainnet --profile mainnet", "/state/hlomm/mainnet")],
        ),
    ],
)
def test_each_daemon_that_is_named_is_watched_under_a_name_of_its_own(
    options: list[str], shown: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    watched: list[Place] = []
    starters: list[object] = []

    def run(places: list[Place], *, starter: object, viewer: bool) -> None:
        assert not viewer
        watched.extend(places)
        starters.append(starter)

    monkeypatch.setattr(terminal, "tui_command", run)
    tui.main(options, standalone_mode=False)
    assert [(f"{one.name} {one.options}".strip(), str(one.socket.parent)) for one in watched] == shown
    assert (starters == [None]) == bool(options), "a simulator is offered where there can be one"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--state-dir", "/srv/btc", "--state-dir", "/srv/../srv/btc"], "named twice"),
        (["--profile", "sim", "--profile", "sim"], "named twice"),
        (["--state-dir", "/srv/btc", "--state-dir", "/srv/eth", "--socket", "/run/x"], "in one way"),
        (["--profile", "sim", "--profile", "paper", "--state-dir", "/srv/btc"], "in one way"),
        ([word for each in [*LONG, "/srv/9"] for word in ("--state-dir", each)], "9 daemons: one terminal shows 8"),
    ],
)
def test_daemons_that_cannot_be_meant_are_refused(
    options: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        tui.main(options, standalone_mode=False)
    assert ended.value.code == 2
    assert why in capsys.readouterr().err


def test_a_browser_is_served_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[str] = []
    monkeypatch.setattr(serving, "serve", lambda command, _, operator: served.append(command))
    tui.main(["--state-dir", "/srv/a b", "--state-dir", "/srv/c", "--serve", "127.0.0.1:8787"], standalone_mode=False)
    assert served[0].endswith("tui --socket '/srv/a b/hlomm.sock' --socket /srv/c/hlomm.sock --viewer")
