"""Reward score: the vectors and the shape of the incentive."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing.rewards import RewardBook, RewardOrder, RewardSide, order_score, score

PROPERTY = settings.get_profile("pricing")
BOOKS = {"m": RewardBook.M, "m_prime": RewardBook.COMPLEMENT}
SIDES = {"bid": RewardSide.BID, "ask": RewardSide.ASK}


@pytest.mark.quant("mm_stats", "poly_rewards")
def test_score(case, check):
    given_ = case.given
    orders = [
        RewardOrder(BOOKS[item["book"]], SIDES[item["side"]], item["price"], item["size"]) for item in given_["orders"]
    ]
    made = score(orders, mid=given_["mid"], max_spread_cents=given_["v"], b=given_["b"], c=given_["c"])
    check({"q_one": made.q_one, "q_two": made.q_two, "q_min": made.q_min})


@PROPERTY
@given(st.floats(0.5, 10.0), st.floats(0.0, 10.0), st.floats(0.0, 10.0))
def test_closer_orders_score_more_and_distant_ones_nothing(v, one, other):
    near, far = sorted((one, other))
    assert order_score(v, near) >= order_score(v, far) >= 0.0
    assert order_score(v, 0.0) == 1.0
    assert order_score(v, v + 0.01) == order_score(v, -0.01) == 0.0


@PROPERTY
@given(st.floats(0.1, 0.9), st.floats(0.0, 0.03), st.floats(1.0, 1e3))
def test_a_level_scores_the_same_in_either_book(mid, distance, size):
    direct = score([RewardOrder(RewardBook.M, RewardSide.BID, mid - distance, size)], mid=mid, max_spread_cents=3.5)
    dual = score(
        [RewardOrder(RewardBook.COMPLEMENT, RewardSide.ASK, 1 - mid + distance, size)], mid=mid, max_spread_cents=3.5
    )
    assert dual.q_one == pytest.approx(direct.q_one, rel=1e-6, abs=1e-9 * size)
    assert direct.q_two == dual.q_two == 0.0


def test_one_sided_quoting_scores_a_third_and_nothing_in_the_tails():
    order = RewardOrder(RewardBook.M, RewardSide.BID, 0.49, 90.0)
    middle = score([order], mid=0.5, max_spread_cents=3.0)
    assert middle.q_min == pytest.approx(middle.q_one / 3)
    assert score([RewardOrder(RewardBook.M, RewardSide.BID, 0.04, 90.0)], mid=0.05, max_spread_cents=3.0).q_min == 0.0
