"""Rung: the whole app, driven by keys. The inventory: how one gets there and back, and what it shows meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hlomm.link.protocol import Update
from tests.tui.daemons import Peer, World
from tests.tui.driving import drive, glass, on_stage, pressed, settle
from tests.tui.examples import daily, halted, pulled, snapshot, wordy
from tests.tui.stage import alone, showing
from tests.tui.stocked import hedge, many_bounds, note, stocked
from tui.app import Terminal
from tui.client import Lost, Pictured
from tui.screens.confirm import Confirm
from tui.screens.inventory import Inventory
from tui.screens.overview import Overview
from tui.screens.text import Text
from tui.widgets.blocks import TruthBar
from tui.widgets.inventory import Hedges, Holdings, Settlements

SCENES = {
    "stocked": lambda: showing(stocked()),
    "halted": lambda: showing(halted()),
    "alone": alone,
    "empty": lambda: showing(snapshot((), alerts=(), recent_fills=())),
    "wordy": lambda: showing(wordy()),
    "many": lambda: showing(stocked(scenarios=many_bounds(), hedges=(hedge(),) * 9)),
}


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_draws_at_every_size(scene: str) -> None:
    async def main() -> None:
        stage = SCENES[scene]()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "i")
            for size in ((80, 24), (120, 40), (200, 60), (60, 15), (20, 5)):
                await pilot.resize_terminal(*size)
                await settle(pilot)
                first = glass(stage).split("\n")[0]
                assert first.startswith(" sim ·" if stage.app.store.live is not None else " hlomm ·")

    drive(main())


@pytest.mark.slow
@pytest.mark.parametrize("key", ["i", "3"])
def test_one_key_there_and_one_back(key: str) -> None:
    async def main() -> None:
        stage = showing(stocked())
        async with on_stage(stage) as pilot:
            await pressed(pilot, key)
            assert isinstance(stage.app.screen, Inventory)
            await pressed(pilot, key)
            assert len(stage.app.screen_stack) == 2, "it is not put on top of itself"
            await pressed(pilot, "escape")
            assert isinstance(stage.app.screen, Overview)
            await pressed(pilot, "enter", key)
            assert isinstance(stage.app.screen, Inventory)
            await pressed(pilot, "1")
            assert isinstance(stage.app.screen, Overview)

    drive(main())


def test_truth_money_and_keys_are_where_they_always_are() -> None:
    async def main() -> None:
        stage = showing(stocked())
        async with on_stage(stage) as pilot:
            before = glass(stage).split("\n")
            await pressed(pilot, "i")
            after = glass(stage).split("\n")
            assert (after[:4], after[23]) == (before[:4], before[23])
            assert " 1-8 screens " in after[23]
            await pressed(pilot, "K")
            assert isinstance(stage.app.screen, Confirm)

    drive(main())


def test_all_that_counts_fits_80_columns_and_24_lines() -> None:
    async def main() -> None:
        stage = showing(stocked())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "i")
            shown = glass(stage)
            for part in ("HELD 5", "merging 80", "+72 YES", "HEDGE 1", "−0.02210 ±0.00436", "93 %", "in band",
                         "−615.68/1,500", "−612.08     worst of 750", "+92.91 now"):  # fmt: skip
                assert part in shown
            assert "ORDERS" not in shown
            await pilot.resize_terminal(120, 40)
            await settle(pilot)
            assert "ORDERS 4" in glass(stage)

    drive(main())


@pytest.mark.slow
def test_rows_open_in_full() -> None:
    async def main() -> None:
        stage = showing(stocked())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "i", "down", "enter")
            assert isinstance(stage.app.screen, Text)
            assert "80 sets and +40 NO" in glass(stage)
            await pressed(pilot, "escape", "tab", "down", "enter")
            assert "BTC-2026-11-21T0600 settles at <91,612" in glass(stage)
            await pressed(pilot, "escape", "space", "slash")
            assert isinstance(stage.app.screen, Overview), "the filter is one of markets"

    drive(main())


def test_the_cursor_stays_with_its_event_while_numbers_change() -> None:
    async def main() -> None:
        stage = showing(stocked())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "i", "down", "down", "y")
            assert stage.app.clipboard == daily().ticker
            less = tuple(row for row in stocked().engine.positions if row.market != pulled().id)
            stage.app._deliver(Pictured(stocked(positions=less, sets=())))
            await settle(pilot)
            holdings = stage.app.screen.query_one(Holdings)
            assert (holdings.item().id, holdings.cursor()) == (daily().id, 1)

    drive(main())


def test_long_profiles_scroll() -> None:
    async def main() -> None:
        stage = showing(stocked(scenarios=many_bounds()))
        async with on_stage(stage) as pilot:
            await pressed(pilot, "i", "tab")
            settlements = stage.app.screen.query_one(Settlements)
            assert settlements.text.split("\n")[0].endswith("  ↓50")
            await pressed(pilot, "pagedown", "pagedown")
            assert settlements.text.split("\n")[0].endswith("  ↑11 ↓39")
            stage.app._deliver(Pictured(stocked(scenarios=())))
            await settle(pilot)
            assert "↑" not in settlements.text, "nothing is out of sight when there is nothing"

    drive(main())


@pytest.mark.slow
def test_what_is_not_there_is_said_in_words() -> None:
    async def main() -> None:
        stage = showing(snapshot((), positions=()))
        async with on_stage(stage) as pilot:
            await pressed(pilot, "i", "down", "enter", "y")
            assert isinstance(stage.app.screen, Inventory)
            assert stage.app.clipboard == ""
            for words in ("flat: nothing is held, and no sets are wanted", "no hedge is maintained",
                          "nothing is at stake"):  # fmt: skip
                assert words in glass(stage)
        nobody = alone()
        async with on_stage(nobody) as pilot:
            await pressed(pilot, "i")
            assert "No daemon answers" in glass(nobody)
            assert "HELD" not in glass(nobody)

    drive(main())


def test_a_lost_link_and_a_frozen_display_are_seen_here_too() -> None:
    async def main() -> None:
        stage = showing(stocked())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "i", "space")
            stage.app._deliver(Pictured(stocked(hedges=(hedge(note=note("hedging", "sell 0.001 @ 91875")),))))
            await settle(pilot)
            assert "in band" in stage.app.screen.query_one(Hedges).text
            await pressed(pilot, "space")
            assert "hedging" in stage.app.screen.query_one(Hedges).text
            stage.app._deliver(Lost("the daemon closed the connection"))
            await settle(pilot)
            assert stage.app.screen.has_class("-no-link")
            assert "NO LINK the daemon closed the connection" in glass(stage)

    drive(main())


@pytest.mark.slow
def test_the_inventory_on_a_real_socket(socket_path: Path) -> None:
    """It follows a daemon that goes on trading, and one that goes and comes again."""
    pictures = [
        stocked(), stocked(hedges=(hedge(note=note("hedging", "sell 0.001 @ 91875")),)), stocked(hedges=()),
    ]  # fmt: skip

    seen = asyncio.Semaphore(0)

    async def script(peer: Peer) -> None:
        watch = await peer.welcome()
        for picture in pictures:
            await peer.send(Update(id=watch.id, snapshot=picture))
            await seen.acquire()
        await peer.until_closed()

    async def until(app: Terminal, part: type[TruthBar | Hedges], word: str) -> None:
        async with asyncio.timeout(10):
            while word not in app.screen.query_one(part).text:
                await asyncio.sleep(0.02)

    async def main() -> None:
        app = Terminal(socket_path)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("i")
            server = World(socket_path, app.link._times)  # type: ignore[attr-defined]
            for _ in range(2):
                async with server.serving(script):
                    await until(app, TruthBar, "QUOTING")
                    await until(app, Hedges, "in band")
                    seen.release()
                    await until(app, Hedges, "hedging")
                    seen.release()
                    await until(app, Hedges, "no hedge is maintained")
                await until(app, TruthBar, "NO LINK")
            assert isinstance(app.screen, Inventory)

    drive(main())
