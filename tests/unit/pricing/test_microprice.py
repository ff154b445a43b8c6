"""Book prices: the vectors, the guards, and the micro-price chain against brute force."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing import microprice
from hlomm.pricing.microprice import BookSource

PROPERTY = settings.get_profile("pricing")
QTY = st.floats(1.0, 1e6)
PRICE = st.floats(0.01, 0.99)


@pytest.mark.quant("microprice", "weighted_mid")
def test_weighted_mid(case, check):
    made = microprice.weighted_mid(case.given["bid"], case.given["ask"], case.given["bid_qty"], case.given["ask_qty"])
    check({name: getattr(made, name) for name in ("mid", "spread", "imbalance", "imbalance_signed", "weighted_mid")})


@pytest.mark.quant("microprice", "stoikov")
def test_stoikov(case, check):
    given_ = case.given
    made = microprice.stoikov(given_["Q"], given_["R1"], given_["R2"], given_["K"], given_["steps"])
    check({"g1": list(made.g1), "g_sum": list(made.g_sum), "g_limit": list(made.g_limit)})


@pytest.mark.quant("microprice", "depth_imbalance")
def test_depth_imbalance(case, check):
    made = microprice.depth_imbalance(case.given["bids"], case.given["asks"], case.given["lam"])
    check({"imbalance": made.imbalance, "bid_w": made.bid_weight, "ask_w": made.ask_weight})


@PROPERTY
@given(PRICE, st.floats(1e-5, 0.5), QTY, QTY)
def test_weighted_mid_lies_in_the_spread_and_leans_away_from_the_heavy_side(bid, width, bid_qty, ask_qty):
    made = microprice.weighted_mid(bid, bid + width, bid_qty, ask_qty)
    assert bid <= made.weighted_mid <= bid + width
    assert (made.weighted_mid - made.mid) * (bid_qty - ask_qty) >= -1e-12 * bid_qty
    mirror = microprice.weighted_mid(1 - bid - width, 1 - bid, ask_qty, bid_qty)
    assert mirror.weighted_mid == pytest.approx(1 - made.weighted_mid, abs=1e-12)


def test_a_thin_improving_order_does_not_move_the_price():
    bids, asks = [(0.5, 400.0), (0.49, 100.0)], [(0.52, 200.0)]
    plain = microprice.guarded(bids, asks, size_floor=20.0, tick=0.01)
    baited = microprice.guarded([(0.51999, 1.0), *bids], asks, size_floor=20.0, tick=0.01)
    assert plain == baited
    assert plain.source is BookSource.WEIGHTED_MID
    assert plain.value == pytest.approx(0.5 + 0.02 * 400 / 600)


def test_beyond_the_normal_spread_sizes_are_not_trusted():
    at_limit = microprice.guarded([(0.50, 900.0)], [(0.52, 10.0)], size_floor=1.0, tick=0.01)
    beyond = microprice.guarded([(0.50, 900.0)], [(0.53, 10.0)], size_floor=1.0, tick=0.01)
    assert at_limit.source is BookSource.WEIGHTED_MID
    assert (beyond.source, beyond.value) == (BookSource.MID, pytest.approx(0.515))


@pytest.mark.parametrize(
    ("bids", "asks", "reason"),
    [
        ([], [(0.6, 10.0)], microprice.ONE_SIDED),
        ([(0.999, 10.0)], [], microprice.ONE_SIDED),
        ([], [], microprice.ONE_SIDED),
        ([(0.5, 1.0)], [(0.6, 10.0)], microprice.ONE_SIDED),
        ([(0.5, math.nan)], [(0.6, 10.0)], microprice.ONE_SIDED),
        ([(0.6, 10.0)], [(0.6, 10.0)], microprice.CROSSED),
        ([(0.7, 10.0)], [(0.6, 10.0)], microprice.CROSSED),
        ([(math.nan, 10.0)], [(0.6, 10.0)], microprice.NOT_A_NUMBER),
        ([(0.5, math.inf)], [(0.6, 10.0)], microprice.NOT_A_NUMBER),
    ],
)
def test_a_book_without_a_price_says_why(bids, asks, reason):
    made = microprice.guarded(bids, asks, size_floor=5.0, tick=0.01)
    assert (made.value, made.source, made.reason) == (None, BookSource.NONE, reason)


@PROPERTY
@given(
    st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1e3)), max_size=5),
    st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1e3)), max_size=5),
)
def test_a_price_and_a_reason_exclude_each_other(bids, asks):
    made = microprice.guarded(bids, asks, size_floor=10.0, tick=0.01)
    assert (made.value is None) == (made.reason != "") == (made.source is BookSource.NONE)
    assert made.value is None or math.isfinite(made.value)


def random_chain(seed, symmetric):
    rng = np.random.default_rng(seed)
    n, moves = 4, [-0.01, -0.005, 0.005, 0.01]
    stay, jump, land = (rng.random((n, width)) for width in (n, 4, n))
    if symmetric:
        stay, jump, land = (np.array(microprice.symmetrise(block.tolist())) for block in (stay, jump, land))
    leave = rng.uniform(0.3, 0.7)
    stay *= (1 - leave) / stay.sum(1, keepdims=True)
    jump *= leave / jump.sum(1, keepdims=True)
    land *= leave / land.sum(1, keepdims=True)
    return stay, jump, land, moves


@pytest.mark.parametrize("seed", range(8))
def test_the_chain_is_the_expected_mid_of_the_process_it_describes(seed):
    """Propagates the distribution step by step instead of inverting matrices."""
    stay, jump, land, moves = random_chain(seed, symmetric=True)
    made = microprice.stoikov(stay.tolist(), jump.tolist(), land.tolist(), moves, steps=6)
    for state in range(4):
        # occupancy[m] = distribution over states after m mid moves, before the next one.
        expected = 0.0
        occupancy = np.eye(4)[state]
        for _ in range(6):
            after = np.zeros(4)
            for _ in range(400):
                expected += float(occupancy @ jump @ np.array(moves))
                after += occupancy @ land
                occupancy = occupancy @ stay
            occupancy = after
        assert made.g_sum[state] == pytest.approx(expected, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("seed", range(8))
def test_symmetric_data_has_an_antisymmetric_limit_that_more_steps_approach(seed):
    stay, jump, land, moves = (
        block if isinstance(block, list) else block.tolist() for block in random_chain(seed, True)
    )
    long = microprice.stoikov(stay, jump, land, moves, steps=500)
    assert long.g_sum == pytest.approx(long.g_limit, abs=1e-12)
    assert list(long.g_limit) == pytest.approx([-value for value in reversed(long.g_limit)], abs=1e-12)


def test_one_sided_data_has_no_limit():
    stay, jump, land, moves = (block if isinstance(block, list) else block.tolist() for block in random_chain(1, False))
    assert microprice.stoikov(stay, jump, land, moves).g_limit is None


def test_an_empty_weighting_is_balanced():
    assert microprice.depth_imbalance([(0.5, 0.0)], [(0.6, 0.0)], 10.0).imbalance == 0.5
