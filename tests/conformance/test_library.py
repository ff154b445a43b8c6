"""The sessions over trio-websocket instead of our own framing: the choice arrives, and everything works as ever."""

from __future__ import annotations

import pytest
import trio

from hlomm.domain.inputs import BookSnapshot, OrderClosed, SessionDown, SessionUp
from hlomm.venues import transport, websocket_library
from hlomm.venues.websocket import WebSocketKind
from tests.conformance.kalshi_rig import kalshi_rig
from tests.conformance.polymarket_rig import polymarket_rig


@pytest.fixture(autouse=True)
def only_library(monkeypatch):
    """A session that asks for the other finds none."""
    monkeypatch.setattr(transport, "_OPENERS", {WebSocketKind.LIBRARY: websocket_library.open_link})


async def test_hyperliquid_takes_orders_and_survives_a_killed_connection(rig, autojump_clock):
    async with rig(sets=("venue.hyperliquid.transport=library",)) as r:
        order, _ = await r.resting()
        r.cancel(order)
        await r.first(OrderClosed, client_id=order.client_id)
        assert r.truth["open_orders"] == 0
        r.sim.faults.arm("ws_killed")
        await r.first(SessionDown, within_s=60)
        await r.until(lambda: len(r.all(SessionUp)) == 2, 60)
        count = len(r.inputs)
        await r.until(lambda: any(isinstance(i, BookSnapshot) for i in r.inputs[count:]), 30)


async def test_polymarket_keeps_its_books(autojump_clock):
    async with polymarket_rig(check_every_s=3.0, websocket=WebSocketKind.LIBRARY) as r:
        await r.resting()
        await trio.sleep(30)
        assert r.counter("books_compared") > 5
        assert r.counter("books_differed") < r.counter("books_compared") / 4, "a request may be ahead of the stream"
        assert r.counter("books_dropped.top") == 0


async def test_kalshi_keeps_its_books(autojump_clock):
    async with kalshi_rig(websocket=WebSocketKind.LIBRARY) as r:
        await r.book()
        await trio.sleep(10)
        assert len(r.all(BookSnapshot)) > 5
        assert not [name for name in r.session.statistics().counters if name.startswith("books_stale")]
