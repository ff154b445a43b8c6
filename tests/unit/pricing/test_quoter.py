"""The live quote: its models against their own modules, every guard, and properties over the whole input space."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.pricing import avellaneda, cara, glft, horizon, quoter
from hlomm.pricing.quoter import QuoteModel, quote

PROPERTY = settings.get_profile("pricing")
BASE = {
    "p": 0.57, "q": 40.0, "tau_s": 3600.0, "sigma_p": 0.0066, "gamma": 0.002, "a": 0.03, "k": 60.0, "lot": 10.0,
    "horizon_s": 300.0, "max_half": 0.1,
}  # fmt: skip
MODELS = list(QuoteModel)


def make(model=QuoteModel.GLFT, **changes):
    return quote(model, **(BASE | changes))


def local_vol(p, tau_s, nu=1.0):
    return nu * horizon.p_vol(p, tau_s)


ordinary = st.fixed_dictionaries(
    {
        "p": st.floats(0.001, 0.999),
        "q": st.floats(-2000.0, 2000.0),
        "tau_s": st.floats(1.0, 2e5),
        "sigma_p": st.floats(1e-5, 0.5),
        "gamma": st.floats(0.0, 0.1),
        "a": st.floats(1e-4, 5.0),
        "k": st.floats(5.0, 500.0),
        "lot": st.floats(1.0, 100.0),
        "horizon_s": st.floats(1.0, 1e5),
        "max_half": st.floats(0.01, 0.5),
    }
)
anything = st.floats(allow_nan=True, allow_infinity=True)
NAMES = (*BASE, "floor_half")


def test_glft_is_the_closed_form_while_no_cap_binds():
    expected = glft.closed_form(40.0, 0.002, 0.0066, 0.03, 60.0, lot=10.0)
    assert expected.skew < 0.002 * 0.57 * 0.43
    made = make()
    assert made.half == pytest.approx(expected.half, rel=1e-12)
    assert made.bid == pytest.approx(0.57 - expected.delta_bid, rel=1e-12)
    assert made.ask == pytest.approx(0.57 + expected.delta_ask, rel=1e-12)
    assert (made.bid_reason, made.ask_reason) == ("", "")


def test_the_slope_never_exceeds_the_risk_of_holding_to_settlement():
    calm = make(q=1.0, a=1e-6)  # fills so rare that the asymptotic slope would be far above the bound
    assert 0.57 - calm.reservation == pytest.approx(0.002 * 0.57 * 0.43, rel=1e-3)
    uncapped = glft.closed_form(1.0, 0.002, 0.0066, 1e-6, 60.0, lot=10.0)
    assert uncapped.skew > 5 * (0.57 - calm.reservation)


def test_as_paper_is_avellaneda_with_the_variance_of_the_horizon():
    p, tau, h = 0.57, 3600.0, 300.0
    v = horizon.variance(p, tau, h)
    made = make(QuoteModel.AS_PAPER, sigma_p=local_vol(p, tau), lot=1.0)
    expected = avellaneda.as_quote(p, 40.0, 0.002, math.sqrt(v), 1.0, 60.0)
    assert made.bid == pytest.approx(expected.bid, rel=1e-9)
    assert made.ask == pytest.approx(expected.ask, rel=1e-9)


def test_as_seed0_has_the_same_centre_and_twice_the_risk_term():
    paper, seed = make(QuoteModel.AS_PAPER), make(QuoteModel.AS_SEED0)
    liquidity = avellaneda.liquidity_half(0.02, 60.0)
    assert seed.reservation == paper.reservation
    assert seed.half - liquidity == pytest.approx(2 * (paper.half - liquidity), rel=1e-9)


def test_realised_vol_scales_the_horizon_variance_up_to_the_bernoulli_bound():
    p, tau = 0.57, 3600.0
    for nu, factor in ((0.5, 0.25), (2.0, 4.0)):
        skew = p - make(QuoteModel.AS_PAPER, sigma_p=local_vol(p, tau, nu)).reservation
        base = p - make(QuoteModel.AS_PAPER, sigma_p=local_vol(p, tau)).reservation
        assert skew == pytest.approx(factor * base, rel=1e-9)
    extreme = make(QuoteModel.AS_PAPER, q=1.0, sigma_p=local_vol(p, tau, 1e4))
    assert p - extreme.reservation == pytest.approx(0.002 * p * (1 - p), rel=1e-3)


@pytest.mark.parametrize("model", MODELS)
def test_a_horizon_beyond_settlement_is_settlement(model):
    assert make(model, horizon_s=3600.0) == make(model, horizon_s=1e9)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"p": 0.0}, quoter.BAD_P),
        ({"p": 1.0}, quoter.BAD_P),
        ({"p": -0.1}, quoter.BAD_P),
        ({"p": math.nan}, quoter.BAD_P),
        ({"q": math.nan}, quoter.BAD_Q),
        ({"q": -math.inf}, quoter.BAD_Q),
        ({"tau_s": 0.0}, quoter.EXPIRED),
        ({"tau_s": -5.0}, quoter.EXPIRED),
        ({"tau_s": math.nan}, quoter.BAD_TAU),
        ({"tau_s": math.inf}, quoter.BAD_TAU),
        ({"sigma_p": 0.0}, quoter.BAD_SIGMA),
        ({"sigma_p": -0.1}, quoter.BAD_SIGMA),
        ({"sigma_p": math.nan}, quoter.BAD_SIGMA),
        ({"sigma_p": math.inf}, quoter.BAD_SIGMA),
        ({"gamma": -1e-9}, quoter.BAD_GAMMA),
        ({"gamma": math.nan}, quoter.BAD_GAMMA),
        ({"a": 0.0}, quoter.BAD_A),
        ({"a": -1.0}, quoter.BAD_A),
        ({"a": math.nan}, quoter.BAD_A),
        ({"k": 0.0}, quoter.BAD_K),
        ({"k": -60.0}, quoter.BAD_K),
        ({"k": math.nan}, quoter.BAD_K),
        ({"lot": 0.0}, quoter.BAD_LOT),
        ({"lot": math.nan}, quoter.BAD_LOT),
        ({"horizon_s": 0.0}, quoter.BAD_HORIZON),
        ({"horizon_s": math.nan}, quoter.BAD_HORIZON),
        ({"max_half": 0.0}, quoter.BAD_WIDTH),
        ({"max_half": math.nan}, quoter.BAD_WIDTH),
        ({"floor_half": math.nan}, quoter.BAD_WIDTH),
        ({"floor_half": -0.1}, quoter.BAD_WIDTH),
    ],
)
def test_a_bad_input_gives_its_reason_and_no_number(model, change, reason):
    made = make(model, **change)
    assert (made.reservation, made.half, made.bid, made.ask) == (None, None, None, None)
    assert made.bid_reason == made.ask_reason == reason


@pytest.mark.parametrize("model", MODELS)
def test_the_latency_floor_widens_and_then_pulls(model):
    plain = make(model)
    below = make(model, floor_half=plain.half / 2)
    widened = make(model, floor_half=0.08)
    pulled = make(model, floor_half=0.11)
    assert below == plain
    assert widened.half == 0.08
    assert widened.ask - widened.bid == pytest.approx(0.16)
    assert widened.reservation == plain.reservation
    assert (pulled.bid, pulled.ask) == (None, None)
    assert pulled.bid_reason == pulled.ask_reason == quoter.PULLED
    assert make(model, floor_half=math.inf).bid_reason == quoter.PULLED


@pytest.mark.parametrize("model", MODELS)
def test_a_model_wider_than_allowed_is_not_quoted_tighter(model):
    made = make(model, max_half=0.005)
    assert made.bid is None
    assert made.ask is None
    assert made.bid_reason == made.ask_reason == quoter.TOO_WIDE
    assert made.half > 0.005


def test_a_side_outside_the_range_is_dropped_with_its_reason():
    low = make(p=0.01, q=0.0)
    assert (low.bid, low.bid_reason) == (None, quoter.BID_OUT)
    assert low.ask is not None
    high = make(p=0.99, q=0.0)
    assert (high.ask, high.ask_reason) == (None, quoter.ASK_OUT)
    assert high.bid is not None


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("q", [1e6, -1e6])
def test_the_side_that_reduces_an_absurd_inventory_keeps_a_price(model, q):
    made = make(model, q=q)
    if q > 0:
        assert made.bid is None
        assert 0.0 < made.ask < 0.1
    else:
        assert made.ask is None
        assert 0.9 < made.bid < 1.0


@PROPERTY
@given(st.sampled_from(MODELS), ordinary)
def test_quotes_are_finite_ordered_and_each_missing_side_has_a_reason(model, given_):
    made = quote(model, **given_)
    assert math.isfinite(made.reservation)
    assert 0.0 <= made.reservation <= 1.0
    assert made.half > 0.0
    assert (made.bid is None) == (made.bid_reason != "")
    assert (made.ask is None) == (made.ask_reason != "")
    for side in (made.bid, made.ask):
        assert side is None or 0.0 < side < 1.0
    if made.bid is not None and made.ask is not None:
        assert made.bid < made.ask
        assert made.half <= given_["max_half"]


@PROPERTY
@given(st.sampled_from(MODELS), st.fixed_dictionaries(dict.fromkeys(NAMES, anything)))
def test_no_float_whatsoever_raises_or_makes_a_nan(model, given_):
    made = quote(model, **given_)
    for number in (made.reservation, made.half, made.bid, made.ask):
        assert number is None or math.isfinite(number)
    assert (made.bid is None) == (made.bid_reason != "")
    assert (made.ask is None) == (made.ask_reason != "")


@PROPERTY
@given(
    st.sampled_from(MODELS),
    st.fixed_dictionaries(
        {name: st.sampled_from([5e-324, 1e-300, 1e-12, 1e-6, 0.5, 1.0 - 1e-16, 1.0, 7.0, 1e6, 1e12]) for name in NAMES}
    ),
)
def test_no_corner_of_the_accepted_domain_overflows(model, given_):
    made = quote(model, **given_)
    for number in (made.reservation, made.half, made.bid, made.ask):
        assert number is None or math.isfinite(number)


@PROPERTY
@given(st.sampled_from(MODELS), ordinary)
def test_the_no_token_is_quoted_as_the_mirror_image(model, given_):
    yes = quote(model, **given_)
    no = quote(model, **(given_ | {"p": 1 - given_["p"], "q": -given_["q"]}))

    def same(one, other):
        return (one is None and other is None) or one == pytest.approx(other, abs=1e-9)

    assert same(no.reservation, 1 - yes.reservation)
    assert same(no.half, yes.half)
    near_the_edge = min(
        abs(yes.reservation - yes.half), abs(1 - yes.reservation - yes.half), abs(yes.half - given_["max_half"])
    )
    if near_the_edge > 1e-9:
        assert same(no.bid, None if yes.ask is None else 1 - yes.ask)
        assert same(no.ask, None if yes.bid is None else 1 - yes.bid)


@PROPERTY
@given(st.sampled_from(MODELS), ordinary, st.floats(0.0, 500.0))
def test_more_inventory_never_raises_the_centre_nor_touches_the_width(model, given_, more):
    before = quote(model, **given_)
    after = quote(model, **(given_ | {"q": given_["q"] + more}))
    assert after.reservation <= before.reservation + 1e-12
    assert after.half == before.half


@PROPERTY
@given(st.sampled_from(MODELS), ordinary)
def test_the_centre_stays_between_fair_and_the_price_of_holding_to_settlement(model, given_):
    made = quote(model, **given_)
    p, q, gamma = given_["p"], given_["q"], given_["gamma"]
    settled = cara.bid_price(p, q, gamma, 1e-9)
    low, high = sorted((p, settled))
    assert low - 1e-7 <= made.reservation <= high + 1e-7


@PROPERTY
@given(st.sampled_from(MODELS), ordinary, st.floats(1.0, 3.0))
def test_more_vol_never_narrows_the_quote(model, given_, factor):
    calm = quote(model, **given_)
    wild = quote(model, **(given_ | {"sigma_p": given_["sigma_p"] * factor}))
    assert wild.half >= calm.half * (1 - 1e-12)


def test_without_aversion_the_quote_is_symmetric_at_one_over_k():
    for model in MODELS:
        made = make(model, gamma=0.0)
        assert made.reservation == 0.57
        assert made.half == pytest.approx(1 / 60.0)


def test_the_quote_falls_back_to_nothing_smoothly_as_settlement_nears():
    """Local vol grows as tau shrinks, so the latency floor ends quoting before the clock does."""
    halves = []
    for tau in (3600.0, 600.0, 60.0, 10.0):
        sigma = local_vol(0.5, tau)
        made = make(p=0.5, q=0.0, tau_s=tau, sigma_p=sigma, floor_half=sigma * 1.0 / 0.5)
        halves.append(made.half if made.bid is not None else None)
    assert halves[0] < halves[1]
    assert halves[-1] is None


def test_names_in_the_configuration_select_the_models():
    assert [model.value for model in QuoteModel] == ["glft", "as_paper", "as_seed0"]
    assert QuoteModel("as_paper") is QuoteModel.AS_PAPER
