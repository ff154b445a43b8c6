"""Prices, sizes, minimum value and weights of the venue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain import grid
from hlomm.domain.markets import Market
from hlomm.domain.units import SCALE, Cash, Px, Qty, parse
from hlomm.venues.hyperliquid import limits
from hlomm.venues.hyperliquid.wire.outcomes import OutcomeSpec, PerpRow, SideSpec, outcome_listing, perp_listing


def px(text: str) -> Px:
    return Px(parse(text))


def qty(text: str) -> Qty:
    return Qty(parse(text))


def outcome_market() -> Market:
    spec = OutcomeSpec(
        outcome=900,
        name="Recurring",
        description="class:priceBinary|underlying:BTC|expiry:20260731-0600|targetPrice:1|period:1d",
        side_specs=[SideSpec("Yes"), SideSpec("No")],
        quote_token="USDC",
    )
    market = outcome_listing(spec)
    assert isinstance(market, Market)
    return market


BTC = perp_listing(PerpRow("BTC", 5))


# -- outcomes


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ("0.00001", True),
        ("0.99999", True),
        ("0.5", True),
        ("0.00123", True),
        ("0", False),
        ("1", False),
        ("1.00001", False),
        ("0.001234", False),
        ("0.012345", False),
        ("0.000001", False),
        ("-0.1", False),
    ],
)
def test_outcome_prices_lie_on_a_fixed_tick_between_the_ends(text: str, ok: bool) -> None:
    assert limits.outcome_px_ok(px(text)) is ok


@pytest.mark.parametrize(("text", "ok"), [("1", True), ("250", True), ("0", False), ("-1", False), ("40.5", False)])
def test_outcome_sizes_are_whole_contracts(text: str, ok: bool) -> None:
    assert limits.outcome_qty_ok(qty(text)) is ok


@pytest.mark.parametrize(
    ("size", "price", "mid", "ok"),
    [
        ("11", "0.95", None, True),
        ("10", "0.95", None, False),
        ("200", "0.05", None, True),
        ("199", "0.05", None, False),
        # Sources disagree whether price or mid decides: the smaller one counts.
        ("20", "0.5", "0.6", True),
        ("20", "0.5", "0.4", False),
        ("25", "0.5", "0.4", True),
        ("20", "0.4", "0.5", False),
        ("11", "0.9375", None, True),
    ],
)
def test_the_minimum_value_holds_on_both_bases(size: str, price: str, mid: str | None, ok: bool) -> None:
    assert limits.min_value_ok(qty(size), px(price), None if mid is None else px(mid)) is ok


@given(price=st.integers(1, 99_999), mid=st.none() | st.integers(1, 99_999))
def test_the_smallest_size_passes_and_one_contract_less_fails(price: int, mid: int | None) -> None:
    own = Px(price * 1_000)
    middle = None if mid is None else Px(mid * 1_000)
    size = limits.min_qty(own, middle, Qty(SCALE))
    assert size % SCALE == 0
    assert limits.min_value_ok(size, own, middle)
    assert not limits.min_value_ok(Qty(size - SCALE), own, middle)


def test_another_minimum_may_be_asked_for() -> None:
    assert limits.min_value_ok(qty("2"), px("0.5"), None, Cash(SCALE))
    assert limits.min_qty(px("0.5"), None, qty("1"), Cash(SCALE)) == qty("2")


# -- perps


@pytest.mark.parametrize(
    ("price", "decimals", "ok"),
    [
        ("118250", 5, True),
        ("118250.5", 5, False),
        ("99999", 5, True),
        ("99999.5", 5, False),
        ("9999.5", 5, True),
        ("9999.55", 5, False),
        ("100000", 5, True),
        ("123456", 5, True),
        ("2123.9", 4, True),
        ("2123.95", 4, False),
        ("212.39", 4, True),
        ("212.395", 4, False),
        ("0.12345", 0, True),
        ("0.123456", 0, False),
        ("0.012345", 0, True),
        ("1.2345", 2, True),
        ("1.23456", 2, False),
        ("0", 5, False),
    ],
)
def test_perp_prices_have_five_figures_and_bounded_decimals(price: str, decimals: int, ok: bool) -> None:
    tick = perp_listing(PerpRow("X", decimals)).tick
    assert grid.perp_px_ok(px(price), tick) is ok


@pytest.mark.parametrize(
    ("price", "down", "up"),
    [
        ("118250.7", "118250", "118251"),
        ("9999.57", "9999.5", "9999.6"),
        ("95000.01", "95000", "95001"),
        ("5", "5", "5"),
    ],
)
def test_perp_prices_round_to_the_legal_neighbours(price: str, down: str, up: str) -> None:
    assert grid.floor_px(BTC, px(price)) == px(down)
    assert grid.ceil_px(BTC, px(price)) == px(up)


def test_outcome_prices_round_to_their_tick() -> None:
    market = outcome_market()
    assert grid.floor_px(market, px("0.123456")) == px("0.12345")
    assert grid.ceil_px(market, px("0.123456")) == px("0.12346")
    assert grid.floor_px(market, px("0.000009")) == 0


def test_sizes_round_down_to_the_lot() -> None:
    assert limits.floor_qty(outcome_market(), qty("40.9")) == qty("40")
    assert limits.floor_qty(BTC, qty("0.123456")) == qty("0.12345")


@given(st.integers(1, 10**7 * SCALE))
def test_rounded_perp_prices_are_legal_and_on_their_side(raw: int) -> None:
    down, up = grid.floor_px(BTC, Px(raw)), grid.ceil_px(BTC, Px(raw))
    assert down <= raw <= up
    assert down == 0 or grid.perp_px_ok(down, BTC.tick)
    assert grid.perp_px_ok(up, BTC.tick)


# -- weights


@pytest.mark.parametrize(
    ("kind", "weight"),
    [
        ("l2Book", 2),
        ("orderStatus", 2),
        ("spotClearinghouseState", 2),
        ("exchangeStatus", 2),
        ("userRole", 60),
        ("outcomeMeta", 20),
        ("meta", 20),
        ("frontendOpenOrders", 20),
        ("userFills", 20),
        ("something new", 20),
    ],
)
def test_requests_have_their_documented_weight(kind: str, weight: int) -> None:
    assert limits.info_weight(kind) == weight


def test_long_answers_weigh_more() -> None:
    assert limits.info_extra_weight("userFills", 2_000) == 100
    assert limits.info_extra_weight("userFills", 19) == 0
    assert limits.info_extra_weight("l2Book", 2_000) == 0


@pytest.mark.parametrize(("batch", "weight"), [(1, 1), (39, 1), (40, 2), (79, 2), (80, 3)])
def test_actions_weigh_one_and_a_fortieth_of_their_batch(batch: int, weight: int) -> None:
    assert limits.exchange_weight(batch) == weight
    assert limits.exchange_weight(limits.BATCH_MAX) == 1


def test_the_action_budget_estimates_between_answers() -> None:
    budget = limits.AddressBudget()
    assert budget.left == 0
    budget.told(17, 10_000)
    assert budget.left == 9_983
    budget.spend(39)
    budget.spend(1)
    assert budget.left == 9_943
    budget.told(60, 10_000)
    assert (budget.left, budget.sent_since) == (9_940, 0)
    budget.spend(20_000)
    assert budget.left == 0
