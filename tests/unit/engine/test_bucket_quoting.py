"""The market maker in an engine whose operator selected buckets: which legs it quotes, and what hedges them."""

from __future__ import annotations

from hlomm.domain.ids import HYPERLIQUID, MarketId
from hlomm.domain.inputs import BookSnapshot, MarketListed, SessionUp
from hlomm.domain.markets import Leg, Market
from hlomm.domain.orders import OrderRequest, Purpose, Side, direction
from tests.support.rig import Rig, placed
from tests.support.values import PERP, account, config, levels, outcome, perp, px, usd
from tests.unit.strategy.views import maker

LOW, HIGH = px("79900"), px("80100")


def leg(number: int, floor: int | None, ceiling: int | None, **changes: object) -> Market:
    bounds = {"floor": floor, "ceiling": ceiling, "strike": None, "klass": "priceBucket", "question": 7}
    return outcome(number, **{**bounds, **changes})


BOTTOM, MIDDLE, TOP = leg(20, None, LOW), leg(21, LOW, HIGH), leg(22, HIGH, None)
FALLBACK = leg(23, None, None, fallback=True)


def up(spot: float, **selection: tuple[str, ...]) -> tuple[Rig, list[OrderRequest]]:
    # Trading the hedge costs next to nothing: a bucket's gamma would make the band as wide as the hedge.
    rules = config(hedge={"enabled": True, "cost": 1}, limits={"max_hedge_notional": usd(5_000)})
    rig = Rig(rules, boot=False, strategies=(maker(**selection),))
    rig.boot()
    rig.tell(*(MarketListed(market) for market in (perp(), BOTTOM, MIDDLE, TOP, FALLBACK)))
    rig.tell(account(10_000, perp_cash=10_000), SessionUp(HYPERLIQUID))
    outputs = rig.tell(BookSnapshot(PERP, levels((spot - 1, 5)), levels((spot + 1, 5)), rig.ms))
    for market in (BOTTOM, MIDDLE, TOP, FALLBACK):
        book = levels(("0.30", 500)), levels(("0.36", 500))
        outputs += rig.tell(BookSnapshot(market.id, *book, rig.ms))
    return rig, placed(outputs)


def test_by_default_no_bucket_is_quoted() -> None:
    assert not up(80_000)[1]


def test_selected_legs_are_quoted_on_both_sides_and_the_fallback_never() -> None:
    _, orders = up(80_000, classes=("price*",))
    quoted = {(order.market, direction(order.leg, order.side)) for order in orders if order.purpose is Purpose.QUOTE}
    assert quoted == {(market.id, way) for market in (BOTTOM, MIDDLE, TOP) for way in (+1, -1)}


def hedge_of(spot: float, held: MarketId) -> OrderRequest:
    rig, _ = up(spot, classes=("price*",))
    outputs = rig.buy(200, "0.33", Leg.YES, market=held)
    outputs += rig.tell(BookSnapshot(held, levels(("0.30", 400)), levels(("0.36", 400)), rig.ms))
    (order,) = [order for order in placed(outputs) if order.purpose is Purpose.HEDGE]
    return order


def test_the_hedge_of_a_bucket_turns_around_in_its_middle() -> None:
    assert hedge_of(79_930, MIDDLE.id).side is Side.SELL, "a rise takes the price further in"
    assert hedge_of(80_070, MIDDLE.id).side is Side.BUY, "a rise takes it out"
    assert hedge_of(80_000, TOP.id).side is Side.SELL
    assert hedge_of(80_000, BOTTOM.id).side is Side.BUY
