"""How much Avellaneda quotes: a fraction of Kelly, within its bounds, in lots, and enough for the venue."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.domain.units import SCALE
from hlomm.pricing import horizon, kelly
from hlomm.pricing.quoter import QuoteModel
from tests.support.values import levels, lots, outcome, px, usd
from tests.unit.strategy.views import CONFIG, decide, facts, maker, number, view

FREE = {"max_size": 1e9, "min_size": 0.0, "stretch": 1.0, "size_decimals": 8}
"""Nothing but Kelly decides."""
FINE = {"market": outcome(lot=1)}


def size(**changes: object) -> float:
    """Contracts on the bid."""
    config = {name: changes.pop(name) for name in list(changes) if hasattr(CONFIG, name)}
    desired = decide(maker(**config), **changes)
    assert desired.bid is not None, desired.bid_reason
    assert desired.ask is not None, desired.ask_reason
    assert desired.bid.qty == desired.ask.qty
    return desired.bid.qty / SCALE


def test_the_size_is_continuous_kelly_on_the_half_spread() -> None:
    desired = decide(maker(**FREE), **FINE)
    assert desired.bid is not None
    variance = horizon.variance(number(desired, "fair"), 3_600.0, CONFIG.holding_s)
    expected = CONFIG.kelly_fraction * 10_000.0 * number(desired, "half") / variance
    assert desired.bid.qty / SCALE == pytest.approx(expected, rel=1e-6)
    assert facts(desired)["size_bound"] == "kelly"


@given(st.floats(0.01, 1.0), st.floats(0.1, 1.0))
@settings(max_examples=30)
def test_it_grows_in_proportion_to_the_fraction_and_to_the_equity(fraction: float, share: float) -> None:
    whole = size(kelly_fraction=fraction, **FREE, **FINE)
    assert size(kelly_fraction=fraction * share, **FREE, **FINE) == pytest.approx(whole * share, rel=1e-5)
    assert size(kelly_fraction=fraction, equity=f"{10_000 * share:.8f}", **FREE, **FINE) == pytest.approx(
        whole * share, rel=1e-5
    )


@pytest.mark.parametrize(("low", "high"), [("0.69", "0.71"), ("0.29", "0.31")])
def test_what_closing_costs_is_taken_off_the_edge(low: str, high: str) -> None:
    """Which leg will close is not known: the dearer one pays the larger fee, be it YES or NO."""
    book = {"spot": None, "bids": levels((low, 300)), "asks": levels((high, 300))}
    free = decide(maker(**FREE), **FINE, **book)
    fee = px("0.002")
    taxed = decide(maker(**FREE), fee=fee, **FINE, **book)
    p, half = number(free, "fair"), number(free, "half")
    assert number(taxed, "half") == half, "the quote stands where it stood"
    expected = (half - 0.002 * max(p, 1 - p)) / half
    assert number(taxed, "size") / number(free, "size") == pytest.approx(expected, rel=1e-6)


def test_where_fees_eat_the_edge_nothing_is_quoted() -> None:
    desired = decide(fee=px("0.02"))
    assert (desired.bid, desired.ask) == (None, None)
    assert desired.bid_reason == desired.ask_reason == "size: no_edge"
    assert desired.fair is not None
    assert number(desired, "half") > 0


@pytest.mark.parametrize("equity", ["0", "-5"])
def test_without_equity_nothing_is_quoted(equity: str) -> None:
    assert decide(equity=equity).bid_reason == "size: no_edge"


def test_the_cap_caps() -> None:
    desired = decide(maker(kelly_fraction=1.0))
    assert desired.bid is not None
    assert desired.bid.qty == lots(CONFIG.max_size)
    assert facts(desired)["size_bound"] == "cap"


def test_below_the_least_size_nothing_is_quoted() -> None:
    desired = decide(maker(min_size=10.0), equity="20")
    assert desired.bid is None
    assert desired.bid_reason == "size: floor"
    assert desired.fair is not None


@given(st.integers(0, 8), st.sampled_from([1, SCALE // 100, SCALE, 10 * SCALE]), st.floats(500.0, 20_000.0))
def test_it_is_rounded_down_to_decimals_and_lots(decimals: int, lot: int, equity: float) -> None:
    exact = size(equity=f"{equity:.4f}", **FREE, **FINE)
    desired = decide(maker(**(FREE | {"size_decimals": decimals})), equity=f"{equity:.4f}", market=outcome(lot=lot))
    steps = max(lot, 10 ** (8 - decimals))
    if desired.bid is None:
        assert exact * SCALE < steps + 1
        return
    qty = desired.bid.qty
    assert qty % lot == 0
    assert qty % 10 ** (8 - decimals) == 0 or lot % 10 ** (8 - decimals)
    assert qty <= exact * SCALE + 1
    assert qty > exact * SCALE - lot - 10 ** (8 - decimals) - 1


def test_a_lot_larger_than_the_size_leaves_nothing_and_a_reason() -> None:
    desired = decide(market=outcome(lot=lots(1_000)))
    assert desired.bid is None
    assert desired.bid_reason.startswith("size: ")


@given(
    st.floats(0.0001, 1.0),
    st.floats(1.0, 500.0),
    st.floats(0.0, 50.0),
    st.floats(30.0, 1e6),
    st.floats(1.0, 1e9),
    st.floats(1.0, 5.0),
)
def test_it_never_leaves_its_bounds(
    fraction: float, cap: float, floor: float, tau_s: float, equity: float, stretch: float
) -> None:
    strategy = maker(kelly_fraction=fraction, max_size=cap, min_size=floor, stretch=stretch)
    desired = decide(strategy, tau_s=tau_s, equity=f"{equity:.4f}")
    for wish in (desired.bid, desired.ask):
        if wish is not None:
            assert lots(1) <= wish.qty <= math.ceil(cap * stretch) * SCALE
            assert wish.qty >= math.floor(floor) * SCALE


def test_more_variance_less_size() -> None:
    sizes = [size(holding_s=holding, **FREE, **FINE) for holding in (10.0, 60.0, 600.0, 3_600.0)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 4


def test_holding_longer_than_the_contract_lives_is_holding_to_its_end() -> None:
    assert size(holding_s=1e9, model=QuoteModel.AS_PAPER, **FREE, **FINE) == size(
        holding_s=3_600.0, model=QuoteModel.AS_PAPER, **FREE, **FINE
    )


# -- the venue's least order value


CHEAP = {"bids": levels(("0.05", 300)), "asks": levels(("0.07", 300)), "spot": None}
"""Around 6 cents, where 150 contracts are 9 dollars."""


def test_at_the_cheap_end_a_size_grows_to_what_the_venue_accepts() -> None:
    desired = decide(maker(max_size=150.0, kelly_fraction=1.0), **CHEAP)
    assert desired.bid is not None
    assert desired.ask is not None
    assert desired.bid.qty > lots(150)
    assert desired.bid.px * desired.bid.qty >= usd(10) * SCALE
    assert desired.bid.px * (desired.bid.qty - lots(1)) < usd(10) * SCALE, "and not by a lot more than needed"
    assert desired.ask.qty == lots(150), "an ask there is a purchase of the dear complement"


def test_at_the_dear_end_it_is_the_ask_that_grows() -> None:
    dear = {"bids": levels(("0.93", 300)), "asks": levels(("0.95", 300)), "spot": None}
    desired = decide(maker(max_size=150.0, kelly_fraction=1.0), **dear)
    assert desired.bid is not None
    assert desired.ask is not None
    assert desired.bid.qty == lots(150)
    assert (SCALE - desired.ask.px) * desired.ask.qty >= usd(10) * SCALE
    assert (SCALE - desired.ask.px) * (desired.ask.qty - lots(1)) < usd(10) * SCALE


def test_it_grows_by_no_more_than_allowed() -> None:
    for stretch in (1.0, 1.05):
        desired = decide(maker(max_size=150.0, kelly_fraction=1.0, stretch=stretch), **CHEAP)
        assert desired.bid is not None
        assert desired.bid.qty == lots(150)


@given(st.integers(2, 98), st.floats(1.0, 4.0), st.integers(10, 200))
def test_growing_is_exact(cent: int, stretch: float, cap: int) -> None:
    bids, asks = (((px(f"{cent / 100 + shift:.3f}"), lots(300)),) for shift in (-0.005, 0.005))
    book = {"bids": bids, "asks": asks, "spot": None, "tau_s": 86_400.0}
    desired = decide(maker(max_size=float(cap), kelly_fraction=1.0, min_size=1.0, stretch=stretch), **book)
    for wish, cost in (
        (desired.bid, None if desired.bid is None else desired.bid.px),
        (desired.ask, None if desired.ask is None else SCALE - desired.ask.px),
    ):
        if wish is None or cost is None:
            continue
        base = min(number(desired, "size"), cap) * SCALE
        least = math.ceil(usd(10) * SCALE / cost / SCALE) * SCALE
        assert wish.qty == (least if base < least <= base * stretch else base)


def test_every_bound_has_a_word_a_person_can_read() -> None:
    assert [bound.name.lower() for bound in kelly.SizeBound] == ["kelly", "cap", "floor", "no_edge"]
    assert view().equity == usd(10_000)
