"""Rung: the whole app, driven by keys. Orders: what is asked, what reaches the daemon, what is shown of it."""

from __future__ import annotations

import pytest

from hlomm.domain.inputs import OperatorAction
from tests.tui.driving import drive, glass, on_stage, pressed, settle
from tests.tui.examples import (
    halted,
    snapshot,
)
from tests.tui.stage import Stage, showing, viewing
from tui.client import Guarded, Lost, Pictured, Up
from tui.screens.confirm import Confirm
from tui.screens.overview import Overview


@pytest.mark.slow
def test_kill_asks_sends_and_shows_what_happened() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "K")
            assert "Cancels 4 orders on hyperliquid (4)." in glass(stage)
            assert stage.link.orders == []
            await pressed(pilot, *"odd book", "enter")
            assert stage.link.orders == [(OperatorAction.KILL, "odd book")]
            assert "sent, waiting for the answer" in glass(stage)
            stage.clock.now_s += 1.5
            await settle(pilot)
            assert "Daemon silent for 1.5 s" in glass(stage)
            stage.link.answer(halted())
            await settle(pilot)
            assert "has taken it" in glass(stage)
            assert "sim · HALTED" in glass(stage)
            await pressed(pilot, "enter")
            assert isinstance(stage.app.screen, Overview)
            assert len(stage.link.orders) == 1, "ENTER on the outcome closes, it does not send again"

    drive(main())


@pytest.mark.slow
def test_escape_sends_nothing() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            for key in "KFR":
                await pressed(pilot, key, "x", "escape")
                assert isinstance(stage.app.screen, Overview)
        assert stage.link.orders == []

    drive(main())


def test_one_question_at_a_time_and_an_answered_one_gives_way() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "F", "enter")
            await pressed(pilot, "R")
            confirm = stage.app.screen
            assert isinstance(confirm, Confirm)
            assert confirm.order is OperatorAction.RESUME
            stage.app.action_order("kill")
            await settle(pilot)
            assert stage.app.screen is confirm
            assert len(stage.app.screen_stack) == 2

    drive(main())


def test_an_order_without_a_link_is_owned_up_to() -> None:
    async def main() -> None:
        stage = Stage(Up("sim", 1), Pictured(snapshot()), Lost("closed"), up=False)
        async with on_stage(stage) as pilot:
            await pressed(pilot, "F")
            assert "Nobody else takes this order" in glass(stage)
            await pressed(pilot, "enter")
            assert "Nothing was sent" in glass(stage)
            assert "the order stands" not in glass(stage)

    drive(main())


@pytest.mark.parametrize("opener", ["question_mark", "a", "enter"])
def test_the_kill_key_works_from_every_window(opener: str) -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pressed(pilot, opener)
            assert not isinstance(stage.app.screen, Overview)
            await pressed(pilot, "K")
            assert isinstance(stage.app.screen, Confirm)

    drive(main())


@pytest.mark.slow
def test_the_palette_offers_the_same_actions() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pilot.press("ctrl+p")
            await pilot.pause(0.2)
            await pilot.press(*"kill")
            await pilot.pause(0.3)
            await pilot.press("enter")
            await pilot.pause(0.1)
            await settle(pilot)
            assert isinstance(stage.app.screen, Confirm)

    drive(main())


def test_a_kill_right_behind_the_palette_key_meets_a_search_that_goes_on() -> None:
    """What the palette still looks for when it is taken away must not bring the terminal down."""

    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await stage.app.run_action("app.command_palette")
            await stage.app.run_action("app.order('kill')")
            await settle(pilot)
            assert isinstance(stage.app.screen, Confirm)
            await pressed(pilot, "enter")
            assert stage.link.orders == [(OperatorAction.KILL, "")]

    drive(main())


@pytest.mark.slow
@pytest.mark.parametrize("before", [["slash", "b"], ["ctrl+p"], ["i"], ["F", "enter"]], ids=lambda keys: keys[0])
def test_the_kill_key_works_over_whatever_is_being_typed(before: list[str]) -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pressed(pilot, *before)
            await pressed(pilot, "K")
            confirm = stage.app.screen
            assert isinstance(confirm, Confirm)
            assert confirm.order is OperatorAction.KILL
            assert stage.app.store.filter in ("", "b"), "and its key is not text"
            await pressed(pilot, "enter")
            assert stage.link.orders[-1] == (OperatorAction.KILL, "")
            await pressed(pilot, "escape")
            assert not isinstance(stage.app.screen, Confirm)

    drive(main())


def test_in_a_reason_its_key_is_a_letter() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "C", *"Kalshi", "enter")
            assert stage.link.orders == [(OperatorAction.CANCEL, "Kalshi")]

    drive(main())


def test_a_halt_is_not_lifted_without_a_reason() -> None:
    async def main() -> None:
        stage = showing(halted())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "R", "enter", "space", "enter")
            assert stage.link.orders == []
            assert "Type a reason, then [ENTER]" in glass(stage)
            await pressed(pilot, *"seen", "enter")
            assert stage.link.orders == [(OperatorAction.RESUME, "seen")]

    drive(main())


@pytest.mark.slow
def test_a_viewer_is_told_and_nothing_is_sent() -> None:
    async def main() -> None:
        stage = viewing(snapshot())
        async with on_stage(stage) as pilot:
            assert "READ-ONLY" in glass(stage)
            assert "K kill" not in glass(stage)
            for key in "KFCR":
                await pressed(pilot, key)
                assert "read-only (viewer)" in glass(stage)
                assert "now" not in glass(stage).split("ESC")[0].rpartition("viewer")[2]
                await pressed(pilot, "enter")
                assert isinstance(stage.app.screen, Overview)
        assert stage.link.orders == []

    drive(main())


def test_nobody_leaves_while_a_kill_has_no_answer() -> None:
    """What is under way here would end with the terminal: the way past a silent daemon as well."""

    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "K", "enter", "escape", "q")
            assert stage.app.is_running
            assert stage.app.return_value is None
            stage.link.deliver(Guarded(1, "acting: kill by uid 1000"))
            await settle(pilot)
            await pilot.press("q")
        assert stage.app.return_value is not None

    drive(main())


LEFT = tuple(f"hyperliquid left: {', '.join(f'hyperliquid:o1180{n} NO {n}9 (below_minimum)' for n in range(9))}"
             for _ in range(8))  # fmt: skip


@pytest.mark.parametrize("size", [(60, 14), (80, 24)], ids=str)
def test_however_long_the_words_the_verdict_the_field_and_the_keys_stay_in_sight(size: tuple[int, int]) -> None:
    async def main() -> None:
        words = "guardian: no beat for 3.0 s; " + "; ".join(LEFT)
        stage = showing(snapshot(state="halted", reason=words[:1000]))
        async with on_stage(stage, size) as pilot:
            await pressed(pilot, "R")
            assert "Halted because: guardian" in glass(stage)
            assert "reason (needed)" in glass(stage)
            assert "[ENTER] resume now" in glass(stage)
            await pressed(pilot, "escape", "K", "enter")
            stage.link.deliver(Guarded(1, "gave_up: no beat for 3.0 s", LEFT, over=True))
            await settle(pilot)
            assert "NOT CONFIRMED: cancel at the venues' own sites" in glass(stage)
            assert "more lines" in glass(stage)
            assert "[ESC] close" in glass(stage)

    drive(main())
