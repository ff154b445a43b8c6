"""Rung: the whole app, driven by keys: screens 2 and 7, what they ask the daemon for, how one gets about in them."""

from __future__ import annotations

import pytest

from tests.tui.driving import drive, glass, on_stage, pressed, settle
from tests.tui.examples import daily, halted, many, perp, pulled, quarter, snapshot, wordy
from tests.tui.looking import UP, apart, look, looking, wordy_look
from tests.tui.stage import Stage, alone, misunderstood
from tests.tui.stocked import other, stocked
from tui.client import Lost, Pictured
from tui.screens.confirm import Confirm
from tui.screens.market import Market
from tui.screens.overview import Overview
from tui.screens.surfaces import Surfaces
from tui.screens.text import Text
from tui.theme import SIXTEEN

SCREENS = {"2": Market, "7": Surfaces}
SCENES = {
    "full": looking,
    "apart": apart,
    "halted": lambda: looking(halted()),
    "alone": alone,
    "misunderstood": misunderstood,
    "empty": lambda: looking(snapshot((), positions=(), recent_fills=(), orders=())),
    "many": lambda: looking(snapshot(many(40))),
    "wordy": lambda: looking(wordy(), wordy_look(wordy().engine.markets[0].id)),
}


@pytest.mark.parametrize("key", SCREENS)
def test_one_key_there_and_one_back_with_truth_and_keys_where_they_always_are(key: str) -> None:
    async def main() -> None:
        stage = looking()
        async with on_stage(stage) as pilot:
            before = glass(stage).split("\n")
            await pressed(pilot, key, key)
            assert isinstance(stage.app.screen, SCREENS[key])
            assert len(stage.app.screen_stack) == 2, "it is not put on top of itself"
            after = glass(stage).split("\n")
            assert after[0] == before[0]
            assert after[23].startswith(" K kill  F flatten  C cancel  R resume ")
            assert "← → market" in after[23]
            assert after[23].endswith("? help  q leave")
            await pressed(pilot, "K")
            assert isinstance(stage.app.screen, Confirm)
            await pressed(pilot, "escape", "escape")
            assert isinstance(stage.app.screen, Overview)

    drive(main())


def test_every_digit_is_a_screen() -> None:
    async def main() -> None:
        stage = looking()
        async with on_stage(stage) as pilot:
            seen = []
            for key in "12345678":
                await pressed(pilot, key)
                seen.append(type(stage.app.screen).__name__)
            assert seen == ["Overview", "Market", "Inventory", "Arbitrage", "Orders", "Strategies", "Surfaces", "Log"]

    drive(main())


def test_all_that_counts_fits_80_columns_and_24_lines() -> None:
    async def main() -> None:
        stage = looking()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "2", "right", "right")
            shown = glass(stage)
            for part in ("BTC≥91612 06:00Z HL  tte 5h02m53s", "fair .61314 = 14% digital", "⊕ 86% book", "ν 0.99",
                         "YES view · t", "150▸", "◂30", "bid ▸ buy YES 150 @ .60167 ~818 ahead", "sell YES 30 @ .61851",
                         "reservation .61314", "half .00669", "size 150 by cap", "pulled below 19s", "TRADES",
                         "PAYOFF of 172Y 100N", "┌", "WHY", "quoting"):  # fmt: skip
                assert part in shown, part
            await pressed(pilot, "7")
            shown = glass(stage)
            for part in ("by avellaneda, decided 0.4s ago", "QUOTE: half-spread", "@ net +120", "P(YES) of the model",
                         "@ S 91,881.5", "APART"):  # fmt: skip
                assert part in shown, part

    drive(main())


def test_keys_step_through_the_markets_and_stop_at_the_ends() -> None:
    async def main() -> None:
        stage = looking()
        order = [pulled().id, quarter().id, daily().id, other().id, perp().id]
        async with on_stage(stage) as pilot:
            await pressed(pilot, "2")
            seen = [stage.app.store.selected]
            for key in ("right", "n", "down", "j", "right"):
                await pressed(pilot, key)
                seen.append(stage.app.store.selected)
            assert seen == [*order, perp().id]
            for key in ("left", "N", "up", "k", "left"):
                await pressed(pilot, key)
            assert stage.app.store.selected == pulled().id
            assert "← 1/5 →" in glass(stage)

    drive(main())


def test_the_market_last_looked_at_opens_again() -> None:
    async def main() -> None:
        stage = looking()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "down", "2")
            assert stage.app.store.selected == quarter().id, "the first time the one under the cursor"
            await pressed(pilot, "right", "1", "up", "up")
            assert stage.app.store.selected == pulled().id
            await pressed(pilot, "2")
            assert stage.app.store.selected == daily().id
            await pressed(pilot, "escape", "up", "up", "7")
            assert stage.app.store.selected == daily().id, "on either screen"
            await pressed(pilot, "1", "up", "enter")
            assert stage.app.store.selected == quarter().id, "enter is of the one under the cursor"

    drive(main())


