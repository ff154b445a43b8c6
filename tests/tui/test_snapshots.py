"""Rung: pictures. Every accepted picture was looked at by a person; a difference is to be looked at as well.

The clock of the stage stands still, cursors do not blink, colours do not depend on the terminal (see conftest).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from tests.tui.beside import Beside, btc, eth
from tests.tui.desk import at_the_desk
from tests.tui.driving import pressed, settle
from tests.tui.examples import (
    DANGER,
    NOW_S,
    WALL_MS,
    daily,
    halted,
    many,
    one_sided,
    pulled,
    snapshot,
    wordy,
)
from tests.tui.linked import linked
from tests.tui.looking import apart, bare, look, looking, surface, wordy_look
from tests.tui.stage import Stage, showing
from tests.tui.stocked import stocked
from tui.client import Lost
from tui.starting import Daemon, Starter

pytestmark = pytest.mark.slow

SMALL, MIDDLE, LARGE = (80, 24), (120, 40), (200, 60)
Compare = Callable[..., bool]


def same(compare: Compare, stage: Stage, size: tuple[int, int], *keys: str) -> bool:
    async def before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        if keys:
            await pressed(pilot, *keys)

    return compare(stage.app, terminal_size=size, run_before=before)


def test_quoting_at_80(snap_compare: Compare) -> None:
    assert same(snap_compare, showing(snapshot()), SMALL, "down")


def test_quoting_at_120(snap_compare: Compare) -> None:
    assert same(snap_compare, showing(snapshot()), MIDDLE, "down")


def test_twelve_markets_at_200(snap_compare: Compare) -> None:
    assert same(snap_compare, showing(snapshot((*many(), *snapshot().engine.markets))), LARGE, "down", "down")


def test_halted_with_alerts_at_80(snap_compare: Compare) -> None:
    assert same(snap_compare, showing(halted()), SMALL)


def test_nobody_answers_at_80(snap_compare: Compare) -> None:
    def start() -> Daemon:
        raise AssertionError("nobody pressed s")

    stage = Stage(Lost("nobody answers"), up=False, starter=Starter("/run/user/1000/hlomm/sim/tui-run.log", start))
    stage.clock.now_s = NOW_S + 4.2
    assert same(snap_compare, stage, SMALL)


def test_a_lost_link_at_120(snap_compare: Compare) -> None:
    stage = showing(snapshot())

    async def before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        stage.app._deliver(Lost("the daemon closed the connection"))
        stage.clock.now_s += 4.2
        await settle(pilot)

    assert snap_compare(stage.app, terminal_size=MIDDLE, run_before=before)


def test_kill_asks_at_80(snap_compare: Compare) -> None:
    assert same(snap_compare, showing(snapshot()), SMALL, "K")


def test_kill_done_at_120(snap_compare: Compare) -> None:
    stage = showing(snapshot())

    async def before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        await pressed(pilot, "K", "enter")
        done = halted()
        moved = tuple(msgspec.structs.replace(row, wall_ms=row.wall_ms + 60_000) for row in done.alerts[-2:])
        stage.clock.now_s += 0.04
        stage.link.answer(msgspec.structs.replace(done, alerts=(*done.alerts[:-2], *moved)))
        await settle(pilot)

    assert snap_compare(stage.app, terminal_size=MIDDLE, run_before=before)


def test_no_markets_at_80(snap_compare: Compare) -> None:
    assert same(snap_compare, showing(snapshot((), alerts=(), recent_fills=())), SMALL)


def test_a_one_sided_market_in_full_at_80(snap_compare: Compare) -> None:
    assert same(snap_compare, showing(snapshot((one_sided(),))), SMALL, "enter")


def test_very_long_texts_at_80(snap_compare: Compare) -> None:
    assert same(snap_compare, showing(wordy()), SMALL, "down", "enter")


def test_inventory_at_80(snap_compare: Compare) -> None:
    assert same(snap_compare, showing(stocked()), SMALL, "i", "down")


def test_inventory_at_120(snap_compare: Compare) -> None:
    assert same(snap_compare, showing(stocked()), MIDDLE, "i", "down")


def test_inventory_of_nothing_at_80(snap_compare: Compare) -> None:
    assert same(snap_compare, showing(snapshot((), positions=())), SMALL, "i")


def test_arbitrage_at_80(snap_compare: Compare) -> None:
    assert same(snap_compare, showing(linked()), SMALL, "4", "down")


def test_arbitrage_at_120(snap_compare: Compare) -> None:
    assert same(snap_compare, showing(linked()), MIDDLE, "4", "down")


def test_arbitrage_at_200(snap_compare: Compare) -> None:
    assert same(snap_compare, showing(linked()), LARGE, "4", "down")


def test_orders_and_fills_at_80(snap_compare: Compare) -> None:
    assert same(snap_compare, at_the_desk(), SMALL, "5", "down")


def test_orders_and_fills_at_200(snap_compare: Compare) -> None:
    assert same(snap_compare, at_the_desk(), LARGE, "5", "down")


def test_strategies_at_80(snap_compare: Compare) -> None:
    assert same(snap_compare, at_the_desk(), SMALL, "6", "tab", "down")


def test_a_tune_asks_at_120(snap_compare: Compare) -> None:
    assert same(snap_compare, at_the_desk(), MIDDLE, "6", "tab", "enter", "0", ".", "1", "enter")


def test_log_at_80(snap_compare: Compare) -> None:
    assert same(snap_compare, at_the_desk(), SMALL, "8", "down")


def test_help_at_120(snap_compare: Compare) -> None:
    assert same(snap_compare, showing(snapshot()), MIDDLE, "question_mark")


# -- screens 2 and 7


@pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=["80", "120", "200"])
def test_market(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert same(snap_compare, looking(), size, "2", "right", "right")


def test_market_seen_from_no_at_80(snap_compare: Compare) -> None:
    assert same(snap_compare, looking(), SMALL, "2", "n", "n", "t")


@pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=["80", "120", "200"])
def test_surfaces(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert same(snap_compare, apart(), size, "7", *["right"] * 3)


def test_surfaces_of_a_market_that_is_pulled_at_80(snap_compare: Compare) -> None:
    row = pulled()
    assert same(snap_compare, looking(stocked(), look(row, surface=surface(row))), SMALL, "7", "v")


def test_surfaces_of_a_market_nobody_trades_at_80(snap_compare: Compare) -> None:
    assert same(snap_compare, looking(stocked(), bare()), SMALL, "7", "right")


@pytest.mark.parametrize("key", ["2", "7"])
def test_halted_in_full_at_80(snap_compare: Compare, key: str) -> None:
    stage = looking(halted(), look(queues=(), surface=surface(daily(), decided_ms=WALL_MS - 14_000)))
    assert same(snap_compare, stage, SMALL, "down", "down", key)


@pytest.mark.parametrize("key", ["2", "7"])
def test_no_market_in_full_at_80(snap_compare: Compare, key: str) -> None:
    assert same(snap_compare, looking(snapshot((), positions=(), recent_fills=())), SMALL, key)


@pytest.mark.parametrize("key", ["2", "7"])
def test_a_wordy_market_in_full_at_80(snap_compare: Compare, key: str) -> None:
    picture = wordy()
    assert same(snap_compare, looking(picture, wordy_look(picture.engine.markets[0].id)), SMALL, "down", key)


@pytest.mark.parametrize("key", ["2", "7"])
def test_a_lost_link_in_full_at_80(snap_compare: Compare, key: str) -> None:
    stage = looking()

    async def before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        await pressed(pilot, key, "right", "right")
        stage.app._deliver(Lost("the daemon closed the connection"))
        stage.clock.now_s += 4.2
        await settle(pilot)

    assert snap_compare(stage.app, terminal_size=SMALL, run_before=before)


def in_trouble() -> Beside:
    """Of three daemons one has an alarm and one cannot be reached."""
    return Beside(btc(), eth(alerts=(DANGER,), state="flattening"), "nobody answers")


@pytest.mark.parametrize("keys", [("down",), ("d", "K"), ("X",), ("0",)], ids="".join)
def test_several_daemons_at_80(snap_compare: Compare, keys: tuple[str, ...]) -> None:
    assert same(snap_compare, in_trouble(), SMALL, *keys)


def test_several_daemons_all_killed_at_120(snap_compare: Compare) -> None:
    assert same(snap_compare, in_trouble(), MIDDLE, "X", "enter")
