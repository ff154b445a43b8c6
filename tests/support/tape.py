"""A tape's venue on a bench: a small book, prints and orders by hand, time by the millisecond."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hlomm.domain.fills import Fill
from hlomm.domain.ids import HYPERLIQUID, ClientIds
from hlomm.domain.inputs import BookSnapshot, FeeRates, FillReceived, Input, OrderOpened, TradePrint
from hlomm.domain.markets import Leg, Market, MarketKind
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import AmendOrders, CancelOrders, Output, PlaceOrders
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.pricing.queues import QueueModel
from hlomm.research.fill_model import FillModel
from hlomm.research.latency import Constant, Latency
from hlomm.research.tape import Happened
from hlomm.research.tape_venue import FREE, TapeVenue

MS = 1_000_000
LATENCY = Latency(entry=Constant(100 * MS), response=Constant(50 * MS))
MARKET = Market(
    id="hyperliquid:o15", venue=HYPERLIQUID, kind=MarketKind.OUTCOME, ticker="OUT:BTC-1-2026-05-10T0600",
    underlying="BTC", tick=Px(1000), lot=Qty(SCALE), min_notional=Cash(10 * SCALE), quote_token="USDC", strike=Px(1),
    expiry_ns=10**19,
)  # fmt: skip


def px(value: float) -> Px:
    return Px(round(value * SCALE))


def lots(value: int) -> Qty:
    return Qty(value * SCALE)


class Bench:
    """A venue with a book of 0.50 x 100 bid, 0.52 x 80 ask, a second level behind each."""

    def __init__(
        self, cash: int = 10_000, *, queue: QueueModel = QueueModel.BACK, latency: Latency = LATENCY,
        rates: FeeRates = FREE,
    ) -> None:  # fmt: skip
        self.tape: list[Happened] = []
        model = FillModel(queue=queue, latency=latency)
        self.venue = TapeVenue((MARKET,), Cash(cash * SCALE), model, self.tape, {MARKET.id: rates})
        self.account = self.venue.markets[MARKET.id].account
        self.purse = self.venue.purse
        self.ids = ClientIds(1)
        self.now = 0
        self.book((0.50, 100, 0.48, 300), (0.52, 80, 0.55, 500))
        self.trade_ids = itertools.count()

    def happens(self, item: BookSnapshot | TradePrint, told_ms: int = 0) -> None:
        told_ns = self.now + told_ms * MS
        self.tape.append(Happened(at_ns=self.now, told_ns=told_ns, place=len(self.tape), item=item))

    def book(self, bids: Sequence[float], asks: Sequence[float]) -> None:
        pairs = [tuple((px(p), lots(q)) for p, q in zip(row[::2], row[1::2], strict=True)) for row in (bids, asks)]
        self.happens(BookSnapshot(MARKET.id, pairs[0], pairs[1], self.now // MS))

    def place(self, side: Side, price: float, qty: int, *, leg: Leg = Leg.YES, tif: Tif = Tif.ALO) -> OrderRequest:
        order = OrderRequest(
            client_id=self.ids.mint(), market=MARKET.id, leg=leg, side=side, px=px(price), qty=lots(qty), tif=tif,
            purpose=Purpose.QUOTE,
        )  # fmt: skip
        self.send(PlaceOrders(HYPERLIQUID, (order,)))
        return order

    def send(self, output: Output) -> None:
        self.venue.mail.send(output, self.now)

    def cancel(self, order: OrderRequest) -> None:
        cancel = CancelRequest(client_id=order.client_id, market=MARKET.id, leg=order.leg)
        self.send(CancelOrders(HYPERLIQUID, (cancel,)))

    def amend(self, order: OrderRequest, opened: OrderOpened, price: float, qty: int) -> None:
        amend = AmendRequest(
            client_id=order.client_id, venue_order_id=opened.venue_order_id, market=MARKET.id, leg=order.leg,
            side=order.side, px=px(price), qty=lots(qty), tif=Tif.ALO,
        )  # fmt: skip
        self.send(AmendOrders(HYPERLIQUID, (amend,)))

    def later(self, ms: int = 200) -> list[Input]:
        """News that arrives within the next milliseconds."""
        self.now += ms * MS
        while (at_ns := self.venue.next_ns()) is not None and at_ns <= self.now:
            self.venue.step()
        return self.venue.mail.due(self.now)

    def printed(self, price: float, qty: int, aggressor: Side, told_ms: int = 0) -> None:
        stamp = self.now // MS
        item = TradePrint(MARKET.id, px(price), lots(qty), aggressor, f"t{next(self.trade_ids)}", stamp)
        self.happens(item, told_ms)

    def trade(self, price: float, qty: int, aggressor: Side) -> list[Fill]:
        """What a print fills of ours."""
        self.printed(price, qty, aggressor)
        return [news.fill for news in self.later(60) if isinstance(news, FillReceived)]
