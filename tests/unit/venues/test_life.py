"""How any session lives, with a venue that only notes what it is asked for: stages, words, pauses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from hlomm.domain.faults import VenueRefused, VenueUnavailable
from hlomm.domain.ids import VenueId
from hlomm.domain.inputs import ClockSkew, Input, SessionDown, SessionUp
from hlomm.domain.times import NS_PER_S
from hlomm.venues.counters import Counters
from hlomm.venues.life import FAREWELL_S, Ended, Life, Stages
from hlomm.venues.outlet import Outlet
from hlomm.venues.rounds import Rounds
from tests.unit.venues.fake_hyperliquid import mock_clock

ELSEWHERE = VenueId("elsewhere")
MockClock = trio.testing.MockClock


@attrs.frozen
class Pace:
    reconnect_base_s: float = 1.0
    reconnect_cap_s: float = 8.0
    stable_after_s: float = 30.0
    rest_poll_s: float = 1_000.0
    jitter_seed: int = 0


class Rest:
    def __init__(self) -> None:
        self.ok: bool | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield


class Elsewhere:
    """A venue whose connections live as long as `lives` says, one after the other; None: none comes about."""

    def __init__(self, lives: Sequence[float | None], pace: Pace | None = None) -> None:
        self.lives = list(lives)
        self.done: list[str] = []
        self.told: list[tuple[float, Input]] = []
        self.tried: list[float] = []
        self.rest = Rest()
        self.farewell_s = 0.0
        self.introductions: list[Exception] = []
        clock, counters = mock_clock(), Counters()
        self.life = Life(
            venue=ELSEWHERE,
            pace=Pace() if pace is None else pace,
            clock=clock,
            outlet=Outlet(clock, counters),
            rest=self.rest,
            rounds=Rounds(clock, counters),
            markets=lambda: 0,
            stages=Stages(
                begin=lambda nursery: self.done.append("begin"),
                introduce=self.introduce,
                refresh=self.refresh,
                connect=self.connect,
                arrived=lambda: self.done.append("arrived"),
                poll=self.poll,
                farewell=self.farewell,
                end=lambda: self.done.append("end"),
            ),
        )

    def sink(self, items: Sequence[Input], _received_ns: int) -> None:
        self.told += [(trio.current_time(), item) for item in items]

    async def introduce(self) -> None:
        self.done.append("introduce")
        await trio.lowlevel.checkpoint()
        if self.introductions:
            raise self.introductions.pop(0)

    async def refresh(self) -> None:
        self.done.append("refresh")
        await trio.lowlevel.checkpoint()

    async def poll(self) -> None:
        self.done.append("poll")
        await trio.lowlevel.checkpoint()

    async def farewell(self) -> None:
        self.done.append("farewell")
        await trio.sleep(self.farewell_s)
        self.done.append("said")

    async def connect(self, on_up: Callable[[], None]) -> Ended:
        self.tried.append(trio.current_time())
        life_s = self.lives.pop(0) if self.lives else None
        await trio.lowlevel.checkpoint()
        if life_s is None:
            raise VenueUnavailable("nobody there")
        on_up()
        await trio.sleep(life_s)
        return Ended(reason="gone", lived_ns=round(life_s * NS_PER_S), lost=(ClockSkew(ELSEWHERE, 1),))

    async def live(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await self.life.run(self.sink, trio.TASK_STATUS_IGNORED)

    def items(self) -> list[Input]:
        return [item for _, item in self.told]


async def test_stages_come_in_their_order(autojump_clock: MockClock) -> None:
    venue = Elsewhere([5.0, 1_000.0])
    await venue.live(60.0)
    assert venue.done == ["begin", "introduce", "arrived", "refresh", "arrived", "farewell", "said", "end"]
    assert venue.items() == [
        SessionUp(ELSEWHERE), SessionDown(ELSEWHERE, "gone", True), ClockSkew(ELSEWHERE, 1), SessionUp(ELSEWHERE),
    ]  # fmt: skip
    assert (venue.life.state, venue.life.reconnects) == ("down", 1)


async def test_pauses_double_to_a_cap_and_begin_anew_after_a_stable_connection(autojump_clock: MockClock) -> None:
    venue = Elsewhere([None] * 6 + [31.0, None, 29.0])
    await venue.live(300.0)
    pauses = [b - a for a, b in zip(venue.tried, venue.tried[1:], strict=False)]
    wholes = [1, 2, 4, 8, 8, 8, 31 + 1, 1, 29 + 2, 4]
    for pause, whole in zip(pauses, wholes, strict=False):
        lived = 31 if whole == 32 else 29 if whole == 31 else 0
        assert (whole - lived) / 2 <= pause - lived < whole - lived
    assert len({round(pause, 9) for pause in pauses}) == len(pauses), "the upper half of each is drawn"


async def test_down_is_told_once_until_it_is_news(autojump_clock: MockClock) -> None:
    venue = Elsewhere([])
    venue.rest.ok = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(venue.live, 90.0)
        await trio.sleep(40.0)
        venue.rest.ok = True
    assert venue.items() == [
        SessionDown(ELSEWHERE, "nobody there", False), SessionDown(ELSEWHERE, "nobody there", True),
    ]  # fmt: skip


async def test_what_matters_is_polled_while_down_and_only_then(autojump_clock: MockClock) -> None:
    venue = Elsewhere([20.0], Pace(rest_poll_s=3.0, reconnect_base_s=100.0, reconnect_cap_s=100.0))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(venue.live, 40.0)
        await trio.sleep(19.5)
        assert "poll" not in venue.done
        await trio.sleep(6.0)
        venue.rest.ok = False
        await trio.sleep(4.0)
        venue.rest.ok = True
    assert venue.done.count("poll") == 7
    downs = [item for item in venue.items() if isinstance(item, SessionDown)]
    assert [(down.reason, down.rest) for down in downs] == [
        ("gone", True), ("requests are not answered", False), ("requests are answered again", True),
    ]  # fmt: skip


async def test_an_introduction_that_fails_is_made_again_and_a_refusal_ends_it(autojump_clock: MockClock) -> None:
    venue = Elsewhere([1_000.0])
    venue.introductions = [VenueUnavailable("away"), VenueRefused("not you")]
    with pytest.raises(VenueRefused, match="not you"):
        await venue.live(60.0)
    assert venue.done == ["begin", "introduce", "introduce", "farewell", "said", "end"]
    assert venue.items() == [SessionDown(ELSEWHERE, "away", True)]
    await venue.live(60.0)
    assert venue.items()[1:] == [SessionUp(ELSEWHERE)], "it can be run again, and begins by introducing itself"


async def test_a_farewell_is_said_though_cancelled_and_not_waited_for_too_long(autojump_clock: MockClock) -> None:
    venue = Elsewhere([1_000.0])
    venue.farewell_s = FAREWELL_S / 2
    await venue.live(10.0)
    assert venue.done[-3:] == ["farewell", "said", "end"]
    late = Elsewhere([1_000.0])
    late.farewell_s = FAREWELL_S * 10
    before = trio.current_time()
    await late.live(10.0)
    assert trio.current_time() - before == pytest.approx(10.0 + FAREWELL_S)
    assert late.done[-2:] == ["farewell", "end"]
