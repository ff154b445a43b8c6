"""Random lives beside a tape, with every queue model and drawn latencies: nothing is created, lost or told twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.domain.ids import HYPERLIQUID, ClientId
from hlomm.domain.inputs import FeeRates, FillReceived, Input, OrderClosed, OrderRejected
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Side, Tif
from hlomm.domain.outputs import ConvertSet
from hlomm.domain.sets import SetAction
from hlomm.domain.units import SCALE, Px, complement, notional_ceil, notional_floor
from hlomm.pricing.queues import QueueModel
from hlomm.research.latency import Latency, drawn
from hlomm.research.latency import Leg as Way
from tests.support.tape import MARKET, MS, Bench, lots

CHARGED = FeeRates(
    venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=40_000, close_taker=70_000, settle=70_000
)  # fmt: skip
LATE = Latency(**{way.value: drawn((0, 5 * MS, 40 * MS, 150 * MS), way, 1) for way in (Way.ENTRY, Way.RESPONSE)})
CENTS = st.integers(46, 54)
SIDES = st.sampled_from(Side)
PLACE = st.tuples(
    st.just("place"), SIDES, st.sampled_from(Leg), CENTS, st.integers(25, 90),
    st.sampled_from((Tif.ALO, Tif.IOC, Tif.GTC)),
)  # fmt: skip
PRINT = st.tuples(st.just("print"), SIDES, CENTS, st.integers(1, 150), st.integers(0, 400))
STEPS = st.lists(
    st.one_of(
        PLACE, PLACE, PLACE, PRINT, PRINT,
        st.tuples(st.just("cancel"), st.integers(0, 9)),
        st.tuples(st.just("book"), st.integers(47, 49), st.integers(1, 6), st.integers(10, 200)),
        st.tuples(st.just("wait"), st.sampled_from((1, 300))),
    ),
    min_size=10,
    max_size=60,
)  # fmt: skip


def stocked(**options: Any) -> Bench:
    """With tokens of both sides to sell."""
    bench = Bench(cash=1_000, **options)
    bench.send(ConvertSet(action=SetAction.SPLIT, market=MARKET.id, qty=lots(400)))
    bench.later()
    return bench


class Purse:
    """What the news says, added up by itself."""

    def __init__(self) -> None:
        self.cash = 600 * SCALE
        self.tokens = {leg: int(lots(400)) for leg in Leg}
        self.filled: Counter[ClientId | None] = Counter()
        self.ended: dict[ClientId, OrderClosed | OrderRejected] = {}

    def hear(self, item: Input) -> None:
        match item:
            case FillReceived(fill=fill):
                assert fill.client_id not in self.ended, "news of an order comes in its order"
                sign = 1 if fill.side is Side.BUY else -1
                paid = notional_ceil(fill.px, fill.qty) if sign > 0 else -notional_floor(fill.px, fill.qty)
                self.cash -= paid + fill.fee
                self.tokens[fill.leg] += sign * fill.qty
                self.filled[fill.client_id] += fill.qty
            case OrderClosed(client_id=key) | OrderRejected(client_id=key):
                assert key not in self.ended, "an order ends once"
                self.ended[key] = item


def act(bench: Bench, placed: list[OrderRequest], step: tuple) -> list[Input]:
    match step:
        case ("place", side, leg, cents, qty, tif):
            placed.append(bench.place(side, cents / 100, qty, leg=leg, tif=tif))
        case ("cancel", which) if placed:
            bench.cancel(placed[-1 - which % len(placed)])
        case ("print", side, cents, qty, told_ms):
            bench.printed(cents / 100, qty, side, told_ms)
        case ("book", bid, spread, size):
            bench.book(
                (bid / 100, size, (bid - 1) / 100, 50), ((bid + spread) / 100, size, (bid + spread + 1) / 100, 70)
            )
        case ("wait", ms):
            return bench.later(ms)
    return bench.later(30)


@given(st.sampled_from(QueueModel), STEPS, st.sampled_from((0, SCALE // 4, SCALE)))
@settings(max_examples=60)
def test_what_is_told_is_what_the_account_has(queue, steps, yes):
    bench = stocked(queue=queue, latency=LATE, rates=CHARGED)
    venue, purse, placed = bench.venue, Purse(), list[OrderRequest]()
    market = venue.markets[MARKET.id]
    for step in steps:
        for item in act(bench, placed, step):
            purse.hear(item)
        own = [market.orders.get(key) for key in market.orders.ids()]
        bids, asks = ([one.yes_px for one in own if one.direction == way] for way in (1, -1))
        assert max(bids, default=0) < min(asks, default=SCALE), "our own orders never cross"
        for side, levels in market._book._levels.items():
            assert all(market._book._taken[side][px] <= qty for px, qty in levels), "a size is taken once"
    for part in venue.settle(MARKET.id, Px(yes), bench.now):
        purse.hear(FillReceived(part))
    for item in bench.later(1_000_000):
        purse.hear(item)
    assert (purse.cash, purse.tokens) == (bench.purse.cash, bench.account.tokens)
    assert set(purse.tokens.values()) == {0}
    assert set(purse.ended) == {order.client_id for order in placed}
    for order in placed:
        end = purse.ended[order.client_id]
        assert purse.filled[order.client_id] == (end.filled if isinstance(end, OrderClosed) else 0) <= order.qty
    used: Counter[str] = Counter()
    for key, took, size in venue.filled_from:
        used[key] += took
        assert used[key] <= size


@given(STEPS)
@settings(max_examples=20)
def test_paid_tokens_are_the_complement_of_one_another(steps):
    """Without fees a pair is worth one, whatever was traded: YES and NO settle to the same money at every price."""
    results = []
    for yes in (0, SCALE):
        bench, placed = stocked(), list[OrderRequest]()
        for step in steps:
            act(bench, placed, step)
        tokens = dict(bench.account.tokens)
        before = bench.purse.cash
        bench.venue.settle(MARKET.id, Px(yes), bench.now)
        results.append(bench.purse.cash - before)
        assert results[-1] == notional_floor(yes, tokens[Leg.YES]) + notional_floor(complement(yes), tokens[Leg.NO])
    assert sum(results) == sum(tokens.values())
