"""Which token carries a quote: what is held is sold, otherwise the complement is bought, and never both at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderState, Side, yes_px
from hlomm.domain.units import SCALE, Px, Qty
from hlomm.engine.exposure import available, exposure, mid_own
from hlomm.engine.legs import LegChoice, LegTerms, choose_leg, sold_leg
from hlomm.engine.position import Position
from hlomm.engine.quoting import describe
from hlomm.engine.state import leg_sides
from tests.support.rig import Rig, amended, cancelled, placed
from tests.support.values import M, lots, outcome, px, usd

MARKET = outcome()
BID, ASK = 1, -1
RICH = LegTerms(cash=lambda: usd(1_000_000))


def choose(
    direction: int, price: str, number: float, *, yes: float = 0, no: float = 0
) -> tuple[Leg, Side, int, int, int]:
    free = {Leg.YES: lots(yes), Leg.NO: lots(no)}[sold_leg(direction)]
    choice = choose_leg(MARKET, direction, px(price), lots(number), free, lambda: RICH)
    return choice.leg, choice.side, choice.px, choice.qty, choice.collateral


@pytest.mark.parametrize(
    ("direction", "price", "free", "expected"),
    [
        # nothing held: buy the leg that gains
        (BID, "0.52", {}, (Leg.YES, Side.BUY, "0.52", 100, "52")),
        (ASK, "0.58", {}, (Leg.NO, Side.BUY, "0.42", 100, "42")),
        # the gaining leg held: still buy more, it cannot be sold for this
        (BID, "0.52", {"yes": 100}, (Leg.YES, Side.BUY, "0.52", 100, "52")),
        (ASK, "0.58", {"no": 100}, (Leg.NO, Side.BUY, "0.42", 100, "42")),
        # the other leg held: sell it, which locks nothing and ranks first
        (BID, "0.52", {"no": 100}, (Leg.NO, Side.SELL, "0.48", 100, "0")),
        (ASK, "0.58", {"yes": 100}, (Leg.YES, Side.SELL, "0.58", 100, "0")),
        # less held than wished: what is held
        (ASK, "0.58", {"yes": 40}, (Leg.YES, Side.SELL, "0.58", 40, "0")),
        (ASK, "0.58", {"yes": 40.9}, (Leg.YES, Side.SELL, "0.58", 40, "0")),
        # too little held for the venue's minimum: buy the complement instead
        (ASK, "0.58", {"yes": 17}, (Leg.NO, Side.BUY, "0.42", 100, "42")),
        (ASK, "0.58", {"yes": 18}, (Leg.YES, Side.SELL, "0.58", 18, "0")),
        (ASK, "0.58", {"yes": 0.5}, (Leg.NO, Side.BUY, "0.42", 100, "42")),
    ],
)
def test_the_choice(
    direction: int, price: str, free: dict[str, float], expected: tuple[Leg, Side, str, float, str]
) -> None:
    leg, side, own, number, collateral = expected
    assert choose(direction, price, 100, **free) == (leg, side, px(own), lots(number), usd(collateral))


def test_at_the_dear_end_a_small_quote_needs_inventory() -> None:
    """An ask at 0.95: 11 held YES are worth 10.45 and may be sold; as a NO purchase it would take 200."""
    assert choose(ASK, "0.95", 11, yes=11)[:2] == (Leg.YES, Side.SELL)
    leg, side, own, number, _ = choose(ASK, "0.95", 11)
    assert (leg, side) == (Leg.NO, Side.BUY)
    assert own * number < usd(10) * SCALE, "the gate will refuse this one"


@pytest.mark.parametrize(
    ("terms", "side"),
    [
        (LegTerms(cash=lambda: usd(1_000), close=40_000, pair=70_000), Side.SELL),  # 0.00023 against 0.0007
        (LegTerms(cash=lambda: usd(1_000), close=40_000, pair=0), Side.BUY),  # merging was seen to be free
        (LegTerms(cash=lambda: usd(1_000), close=40_000, open=60_000), Side.SELL),  # 0.000232 against 0.000252
        (LegTerms(cash=lambda: usd(41), close=40_000), Side.SELL),  # 100 NO at 0.42 cost more than there is
        (LegTerms(cash=lambda: usd(42), close=40_000), Side.BUY),
        (LegTerms(cash=lambda: usd(1_000)), Side.SELL),  # neither costs anything
    ],
)
def test_fees_choose_between_a_sale_and_a_purchase_where_both_are_possible(terms: LegTerms, side: Side) -> None:
    assert choose_leg(MARKET, ASK, px("0.58"), lots(100), lots(100), lambda: terms).side is side


def test_a_purchase_below_the_minimum_is_no_way_out_of_a_fee() -> None:
    terms = LegTerms(cash=lambda: usd(1_000), close=40_000)
    assert choose_leg(MARKET, ASK, px("0.95"), lots(100), lots(100), lambda: terms).side is Side.SELL


@given(
    direction=st.sampled_from([BID, ASK]), price=st.integers(1, 99_999).map(lambda p: p * 1_000),
    number=st.integers(1, 5_000), yes=st.integers(0, 3_000), no=st.integers(0, 3_000),
)  # fmt: skip
def test_any_choice_stands_at_the_wished_level_and_locks_what_it_must(
    direction: int, price: int, number: int, yes: int, no: int
) -> None:
    free = {Leg.YES: lots(yes), Leg.NO: lots(no)}[sold_leg(direction)]
    choice = choose_leg(MARKET, direction, Px(price), lots(number), free, lambda: RICH)
    assert yes_px(choice.leg, choice.px) == price
    assert (1 if choice.leg is Leg.YES else -1) * choice.side == direction, "it gains from what was wished"
    assert 0 < choice.qty <= lots(number)
    if choice.side is Side.SELL:
        assert choice.qty <= lots(yes if choice.leg is Leg.YES else no)
        assert choice.collateral == 0
        assert choice.px * choice.qty >= usd(10) * SCALE
    else:
        assert choice.collateral * SCALE >= choice.px * choice.qty
        assert choice.collateral * SCALE < choice.px * choice.qty + SCALE


@pytest.mark.parametrize("direction", [BID, ASK])
def test_the_two_ways_to_one_level_are_each_others_opposite(direction: int) -> None:
    (sell_leg, sell), (buy_leg, buy) = leg_sides(direction)
    assert sell_leg is not buy_leg
    assert (sell, buy) == (Side.SELL, Side.BUY)


def test_a_choice_can_be_read_aloud() -> None:
    choice = LegChoice(Leg.NO, Side.BUY, px("0.42"), lots(120), usd("50.4"))
    assert describe(choice) == "buy NO 120 @ 0.42, locks 50.4"


# -- with an engine around it


def test_holding_tokens_turns_the_ask_into_a_sale() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    (request,) = placed(rig.want(ask=("0.58", 100)))
    assert (request.leg, request.side) == (Leg.YES, Side.SELL)


def test_the_leg_changes_only_once_the_old_order_is_gone() -> None:
    """Both legs of one level at once would be two quotes where one was wished."""
    rig = Rig()
    order = rig.resting_ask("0.58", 100)
    assert (order.leg, order.side) == (Leg.NO, Side.BUY)
    rig.buy(200, "0.5")
    rig.wait(1)
    outputs = rig.outputs
    assert [c.client_id for c in cancelled(outputs)] == [order.client_id]
    assert rig.note(ASK) == "changing_leg"
    assert not amended(outputs)
    assert order.state is OrderState.PENDING_CANCEL
    rig.wait(2)
    assert len([one for one in rig.state.orders.live_in(M) if one.direction == ASK]) == 1
    (request,) = placed(rig.closed(order, filled=0))
    assert (request.leg, request.side, request.px) == (Leg.YES, Side.SELL, px("0.58"))


def test_tokens_already_on_offer_are_not_offered_again() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    order = rig.resting_ask("0.58", 100)
    assert order.side is Side.SELL
    position = rig.state.portfolio.position(M)
    exposed = exposure(position, rig.state.orders.pending(M))
    assert available(position, exposed, Leg.YES, 0) == 0
    assert available(position, exposed, Leg.NO, 0) == 0
    assert (exposed.longest, exposed.shortest) == (lots(100), 0)


# -- exposure itself


def test_exposure_takes_the_worst_of_each_direction() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    bid = rig.resting_bid("0.52", 60)
    rig.want(bid=("0.52", 60), ask=("0.58", 100))
    position = Position(yes=lots(100))
    exposed = exposure(position, rig.state.orders.pending(M))
    assert exposed.longest == lots(160)
    assert exposed.shortest == lots(0)
    assert rig.state.orders.pending(M).buying == usd("31.2")
    assert (exposed.selling_yes, exposed.selling_no) == (lots(100), 0)
    replaced = exposure(position, rig.state.orders.pending(M), bid)
    assert replaced.longest == lots(100)


def test_of_a_replaced_order_only_missing_fills_count() -> None:
    rig = Rig()
    bid = rig.resting_bid("0.52", 100)
    rig.opened(bid, leaves=70, oid=rig.oid_of[bid.client_id])
    position = Position()
    assert exposure(position, rig.state.orders.pending(M)).longest == lots(100)
    assert exposure(position, rig.state.orders.pending(M), bid).longest == lots(30)


@pytest.mark.parametrize(
    ("leg", "bid", "ask", "mid"),
    [
        (Leg.YES, "0.50", "0.60", "0.55"),
        (Leg.NO, "0.50", "0.60", "0.45"),
        (Leg.YES, "0.50001", "0.50002", "0.500015"),
    ],
)
def test_mid_in_the_own_coin(leg: Leg, bid: str, ask: str, mid: str) -> None:
    assert mid_own(leg, px(bid), px(ask)) == px(mid)
    assert mid_own(leg, None, px(ask)) is None
    assert mid_own(leg, px(bid), None) is None


def test_free_tokens_are_never_negative() -> None:
    rig = Rig()
    rig.buy(100, "0.5")
    rig.resting_ask("0.58", 100)
    rig.buy(40, "0.55", side=Side.SELL)
    position = rig.state.portfolio.position(M)
    exposed = exposure(position, rig.state.orders.pending(M))
    assert available(position, exposed, Leg.YES, 0) == Qty(0)
