"""The last look sells what the engine's own walk owed, within the engine's own bounds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import trio

from hlomm.daemon import last_look
from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import HYPERLIQUID, KALSHI
from hlomm.domain.inputs import StopRequested, VenuePaused
from hlomm.domain.markets import Leg
from hlomm.engine.safety import left_open
from hlomm.settings.load import load
from tests.support.pairs import HL
from tests.support.values import lots
from tests.unit.engine.test_flatten_pairs import waited
from tests.unit.engine.test_pairs import bought


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

    async def account() -> Any:
        await trio.lowlevel.checkpoint()
        raise VenueUnavailable("away")

    monkeypatch.setattr(last_look, "cancel_all", none_left)
    monkeypatch.setattr(last_look, "flatten_account", sold)
    now = SimpleNamespace(mono_ns=0, wall_ns=10**18, wall_ms=10**12)
    clock: Any = SimpleNamespace(now=lambda: now, read=lambda: now, host_seconds=lambda s: s)
    session: Any = SimpleNamespace(venue=HYPERLIQUID, fetch_account=account)
    pump: Any = SimpleNamespace(engine=SimpleNamespace(state=state), journal_dead=None, note=lambda _: None)
    look = last_look.LastLook(
        {HYPERLIQUID: session}, load("sim", (), (f"flatten.on_stop='{on_stop}'",)).settings, clock, pump
    )
    assert await look.at_all(trouble=True, live=False) == 0
    ((bounds, how),) = seen
    assert bounds.hold_to_expiry_ns == state.config.flatten.hold_to_expiry_ns > 0
    assert how["expiries_ns"]
    assert bounds.whole[HL.id, Leg.YES] == lots(100)
