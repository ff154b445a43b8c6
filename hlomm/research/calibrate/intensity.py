"""Arrival intensity lambda(d) = A e^(-k d), per side, from prints against the mid before them (QUANT 1.3).

An arrival is a taker order: the deepest of the prints of one side at one venue time, at its distance from the last mid
strictly before that time (the book of the same time already shows what it took). It would have filled an order of ours
at any smaller distance, so the number of arrivals beyond d is Poisson with rate A e^(-k d). The fit is by maximum
likelihood over the depths that matter, from the median half-spread `near` to `far`, the 99th percentile of distances:
below `near` the book's own touch hides how far a taker would have gone, beyond `far` an arrival counts as "at least
far" (censored), so that single sweeps do not decide. With n arrivals beyond near, n_u of them before far,

    k = n_u / (sum of (d - near) of those + (n - n_u) (far - near)),    A = n / (2 T) e^(k near)

which is how often an order among the book as it stood would have been reached: where takers stop at the touch, k is
large and A, carried on to d = 0, is nothing that anybody saw; their intervals tell. T is the exposure (time with a
two-sided book; a book stands for at most `STANDS_NS`) of each of the two sides. Standard errors are k / sqrt(n_u), and
sqrt(1/n + (near k)^2 / n_u) of ln A; the intervals are by block (`blocks`) and include what these leave out, that
arrivals cluster. Beside it stands the regression of QUANT (ln lambda on d over eight depths,
`hlomm.pricing.glft.fit_intensity`), and the largest distance between the two distribution functions: where an
exponential does not hold, both are told, and the near part is what is quoted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs
import numpy as np

from hlomm.domain.times import NS_PER_S
from hlomm.pricing.glft import fit_intensity
from hlomm.research.calibrate.blocks import BLOCKS_MIN, block_of, interval
from hlomm.research.calibrate.series import Floats, Ints, Series
from hlomm.research.report.quality import p_bucket, tau_bucket

ARRIVALS_MIN: Final = 50
"""Fewer leave k with a standard error above 14 %."""
STANDS_NS: Final = 60 * NS_PER_S
"""A book that nobody confirmed for longer says nothing about what a print met, nor that nobody traded."""
_DEPTHS: Final = 8
_DEEP_MIN: Final = 5
"""Arrivals beyond a depth for it to enter the regression."""
_FAR: Final = 99.0
_REJECTED: Final = 1.36
"""Times 1/sqrt(n): the Kolmogorov-Smirnov distance that a true exponential exceeds one time in twenty."""
ANY: Final = "all"


@attrs.frozen(kw_only=True)
class Cell:
    """Which arrivals: of one class, and of one bucket of time left and of price, or of all."""

    klass: str
    tau: str = ANY
    p: str = ANY


@attrs.frozen(kw_only=True)
class Intensity:
    """A per second and side, k per unit of price."""

    a: float
    k: float
    a_interval: tuple[float, float] | None
    k_interval: tuple[float, float] | None
    a_se: float
    k_se: float
    near: float
    far: float
    regression: tuple[float, float] | None
    """(A, k) by least squares of ln lambda on d; None where fewer than three depths were reached."""
    distance: float
    """Largest between the empirical and the fitted distribution function, over [near, far)."""
    exponential: bool
    """Whether that distance is one that chance explains."""


@attrs.frozen(kw_only=True)
class Found:
    cell: Cell
    arrivals: int
    beyond: int
    """Of them, those beyond `near`."""
    exposure_s: float
    markets: int
    fit: Intensity | None
    refused: str
    """Why there is no fit, else empty."""

    def document(self) -> dict[str, Any]:
        return attrs.asdict(self)


@attrs.frozen(kw_only=True, eq=False)
class Arrivals:
    """Of one market. Rows of `books` and of the arrivals know minute, time left and price, to be put into cells."""

    klass: str
    d: Floats
    block: Ints
    tau_s: Floats
    p: Floats
    book_block: Ints
    book_s: Floats
    """How long each two-sided book stood."""
    book_half: Floats
    book_tau_s: Floats
    book_p: Floats
    lost: int
    """Prints that met no two-sided book."""


def arrivals_of(series: Series) -> Arrivals:
    """The taker orders of one market; `tau_s` is nan where it has no end."""
    two_sided = np.isfinite(series.mid)
    ns = series.book_ns
    stood = np.minimum(np.diff(ns, append=ns[-1:]), STANDS_NS) / NS_PER_S
    ends = series.expiry_ns
    before = np.searchsorted(ns, series.print_ns, side="left") - 1
    met = before >= 0
    met[met] = two_sided[before[met]] & (series.print_ns[met] - ns[before[met]] <= STANDS_NS)
    at, sign = series.print_ns[met], series.print_sign[met]
    mid = series.mid[before[met]]
    d = (series.print_px[met] - mid) * sign
    deepest = _deepest(at, sign, d)
    origin = int(ns[0]) if len(ns) else 0
    books = np.flatnonzero(two_sided)
    return Arrivals(
        klass=series.klass, d=d[deepest], block=block_of(at[deepest], origin), tau_s=_tau(at[deepest], ends),
        p=mid[deepest], book_block=block_of(ns[books], origin), book_s=stood[books], book_half=series.half[books],
        book_tau_s=_tau(ns[books], ends), book_p=series.mid[books], lost=int(len(met) - met.sum()),
    )  # fmt: skip


def _deepest(at: Ints, sign: Ints, d: Floats) -> Ints:
    """Index of the deepest print of every (time, side)."""
    if not len(at):
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort((d, sign, at))
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (np.diff(at[order]) != 0) | (np.diff(sign[order]) != 0)
    return order[last]


def _tau(ns: Ints, expiry_ns: int | None) -> Floats:
    if expiry_ns is None:
        return np.full(len(ns), np.nan)
    return np.maximum((expiry_ns - ns) / NS_PER_S, 0.0)


# -- cells


def fits(markets: Sequence[Arrivals]) -> list[Found]:
    """Per class: all of it, then every (time left, price) bucket that has arrivals."""
    found: list[Found] = []
    for klass in sorted({one.klass for one in markets}):
        mine = [one for one in markets if one.klass == klass]
        found.append(_fit(Cell(klass=klass), [(one, None, None) for one in mine]))
        cells: dict[tuple[str, str], list[tuple[Arrivals, Ints, Ints]]] = {}
        for one in mine:
            for key, books, prints in _buckets(one):
                cells.setdefault(key, []).append((one, books, prints))
        found += [
            _fit(Cell(klass=klass, tau=tau, p=p), chosen)
            for (tau, p), chosen in sorted(cells.items())
            if any(len(prints) for _, _, prints in chosen)
        ]
    return found


def _buckets(one: Arrivals) -> Iterator[tuple[tuple[str, str], Ints, Ints]]:
    """(bucket, rows of books, rows of arrivals)."""
    books, prints = (_keys(one.book_tau_s, one.book_p), _keys(one.tau_s, one.p))
    for key in sorted({*books, *prints}):
        yield (
            key,
            np.array([at for at, each in enumerate(books) if each == key], dtype=np.int64),
            np.array([at for at, each in enumerate(prints) if each == key], dtype=np.int64),
        )


def _keys(tau_s: Floats, p: Floats) -> list[tuple[str, str]]:
    return [
        (ANY if math.isnan(tau) else tau_bucket(tau), p_bucket(min(max(px, 0.0), 1.0)))
        for tau, px in zip(tau_s, p, strict=True)
    ]


def _fit(cell: Cell, chosen: Sequence[tuple[Arrivals, Ints | None, Ints | None]]) -> Found:
    """Blocks of different markets are different blocks."""
    d, block, book_s, book_block, half = [], [], [], [], []
    base = 0
    for one, books, prints in chosen:
        its_books = np.arange(len(one.book_s)) if books is None else books
        its_prints = np.arange(len(one.d)) if prints is None else prints
        d.append(one.d[its_prints])
        block.append(one.block[its_prints] + base)
        book_s.append(one.book_s[its_books])
        book_block.append(one.book_block[its_books] + base)
        half.append(one.book_half[its_books])
        base += 1 + int(max(np.max(one.block, initial=0), np.max(one.book_block, initial=0)))
    distances, exposure = np.concatenate(d), np.concatenate(book_s)
    where = np.concatenate(block), np.concatenate(book_block)
    near = _median(np.concatenate(half), exposure)
    beyond = int((distances >= near).sum())
    exposure_s = float(exposure.sum())
    reason, fit = _judged(distances, exposure, where, near, beyond)
    return Found(
        cell=cell, arrivals=len(distances), beyond=beyond, exposure_s=exposure_s, markets=len(chosen), fit=fit,
        refused=reason,
    )  # fmt: skip


def _median(values: Floats, weights: Floats) -> float:
    """Of values that held for so long."""
    if not len(values) or weights.sum() <= 0.0:
        return 0.0
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, 0.5 * reached[-1])])


def _judged(
    d: Floats, exposure: Floats, where: tuple[Ints, Ints], near: float, beyond: int
) -> tuple[str, Intensity | None]:
    minutes = len(np.unique(where[1]))
    if exposure.sum() <= 0.0:
        return "no two-sided book", None
    if beyond < ARRIVALS_MIN:
        return f"{beyond} arrivals beyond the median half-spread {near:.4f}, {ARRIVALS_MIN} are needed", None
    if minutes < BLOCKS_MIN:
        return f"{minutes} minutes of books, {BLOCKS_MIN} are needed for an interval", None
    far = float(np.percentile(d[d >= near], _FAR))
    if far - near < 1e-9:
        return "every arrival stopped at the touch: nothing says how the rate decays", None
    return "", _intensity(d, exposure, where, near, far)


def _intensity(d: Floats, exposure: Floats, where: tuple[Ints, Ints], near: float, far: float) -> Intensity:
    kept = d >= near
    over, blocks = d[kept] - near, where[0][kept]
    names, at = np.unique(np.concatenate((blocks, where[1])), return_inverse=True)
    of_prints, of_books = at[: len(blocks)], at[len(blocks) :]
    width = far - near
    sums = np.zeros((len(names), 4))
    sums[:, 0] = np.bincount(of_prints, minlength=len(names))
    sums[:, 1] = np.bincount(of_prints, weights=over < width, minlength=len(names))
    sums[:, 2] = np.bincount(of_prints, weights=np.minimum(over, width), minlength=len(names))
    sums[:, 3] = np.bincount(of_books, weights=exposure, minlength=len(names))

    def estimate(total: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            k = total[:, 1] / total[:, 2]
            return np.stack((total[:, 0] / (2.0 * total[:, 3]) * np.exp(k * near), k), axis=1)

    whole = sums.sum(axis=0, keepdims=True)
    a, k = (float(value) for value in estimate(whole)[0])
    n, inside = float(whole[0, 0]), float(whole[0, 1])
    a_interval, k_interval = interval(sums, estimate)
    distance = _distance(np.sort(over), k, width)
    return Intensity(
        a=a, k=k, a_interval=a_interval, k_interval=k_interval, a_se=a * math.sqrt(1.0 / n + (near * k) ** 2 / inside),
        k_se=k / math.sqrt(inside), near=near, far=far, regression=_regression(d, float(whole[0, 3]), near, far),
        distance=distance, exponential=distance * math.sqrt(n) <= _REJECTED,
    )  # fmt: skip


def _distance(over: Floats, k: float, width: float) -> float:
    inside = over[over < width]
    fitted = -np.expm1(-k * inside)
    steps = np.arange(len(inside) + 1) / len(over)
    return float(max(np.max(np.abs(fitted - steps[:-1]), initial=0.0), np.max(np.abs(fitted - steps[1:]), initial=0.0)))


def _regression(d: Floats, exposure_s: float, near: float, far: float) -> tuple[float, float] | None:
    """By QUANT 1.3, with the rate itself in place of the share of intervals, which saturates."""
    depths, rates = [], []
    for depth in np.linspace(near, far, _DEPTHS, endpoint=False):
        count = int((d >= depth).sum())
        if count >= _DEEP_MIN:
            depths.append(float(depth))
            rates.append(count / (2.0 * exposure_s))
    if len(depths) < 3:
        return None
    fitted = fit_intensity(depths, rates)
    return fitted.a, fitted.k
