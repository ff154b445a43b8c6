"""Rung: the whole app, driven by keys. Orders and fills, strategies, log: looking, filtering, pausing, tuning."""

from __future__ import annotations

import msgspec
import pytest
from textual.pilot import Pilot

from hlomm.domain.inputs import OperatorAction
from hlomm.domain.report import AlertRow
from tests.tui.desk import AVELLANEDA, RUNNING, TUNED, at_the_desk, desk, log_line
from tests.tui.driving import drive, glass, on_stage, pressed, settle
from tests.tui.examples import WALL_MS, halted, snapshot, wordy
from tests.tui.stage import Stage, alone, showing
from tui.client import Heard, Lost, Pictured, Up
from tui.screens.change import Change
from tui.screens.confirm import Confirm
from tui.screens.log import Log
from tui.screens.orders import Orders
from tui.screens.overview import Overview
from tui.screens.strategies import Strategies
from tui.screens.text import Text
from tui.widgets.strategies import SettingList
from tui.widgets.trades import FillList, OrderList

SCREENS = {"5": Orders, "6": Strategies, "8": Log}
SCENES = {
    "full": at_the_desk,
    "halted": lambda: showing(halted()),
    "alone": alone,
    "empty": lambda: showing(snapshot((), alerts=(), recent_fills=(), orders=())),
    "wordy": lambda: at_the_desk(wordy()),
}


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_draws_at_every_size(scene: str) -> None:
    async def main() -> None:
        stage = SCENES[scene]()
        async with on_stage(stage) as pilot:
            for key, screen in SCREENS.items():
                await pressed(pilot, key)
                assert isinstance(stage.app.screen, screen)
                for size in ((80, 24), (20, 5)):
                    await pilot.resize_terminal(*size)
                    await settle(pilot)
                    first = glass(stage).split("\n")[0]
                    assert first.startswith(" sim ·" if stage.app.store.live is not None else " hlomm ·")

    drive(main())


def test_one_key_there_and_one_back_with_truth_and_keys_where_they_always_are() -> None:
    async def main() -> None:
        stage = at_the_desk()
        async with on_stage(stage) as pilot:
            before = glass(stage).split("\n")
            for key, screen in SCREENS.items():
                await pressed(pilot, key, key)
                assert isinstance(stage.app.screen, screen)
                assert len(stage.app.screen_stack) == 2, "it is not put on top of itself"
                after = glass(stage).split("\n")
                assert after[0] == before[0]
                assert after[23].startswith(" K kill  F flatten  C cancel  R resume ")
                assert after[23].endswith("? help  q leave")
            assert " 1-8 screens " in before[23]
            await pressed(pilot, "escape")
            assert isinstance(stage.app.screen, Overview)
            await pressed(pilot, "6", "K")
            assert isinstance(stage.app.screen, Confirm)

    drive(main())


def test_the_strategies_screen_names_its_own_keys_in_the_footer() -> None:
    async def main() -> None:
        stage = at_the_desk()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "6")
            assert "R resume  p pause  e tune " in glass(stage).split("\n")[23]

    drive(main())


# -- orders and fills


@pytest.mark.slow
def test_orders_and_fills_open_in_full_and_are_filtered_by_words() -> None:
    async def main() -> None:
        stage = at_the_desk()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "5", "enter")
            assert isinstance(stage.app.screen, Text)
            assert "quote of avellaneda" in glass(stage)
            await pressed(pilot, "escape", "tab", "down", "enter")
            assert "markout 1 s +0.21c" in glass(stage)
            await pressed(pilot, "escape", "slash", *"rain", "enter")
            assert 'ORDERS 0/6 "rain"' in glass(stage)
            assert 'no order matches "rain"' in glass(stage)
            await pressed(pilot, "slash", *["backspace"] * 4, *"hedge", "enter")
            assert 'ORDERS 1/6 "hedge"' in glass(stage)
            assert stage.app.store.filter == "", "that of the markets is another"
            await pressed(pilot, "escape")
            assert " ORDERS 6 " in glass(stage)
            await pressed(pilot, "escape")
            assert isinstance(stage.app.screen, Overview)

    drive(main())


def test_the_cursor_stays_with_its_order_and_with_its_fill_though_figures_come_later() -> None:
    async def main() -> None:
        stage = at_the_desk()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "5", "down", "down")
            orders = stage.app.screen.query_one(OrderList)
            chosen = orders.item()
            assert chosen is not None
            stage.app._deliver(Pictured(desk(orders=desk().engine.orders[1:])))
            await settle(pilot)
            assert (orders.item(), orders.cursor()) == (chosen, 1)
            await pressed(pilot, "tab", "down")
            fills = stage.app.screen.query_one(FillList)
            row = fills.item()
            assert row is not None
            rows = tuple(
                msgspec.structs.replace(each, markouts=(each.markouts[0],) * 4) if each == row else each
                for each in desk().engine.recent_fills
            )
            stage.app._deliver(Pictured(desk(recent_fills=rows[:-1])))
            await settle(pilot)
            assert fills.item() is not None
            assert fills.item().wall_ms == row.wall_ms

    drive(main())