def test_a_market_that_is_gone_gives_way_to_the_selected_one() -> None:
    async def main() -> None:
        stage = looking()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "2", "right", "right", "1")
            stage.app._deliver(Pictured(snapshot((quarter(), pulled()))))
            await settle(pilot)
            await pressed(pilot, "2")
            assert stage.app.store.selected in (quarter().id, pulled().id)
            assert isinstance(stage.app.screen, Market)

    drive(main())


def test_the_daemon_is_asked_for_what_is_looked_at_and_for_nothing_else() -> None:
    async def main() -> None:
        stage = looking()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "3", "5", "1")
            assert stage.link.looks == [], "nobody looks at one market"
            await pressed(pilot, "2")
            await pressed(pilot, "right", "K")
            await pressed(pilot, "escape", "7")
            await pressed(pilot, "question_mark")
            await pressed(pilot, "escape", "1")
            assert stage.link.looks == [
                (pulled().id, False), (quarter().id, False), (quarter().id, True), (None, False),
            ]  # fmt: skip

    drive(main())


def test_yes_and_no_toggle_ladder_and_trades() -> None:
    async def main() -> None:
        stage = looking()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "2", "right", "right")
            assert ".61423" in glass(stage)
            await pressed(pilot, "t")
            shown = glass(stage)
            assert "NO view · t" in shown
            assert ".38577" in shown
            await pressed(pilot, "t")
            assert "YES view · t" in glass(stage)

    drive(main())


def test_v_chooses_the_figure_of_the_quote() -> None:
    async def main() -> None:
        stage = looking()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "7", "right", "right")
            for said in ("half-spread", "reservation", "bid", "ask", "half-spread"):
                assert f"QUOTE: {said}" in glass(stage)
                await pressed(pilot, "v")
            await pressed(pilot, "1", "v", "7")
            assert "QUOTE: reservation" in glass(stage), "elsewhere the key does nothing"

    drive(main())


def test_higher_terminals_see_bid_and_ask_beside_it() -> None:
    async def main() -> None:
        stage = looking()
        async with on_stage(stage, (120, 40)) as pilot:
            await pressed(pilot, "7", "right", "right")
            for said in ("half-spread", "bid", "ask"):
                assert f"QUOTE: {said}" in glass(stage)

    drive(main())


def test_surfaces_begin_with_a_market_that_has_one() -> None:
    async def main() -> None:
        far = pulled(strategy="", fair=None, bid_note=None, ask_note=None)
        stage = looking(snapshot((far, quarter(), perp())))
        async with on_stage(stage) as pilot:
            await pressed(pilot, "7")
            assert stage.app.store.selected == quarter().id

    drive(main())


def test_enter_shows_the_whole_chain() -> None:
    async def main() -> None:
        stage = looking(wordy(), look())
        async with on_stage(stage) as pilot:
            await pressed(pilot, "down", "2")
            assert "more lines: enter shows all of it" in glass(stage)
            await pressed(pilot, "enter")
            assert isinstance(stage.app.screen, Text)
            assert "bid: a_guard_with_a_very_long_name" in glass(stage)
            assert "[b]no[/b]" in glass(stage), "text from outside is not markup"

    drive(main())


@pytest.mark.parametrize("key", SCREENS)
def test_a_lost_link_fades_the_figures_and_they_come_back(key: str) -> None:
    async def main() -> None:
        stage = looking()
        async with on_stage(stage) as pilot:
            await pressed(pilot, key, "right", "right")
            stage.app._deliver(Lost("closed"))
            stage.clock.now_s += 5
            await settle(pilot)
            assert "NO LINK" in glass(stage)
            assert stage.app.screen.has_class("-no-link")
            stage.app._deliver(UP)
            stage.app._deliver(Pictured(stocked(), look()))
            await settle(pilot)
            assert not stage.app.screen.has_class("-no-link")
            assert "~818" in glass(stage) or "@ net +120" in glass(stage)

    drive(main())


@pytest.mark.parametrize("key", SCREENS)
def test_sixteen_colours_show_the_same_characters(key: str) -> None:
    async def main() -> None:
        many_colours, few = looking(), looking()
        async with on_stage(many_colours) as pilot:
            await pressed(pilot, key, "right", "right")
            said = glass(many_colours)
        few.app.theme = SIXTEEN.name
        async with on_stage(few) as pilot:
            await pressed(pilot, key, "right", "right")
            assert glass(few) == said

    drive(main())


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("key", SCREENS)
def test_every_scene_draws_at_every_size(key: str, scene: str) -> None:
    async def main() -> None:
        stage: Stage = SCENES[scene]()
        async with on_stage(stage) as pilot:
            await pressed(pilot, key, "down")
            for size in ((80, 24), (120, 40), (200, 60), (60, 15), (20, 5)):
                await pilot.resize_terminal(*size)
                await settle(pilot)
                shown = glass(stage)
                assert shown.split("\n")[0].startswith(" sim ·" if stage.app.store.live is not None else " hlomm ·")
                assert "cannot be drawn" not in shown

    drive(main())
