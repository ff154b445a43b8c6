"""Rung: the whole app, driven by keys. The arbitrage screen: how one gets there and back, and what it shows."""

from __future__ import annotations

import pytest

from tests.tui.driving import drive, glass, on_stage, pressed, settle
from tests.tui.examples import snapshot
from tests.tui.linked import FAR, NEAR, SUSPENDED, linked, machine, many_links, wordy_links
from tests.tui.stage import alone, showing
from tui.client import Lost, Pictured
from tui.screens.arbitrage import Arbitrage
from tui.screens.confirm import Confirm
from tui.screens.overview import Overview
from tui.screens.text import Text
from tui.widgets.arbitrage import Apart, Links, Pairs, Signals

SCENES = {
    "wordy": lambda: showing(wordy_links()),
    "alone": alone,
}


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_draws_at_every_size(scene: str) -> None:
    async def main() -> None:
        stage = SCENES[scene]()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "4")
            for size in ((120, 40), (200, 60), (20, 5)):
                await pilot.resize_terminal(*size)
                await settle(pilot)
                first = glass(stage).split("\n")[0]
                assert first.startswith(" sim ·" if stage.app.store.live is not None else " hlomm ·")

    drive(main())


def test_one_key_there_and_one_back_and_all_that_counts_fits() -> None:
    async def main() -> None:
        stage = showing(linked())
        async with on_stage(stage) as pilot:
            before = glass(stage).split("\n")
            await pressed(pilot, "4")
            assert isinstance(stage.app.screen, Arbitrage)
            shown = glass(stage)
            after = shown.split("\n")
            assert (after[:4], after[23]) == (before[:4], before[23]), "truth, money and keys stay where they are"
            assert " 1-8 screens " in after[23]
            for part in ("LINKS 4", "SUSPENDED", "+1.31c", "no_edge", "not reviewed", "APART BTC≥91905", "6.6s left",
                         "loss 4.20/10", "KEPT", "in 5h02", "real +3.71", "wanted 20", "rebates 0.35"):  # fmt: skip
                assert part in shown
            await pressed(pilot, "4")
            assert len(stage.app.screen_stack) == 2, "it is not put on top of itself"
            await pressed(pilot, "K")
            assert isinstance(stage.app.screen, Confirm)
            await pressed(pilot, "escape", "escape")
            assert isinstance(stage.app.screen, Overview)

    drive(main())


@pytest.mark.slow
def test_the_cursor_decides_which_event_the_map_is_of() -> None:
    async def main() -> None:
        stage = showing(linked())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "4")
            assert stage.app.store.linked == SUSPENDED
            await pressed(pilot, "down")
            assert stage.app.store.linked == NEAR
            assert "HL " in stage.app.screen.query_one(Apart).text
            await pressed(pilot, "j", "y")
            assert stage.app.clipboard == FAR
            await pressed(pilot, "1", "4")
            assert stage.app.store.linked == FAR, "it is still there when one comes back"

    drive(main())


@pytest.mark.slow
def test_rows_open_in_full() -> None:
    async def main() -> None:
        stage = showing(linked())
        async with on_stage(stage) as pilot:
            for keys, words in (
                (("4", "down", "enter"), "buy YES at HL and NO at PM"),
                (("escape", "tab", "enter"), "that it may lose"),
                (("escape", "tab", "enter"), "wanted 20 pairs"),
            ):
                await pressed(pilot, *keys)
                assert isinstance(stage.app.screen, Text)
                assert words in glass(stage)

    drive(main())


@pytest.mark.slow
def test_more_links_than_lines_scroll_and_are_counted() -> None:
    async def main() -> None:
        stage = showing(many_links())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "4", "pagedown", "pagedown")
            links = stage.app.screen.query_one(Links)
            head = links.text.split("\n")[0]
            assert "↑" in head
            assert "↓" in head

    drive(main())


def test_what_is_not_there_is_said_in_words() -> None:
    async def main() -> None:
        stage = showing(snapshot())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "4", "down", "enter", "y")
            assert isinstance(stage.app.screen, Arbitrage)
            for words in ("no two venues list one event", "no pair is being made, none is kept", "nothing was wanted"):
                assert words in glass(stage)

    drive(main())


@pytest.mark.slow
def test_a_deadline_counts_down_without_updates_and_a_lost_link_is_seen() -> None:
    async def main() -> None:
        stage = showing(linked())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "4")
            pairs = stage.app.screen.query_one(Pairs)
            assert "6.6s left" in pairs.text
            stage.clock.now_s += 0.8
            await settle(pilot)
            assert "5.8s left" in pairs.text
            stage.app._deliver(Pictured(linked(baskets=(machine(deadline_s=-1.0),))))
            await settle(pilot)
            assert "PAST 1s" in pairs.text
            stage.app._deliver(Lost("the daemon closed the connection"))
            await settle(pilot)
            assert stage.app.screen.has_class("-no-link")
            assert "SIGNALS 3" in stage.app.screen.query_one(Signals).text

    drive(main())
