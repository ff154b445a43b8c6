"""Blending a model with a book: Bayes on a grid as the oracle, then limits, mirrors and absences."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from hlomm.pricing import fair
from hlomm.pricing.fair import Estimate, FairSource

PROPERTY = settings.get_profile("pricing")
ZS = st.floats(-5.0, 5.0)
SDS = st.floats(0.01, 3.0)


@PROPERTY
@given(ZS, SDS, ZS, SDS)
def test_the_blend_is_the_posterior_of_two_independent_normal_opinions(z1, sd1, z2, sd2):
    grid = np.linspace(min(z1 - 8 * sd1, z2 - 8 * sd2), max(z1 + 8 * sd1, z2 + 8 * sd2), 40_001)
    log_weight = -(((grid - z1) / sd1) ** 2 + ((grid - z2) / sd2) ** 2) / 2
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    mean = float(weight @ grid)
    sd = math.sqrt(float(weight @ (grid - mean) ** 2))
    if sd < 3 * (grid[1] - grid[0]):
        return
    made = fair.blend(Estimate(z1, sd1), Estimate(z2, sd2))
    assert made.z == pytest.approx(mean, abs=1e-6)
    assert made.sd_z == pytest.approx(sd, rel=1e-4)
    assert made.p == pytest.approx(float(ndtr(mean)), abs=1e-6)
    assert made.source is FairSource.BLEND
    assert made.weight_model + made.weight_book == pytest.approx(1.0)


@PROPERTY
@given(ZS, SDS, ZS, SDS)
def test_the_blend_lies_between_and_mirrors(z1, sd1, z2, sd2):
    made = fair.blend(Estimate(z1, sd1), Estimate(z2, sd2))
    assert min(z1, z2) - 1e-12 <= made.z <= max(z1, z2) + 1e-12
    assert made.sd_z <= min(sd1, sd2)
    mirror = fair.blend(Estimate(-z1, sd1), Estimate(-z2, sd2))
    assert mirror.p == pytest.approx(1 - made.p, abs=1e-15)


def test_one_side_alone_decides_and_says_so():
    opinion = Estimate(0.7, 0.2)
    model, book = fair.blend(opinion, None), fair.blend(None, opinion)
    assert (model.source, model.weight_model, model.weight_book) == (FairSource.MODEL, 1.0, 0.0)
    assert (book.source, book.weight_model, book.weight_book) == (FairSource.BOOK, 0.0, 1.0)
    assert model.p == book.p == pytest.approx(float(ndtr(0.7)))
    assert model.sd_p == pytest.approx(opinion.sd_p)


def test_nothing_gives_no_price_and_a_reason():
    made = fair.blend(None, None)
    assert (made.p, made.source, made.reason) == (None, FairSource.NONE, fair.NOTHING)
    assert made.sd_p == math.inf


def test_a_precise_book_outweighs_a_vague_model():
    book = fair.book_estimate(0.6, 0.002)
    made = fair.blend(Estimate(float(ndtri(0.8)), 0.5), book)
    assert made.weight_book > 0.99
    assert made.p == pytest.approx(0.6, abs=0.002)


def test_book_error_is_half_the_spread_in_price():
    made = fair.book_estimate(0.93, 0.01)
    assert made.p == pytest.approx(0.93)
    assert made.sd_p == pytest.approx(0.005)


@pytest.mark.parametrize(
    ("p", "spread"),
    [(None, 0.01), (0.5, None), (0.0, 0.01), (1.0, 0.01), (0.5, 0.0), (0.5, -0.1), (0.5, 2.0), (math.nan, 0.01),
     (0.5, math.nan)],
)  # fmt: skip
def test_a_book_that_says_nothing_is_absent(p, spread):
    assert fair.book_estimate(p, spread) is None


def test_an_error_larger_than_any_probability_counts_as_absence():
    assert fair.book_estimate(1e-9, 1.0) is None or fair.book_estimate(1e-9, 1.0).sd_z < 1e9
