"""Rung: the whole app, driven by keys and mouse. Looking around changes nothing but the view."""

from __future__ import annotations

import pytest

from tests.tui import examples
from tests.tui.driving import drive, glass, on_stage, pressed, settle
from tests.tui.examples import (
    daily,
    halted,
    many,
    quarter,
    snapshot,
    wordy,
)
from tests.tui.stage import Stage, showing
from tui.client import Pictured
from tui.screens.market import Market
from tui.screens.overview import Overview
from tui.screens.text import Text
from tui.widgets.lists import Alerts, Fills, Markets


def test_the_cursor_selects_a_market_and_enter_opens_it() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "down", "j")
            assert stage.app.store.selected == daily().id
            await pressed(pilot, "enter")
            assert isinstance(stage.app.screen, Market)
            assert "150▸" in glass(stage)
            await pressed(pilot, "k")
            assert stage.app.store.selected == quarter().id, "the arrows go on walking through the markets"
            await pressed(pilot, "t")
            assert "NO view" in glass(stage)
            await pressed(pilot, "escape")
            assert isinstance(stage.app.screen, Overview)

    drive(main())


def test_the_selection_survives_repaints_and_new_markets() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "down")
            selected = stage.app.store.selected
            stage.app._deliver(Pictured(snapshot((*many(), *snapshot().engine.markets))))
            await settle(pilot)
            assert stage.app.store.selected == selected

    drive(main())


def heading(stage: Stage) -> str:
    return next(row for row in glass(stage).split("\n") if "WHY NOT" in row)


def test_long_tables_scroll_with_the_cursor() -> None:
    async def main() -> None:
        stage = showing(snapshot(many(40)))
        async with on_stage(stage) as pilot:
            assert heading(stage).endswith(" ↓33")
            await pressed(pilot, "pagedown", "pagedown", "down")
            assert heading(stage).endswith(" ↑15 ↓18")
            lines = glass(stage).split("\n")
            assert [row for row in lines if row.startswith("▸")] == [row for row in lines if "▸BTC≥92865" in row] != []
            await pressed(pilot, "pageup", "pageup", "pageup")
            assert any(row.startswith("▸BTC≥91500") for row in glass(stage).split("\n"))

    drive(main())


@pytest.mark.slow
def test_the_filter_is_typed_below_and_cleared_with_escape() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "slash", *"06:")
            assert '"06:" 1/4' in glass(stage)
            assert "K kill  F flatten" not in glass(stage)
            await pressed(pilot, "enter")
            assert '"06:" 1/4' in glass(stage)
            assert "K kill  F flatten" in glass(stage)
            await pressed(pilot, "escape")
            assert "MARKETS 4" in glass(stage)
            await pressed(pilot, "slash", "x", "escape")
            assert "MARKETS 4" in glass(stage)
            await pressed(pilot, "slash", "tab")
            assert "K kill  F flatten" in glass(stage)

    drive(main())


def test_freezing_holds_everything_but_the_truth_bar() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "space")
            stage.app._deliver(Pictured(halted()))
            stage.clock.now_s += 2
            await settle(pilot)
            assert "sim · HALTED" in glass(stage)
            assert "FROZEN 2s" in glass(stage)
            assert "bid max_position" in glass(stage), "the table still shows the held snapshot"
            await pressed(pilot, "space")
            assert "FROZEN" not in glass(stage)
            assert "bid max_position" not in glass(stage)

    drive(main())


def test_copying_takes_the_full_ticker() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "down", "y")
            assert stage.app.clipboard == quarter().ticker
        empty = showing(snapshot(()))
        async with on_stage(empty) as pilot:
            await pressed(pilot, "y")
            assert empty.app.clipboard == ""

    drive(main())


@pytest.mark.slow
def test_fills_and_alerts_open_in_full() -> None:
    async def main() -> None:
        stage = showing(wordy())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "tab", "down", "enter")
            assert isinstance(stage.app.screen, Text)
            assert "edge against fair value" in glass(stage)
            await pressed(pilot, "escape", "tab", "down", "enter")
            assert "critical: a_code" in glass(stage)
            assert "[b]no[/b]" in glass(stage), "text from outside is not markup"
            await pressed(pilot, "escape", "a")
            assert "catastrophic: unknown_level" in glass(stage)

    drive(main())


def test_a_reason_too_long_for_the_screen_has_a_window_of_its_own() -> None:
    async def main() -> None:
        stage = showing(wordy())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "down", "enter")
            assert "more lines: enter shows all of it" in glass(stage)
            await pressed(pilot, "enter")
            assert isinstance(stage.app.screen, Text)
            assert "bid: a_guard_with_a_very_long_name" in glass(stage)

    drive(main())


def test_the_cursor_of_a_list_stays_with_its_item() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage, (120, 40)) as pilot:
            fills = stage.app.screen.query_one(Fills)
            fills.focus()
            await pressed(pilot, "down")
            chosen = fills.item()
            newer = examples.fill(1, examples.Side.BUY, examples.Leg.YES, "5", "0.5", None)
            stage.app._deliver(Pictured(snapshot(recent_fills=(*examples.FILLS, newer))))
            await settle(pilot)
            assert fills.item() == chosen
            assert fills.cursor() == 2
            await pressed(pilot, "up", "up")
            assert fills.item() == newer

    drive(main())


@pytest.mark.slow
def test_opening_and_moving_in_empty_lists_does_nothing() -> None:
    async def main() -> None:
        stage = showing(snapshot((), alerts=(), recent_fills=()))
        async with on_stage(stage) as pilot:
            for list_panel in (Markets, Fills, Alerts):
                stage.app.screen.query_one(list_panel).focus()
                await pressed(pilot, "down", "up", "enter")
                assert isinstance(stage.app.screen, Overview)
            await pressed(pilot, "a")
            assert "nothing to report" in glass(stage)

    drive(main())


@pytest.mark.slow
def test_the_mouse_selects_scrolls_and_opens() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pilot.click("#markets", offset=(5, 3))
            await settle(pilot)
            assert stage.app.store.selected == daily().id
            await pilot.click("#markets", offset=(5, 0))
            await pilot.click("#markets", offset=(5, 9))
            assert stage.app.store.selected == daily().id, "heading and empty space select nothing"
            await pilot.click("#markets", offset=(5, 3), times=2)
            await settle(pilot)
            assert isinstance(stage.app.screen, Market)

    drive(main())


def test_help_lists_every_key() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage, (120, 60)) as pilot:
            await pressed(pilot, "question_mark")
            shown = glass(stage)
            for part in ("Kill: cancel all", "flatten", "pgup", "shift+tab", "⊕ blend", "struck out"):
                assert part.casefold() in shown.casefold()
            await pressed(pilot, "q")
            assert isinstance(stage.app.screen, Overview), "q closes a window before it leaves the terminal"

    drive(main())


def test_going_home_closes_all_windows() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "enter", "1")
            assert isinstance(stage.app.screen, Overview)

    drive(main())
