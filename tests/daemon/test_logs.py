"""Levels by area: what is dropped, what is shown, and what a mistaken name is told."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import structlog

from hlomm.daemon import logs
from hlomm.daemon.last_resort import LastResort
from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import ConfigError
from hlomm.settings.load import load


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def said(capsys: pytest.CaptureFixture[str], level: str, areas: dict[str, str]) -> set[str]:
    """Which of all areas and levels come through."""
    logs.configure(level, areas)
    for area in ("hlomm", "hlomm.venues", "hlomm.venues.kalshi", "hlomm.venues.kalshiish", "hlomm.rehearsal"):
        logger = structlog.get_logger(area).bind()
        for method in ("debug", "info", "warning", "error", "critical"):
            getattr(logger, method)(f"{area.removeprefix('hlomm').removeprefix('.')}:{method}")
    return {json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()}


def test_without_areas_one_level_holds_for_all(capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "info", {})
    assert {one.partition(":")[2] for one in shown} == {"info", "warning", "error", "critical"}
    assert len(shown) == 20


def test_an_area_has_its_own_level_and_so_has_what_lies_under_it(capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "warning", {"venues": "info", "venues.kalshi": "debug", "rehearsal": "warning"})
    assert {"venues.kalshi:debug", "venues.kalshi:info", "venues:info", "venues.kalshiish:info"} <= shown
    assert not shown & {"venues:debug", "venues.kalshiish:debug", ":info", "rehearsal:info"}
    assert {":warning", "rehearsal:warning", ":critical", "venues.kalshi:critical"} <= shown


def test_an_area_can_be_quieter_than_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "debug", {"venues": "warning"})
    assert not shown & {"venues:info", "venues.kalshi:debug"}
    assert {":debug", "rehearsal:info", "venues:warning"} <= shown


@pytest.mark.parametrize("given", ["{Venues='debug'}", "{'venues.'='debug'}", "{venues='loud'}"])
def test_what_is_no_area_or_no_level_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="log_of"):
        load("sim", (), (f"daemon.log_of={given}",), environ={})


def test_the_configuration_is_where_it_comes_from() -> None:
    loaded = load("sim", (), ("daemon.log_of={'venues.kalshi'='debug'}",), environ={})
    assert loaded.settings.daemon.log_of == {"venues.kalshi": "debug"}


# -- readers that go away, stand still, or have no room


@contextmanager
def speaking(fd: int) -> Iterator[None]:
    """Logs of this process go to that file."""
    with os.fdopen(fd, "w") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", file)
        logs.configure("info")
        yield


def nobody() -> int:
    """The end of a pipe that nobody reads any more."""
    read, write = os.pipe()
    os.close(read)
    return write


def hung_up() -> int:
    """A terminal whose other side is gone, as after the end of an SSH session."""
    master, slave = os.openpty()
    os.close(master)
    return slave


def full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.parametrize("end", [nobody, hung_up, full], ids=lambda end: end.__name__)
def test_lines_that_nobody_takes_fail_nothing(end: Callable[[], int]) -> None:
    ended: list[int] = []
    with speaking(end()):
        LastResort(0.0, ended.append)._wait("it says what it does, and does it")
    assert ended == [ExitCode.FAULT]


def test_a_reader_that_stands_still_holds_up_nobody_and_hears_what_comes_later() -> None:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    with speaking(write):
        log = structlog.get_logger("hlomm")
        begun = time.monotonic()
        for number in range(200):
            log.info("standing still", number=number, filling="x" * 500)
        assert time.monotonic() - begun < 2, "its patience is short, and at an end the first time"
        os.read(read, 1 << 16)
        log.info("reading on")
        assert b"reading on" in os.read(read, 1 << 16)
    os.close(read)


def test_lines_longer_than_a_pipe_takes_at_once_are_whole() -> None:
    read, write = os.pipe()
    with speaking(write):
        structlog.get_logger("hlomm").info("long", filling="x" * 20_000)
    assert json.loads(os.read(read, 1 << 16))["filling"] == "x" * 20_000
    os.close(read)


def test_how_a_run_ended_does_not_depend_on_who_reads_its_summary() -> None:
    program = (
        "import sys; from hlomm.cli.run import _tell; from hlomm.daemon import logs; logs.configure('info');"
        "_tell('summary' * 5000); sys.exit(4)"
    )
    with open("/dev/full", "w") as nowhere:  # noqa: PTH123 - a device
        done = subprocess.run([sys.executable, "-c", program], stdout=nowhere, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 4, done.stderr
