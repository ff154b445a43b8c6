"""Levels by area: what is dropped, what is shown, and what a mistaken name is told."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from hlomm.daemon import logs
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
