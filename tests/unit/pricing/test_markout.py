"""Markouts: the vector, the spread identity, and missing mids."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing.markout import Aggressor, Print, markouts

PROPERTY = settings.get_profile("pricing")
SIDES = {"buy": Aggressor.BUY, "sell": Aggressor.SELL}


@pytest.mark.quant("mm_stats", "markouts")
def test_markouts(case, check):
    given_ = case.given
    prints = [Print(item["t"], SIDES[item["side"]], item["px"]) for item in given_["trades"]]
    made = markouts(prints, given_["mid_t"], given_["mid"], given_["horizons"])
    rows = []
    for quality in made:
        by_horizon = {}
        for h, value in zip(given_["horizons"], quality.markouts, strict=True):
            by_horizon[str(h)] = value and {
                "maker_markout": value.maker,
                "realized_spread": value.realized_spread,
                "price_impact": value.price_impact,
            }
        rows.append({"effective_spread": quality.effective_spread, "markouts": by_horizon})
    check({"rows": rows})


MIDS = st.lists(st.floats(0.01, 0.99), min_size=2, max_size=30)


@PROPERTY
@given(MIDS, st.floats(0.5, 20.0), st.sampled_from(Aggressor), st.floats(0.01, 0.99), st.floats(0.0, 10.0))
def test_effective_spread_is_realised_spread_plus_impact(mids, at, side, px, horizon):
    times = [float(i) for i in range(len(mids))]
    (made,) = markouts([Print(at, side, px)], times, mids, [horizon])
    (result,) = made.markouts
    if result is None:
        assert at + horizon > times[-1]
    else:
        assert made.effective_spread == pytest.approx(result.realized_spread + result.price_impact, abs=1e-12)


@PROPERTY
@given(MIDS, st.floats(0.5, 20.0), st.floats(0.01, 0.99), st.floats(0.0, 10.0))
def test_what_the_maker_gains_on_a_buy_it_loses_on_a_sell(mids, at, px, horizon):
    times = [float(i) for i in range(len(mids))]
    bought, sold = markouts([Print(at, side, px) for side in Aggressor], times, mids, [horizon])
    if bought.markouts[0] is not None:
        assert bought.markouts[0].maker == -sold.markouts[0].maker


def test_the_mid_of_the_print_itself_is_not_the_one_before_it():
    (made,) = markouts([Print(2.0, Aggressor.BUY, 0.6)], [1.0, 2.0, 3.0], [0.5, 0.7, 0.8], [0.0, 1.0, 1.5])
    assert made.effective_spread == pytest.approx(0.2)
    assert [value and value.maker for value in made.markouts] == [pytest.approx(-0.1), pytest.approx(-0.2), None]


def test_a_print_before_the_first_mid_has_no_reference():
    (made,) = markouts([Print(0.5, Aggressor.SELL, 0.4)], [1.0, 3.0], [0.5, 0.6], [0.1, 1.0])
    assert made.effective_spread is None
    assert made.markouts[0] is None
    assert made.markouts[1].price_impact is None
    assert made.markouts[1].maker == pytest.approx(0.1)
