"""The exponent by which a simulated queue moved, found again from what filled."""

from __future__ import annotations

import numpy as np
import pytest

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, ClientId, VenueOrderId
from hlomm.domain.inputs import BookSnapshot, FillReceived, OrderClosed, OrderOpened, TradePrint
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import PlaceOrders
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.pricing.queues import QueueModel, QueuePosition
from hlomm.research.calibrate.queue import NONE, exponent, stretches
from hlomm.research.journal_recording import Own, Traded
from hlomm.research.recording import Event, Recording, perp_of
from tests.unit.store.making import OUTCOME, T0, market

PX = Px(40 * SCALE // 100)
MINE = 40
STEP_MS = 500


def lives(seed: int, count: int, n: float) -> Traded:
    """Orders that join a level of some hundred, of which others cancel and takers take, until they are filled."""
    rng = np.random.default_rng(seed)
    events, sent, news = [], [], []
    ms = T0 // NS_PER_MS
    for number in range(count):
        others = int(rng.integers(100, 300))
        client_id, oid = ClientId(f"0x{number:x}"), VenueOrderId(str(number))
        queue = QueuePosition(model=QueueModel.POWER, level_qty=others, remaining=MINE, n=n)
        events.append(book(ms, others))
        sent.append((ms * NS_PER_MS, placed(client_id)))
        ms += 1
        start, filled = ms, 0
        news.append((ms, OrderOpened(client_id=client_id, venue_order_id=oid, leaves=None, venue_ms=ms)))
        for step in range(25):
            ms += STEP_MS
            taken = int(rng.integers(0, 30)) if rng.random() < 0.3 else 0
            if taken:
                events.append(taker(ms - 10, taken, f"{number}-{step}"))
                fill = round(queue.trade(taken))
                filled += fill
                if fill:
                    news.append((ms, FillReceived(own_fill(client_id, oid, ms - 10, fill))))
                others = max(others - (taken - fill), 0)
            if filled == MINE:
                break
            # Others come behind us and go from anywhere.
            others = max(others + int(rng.integers(0, 25)) - int(rng.integers(0, 40)), 0)
            queue.depth(others)
            events.append(book(ms, others + MINE - filled))
        end = ms if filled < MINE else ms - 10
        news.append((ms, OrderClosed(
            client_id=client_id, venue_order_id=oid, status="canceled", filled=Qty(0), venue_ms=end
        )))  # fmt: skip
        assert end > start
        ms += 5_000
    recording = Recording(
        outcome=market(), perp=perp_of("BTC"), events=tuple(events), marks=(), books=0, prints_raw=0,
        prints_replayed=0, mirrored=0,
    )  # fmt: skip
    return Traded(recording=recording, own=Own(sent=tuple(sent), news=tuple(news)), money=Cash(0), fees=None)


def event(ms, item):
    return Event(received_ns=ms * NS_PER_MS, exchange_ns=ms * NS_PER_MS, item=item)


def book(ms, others):
    bids = ((PX, others * SCALE),) if others else ((PX - SCALE // 100, SCALE),)
    return event(ms, BookSnapshot(OUTCOME, bids, ((PX + SCALE // 100, SCALE),), ms))


def taker(ms, qty, key):
    return event(ms, TradePrint(OUTCOME, PX, Qty(qty * SCALE), Side.SELL, key, ms))


def placed(client_id):
    return PlaceOrders(
        HYPERLIQUID,
        (OrderRequest(
            client_id=client_id, market=OUTCOME, leg=Leg.YES, side=Side.BUY, px=PX, qty=Qty(MINE * SCALE), tif=Tif.ALO,
            purpose=Purpose.QUOTE,
        ),),
    )  # fmt: skip


def own_fill(client_id, oid, ms, qty):
    return Fill(
        key=f"{oid}-{ms}", market=OUTCOME, leg=Leg.YES, side=Side.BUY, px=PX, qty=Qty(qty * SCALE), fee=Cash(0),
        kind=FillKind.TRADE, maker=True, client_id=client_id, venue_order_id=oid, venue_ms=ms,
    )  # fmt: skip


@pytest.mark.parametrize("n", [1.0, 3.0])
def test_the_true_exponent_errs_least(n):
    found = exponent([lives(1, 150, n)])
    assert found.refused == ""
    assert found.telling > 40
    assert found.filled > 0
    assert found.n == n
    assert found.interval is not None
    assert found.interval[0] <= n <= found.interval[1]
    errors = dict(found.errors)
    assert errors[n] < 0.1, "lived again as it was lived"
    assert min(error for _, error in found.bracket) > errors[n] + 0.5


def test_an_order_is_lived_from_its_stamp_to_its_end():
    made = lives(2, 3, 2.0)
    found = list(stretches(made.own))
    assert [one.qty for one in found] == [MINE * SCALE] * 3
    assert all(one.from_ms < one.to_ms for one in found)
    assert all(one.left(one.to_ms) >= 0 for one in found)


def test_without_own_fills_nothing_is_invented():
    assert exponent([]).refused == NONE
    silent = lives(3, 40, 2.0)
    unfilled = Own(
        sent=silent.own.sent, news=tuple(row for row in silent.own.news if not isinstance(row[1], FillReceived))
    )  # fmt: skip
    found = exponent([Traded(recording=silent.recording, own=unfilled, money=Cash(0), fees=None)])
    assert (found.n, found.refused) == (None, NONE)


def test_a_few_orders_are_refused_and_the_default_stands():
    found = exponent([lives(4, 12, 2.0)])
    assert found.n is None
    assert "30 are needed: default kept" in found.refused