# -- pausing


async def ask(pilot: Pilot[str], *keys: str) -> Change:
    await pressed(pilot, *keys)
    screen = pilot.app.screen
    assert isinstance(screen, Change)
    return screen


def test_a_pause_asks_sends_the_strategy_and_the_reason_and_shows_what_became_of_it() -> None:
    async def main() -> None:
        stage = at_the_desk()
        async with on_stage(stage) as pilot:
            await ask(pilot, "6", "p")
            assert "Cancels the quotes of avellaneda (4 orders)" in glass(stage)
            assert stage.link.orders == []
            await pressed(pilot, *"lunch", "enter")
            assert (stage.link.orders, stage.link.targets) == ([(OperatorAction.PAUSE, "lunch")], ["avellaneda"])
            paused = msgspec.structs.replace(RUNNING, state="paused", why="pause by uid 1000 (lunch)", orders=0)
            text = "avellaneda: pause by uid 1000 (lunch)"
            done = AlertRow(wall_ms=WALL_MS + 1, level="info", code="paused", text=text)
            stage.link.answer(desk(strategies=(paused,), alerts=(done,)))
            await settle(pilot)
            assert "has taken it" in glass(stage)
            assert "info avellaneda: pause by uid 1000 (lunch)" in glass(stage)
            await pressed(pilot, "enter")
            assert isinstance(stage.app.screen, Strategies)
            assert len(stage.link.orders) == 1
            assert "PAUSED" in glass(stage)
            await ask(pilot, "p")
            await pressed(pilot, "enter")
            assert stage.link.orders[1] == (OperatorAction.UNPAUSE, "")

    drive(main())


def test_the_one_under_the_cursor_is_paused_also_while_the_focus_is_on_its_settings() -> None:
    async def main() -> None:
        stage = at_the_desk()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "6", "down", "tab")
            assert "min_edge_bps" in glass(stage)
            screen = await ask(pilot, "p")
            assert (screen.plan.action, screen.plan.strategy) == (OperatorAction.UNPAUSE, "cross_venue")

    drive(main())


@pytest.mark.parametrize("keys", [("p",), ("e",), ("5", "p"), ("8", "e"), ("6", "e")])
def test_where_nothing_can_be_paused_or_tuned_the_keys_say_so_and_send_nothing(keys: tuple[str, ...]) -> None:
    async def main() -> None:
        stage = at_the_desk()
        async with on_stage(stage) as pilot:
            await pressed(pilot, *keys)
            assert not isinstance(stage.app.screen, Change)
        assert stage.link.orders == []

    drive(main())


# -- tuning

GAMMA = ("6", "tab", "enter")
"""The way to the first setting."""


def test_a_value_is_typed_confirmed_and_sent_once() -> None:
    async def main() -> None:
        stage = at_the_desk(desk(tuned=()))
        async with on_stage(stage) as pilot:
            await ask(pilot, *GAMMA)
            assert f"{AVELLANEDA}.gamma is 0.0004" in glass(stage)
            await pressed(pilot, *"0.0005", "enter")
            assert f"{AVELLANEDA}.gamma: 0.0004 → 0.0005" in glass(stage)
            assert stage.link.orders == [], "the value alone sends nothing"
            await pressed(pilot, *"calm", "enter")
            assert stage.link.orders == [(OperatorAction.TUNE, "calm")]
            assert stage.link.targets == [f"{AVELLANEDA}.gamma=0.0005"]
            done = AlertRow(wall_ms=WALL_MS + 1, level="info", code="tuned", text="gamma 0.0004 -> 0.0005")
            stage.link.answer(desk(tuned=(TUNED,), alerts=(done,)))
            await settle(pilot)
            assert f"{AVELLANEDA}.gamma is 0.0005 now" in glass(stage)
            await pressed(pilot, "enter")
            assert isinstance(stage.app.screen, Strategies)
            assert "0.0005 operator" in glass(stage)
            assert len(stage.link.orders) == 1

    drive(main())


