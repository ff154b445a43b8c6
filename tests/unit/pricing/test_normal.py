"""Link functions: the vectors, scipy's independent special functions, and the tails."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from hlomm.pricing import normal

PROPERTY = settings.get_profile("pricing")


@pytest.mark.quant("binary_space", "logit")
def test_logit(case, check):
    p = case.given["p"]
    x = normal.logit(p)
    both = normal.expit(x)
    check({"x": x, "dp_dx": both[0] * both[1]})


@pytest.mark.quant("binary_space", "expit")
def test_expit(case, check):
    p, q = normal.expit(case.given["x"])
    check({"p": p, "one_minus_p": q})


@pytest.mark.quant("binary_space", "probit")
def test_probit(case, check):
    z = normal.probit(case.given["p"])
    check({"z": z, "dp_dz": normal.pdf(z)})


@PROPERTY
@given(st.floats(-37.0, 37.0))
def test_cdf_and_tail_agree_with_an_independent_implementation(x):
    assert normal.cdf(x) == pytest.approx(float(special.ndtr(x)), rel=1e-12, abs=0)
    assert normal.tail(x) == pytest.approx(float(special.ndtr(-x)), rel=1e-12, abs=0)


@PROPERTY
@given(st.floats(-1e8, 37.0))
def test_log_cdf_agrees_with_an_independent_implementation(x):
    assert normal.log_cdf(x) == pytest.approx(float(special.log_ndtr(x)), rel=1e-11, abs=0)


def test_log_cdf_is_continuous_where_the_branches_meet():
    for edge in (-36.0, 0.0):
        below, above = normal.log_cdf(math.nextafter(edge, -math.inf)), normal.log_cdf(math.nextafter(edge, math.inf))
        assert below == pytest.approx(above, rel=1e-12)


def test_log_tail_is_finite_where_the_tail_has_underflowed():
    assert normal.tail(60.0) == 0.0
    assert normal.log_tail(60.0) == pytest.approx(-1805.0, abs=1.0)


@PROPERTY
@given(st.floats(1e-12, 1.0 - 1e-12))
def test_quantile_inverts_the_distribution(p):
    z = normal.probit(p)
    assert z == pytest.approx(float(special.ndtri(p)), rel=1e-12, abs=1e-13)
    assert normal.cdf(z) == pytest.approx(p, rel=1e-12)


@PROPERTY
@given(st.floats(-700.0, 700.0))
def test_expit_tails_mirror_and_sum_to_one(x):
    p, q = normal.expit(x)
    assert normal.expit(-x) == (q, p)
    assert p + q == pytest.approx(1.0, abs=1e-15)
    assert math.log(min(p, q)) == pytest.approx(-normal.softplus(abs(x)), rel=1e-12)


def test_links_clip_on_entry_only():
    assert normal.probit(0.0) == normal.probit(1e-12) == pytest.approx(-normal.probit(1.0), rel=1e-6)
    assert normal.logit(0.0) == pytest.approx(math.log(1e-12))
    assert normal.cdf(-30.0) < 1e-190
    assert normal.expit(-800.0)[0] == 0.0


def test_nan_is_never_turned_into_a_number():
    assert math.isnan(normal.probit(math.nan))
    assert math.isnan(normal.logit(math.nan))
    assert math.isnan(normal.clip_probability(math.nan))
    assert math.isnan(normal.expit(math.nan)[0])
