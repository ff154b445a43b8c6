"""Markets that charge by a curve, have grids that change with the price and least quantities."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hlomm.domain.fee import curve_fee
from hlomm.domain.ids import KALSHI, POLYMARKET
from hlomm.domain.inputs import FillReceived, OperatorAction
from hlomm.domain.markets import FeeCurve, Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Cash, Px, parse
from hlomm.domain.view import Desired, Take
from hlomm.engine.fees import rates_of
from hlomm.engine.quoting import view_of
from tests.support.rig import Rig, alerts, placed
from tests.support.values import KS, PM, VENUES, config, foreign, levels, lots, outcome, px, usd

FAST = config(quotes={"min_interval_ns": 0})
CURVE = FeeCurve(taker=parse("0.07"), maker=parse("0.0175"), step=Cash(parse("0.0001")))
TAPERED = ((Px(0), px("0.1"), px("0.001")), (px("0.1"), px("0.9"), px("0.01")), (px("0.9"), px(1), px("0.001")))


def rig_of(**changes: Any) -> Rig:
    tapered = {"tick": px("0.001"), "ticks": TAPERED, "fee": CURVE, "klass": "KXBTCD"} | changes
    rig = Rig(FAST, venues=VENUES, markets=(outcome(), foreign(PM), foreign(KS, **tapered)))
    rig.market(KS).strategy = rig.puppet.id
    return rig


# -- grids


@pytest.mark.parametrize(
    ("book", "wish", "px_sent"),
    [(("0.50", "0.60"), "0.525", "0.52"), (("0.05", "0.08"), "0.0655", "0.065"), (("0.05", "0.10"), "0.2", "0.099"),
     (("0.50", "0.51"), "0.6", "0.50"), (("0.92", "0.95"), "0.9335", "0.933")],
)  # fmt: skip
def test_a_bid_stands_on_the_grid_of_its_price(book: tuple[str, str], wish: str, px_sent: str) -> None:
    rig = rig_of()
    rig.book(levels((book[0], 500)), levels((book[1], 500)), market=KS)
    (bid,) = placed(rig.want(bid=(wish, 100), market=KS))
    assert bid.px == px(px_sent)


@pytest.mark.parametrize(
    ("book", "wish", "px_sent"), [(("0.10", "0.20"), "0.02", "0.11"), (("0.90", "0.97"), "0.5", "0.901")]
)
def test_an_ask_too(book: tuple[str, str], wish: str, px_sent: str) -> None:
    rig = rig_of()
    rig.buy(200, "0.5", market=KS)
    rig.book(levels((book[0], 500)), levels((book[1], 500)), market=KS)
    (ask,) = placed(rig.want(ask=(wish, 100), market=KS))
    assert (ask.leg, ask.side, ask.px) == (Leg.YES, Side.SELL, px(px_sent))


def test_a_taker_gives_no_more_than_it_wants_to() -> None:
    rig = rig_of()
    rig.puppet.desired[KS] = Desired(
        bid=None, ask=None, fair=px("0.55"), take=Take(direction=1, px=px("0.6071"), qty=lots(10), reason="edge")
    )
    rig.state.touch(KS)
    (order,) = placed(rig.turn())
    assert order.px == px("0.60")


def test_a_way_out_stands_on_the_grid() -> None:
    rig = rig_of()
    rig.buy(100, "0.5", market=KS)
    rig.book(levels(("0.12", 500)), levels(("0.60", 500)), market=KS)
    (sale,) = placed(rig.command(OperatorAction.FLATTEN))
    assert (sale.px, sale.px % px("0.001")) == (px("0.07"), 0)


def test_fewer_than_the_venue_takes_are_held() -> None:
    rig = rig_of(min_qty=lots(5))
    rig.buy(4, "0.5", market=KS)
    assert placed(rig.command(OperatorAction.FLATTEN)) == []
    assert rig.state.walk is None
    assert any("fewer than 5" in alert.text for alert in alerts(rig.outputs, "flattened"))


# -- costs


def test_the_rate_of_a_curve_is_the_dearest_share_between_two_prices() -> None:
    rig = rig_of()
    near = rates_of(rig.state, rig.market(KS).market, px("0.5"), px("0.6"))
    assert near is not None
    assert (near.open_taker, near.close_taker, near.open_maker) == (parse("0.035"), parse("0.035"), parse("0.00875"))
    everywhere = rates_of(rig.state, rig.market(KS).market)
    assert everywhere is not None
    assert everywhere.open_taker <= parse("0.07")
    assert rates_of(rig.state, rig.market(PM).market) is None, "one that has told nothing"


def test_a_view_has_the_curve_and_the_dearest_rate() -> None:
    rig = rig_of()
    view = view_of(rig.state, rig.market(KS))
    assert view.curve == CURVE
    assert view.fee(Side.BUY, px("0.5"), lots(100)) == usd("1.75")
    assert view.open_taker_fee >= parse("0.0699")


def bought(rig: Rig, fee: str, *, maker: bool = False, number: float = 100, price: str = "0.5") -> list[Any]:
    fill = rig.fill_of(rig.resting_bid("0.52", 10, market=KS), number, at=price, fee=fee)
    return rig.tell(FillReceived(msgspec.structs.replace(fill, maker=maker, client_id=None)))


def test_a_fee_off_by_what_rounding_explains_is_no_news() -> None:
    assert alerts(bought(rig_of(), "1.7502"), "fee_differs") == []


def test_a_fee_that_differs_is_said_and_counted_with() -> None:
    rig = rig_of()
    (alert,) = alerts(bought(rig, "3.5"), "fee_differs")
    assert "a taker fill of 100 at 0.5 cost 3.5, not 1.75" in alert.text
    learned = view_of(rig.state, rig.market(KS)).curve
    assert learned is not None
    assert learned.taker == parse("0.14")
    assert learned.maker == CURVE.maker
    assert curve_fee(learned, px("0.3"), lots(10), maker=False) == usd("0.294")


def test_what_one_series_costs_says_nothing_of_another() -> None:
    rig = rig_of()
    bought(rig, "3.5")
    assert set(rig.state.learned_fees) == {(KALSHI, "KXBTCD")}
    assert (POLYMARKET, "") not in rig.state.learned_fees


def test_free_makers_sell_what_they_hold_and_takers_pay_the_curve() -> None:
    rig = rig_of(fee=msgspec.structs.replace(CURVE, maker=0))
    near = rates_of(rig.state, rig.market(KS).market)
    assert near is not None
    assert near.close_maker == 0
    assert near.close_taker > 0
    assert near.close_taker < SCALE
