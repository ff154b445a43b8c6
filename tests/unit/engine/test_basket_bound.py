"""However the books move, a basket never loses more than it may: held against a ledger of the test's own."""

from __future__ import annotations

import attrs
from hypothesis import event, given
from hypothesis import strategies as st

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, MarketId
from hlomm.domain.inputs import FeeRates, FillReceived, Level
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Side
from hlomm.domain.units import SCALE, Cash, Qty, notional_ceil, notional_floor
from tests.support.questions import RULES, Desk, matched, numbered, wanted
from tests.support.values import lots, usd

Book = tuple[tuple[Level, ...], tuple[Level, ...]]
CENT = SCALE // 100
LOSS = 5
STEPS = 14
OPENING, CLOSING = 100_000, 140_000

_sizes = st.sampled_from([5, 40, 100, 100, 300])


@st.composite
def _books(draw: st.DrawFn) -> Book:
    """Two levels on each side, or none; wide, tight, anywhere."""
    bid = draw(st.integers(2, 90))
    ask = bid + draw(st.integers(1, 8))
    bids = tuple((price * CENT, lots(draw(_sizes))) for price in (bid, bid - 1))
    asks = tuple((price * CENT, lots(draw(_sizes))) for price in (ask, ask + 1))
    return draw(st.sampled_from([bids, bids, bids, ()])), draw(st.sampled_from([asks, asks, asks, ()]))


_near = st.integers(-4, 4).flatmap(
    lambda shift: st.tuples(_sizes, _sizes).map(
        lambda sizes: (
            (((29 + shift) * CENT, lots(sizes[0])),),
            (((31 + shift) * CENT, lots(sizes[1])),),
        )
    )
)
"""Not far from where the basket was meant to be bought."""


@attrs.define(eq=False)
class Truth:
    """What was bought and sold, leg by leg."""

    desk: Desk
    leg: Leg
    bought: dict[MarketId, int] = attrs.field(factory=dict)
    paid: dict[MarketId, int] = attrs.field(factory=dict)
    gone: dict[MarketId, int] = attrs.field(factory=dict)
    """Sold, or completed to a pair."""
    brought: int = 0
    keys: int = 0

    def execute(self, order: OrderRequest, book: Book) -> list[OrderRequest]:
        """It meets that book and is gone; what leaves in answer."""
        out: list[OrderRequest] = []
        filled = 0
        for px, qty in matched(order, *book):
            buying = order.side is Side.BUY
            cash = notional_ceil(px, qty) if buying else notional_floor(px, qty)
            fee = -(-cash * (OPENING if buying else CLOSING) // SCALE)
            filled += qty
            self.keys += 1
            self._book(order, qty, cash + fee if buying else fee - cash)
            fill = Fill(
                key=f"truth-{self.keys}", market=order.market, leg=order.leg, side=order.side, px=px, qty=Qty(qty),
                fee=Cash(fee), kind=FillKind.TRADE, maker=False, client_id=order.client_id, venue_order_id=None,
                venue_ms=self.desk.rig.ms,
            )  # fmt: skip
            out += self.desk.rig_orders(self.desk.rig.tell(FillReceived(fill)))
        if not filled:
            return out + self.desk.ends(order, 0)
        status = "filled" if filled == order.qty else "canceled"
        return out + self.desk.rig_orders(self.desk.rig.closed(order, filled / SCALE, status=status))

    def _book(self, order: OrderRequest, qty: int, cash: int) -> None:
        market = order.market
        if order.leg is self.leg and order.side is Side.BUY:
            self.bought[market] = self.bought.get(market, 0) + qty
            self.paid[market] = self.paid.get(market, 0) + cash
        else:
            self.gone[market] = self.gone.get(market, 0) + qty
            self.brought += (qty if order.side is Side.BUY else 0) - cash

    def held(self, place: int) -> int:
        return self.bought.get(numbered(place), 0) - self.gone.get(numbered(place), 0)


@given(
    leg=st.sampled_from(Leg), count=st.integers(2, 3), first=st.lists(_near, min_size=3, max_size=3),
    later=st.lists(st.lists(st.one_of(_near, _books()), min_size=3, max_size=3), min_size=STEPS, max_size=STEPS),
    told=st.lists(st.booleans(), min_size=STEPS, max_size=STEPS),
)  # fmt: skip
def test_no_basket_loses_more_than_it_may(
    leg: Leg, count: int, first: list[Book], later: list[list[Book]], told: list[bool]
) -> None:
    desk = Desk.open(RULES, count)
    desk.rig.tell(
        FeeRates(venue=HYPERLIQUID, open_maker=0, open_taker=OPENING, close_maker=0, close_taker=CLOSING, settle=0)
    )
    truth = Truth(desk, leg)
    price = "0.31" if leg is Leg.YES else "0.71"
    orders = desk.want(wanted(count, leg=leg, price=price, loss=LOSS))
    assert len(orders) == count
    cash = desk.rig.cash
    waiting: list[OrderRequest] = []
    for order in orders:
        waiting += truth.execute(order, first[_place(order)])
    worth = desk.basket.plan.worth
    aside = min(truth.held(place) for place in range(count))
    kept = {place: truth.paid[numbered(place)] * aside // truth.held(place) for place in range(count) if aside}
    for books, tell in zip(later, told, strict=True):
        if tell:
            for place in range(count):
                waiting += desk.rig_orders(desk.book(place, *books[place]))
        for order in waiting[:]:
            waiting.remove(order)
            waiting += truth.execute(order, books[_place(order)])
        waiting += desk.wait(1.01)
    assert not waiting
    event(f"{desk.phase}, {'unwound' if desk.basket.unwound else 'mended' if desk.basket.mended else 'at once'}")
    assert desk.basket.over
    # Cash and tokens are what the venue's fills made them.
    assert cash - desk.rig.cash == sum(truth.paid.values()) - truth.brought - _pairs(truth)
    held = [truth.held(place) for place in range(count)]
    sets = min(held)
    spent = sum(truth.paid.values()) - truth.brought - sum(kept.values())
    left = sum(_cost_of(truth, place, held[place] - sets, aside, kept.get(place, 0)) for place in range(count))
    assert spent - notional_floor(worth, sets - aside) - left <= usd(LOSS) + count, "rounded by a unit per leg at most"
    if desk.phase == "done":
        assert len(set(held)) == 1


def _place(order: OrderRequest) -> int:
    return int(order.market.rpartition("o")[2]) - 15


def _pairs(truth: Truth) -> int:
    """What completed pairs will bring when they are merged: counted as brought already."""
    positions = [truth.desk.rig.state.portfolio.position(market) for market in truth.gone]
    return -sum(position.pairs for position in positions)


def _cost_of(truth: Truth, place: int, surplus: int, aside: int, kept: int) -> int:
    """What the tokens left over were bought for, at the average of those that were not put aside."""
    bought = truth.bought.get(numbered(place), 0) - aside
    return -(-(truth.paid.get(numbered(place), 0) - kept) * surplus // bought) if surplus else 0
