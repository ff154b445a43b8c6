"""The last look sells what the engine's own walk owed, within the engine's own bounds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import trio

from hlomm.daemon import last_look
from hlomm.daemon.beat import Beats
from hlomm.daemon.last_look import LastLook
from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import HYPERLIQUID, KALSHI, VenueId
from hlomm.domain.inputs import StopRequested, VenuePaused
from hlomm.domain.markets import Leg
from hlomm.domain.units import Qty
from hlomm.engine.safety import left_open
from hlomm.engine.state import State
from hlomm.link.guardian import Half
from hlomm.settings.load import load
from tests.support.pairs import HL, KS
from tests.support.values import lots
from tests.unit.engine.test_flatten_pairs import waited
from tests.unit.engine.test_pairs import bought


def looking(
    monkeypatch: pytest.MonkeyPatch, state: State, cancel_all: object, flatten_account: object,
    venues: tuple[VenueId, ...], setting: str,
) -> LastLook:  # fmt: skip
    """A last look at venues of which a test says what they do; their accounts cannot be read afterwards."""

    async def account() -> Any:
        await trio.lowlevel.checkpoint()
        raise VenueUnavailable("away")

    monkeypatch.setattr(last_look, "cancel_all", cancel_all)
    monkeypatch.setattr(last_look, "flatten_account", flatten_account)
    now = SimpleNamespace(mono_ns=0, wall_ns=10**18, wall_ms=10**12)
    clock: Any = SimpleNamespace(now=lambda: now, read=lambda: now, host_seconds=lambda s: s)
    sessions: Any = {venue: SimpleNamespace(venue=venue, fetch_account=account) for venue in venues}
    pump: Any = SimpleNamespace(engine=SimpleNamespace(state=state), journal_dead=None, note=lambda _: None)
    return LastLook(sessions, load("sim", (), (setting,)).settings, clock, pump)


@pytest.mark.parametrize("on_stop", ["flatten", "keep"])
async def test_what_a_stop_owed_is_sold_within_the_engines_own_bounds(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock, on_stop: str
) -> None:
    desk = bought()
    state = desk.rig.state
    desk.rig.tell(VenuePaused(KALSHI, desk.rig.ms + 7_200_000, "maintenance"))
    desk.rig.tell(StopRequested("SIGTERM", flatten=True))
    waited(desk, 20)
    assert left_open(state)
    seen: list[Any] = []

    async def none_left(_session: object, **_how: object) -> Any:
        await trio.lowlevel.checkpoint()
        return SimpleNamespace(canceled=0, remaining=(), verified=True)

    async def sold(_session: object, bounds: object, _mint: object, **how: object) -> Any:
        await trio.lowlevel.checkpoint()
        seen.append((bounds, how))
        return SimpleNamespace(words=(), left=SimpleNamespace(orders=(), stays=[], done=True))

    look = looking(monkeypatch, state, none_left, sold, (HYPERLIQUID,), f"flatten.on_stop='{on_stop}'")
    assert await look.at_all(trouble=True, live=False) == 0
    ((bounds, how),) = seen
    assert bounds.hold_to_expiry_ns == state.config.flatten.hold_to_expiry_ns > 0
    assert how["expiries_ns"]
    assert bounds.whole[HL.id, Leg.YES] == lots(100)


@pytest.mark.parametrize("answers", [True, False])
async def test_after_a_fault_no_half_of_a_pair_is_sold_while_the_venue_of_the_other_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock, answers: bool
) -> None:
    """It would be naked then. What is kept so is unsold: the guardian goes on where the daemon could not."""
    state = bought().rig.state
    whole: dict[VenueId, list[int]] = {HYPERLIQUID: [], KALSHI: []}

    async def none_left(session: Any, **_how: object) -> Any:
        slow = session.venue == KALSHI
        await trio.sleep(2.0 if slow else 0.1)
        return SimpleNamespace(canceled=0, remaining=(), verified=answers or not slow)

    async def sold(session: Any, bounds: Any, _mint: object, **_how: object) -> Any:
        await trio.lowlevel.checkpoint()
        whole[session.venue].append(sum(bounds.whole.values()))
        return SimpleNamespace(words=(), left=SimpleNamespace(orders=(), stays=[], done=True))

    look = looking(monkeypatch, state, none_left, sold, tuple(whole), "guardian.on_silence='flatten'")
    look.orderly = False
    await look.at_all(trouble=True, live=False)
    assert whole == {HYPERLIQUID: [lots(100), 0 if answers else lots(100)], KALSHI: [0]}
    assert look.unsold == (set() if answers else {HYPERLIQUID})


def test_the_guardian_is_told_which_tokens_are_whole_with_those_of_another_venue() -> None:
    desk = bought()
    pump: Any = SimpleNamespace(engine=desk.rig.engine, fault=None, untimed=False, clock=None)
    beats = Beats(pump, load("sim", (), ()).settings)
    told = {one.market: one.halves for one in beats._holdings()}
    assert told == {
        HL.id: (Half(leg=Leg.YES, venue=KALSHI, qty=Qty(lots(100))),),
        KS.id: (Half(leg=Leg.NO, venue=HYPERLIQUID, qty=Qty(lots(100))),),
    }  # fmt: skip
