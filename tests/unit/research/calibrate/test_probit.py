"""nu of markets of which it is known."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from hlomm.research.calibrate.intensity import ANY
from hlomm.research.calibrate.probit import nus, steps_of
from tests.unit.research.calibrate.making import walk


def whole(*series, grid_s=2.0):
    return next(one for one in nus(series, grid_s) if one.cell.tau == ANY)


@pytest.mark.parametrize("nu", [0.4, 1.0, 1.7])
def test_known_truth_is_found_and_inside_its_interval(nu):
    found = whole(walk(1, nu=nu, hours=2.0, left_s=1_800.0))
    assert found.nu == pytest.approx(nu, rel=0.05)
    assert found.interval is not None
    assert found.interval[0] <= nu <= found.interval[1]
    assert found.wider == pytest.approx(nu, rel=0.1)


def test_bounce_shows_as_a_smaller_value_on_the_wider_grid():
    series = walk(2, nu=0.5, hours=2.0, left_s=3_600.0)
    bounce = np.random.default_rng(2).choice([-0.004, 0.004], len(series.mid))
    found = whole(attrs.evolve(series, mid=np.clip(series.mid + bounce, 0.02, 0.98)))
    assert found.nu is not None
    assert found.wider is not None
    assert found.nu > 1.3 * found.wider


def test_a_gap_and_a_missing_side_give_no_steps():
    series = walk(3, nu=1.0, hours=0.5, left_s=3_600.0)
    every = len(steps_of(series, 2.0).square)
    hole = slice(1_000, 1_400)
    empty = series.mid.copy()
    empty[hole] = np.nan
    assert len(steps_of(attrs.evolve(series, mid=empty), 2.0).square) == every - 101
    keep = np.ones(len(series.mid), dtype=bool)
    keep[hole] = False
    silent = attrs.evolve(series, book_ns=series.book_ns[keep], mid=series.mid[keep], half=series.half[keep])
    # For a minute the last book stands, after that nobody knows.
    assert every - 101 < len(steps_of(silent, 2.0).square) < every - 60


def test_too_little_is_refused_with_the_reason():
    short = whole(walk(4, nu=1.0, hours=0.05, left_s=900.0))
    assert short.nu is None
    assert "100 are needed" in short.refused
    still = walk(5, nu=1.0, hours=1.0, left_s=900.0)
    assert whole(attrs.evolve(still, mid=np.full(len(still.mid), 0.5))).refused == "the mid never moved"
    assert not nus([attrs.evolve(still, mid=np.full(len(still.mid), np.nan))], 2.0)
