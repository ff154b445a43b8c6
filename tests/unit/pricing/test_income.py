"""Income from quoting: exact shares of exact fees, estimates of pools."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.markets import FeeCurve
from hlomm.domain.units import SCALE, Cash
from hlomm.pricing.fees import PolyRounding, poly_fee
from hlomm.pricing.income import maker_rebate, pool_share
from hlomm.pricing.rewards import RewardBook, RewardOrder, RewardSide, score
from tests.support.values import lots, px, usd

CRYPTO = FeeCurve(taker=7_000_000, rebate=20_000_000, step=Cash(1_000), up=False)


def test_a_fifth_of_the_takers_fee_at_one_half():
    """Venue sheet 12.2: .35 cents a share in crypto."""
    assert maker_rebate(CRYPTO, px("0.5"), lots(100)) == usd("0.35")


def test_who_pays_nothing_back_pays_nothing():
    assert maker_rebate(None, px("0.5"), lots(100)) == 0
    assert maker_rebate(FeeCurve(taker=7_000_000), px("0.5"), lots(100)) == 0


@given(st.integers(1, 999), st.integers(1, 10_000))
def test_never_more_than_its_share_of_the_fee(mills, contracts):
    price = Decimal(mills) / 1000
    raw = poly_fee(Decimal(contracts), price, Decimal("0.07"), 1, PolyRounding.FLOOR).raw
    rebate = Decimal(maker_rebate(CRYPTO, mills * SCALE // 1000, lots(contracts))) / SCALE
    assert 0 <= raw / 5 - rebate <= Decimal("1e-7")


def test_a_pool_is_shared_by_score_and_by_the_minute():
    orders = [
        RewardOrder(RewardBook.M, RewardSide.BID, 0.49, 100), RewardOrder(RewardBook.M, RewardSide.ASK, 0.51, 100),
    ]  # fmt: skip
    own = score(orders, mid=0.5, max_spread_cents=4.5)
    assert own.q_min > 0
    assert pool_share(own, own.q_min, 1_440.0, 60.0) == pytest.approx(0.5)
    assert pool_share(own, 0.0, 100.0, 86_400.0) == pytest.approx(100.0)
    assert pool_share(own, 3 * own.q_min, 100.0, 43_200.0) == pytest.approx(12.5)
    assert pool_share(score([], mid=0.5, max_spread_cents=4.5), 10.0, 100.0, 60.0) == 0.0
