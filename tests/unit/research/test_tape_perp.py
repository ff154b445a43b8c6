"""A perp at a tape's venue: what an order takes, what it pays, what is refused."""

from __future__ import annotations

import pytest

from hlomm.domain.ids import HYPERLIQUID, ClientIds
from hlomm.domain.inputs import BboUpdate, FillReceived, Input, OrderClosed, OrderRejected, PerpBalance
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import PlaceOrders
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.engine.perps import Perps
from hlomm.research.fill_model import FillModel
from hlomm.research.recording import perp_of
from hlomm.research.tape import Happened
from hlomm.research.tape_venue import Opening, TapeVenue
from tests.support.tape import LATENCY, MS

BTC = perp_of("BTC")
PRICE = 100_000


class PerpBench:
    """100,000 x 0.5 bid, 100,010 x 0.3 ask, and a wallet of 5,000."""

    def __init__(self, wallet: int = 5_000, held: tuple[PerpBalance, ...] = ()) -> None:
        opening = Opening(wallet=wallet * SCALE, perps=held)
        self.venue = TapeVenue((), Cash(0), FillModel(latency=LATENCY), [], opening=opening)
        self.venue.open_perp(BTC)
        self.ids, self.now = ClientIds(1), 0
        self.touch(PRICE, PRICE + 10)

    def touch(self, bid: int, ask: int) -> None:
        item = BboUpdate(BTC.id, (bid * SCALE, SCALE // 2), (ask * SCALE, SCALE * 3 // 10), 0)
        self.venue.expect(Happened(at_ns=self.now, told_ns=self.now, place=0, item=item))

    def take(self, side: Side, price: int, qty: float, *, tif: Tif = Tif.IOC, reduce_only: bool = False) -> list[Input]:
        order = OrderRequest(
            client_id=self.ids.mint(), market=BTC.id, leg=Leg.YES, side=side, px=Px(price * SCALE),
            qty=Qty(round(qty * SCALE)), tif=tif, purpose=Purpose.HEDGE, reduce_only=reduce_only,
        )  # fmt: skip
        self.venue.mail.send(PlaceOrders(HYPERLIQUID, (order,)), self.now)
        self.now += 1_000 * MS
        while (at_ns := self.venue.next_ns()) is not None and at_ns <= self.now:
            self.venue.step()
        return self.venue.mail.due(self.now)


def refusals(news: list[Input]) -> list[str]:
    return [one.code for one in news if isinstance(one, OrderRejected)]


def test_it_takes_the_touch_up_to_its_size_and_each_size_once() -> None:
    bench = PerpBench()
    fill, closed = bench.take(Side.BUY, PRICE + 100, 0.2)
    assert isinstance(fill, FillReceived)
    assert isinstance(closed, OrderClosed)
    assert (fill.fill.px, fill.fill.qty, fill.fill.maker) == ((PRICE + 10) * SCALE, SCALE // 5, False)
    notional = (PRICE + 10) * SCALE // 5
    assert fill.fill.fee == notional * 45 // 100_000
    assert bench.venue.wallet.raw == 5_000 * SCALE - notional - fill.fill.fee
    (rest, _) = bench.take(Side.BUY, PRICE + 100, 0.2)
    assert isinstance(rest, FillReceived)
    assert rest.fill.qty == SCALE // 10, "what is left of the touch"
    assert refusals(bench.take(Side.BUY, PRICE + 100, 0.01)) == ["IocCancel"]
    bench.touch(PRICE, PRICE + 10)
    assert refusals(bench.take(Side.BUY, PRICE + 100, 0.01)) == []


@pytest.mark.parametrize(
    ("side", "price", "qty", "how", "code"),
    [
        (Side.BUY, PRICE + 9, 0.1, {}, "IocCancel"),
        (Side.SELL, PRICE + 1, 0.1, {}, "IocCancel"),
        (Side.BUY, PRICE + 10, 0.00005, {}, "MinTradeNtl"),
        (Side.BUY, PRICE + 10, 0.1, {"tif": Tif.ALO}, "Unknown"),
        (Side.SELL, PRICE, 0.1, {"reduce_only": True}, "ReduceOnly"),
        (Side.SELL, PRICE, 0.6, {}, "PerpMargin"),
    ],
)
def test_what_is_refused_moves_nothing(side, price, qty, how, code) -> None:
    bench = PerpBench()
    news = bench.take(side, price, qty, **how)
    assert refusals(news) == [code]
    assert len(news) == 1
    assert bench.venue.wallet.raw == 5_000 * SCALE
    assert bench.venue.account(0).perps == ()


def test_without_a_wallet_nothing_is_lent() -> None:
    assert refusals(PerpBench(wallet=0).take(Side.BUY, PRICE + 10, 0.01)) == ["PerpMargin"]


def test_reducing_only_never_turns_a_position() -> None:
    bench = PerpBench(held=(PerpBalance(BTC.id, Qty(SCALE // 10), Cash(PRICE * SCALE // 10)),))
    fill, _ = bench.take(Side.SELL, PRICE, 0.4, reduce_only=True)
    assert isinstance(fill, FillReceived)
    assert fill.fill.qty == SCALE // 10
    assert bench.venue.account(0).perps == ()


def test_wallet_and_position_are_what_the_engines_own_books_make_of_the_fills() -> None:
    """Two accountings written apart: opened, added to, reduced, turned through zero, closed."""
    bench, books = PerpBench(wallet=50_000), Perps()
    books.open_with(bench.venue.wallet.raw, ())
    for side, qty in ((Side.BUY, 0.1), (Side.BUY, 0.05), (Side.SELL, 0.07), (Side.SELL, 0.3), (Side.BUY, 0.22)):
        for one in bench.take(side, PRICE + 100 * side, qty):
            if isinstance(one, FillReceived):
                books.apply(one.fill)
                books.charge(BTC.id, one.fill.fee)
        bench.touch(PRICE - 7, PRICE + 13)
        account, ours = bench.venue.account(0), books.position(BTC.id)
        assert account.perp_cash == books.raw
        told = {one.market: (one.qty, one.cost) for one in account.perps}
        assert told.get(BTC.id, (0, 0))[0] == ours.qty
        assert abs(told.get(BTC.id, (0, 0))[1] - ours.cost) <= 2, "to the unit that a division rounds"
    assert books.position(BTC.id).qty == 0


def test_what_another_perp_holds_is_equity_too() -> None:
    bench = PerpBench()
    eth = perp_of("ETH")
    bench.venue.open_perp(eth)
    assert refusals(bench.take(Side.BUY, PRICE + 10, 0.06)) == []
    item = BboUpdate(eth.id, (3_999 * SCALE, 10 * SCALE), (4_000 * SCALE, 10 * SCALE), 0)
    bench.venue.expect(Happened(at_ns=bench.now, told_ns=bench.now, place=1, item=item))
    order = OrderRequest(
        client_id=bench.ids.mint(), market=eth.id, leg=Leg.YES, side=Side.BUY, px=Px(4_000 * SCALE),
        qty=Qty(SCALE // 10), tif=Tif.IOC, purpose=Purpose.HEDGE, reduce_only=False,
    )  # fmt: skip
    bench.venue.mail.send(PlaceOrders(HYPERLIQUID, (order,)), bench.now)
    bench.now += 1_000 * MS
    while (at_ns := bench.venue.next_ns()) is not None and at_ns <= bench.now:
        bench.venue.step()
    assert refusals(bench.venue.mail.due(bench.now)) == []
