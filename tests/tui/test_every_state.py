"""Rung: every screen at every size in every state, as text: what is drawn, without how it is coloured.

Every accepted page was looked at by a person. Colours, and pictures worth a second look, are in `test_snapshots`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import msgspec
import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from hlomm.domain.report import Snapshot
from tests.tui.desk import NEWS, desk
from tests.tui.driving import drive, glass, on_stage, pressed, settle
from tests.tui.examples import halted, many, snapshot, wordy
from tests.tui.linked import linked
from tests.tui.looking import UP, bare, look, wordy_look
from tests.tui.stage import Stage
from tests.tui.stocked import stocked
from tui.client import Lost, Pictured

pytestmark = pytest.mark.slow

SIZES = {"80": (80, 24), "120": (120, 40), "200": (200, 60)}
SCREENS = "12345678"
LATE_S = 9.0


class Page(SingleFileSnapshotExtension):
    """One readable file for each state and size."""

    _write_mode = WriteMode.TEXT
    _file_extension = "txt"


@pytest.fixture
def page(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(Page)


def everything() -> Snapshot:
    """Something on every screen."""
    rich, across, busy = stocked(), linked().engine, desk()
    engine = msgspec.structs.replace(
        rich.engine, links=across.links, edges=across.edges, arbitrage=across.arbitrage, baskets=across.baskets,
        strategies=busy.engine.strategies, tuned=busy.engine.tuned, pnl=busy.engine.pnl,
        markouts=busy.engine.markouts, recent_fills=busy.engine.recent_fills, orders=busy.engine.orders,
    )  # fmt: skip
    return msgspec.structs.replace(rich, engine=engine, venues=busy.venues)


def stale() -> Snapshot:
    """The daemon answers, its venues have not for a while."""
    whole, old = everything(), {"book_age_s": LATE_S}
    rows = tuple(msgspec.structs.replace(row, **old) for row in whole.engine.markets)
    venues = tuple(msgspec.structs.replace(row, data_age_s=LATE_S) for row in whole.venues)
    return msgspec.structs.replace(whole, engine=msgspec.structs.replace(whole.engine, markets=rows), venues=venues)


def stage(picture: Snapshot, shown: Any = None) -> Stage:
    return Stage(UP, NEWS, Pictured(picture, look() if shown is None else shown))


async def nothing(_stage: Stage) -> None: ...


async def is_lost(made: Stage) -> None:
    made.app._deliver(Lost("the daemon closed the connection"))
    made.clock.now_s += LATE_S


@attrs.frozen
class State:
    picture: Callable[[], Stage]
    words: tuple[str, ...]
    """On the first line of every screen, whatever else is there."""
    then: Callable[[Stage], Awaitable[None]] = nothing


def silent() -> Stage:
    picture = wordy()
    return stage(picture, wordy_look(picture.engine.markets[0].id))


STATES = {
    "normal": State(lambda: stage(everything()), ("QUOTING", "link ok")),
    "stale": State(lambda: stage(stale()), ("QUOTING", "link ok")),
    "halted": State(lambda: stage(halted()), ("HALTED",)),
    "disconnected": State(lambda: stage(everything()), ("NO LINK",), is_lost),
    "empty": State(lambda: stage(snapshot((), positions=(), recent_fills=(), alerts=()), bare()), ("QUOTING",)),
    "fifty": State(lambda: stage(snapshot(many(50))), ("QUOTING",)),
    "wordy": State(silent, ()),
}


async def pages(made: Stage, state: State, size: tuple[int, int]) -> list[str]:
    async with on_stage(made, size) as pilot:
        await pressed(pilot, "down")
        await state.then(made)
        await settle(pilot)
        found = []
        for key in SCREENS:
            await pressed(pilot, key)
            found.append(glass(made))
        return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", STATES)
def test_every_screen(name: str, size: str, page: SnapshotAssertion) -> None:
    state = STATES[name]
    drawn = drive(pages(state.picture(), state, SIZES[size]))
    for key, text in zip(SCREENS, drawn, strict=True):
        first = text.lstrip("\n").split("\n")[0]
        assert all(word in first for word in state.words), f"screen {key}: {first}"
        assert "K kill" in text, "the way out is on every screen"
        assert "cannot be drawn" not in text
    assert "\n".join(f"== {key}\n{text}" for key, text in zip(SCREENS, drawn, strict=True)) == page
