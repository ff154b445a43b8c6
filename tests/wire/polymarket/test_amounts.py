"""Grids and decimals of orders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Px, Qty, parse
from hlomm.venues.polymarket.wire.amounts import TICKS, Unfit, exact_step, resting_amounts, taking_amounts
from tests.wire.polymarket.conftest import Shared

CENT = Px(parse("0.01"))


def px(text: str) -> Px:
    return Px(parse(text))


def qty(text: str) -> Qty:
    return Qty(parse(text))


def test_every_limit_vector_has_its_amounts(shared: Shared) -> None:
    checked = 0
    for vector in shared.json("signing_vectors.json")["orders"]["vectors"]:
        asked, wire = vector["input"], vector["wire"]["order"]
        if asked["kind"] != "limit":
            continue
        ours = resting_amounts(
            Side[asked["side"]], px(str(asked["price"])), qty(str(asked["size"])), px(asked["tick_size"])
        )
        assert ours == (int(wire["makerAmount"]), int(wire["takerAmount"])), vector["name"]
        checked += 1
    assert checked == 37


def test_what_a_client_signed_and_the_venue_refused_is_never_signed_here(shared: Shared) -> None:
    """A purchase of 9.98 pUSD at 0.985 on a tick of 0.001 shows five decimals of a share."""
    (vector,) = (one for one in shared.json("signing_vectors.json")["orders"]["vectors"] if "REJECTED" in one["name"])
    assert int(vector["wire"]["order"]["takerAmount"]) % 100 != 0
    maker, taker = taking_amounts(Side.BUY, px("0.985"), qty("10.13"), px("0.001"))
    assert (maker % 10_000, taker % 100) == (0, 0)


@pytest.mark.parametrize(
    ("side", "price", "size", "tick", "amounts"),
    [
        (Side.BUY, "0.57", "10", "0.01", (5_700_000, 10_000_000)),
        (Side.SELL, "0.57", "10", "0.01", (10_000_000, 5_700_000)),
        (Side.BUY, "0.57", "10.99", "0.01", (5_700_000, 10_000_000)),  # cut by less than a share
        (Side.BUY, "0.5", "7.35", "0.01", (3_670_000, 7_340_000)),
        (Side.BUY, "0.973", "15", "0.001", (14_590_000, 14_994_800)),  # rounded in cash, then in shares, down
        (Side.SELL, "0.973", "15", "0.001", (15_000_000, 14_590_000)),
        (Side.BUY, "0.973", "20", "0.001", (19_460_000, 20_000_000)),
    ],
)
def test_orders_that_fill_at_once(side: Side, price: str, size: str, tick: str, amounts: tuple[int, int]) -> None:
    assert taking_amounts(side, px(price), qty(size), px(tick)) == amounts


@pytest.mark.parametrize(
    ("price", "size", "tick", "why"),
    [
        ("0.575", "10", "0.01", "grid"),
        ("0.0025", "10", "0.003", "no such tick"),
        ("0", "10", "0.01", "grid"),
        ("1", "10", "0.01", "grid"),
        ("0.995", "10", "0.005", None),
        ("0.9975", "10", "0.005", "grid"),
    ],
)
def test_prices_off_the_grid_are_not_sent(price: str, size: str, tick: str, why: str | None) -> None:
    if why is None:
        assert resting_amounts(Side.BUY, px(price), qty(size), px(tick)) == (9_950_000, 10_000_000)
        return
    for amounts in (resting_amounts, taking_amounts):
        with pytest.raises(Unfit, match=why):
            amounts(Side.BUY, px(price), qty(size), px(tick))


def test_nothing_is_not_an_order() -> None:
    with pytest.raises(Unfit):
        resting_amounts(Side.BUY, px("0.5"), qty("0.009"), CENT)
    with pytest.raises(Unfit):
        taking_amounts(Side.SELL, px("0.5"), qty("0.009"), CENT)


def test_a_purchase_that_fills_at_once_is_worth_a_dollar() -> None:
    with pytest.raises(Unfit, match="at least 1"):
        taking_amounts(Side.BUY, px("0.1"), qty("9"), CENT)
    assert taking_amounts(Side.SELL, px("0.1"), qty("9"), CENT) == (9_000_000, 900_000)


grids = st.sampled_from(sorted(TICKS)).flatmap(
    lambda tick: st.tuples(st.just(tick), st.integers(1, SCALE // tick - 1).map(lambda steps: Px(steps * tick)))
)
sizes = st.integers(1, 10**12).map(lambda hundredths: Qty(hundredths * 10_000))


@given(grids, sizes, st.sampled_from(list(Side)))
def test_a_resting_order_says_its_price_exactly(grid: tuple[Px, Px], size: Qty, side: Side) -> None:
    tick, price = grid
    try:
        maker, taker = resting_amounts(side, price, size, tick)
    except Unfit:
        assert size < SCALE // 100
        return
    cash, shares = (maker, taker) if side is Side.BUY else (taker, maker)
    assert cash * SCALE == price * shares
    assert 0 < shares * 100 <= size
    assert size - shares * 100 < SCALE // 100


@given(grids, sizes, st.sampled_from(list(Side)))
def test_a_taking_order_keeps_the_decimals_and_crosses_no_further_price(
    grid: tuple[Px, Px], size: Qty, side: Side
) -> None:
    tick, price = grid
    try:
        maker, taker = taking_amounts(side, price, size, tick)
    except Unfit:
        return
    cash, shares = (maker, taker) if side is Side.BUY else (taker, maker)
    assert cash % 10_000 == 0
    assert shares % 100 == 0
    assert 0 < shares * 100 <= size
    if side is Side.BUY:
        assert cash * SCALE >= price * shares, "a worse limit would never match"
        assert cash * SCALE < (price + tick) * shares
    else:
        assert cash * SCALE <= price * shares
        assert cash * SCALE > (price - tick) * shares


@given(grids)
def test_exact_sizes_are_whole_cents(grid: tuple[Px, Px]) -> None:
    _, price = grid
    step = exact_step(price)
    assert step * price % (SCALE * SCALE // 100) == 0
    assert step % (SCALE // 100) == 0
