"""Markets made by numpy, of which the truth is known."""

from __future__ import annotations

import numpy as np

from hlomm.domain.times import NS_PER_S
from hlomm.pricing.normal import cdf
from hlomm.research.calibrate.series import Series
from tests.unit.store.making import OUTCOME, T0

HALF = 0.001


def arrivals(seed: int, *, a: float, k: float, hours: float, mid: float = 0.5, half: float = HALF) -> Series:
    """A still book, and taker orders that reach depths d at rate a e^(-k d) on either side."""
    rng = np.random.default_rng(seed)
    span_s = 3_600.0 * hours
    count = rng.poisson(2.0 * a * span_s)
    ns = np.sort(rng.uniform(0.0, span_s, count) * NS_PER_S).astype(np.int64)
    sign = rng.choice([-1, 1], count)
    books = np.arange(0, int(span_s) + 1, dtype=np.int64) * NS_PER_S
    return Series(
        market=OUTCOME, klass="priceBinary", expiry_ns=T0 + int(2 * span_s) * NS_PER_S, book_ns=T0 + books,
        mid=np.full(len(books), mid), half=np.full(len(books), half), print_ns=T0 + ns + 1,
        print_px=mid + sign * rng.exponential(1.0 / k, count), print_sign=sign,
    )  # fmt: skip


def walk(seed: int, *, nu: float, hours: float, left_s: float, step_s: float = 0.5) -> Series:
    """Mids of a dated digital of which the underlying moves nu times as much as the price says."""
    rng = np.random.default_rng(seed)
    count = int(3_600 * hours / step_s)
    at_s = step_s * np.arange(count)
    tau = 3_600 * hours + left_s - at_s
    y = np.cumsum(rng.normal(0.0, nu * np.sqrt(step_s), count))
    mid = np.array([cdf(each) for each in y / np.sqrt(tau)])
    none = np.zeros(0)
    return Series(
        market=OUTCOME, klass="priceBinary", expiry_ns=T0 + round((3_600 * hours + left_s) * NS_PER_S),
        book_ns=T0 + (at_s * NS_PER_S).astype(np.int64), mid=mid, half=np.full(count, HALF),
        print_ns=none.astype(np.int64), print_px=none, print_sign=none.astype(np.int64),
    )  # fmt: skip
