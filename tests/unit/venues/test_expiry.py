"""`expiresAfter` on everything that is signed: what arrives late is refused by the venue, not carried out."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from hlomm.domain.inputs import RestingOrder
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.domain.outputs import AmendOrders, ConvertSet
from hlomm.domain.sets import SetAction
from hlomm.domain.units import Px, Qty, parse
from tests.unit.venues.fake_hyperliquid import FakeHyperliquid, now_ms
from tests.unit.venues.harness import OUTCOME, PERP, amend_of, cancel, order, place, running

RESTS = ("order", "batchModify")
REST = {"order", "batchModify", "cancelByCloid", "cancel", "userOutcome", "noop", "scheduleCancel"}


@pytest.mark.parametrize("way", ["ws", "rest"])
async def test_every_action_carries_it(way: str, autojump_clock: trio.testing.MockClock) -> None:
    venue = FakeHyperliquid()
    seen: dict[str, tuple[str, dict[str, Any], int]] = {}

    def note(body: dict[str, Any]) -> Any:
        seen[body["action"]["type"]] = (venue.actions[-1][0], body, now_ms())
        if body["action"]["type"] == "scheduleCancel":
            return {"status": "ok", "response": {"type": "default"}}
        return venue.polite(body)

    venue.on_action = note
    async with running(venue, expires_after_s=7, deadman_s=30) as live:
        if way == "rest":
            venue.refuse_ws = True
            await venue.socket.drop()
            await trio.sleep(1)
        bid = order()
        for tif in Tif:
            live.submit(place(order(tif=tif), order(Side.BUY, "60000", "0.01", market=PERP, tif=tif)))
        live.submit(AmendOrders(place().venue, (amend_of(bid, 1001, "0.46", "50"),)))
        live.submit(cancel(bid))
        live.submit(ConvertSet(action=SetAction.MERGE, market=OUTCOME, qty=Qty(parse("10"))))
        await live.session.place_now([order(tif=tif) for tif in Tif])
        resting = RestingOrder(
            client_id=bid.client_id, venue_order_id=live_id(), market=OUTCOME, leg=Leg.YES, side=Side.BUY, px=Px(1),
            leaves=Qty(1),
        )  # fmt: skip
        await live.session.cancel_now([resting])
        await trio.sleep(2)
    assert set(RESTS) <= set(seen)
    assert set(seen) == REST - {"noop"} - (set() if way == "ws" else {"scheduleCancel"})
    for kind, (_, body, sent_ms) in seen.items():
        assert 6_000 < body["expiresAfter"] - sent_ms + 1 <= 7_001, kind
    for _, body in venue.actions:
        assert body["expiresAfter"] is not None, body["action"]["type"]


def live_id() -> Any:
    return "1001"
