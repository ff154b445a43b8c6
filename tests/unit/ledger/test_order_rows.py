"""Order rows of the ledger: what the records say became of each order."""

from __future__ import annotations

import pytest

from hlomm.daemon.ledger_fold import Fold
from hlomm.domain.inputs import (
    AmendFailed,
    CancelFailed,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    SendLost,
    SendRefused,
    SentAction,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import AmendRequest, CancelRequest, Side, Tif
from hlomm.domain.outputs import AmendOrders, CancelOrders
from tests.support.records import CLOID, MARKET, Script
from tests.unit.ledger.conftest import connected


def order(*steps):
    """(state, qty, filled, note) of the order after what was heard of it."""
    script = Script().boot().books().place()
    for step in steps:
        script = step(script)
    connection = connected(":memory:")
    Fold(connection).apply(script.batch(), gaps=False)
    return connection.execute("SELECT state, qty, filled, note FROM orders").fetchone()


def opened(script):
    return script.opened()


def test_an_order_that_rests_and_fills():
    assert order() == ("pending_new", 100, 0, "")
    assert order(opened)[0] == "open"
    assert order(opened, lambda s: s.fill("a", qty=40))[:3] == ("open", 100, 40)
    assert order(opened, lambda s: s.fill("a", qty=40).fill("a", qty=40))[:3] == ("open", 100, 40), "told twice"
    assert order(opened, lambda s: s.fill("a", qty=40).fill("b", qty=60))[:3] == ("filled", 100, 100)


def heard(item, *outputs):
    return lambda script: script.hear(item, *outputs)


def closed(status, filled=None):
    return heard(OrderClosed(client_id=CLOID, venue_order_id="77", status=status, filled=filled, venue_ms=2))


def answered(**changes):
    values = {
        "client_id": CLOID, "found": True, "open": False, "status": "canceled", "venue_order_id": "77", "leaves": 0,
        "filled": 0,
    }  # fmt: skip
    return heard(OrderAnswer(**{**values, **changes}))


AMEND = AmendOrders(
    "hyperliquid",
    (
        AmendRequest(
            client_id=CLOID, venue_order_id="77", market=MARKET, leg=Leg.YES, side=Side.BUY, px=55, qty=30, tif=Tif.ALO
        ),
    ),
)  # fmt: skip
CANCEL = CancelOrders("hyperliquid", (CancelRequest(client_id=CLOID, market=MARKET, leg=Leg.YES),))
ASKED = OrderOpened(client_id=CLOID, venue_order_id="77", leaves=None, venue_ms=1)


@pytest.mark.parametrize(
    ("steps", "state", "qty", "note"),
    [
        ([closed("canceled")], "canceled", 100, "canceled"),
        ([closed("filled", 100)], "filled", 100, "filled"),
        ([heard(ASKED, AMEND)], "pending_amend", 30, ""),
        ([heard(ASKED, AMEND), opened], "open", 30, ""),
        ([heard(ASKED, AMEND), heard(AmendFailed(client_id=CLOID, code="x", text="y"))], "unknown", 100, "x: y"),
        (
            [heard(ASKED, AMEND), heard(SendRefused((CLOID,), SentAction.AMEND, "full"))], "open", 100,
            "amend not sent: full",
        ),
        ([heard(ASKED, CANCEL)], "pending_cancel", 100, ""),
        ([heard(ASKED, CANCEL), closed("canceled")], "canceled", 100, "canceled"),
        ([heard(ASKED, CANCEL), heard(CancelFailed(client_id=CLOID, code="x", text="y"))], "unknown", 100, "x: y"),
        ([heard(SendLost((CLOID,), SentAction.CANCEL, "t/o"))], "unknown", 100, "cancel without an answer: t/o"),
        (
            [heard(SendLost((CLOID,), SentAction.PLACE, "t")), answered(open=True)], "open", 100,
            "place without an answer: t",
        ),
        ([heard(SendLost((CLOID,), SentAction.PLACE, "t")), answered()], "canceled", 100, "canceled"),
        (
            [heard(SendLost((CLOID,), SentAction.PLACE, "t")), answered(found=False)], "unknown", 100,
            "the venue knows no such order",
        ),
    ],
)  # fmt: skip
def test_what_becomes_of_an_order(steps, state, qty, note):
    found = order(opened, *steps)
    assert (found[0], found[1], found[3]) == (state, qty, note)


def test_a_refused_order_and_one_that_never_left():
    assert order(heard(OrderRejected(client_id=CLOID, code="Tick", text="bad")))[0::3] == ("rejected", "Tick: bad")
    assert order(heard(SendRefused((CLOID,), SentAction.PLACE, "full")))[0] == "rejected"
