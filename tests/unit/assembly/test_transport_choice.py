"""From `venue.<name>.transport` to the session: each venue has a choice of its own."""

from __future__ import annotations

import pytest

from hlomm.assembly.venues import hyperliquid_session, kalshi_session, polymarket_session
from hlomm.domain.secret import Secret
from hlomm.settings.load import load
from hlomm.sim.kalshi.venue import funded_accounts
from hlomm.venues.clock import Clock
from hlomm.venues.websocket import WebSocketKind

KEY = "0x" + "11" * 32
WALLET = "0x" + "22" * 20
URLS = (
    "venue.hyperliquid.rest=http://venue.test", "venue.hyperliquid.ws=ws://venue.test/ws",
    f"venue.hyperliquid.account='{WALLET}'",
    "venue.polymarket.clob=http://venue.test", "venue.polymarket.gamma=http://venue.test",
    "venue.polymarket.ws=ws://venue.test/ws", f"venue.polymarket.account='{WALLET}'",
    "venue.kalshi.rest=http://venue.test/v2", "venue.kalshi.ws=ws://venue.test/v2",
)  # fmt: skip


def kinds(*sets: str) -> list[WebSocketKind]:
    venue, clock = load("sim", (), (*URLS, *sets), environ={}).settings.venue, Clock()
    sessions = [
        hyperliquid_session(venue.hyperliquid, clock, limits=None, key=Secret(KEY)),
        polymarket_session(venue.polymarket, clock, limits=None, key=Secret(KEY)),
        kalshi_session(venue.kalshi, clock, limits=None, key=Secret(funded_accounts(1)[0].private_key_pem)),
    ]
    return [session._config.websocket for session in sessions]  # type: ignore[attr-defined]


def test_all_are_direct_unasked() -> None:
    assert kinds() == [WebSocketKind.DIRECT] * 3


@pytest.mark.parametrize(("place", "venue"), enumerate(["hyperliquid", "polymarket", "kalshi"]))
def test_each_venue_has_a_choice_of_its_own(place: int, venue: str) -> None:
    chosen = kinds(f"venue.{venue}.transport=library")
    assert [at for at, kind in enumerate(chosen) if kind is WebSocketKind.LIBRARY] == [place]
