"""A leg that is kept of a pair in stock: the other token is sold, and the books count the pair that was used up."""

from __future__ import annotations

import pytest

from hlomm.domain.fills import FillKind
from hlomm.domain.inputs import MarketSettled
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Side
from hlomm.domain.units import SCALE, Cash
from hlomm.domain.view import Basket, BasketLeg
from hlomm.engine.report import report
from tests.support.pairs import HL, KS, PairDesk
from tests.support.values import levels, lots, px, usd

RICH = levels(("0.95", 300)), levels(("0.96", 300))
POOR = levels(("0.88", 300)), levels(("0.90", 300))


def wanted(number: float = 60) -> Basket:
    """NO at Hyperliquid for 0.05, by selling YES at 0.95; YES at Kalshi for 0.90."""
    return Basket(
        legs=(BasketLeg(HL.id, Leg.NO, px("0.05"), sale=True), BasketLeg(KS.id, Leg.YES, px("0.90"))),
        qty=lots(number), least=lots(10), worth=Cash(SCALE), edge=px("0.05"), max_unwind_loss=usd(5),
        reason="edge 0.05", deadline_ns=2_000_000_000,
    )  # fmt: skip


def stocked(number: float = 80) -> PairDesk:
    """Pairs that were split are in stock."""
    desk = PairDesk.open()
    for leg in Leg:
        desk.rig.buy(number, "0.5", leg, market=HL.id, kind=FillKind.SPLIT)
    desk.books(cheap=RICH, dear=POOR)
    return desk


def sent(desk: PairDesk) -> tuple[OrderRequest, OrderRequest]:
    first, second = desk.want(wanted())
    return (first, second) if first.market == HL.id else (second, first)


def test_the_other_token_is_sold_at_one_minus_the_limit() -> None:
    sale, purchase = sent(stocked())
    assert (sale.leg, sale.side, sale.px, sale.qty) == (Leg.YES, Side.SELL, px("0.95"), lots(60))
    assert (purchase.leg, purchase.side, purchase.qty) == (Leg.YES, Side.BUY, lots(60))


def test_without_the_tokens_nothing_is_sent() -> None:
    desk = PairDesk.open()
    desk.books(cheap=RICH, dear=POOR)
    assert desk.want(wanted()) == []
    assert desk.known.why_not.startswith("tokens: ")


def test_only_as_many_as_are_in_stock() -> None:
    sale, purchase = sent(stocked(25))
    assert sale.qty == purchase.qty == lots(25)


@pytest.mark.parametrize(("px_paid", "paid"), [("1", 60), ("0", 60)])
def test_a_pair_that_was_used_up_is_part_of_what_was_spent(px_paid: str, paid: float) -> None:
    desk = stocked()
    for order in sent(desk):
        desk.ends(order, 60)
    assert desk.phase == "done"
    state = desk.rig.state
    assert (state.withheld(HL.id, Leg.NO), state.withheld(KS.id, Leg.YES)) == (lots(60), lots(60))
    position = state.portfolio.position(HL.id)
    assert (position.yes, position.no) == (lots(20), lots(80))
    desk.rig.tell(MarketSettled(HL.id, px(px_paid), "price"), MarketSettled(KS.id, px(px_paid), "price"))
    (trade,) = report(state).arbitrage.trades
    assert trade.spent == usd(60 * (1 - 0.95) + 60 * 0.90), "one less what was sold, as if it had been bought"
    assert trade.realised == usd(paid) - trade.spent


def test_a_missed_leg_leaves_nothing_single() -> None:
    """Kept NO that no YES stands beside at Kalshi: YES is bought back, and the pair is whole again."""
    desk = stocked()
    sale, purchase = sent(desk)
    desk.ends(sale, 60)
    orders = desk.ends(purchase, 0)
    desk.books(cheap=RICH, dear=((), ()))
    for _ in range(8):
        back = [order for order in orders if order.market == HL.id]
        if back:
            break
        for order in orders:
            desk.ends(order, 0)
        orders = desk.wait(1)
    (order,) = back
    assert (order.leg, order.side, order.qty) == (Leg.YES, Side.BUY, lots(60)), "60 NO at 0.05 are too small to sell"
    desk.ends(order, 60)
    assert desk.phase == "done"
    position = desk.rig.state.portfolio.position(HL.id)
    assert (position.yes, position.no) == (lots(80), lots(80))
    assert report(desk.rig.state).arbitrage.legging_loss == 60 * (order.px - px("0.95"))
