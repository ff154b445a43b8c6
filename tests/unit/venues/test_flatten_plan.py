"""What a flattening sells, at which price, and what it can only hold."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.ids import ClientIds, MarketId
from hlomm.domain.inputs import BookSnapshot, PerpBalance, TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.units import SCALE, Cash, Px, Qty, parse
from hlomm.venues.flatten_plan import FlattenBounds, FlattenPlan, HeldToken, HoldReason, plan_flatten
from hlomm.venues.protocol import SaleRules

M = MarketId("hyperliquid:o900")
N = MarketId("hyperliquid:o901")

BOUNDS = FlattenBounds(slippage=Px(parse("0.02")), hold_to_expiry_ns=0)
RULES = SaleRules(tick=Px(1_000), lot=Qty(SCALE), min_notional=Cash(10 * SCALE))


def token(leg: Leg = Leg.YES, qty: str = "100", cost: str = "45", market: MarketId = M) -> TokenBalance:
    return TokenBalance(market, leg, Qty(parse(qty)), Cash(parse(cost)))


def book(bids: list[tuple[str, str]], asks: list[tuple[str, str]], market: MarketId = M) -> BookSnapshot:
    def side(rows: list[tuple[str, str]]) -> tuple[tuple[int, int], ...]:
        return tuple((parse(px), parse(size)) for px, size in rows)

    return BookSnapshot(market, side(bids), side(asks), 1)


BOOK = book([("0.45", "20"), ("0.4", "500")], [("0.46", "11")])


def plan(
    *tokens: TokenBalance, books: dict[MarketId, BookSnapshot | None] | None = None, **fields: object
) -> FlattenPlan:
    return plan_flatten(
        tokens,
        {M: BOOK} if books is None else books,
        fields.pop("bounds", BOUNDS),  # type: ignore[arg-type]
        ClientIds(1).mint,
        **{"rules": lambda _: RULES, **fields},  # type: ignore[arg-type]
    )


def test_yes_tokens_are_sold_below_the_best_bid() -> None:
    result = plan(token())
    (order,) = result.orders
    assert order == OrderRequest(
        client_id=ClientIds(1).mint(),
        market=M,
        leg=Leg.YES,
        side=Side.SELL,
        px=Px(parse("0.43")),
        qty=Qty(parse("100")),
        tif=Tif.IOC,
        purpose=Purpose.FLATTEN,
        reduce_only=True,
    )
    assert result.held == ()
    assert result.worst_loss == 0


def test_no_tokens_are_sold_against_the_yes_ask() -> None:
    (order,) = plan(token(Leg.NO)).orders
    # NO's best bid is 1 - 0.46 = 0.54; the bound lies 0.02 below it.
    assert (order.leg, order.side, order.px) == (Leg.NO, Side.SELL, parse("0.52"))


@pytest.mark.parametrize(
    ("bid", "slippage", "px"),
    [
        ("0.45", "0", "0.45"),
        ("0.45", "0.000009", "0.45"),
        ("0.33333", "0.0166665", "0.31667"),
        ("0.99999", "0.01", "0.98999"),
        ("0.01", "0.5", "0.00001"),
        ("0.5", "0.5", "0.00001"),
    ],
)
def test_the_limit_gives_no_more_than_the_slippage_and_stays_above_zero(bid: str, slippage: str, px: str) -> None:
    bounds, rules = FlattenBounds(slippage=Px(parse(slippage))), SaleRules(tick=Px(1_000), lot=Qty(SCALE))
    (order,) = plan(token(), books={M: book([(bid, "1")], [])}, bounds=bounds, rules=lambda _: rules).orders
    assert order.px == parse(px)
    assert order.px % 1_000 == 0


def test_a_bid_within_the_slippage_of_zero_is_sold_to_at_a_limit_that_the_venue_takes() -> None:
    """100 at a bid of 0.12 are worth 12: at a limit of 0.02 the venue would call them worth 2 and refuse."""
    bounds = FlattenBounds(slippage=Px(parse("0.1")))
    (order,) = plan(token(), books={M: book([("0.12", "500")], [])}, bounds=bounds).orders
    assert order.px == parse("0.1")


def held(qty: str, loss: str, reason: HoldReason, leg: Leg = Leg.YES, market: MarketId = M) -> HeldToken:
    return HeldToken(market=market, leg=leg, qty=Qty(parse(qty)), worst_loss=Cash(parse(loss)), reason=reason)


@pytest.mark.parametrize(
    ("books", "leg", "reason"),
    [
        ({}, Leg.YES, HoldReason.NO_BOOK),
        ({M: None}, Leg.YES, HoldReason.NO_BOOK),
        ({M: book([], [])}, Leg.YES, HoldReason.NO_BID),
        ({M: book([], [("0.46", "5")])}, Leg.YES, HoldReason.NO_BID),
        ({M: book([("0.45", "5")], [])}, Leg.NO, HoldReason.NO_BID),
        ({M: book([("0.00001", "5")], [])}, Leg.YES, HoldReason.BELOW_MINIMUM),
        ({M: book([("0.05", "5")], [])}, Leg.YES, HoldReason.BELOW_MINIMUM),
    ],
)
def test_what_cannot_be_sold_is_held_with_its_cost_at_stake(
    books: dict[MarketId, BookSnapshot | None], leg: Leg, reason: HoldReason
) -> None:
    result = plan(token(leg), books=books)
    assert result.orders == ()
    assert result.held == (held("100", "45", reason, leg),)
    assert result.worst_loss == parse("45")


def test_complete_sets_are_not_sold_and_risk_nothing() -> None:
    """A pair is paid 1 whatever happens: selling it would only cost the spread."""
    result = plan(token(Leg.YES, "100", "45"), token(Leg.NO, "60", "33"))
    (order,) = result.orders
    assert (order.leg, order.qty) == (Leg.YES, parse("40"))
    assert result.held == (
        held("60", "0", HoldReason.COMPLETE_SET),
        held("60", "0", HoldReason.COMPLETE_SET, Leg.NO),
    )
    assert result.worst_loss == 0


def test_equal_legs_are_flat_already() -> None:
    result = plan(token(Leg.YES, "50"), token(Leg.NO, "50"))
    assert result.orders == ()
    assert {one.reason for one in result.held} == {HoldReason.COMPLETE_SET}


def test_fractions_of_a_lot_are_left_over_and_named() -> None:
    result = plan(token(qty="100.5", cost="100.5"))
    assert result.orders[0].qty == parse("100")
    assert result.held == (held("0.5", "0.5", HoldReason.BELOW_MINIMUM),)


def test_markets_are_judged_one_by_one() -> None:
    result = plan(
        token(),
        token(market=N, leg=Leg.NO, qty="30", cost="3"),
        books={M: BOOK, N: book([("0.2", "9")], [], N)},
    )
    assert [order.market for order in result.orders] == [M]
    assert result.held == (held("30", "3", HoldReason.NO_BID, Leg.NO, N),)


@pytest.mark.parametrize(("left_s", "sold"), [(600, True), (301, True), (300, False), (0, False), (-5, False)])
def test_close_to_settlement_tokens_are_held(left_s: int, sold: bool) -> None:
    bounds = FlattenBounds(
        slippage=Px(parse("0.02")),
        hold_to_expiry_ns=300 * 10**9,
    )
    wall = 10**18
    result = plan(token(), bounds=bounds, expiries_ns={M: wall + left_s * 10**9}, wall_ns=wall)
    assert bool(result.orders) is sold
    if not sold:
        assert result.held[0].reason is HoldReason.NEAR_EXPIRY


def test_a_market_of_unknown_expiry_is_sold() -> None:
    assert plan(token(), expiries_ns={N: 1}, wall_ns=10**18).orders


def test_a_negative_cost_has_nothing_to_lose() -> None:
    result = plan(token(cost="-3"), books={})
    assert result.held[0].worst_loss == 0


def test_the_cost_of_a_part_rounds_up() -> None:
    result = plan(token(qty="3", cost="1"), token(Leg.NO, "2", "1"), books={})
    surplus = [one for one in result.held if one.reason is HoldReason.NO_BOOK]
    assert surplus[0].worst_loss == parse("0.33333334")


@given(
    yes=st.integers(0, 10**4),
    no=st.integers(0, 10**4),
    bid=st.integers(1, 99_998),
    gap=st.integers(1, 1_000),
    slippage=st.integers(0, SCALE),
)
def test_every_token_is_sold_or_held_and_every_order_is_legal(
    yes: int, no: int, bid: int, gap: int, slippage: int
) -> None:
    ask = min(bid + gap, 99_999)
    tokens = [
        TokenBalance(M, leg, Qty(count * SCALE), Cash(count * SCALE // 3))
        for leg, count in ((Leg.YES, yes), (Leg.NO, no))
        if count
    ]
    bounds = FlattenBounds(slippage=Px(slippage))
    snapshot = BookSnapshot(M, ((bid * 1_000, SCALE),), ((ask * 1_000, SCALE),), 1)
    result = plan_flatten(tokens, {M: snapshot}, bounds, ClientIds(1).mint, rules=lambda _: RULES)
    for leg, count in ((Leg.YES, yes), (Leg.NO, no)):
        sold = sum(order.qty for order in result.orders if order.leg is leg)
        kept = sum(one.qty for one in result.held if one.leg is leg)
        assert sold + kept == count * SCALE
    for order in result.orders:
        assert order.side is Side.SELL
        assert 0 < order.px < SCALE
        assert order.px % 1_000 == 0
        assert order.qty % SCALE == 0
        assert order.qty * order.px >= 10 * SCALE * SCALE
        best = bid * 1_000 if order.leg is Leg.YES else SCALE - ask * 1_000
        assert max(best - slippage, 1) <= order.px <= best
    assert len(result.orders) <= 1
    assert all(one.worst_loss >= 0 for one in result.held)


# -- perps

BTC = MarketId("hyperliquid:BTC")
BTC_BOOK = book([("79990", "1")], [("80010", "2")], BTC)


def perp(qty: str = "0.01", market: MarketId = BTC) -> PerpBalance:
    return PerpBalance(market, Qty(parse(qty)), Cash(0))


@pytest.mark.parametrize(("qty", "side", "px"), [("0.01", Side.SELL, "79591"), ("-0.01", Side.BUY, "80410")])
def test_perps_are_closed_reduce_only_near_the_touch(qty: str, side: Side, px: str) -> None:
    result = plan(perps=[perp(qty)], books={BTC: BTC_BOOK})
    (order,) = result.orders
    assert (order.market, order.side, order.tif, order.reduce_only) == (BTC, side, Tif.IOC, True)
    assert (order.px, order.qty) == (parse(px), parse("0.01"))
    assert result.closings == 1
    assert not result.done


def test_perps_come_before_tokens() -> None:
    result = plan(token(), perps=[perp()], books={M: BOOK, BTC: BTC_BOOK})
    assert [order.market for order in result.orders] == [BTC, M]


@pytest.mark.parametrize(
    ("snapshot", "reason"),
    [(None, HoldReason.NO_BOOK), (book([], [("80010", "2")], BTC), HoldReason.NO_BID)],
)
def test_a_perp_without_a_buyer_stays_open_and_is_said(snapshot: BookSnapshot | None, reason: HoldReason) -> None:
    result = plan(perps=[perp()], books={BTC: snapshot})
    assert (result.orders, result.done) == ((), False)
    assert result.stays == [f"hyperliquid:BTC 0.01 ({reason.value})"]


def test_a_perp_of_somebody_else_is_left_alone() -> None:
    eth = MarketId("hyperliquid:ETH")
    bounds = attrs.evolve(BOUNDS, perps=frozenset({BTC}))
    result = plan(perps=[perp("1", eth)], books={eth: book([("3000", "1")], [("3001", "1")], eth)}, bounds=bounds)
    assert (result.orders, result.done) == ((), True)
    assert result.perps[0].reason is HoldReason.NOT_FOLLOWED


def test_what_is_too_small_to_sell_is_held_and_never_completed() -> None:
    """The engine would buy the other side and merge; whoever sweeps without one must not be able to buy."""
    result = plan(token(qty="19"), books={M: book([("0.05", "500")], [("0.07", "500")])})
    assert result.orders == ()
    assert result.stays == ["hyperliquid:o900 YES 19 (below_minimum)"]


CENTS, MILLS = Px(1_000_000), Px(100_000)
TAPERED = SaleRules(
    tick=MILLS,
    lot=Qty(SCALE // 100),
    min_qty=Qty(SCALE // 2),
    ticks=((Px(0), 10 * CENTS, MILLS), (10 * CENTS, 90 * CENTS, CENTS), (90 * CENTS, Px(SCALE), MILLS)),  # type: ignore[arg-type]
)


@pytest.mark.parametrize(
    ("bid", "px"),
    [("0.5", "0.48"), ("0.455", "0.44"), ("0.1", "0.08"), ("0.097", "0.077"), ("0.951", "0.931"), ("0.01", "0.001")],
)
def test_where_the_grid_changes_with_the_price_the_limit_is_on_it(bid: str, px: str) -> None:
    (order,) = plan(token(), books={M: book([(bid, "1")], [])}, rules=lambda _: TAPERED).orders
    assert order.px == parse(px)


def test_parts_of_contracts_are_sold_down_to_the_lot_and_not_below_the_fewest() -> None:
    result = plan(token(qty="1.237"), rules=lambda _: TAPERED)
    assert [order.qty for order in result.orders] == [parse("1.23")]
    assert [one.reason for one in result.held] == [HoldReason.BELOW_MINIMUM]
    assert plan(token(qty="0.49"), rules=lambda _: TAPERED).orders == ()


def test_where_no_rules_are_known_nothing_can_be_sold() -> None:
    result = plan(token(), rules=lambda _: None)
    assert (result.orders, [one.reason for one in result.held]) == ((), [HoldReason.NO_BOOK])