def test_a_refusal_is_said_in_capitals_and_the_value_stays() -> None:
    async def main() -> None:
        stage = at_the_desk(desk(tuned=()))
        async with on_stage(stage) as pilot:
            await ask(pilot, *GAMMA)
            await pressed(pilot, *"-1", "enter", "enter")
            assert stage.link.targets == [f"{AVELLANEDA}.gamma=-1"]
            text = f"{AVELLANEDA}.gamma = -1 is refused: a number, at least 0, below 1e+12"
            no = AlertRow(wall_ms=WALL_MS + 1, level="warning", code="tune_refused", text=text)
            stage.link.answer(desk(tuned=(), alerts=(no,)))
            await settle(pilot)
            assert "REFUSED: nothing was changed" in glass(stage)
            assert "gamma = -1 is refused" in glass(stage)
            await pressed(pilot, "escape")
            assert "0.0004 default.toml" in glass(stage)

    drive(main())


@pytest.mark.parametrize(
    "keys", [("escape",), (*"0.5", "escape"), (*"0.5", "enter", "escape"), (*"0.5", "enter", "x", "escape")]
)
def test_escape_leaves_at_every_step_with_nothing_sent(keys: tuple[str, ...]) -> None:
    async def main() -> None:
        stage = at_the_desk()
        async with on_stage(stage) as pilot:
            await ask(pilot, *GAMMA)
            await pressed(pilot, *keys)
            assert isinstance(stage.app.screen, Strategies)
        assert stage.link.orders == []

    drive(main())


def test_what_is_no_number_goes_no_further() -> None:
    async def main() -> None:
        stage = at_the_desk()
        async with on_stage(stage) as pilot:
            screen = await ask(pilot, *GAMMA)
            await pressed(pilot, "enter")
            await pressed(pilot, *"many", "enter")
            assert stage.app.screen is screen
            assert screen.plan.value == ""
        assert stage.link.orders == []

    drive(main())


def test_a_setting_that_cannot_be_tuned_opens_as_text() -> None:
    async def main() -> None:
        stage = at_the_desk()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "6", "tab", "pagedown", "enter")
            assert isinstance(stage.app.screen, Text)
            assert "cannot be tuned while the daemon runs" in glass(stage)

    drive(main())


def test_a_change_without_a_link_is_owned_up_to() -> None:
    async def main() -> None:
        stage = Stage(Up("sim", 1), at_the_desk().link._events[1], Pictured(desk()), Lost("closed"), up=False)
        async with on_stage(stage) as pilot:
            await ask(pilot, *GAMMA)
            assert "No link to the daemon" in glass(stage)
            await pressed(pilot, *"1", "enter", "enter")
            assert "Nothing was sent" in glass(stage)

    drive(main())


def test_the_cursor_stays_with_its_setting_while_values_change() -> None:
    async def main() -> None:
        stage = at_the_desk()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "6", "tab", "down")
            stage.app._deliver(Pictured(desk(tuned=())))
            await settle(pilot)
            setting = stage.app.screen.query_one(SettingList).item()
            assert setting is not None
            assert setting.name == "max_half_spread"

    drive(main())


# -- log


def test_the_log_is_filtered_where_it_is_shown_and_escape_clears_before_it_leaves() -> None:
    async def main() -> None:
        stage = at_the_desk()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "8", "slash", *"warn", "enter")
            assert 'LOG AND ALERTS "warn" 1/5' in glass(stage)
            assert "ledger_failed" not in glass(stage)
            await pressed(pilot, "escape")
            assert "LOG AND ALERTS 5" in glass(stage)
            await pressed(pilot, "enter")
            assert "settled: OUT:BTC" in glass(stage)
            await pressed(pilot, "escape", "tab", "enter")
            assert "who     uid 1000 (desk)" in glass(stage)
            await pressed(pilot, "escape", "escape")
            assert isinstance(stage.app.screen, Overview)

    drive(main())


def test_news_arrive_even_when_pictures_overtake_one_another() -> None:
    """Pictures that wait are dropped for newer ones; what is told only once must not be."""

    async def main() -> None:
        stage = at_the_desk()
        async with on_stage(stage) as pilot:
            await pressed(pilot, "8")
            for number in range(5, 25):
                stage.app._deliver(Heard(log=(log_line(number, "info", "link", f"line {number}"),)))
                stage.app._deliver(Pictured(desk()))
            await settle(pilot)
            assert [row.n for row in stage.app.store.desk.log] == list(range(1, 25))

    drive(main())


def test_what_happened_on_another_day_says_so() -> None:
    async def main() -> None:
        stage = showing(snapshot(wall_ms=WALL_MS + 7 * 86_400_000))
        async with on_stage(stage, (120, 40)) as pilot:
            assert glass(stage).count("21T0056Z") >= 3, "fills and alerts"
            await pressed(pilot, "8")
            assert "21T0056Z info" in glass(stage)

    drive(main())
