"""Fair price read off a book: weighted mid, guarded for thin levels and wide spreads, and the micro-price chain.

I = Qb/(Qb + Qa); weighted mid = ask I + bid (1 - I): a heavy bid pulls towards the ask. Range [bid, ask].
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Level = tuple[float, float]
"""(price, quantity)."""

ONE_SIDED: Final = "one-sided book"
CROSSED: Final = "crossed book"
NOT_A_NUMBER: Final = "book with NaN"

_STATIONARY_TOL: Final = 1e-9
_SPREAD_SLACK: Final = 1e-9
"""Share of a tick by which a spread may exceed the limit through rounding alone."""


class Top(msgspec.Struct, frozen=True, gc=False):
    """Both best levels at once."""

    mid: float
    spread: float
    imbalance: float
    """Qb/(Qb + Qa) in [0, 1]."""
    imbalance_signed: float
    """2 I - 1."""
    weighted_mid: float


class BookSource(IntEnum):
    """What a guarded price is."""

    NONE = 0
    MID = 1
    """The spread was too wide to trust sizes."""
    WEIGHTED_MID = 2


class BookPrice(msgspec.Struct, frozen=True, gc=False):
    """Price of a book, or None with the reason."""

    value: float | None
    source: BookSource
    spread: float | None
    reason: str = ""
    mid: float | None = None
    """Of the levels that count, where there is a price."""


@attrs.frozen
class Depth:
    imbalance: float
    """In [0, 1]; 1/2 for an empty book."""
    bid_weight: float
    ask_weight: float


@attrs.frozen
class Chain:
    """Stoikov's micro-price adjustments by state; micro-price = mid + g[state]."""

    g1: tuple[float, ...]
    """Expected size of the first mid move."""
    g_sum: tuple[float, ...]
    """Sum over `steps` moves."""
    g_limit: tuple[float, ...] | None
    """Sum over all moves; None when it diverges, i.e. the data favour one direction: symmetrise them."""


def weighted_mid(bid: float, ask: float, bid_qty: float, ask_qty: float) -> Top:
    """Of one level per side; quantities not both 0."""
    total = bid_qty + ask_qty
    imbalance = bid_qty / total
    return Top(
        mid=0.5 * (bid + ask),
        spread=ask - bid,
        imbalance=imbalance,
        imbalance_signed=(bid_qty - ask_qty) / total,
        weighted_mid=min(max((ask * bid_qty + bid * ask_qty) / total, min(bid, ask)), max(bid, ask)),
    )


def guarded(
    bids: Iterable[Level], asks: Iterable[Level], *, size_floor: float, tick: float, max_ticks: float = 2.0
) -> BookPrice:
    """Price of a book whose thin improving levels must not move it; levels best first.

    Levels smaller than `size_floor` are skipped, those behind the first that counts are not asked for. Within
    `max_ticks` normal ticks of spread the weighted mid decides, beyond it the mid; a side without a level that counts
    leaves no price. `tick` is the normal tick of the market, not its finest one (1e-5 on Hyperliquid).
    """
    bid, ask = _first(bids, size_floor), _first(asks, size_floor)
    if bid is None or ask is None:
        return BookPrice(None, BookSource.NONE, None, ONE_SIDED)
    top = weighted_mid(bid[0], ask[0], bid[1], ask[1])
    if not math.isfinite(top.weighted_mid):
        return BookPrice(None, BookSource.NONE, None, NOT_A_NUMBER)
    if top.spread <= 0.0:
        return BookPrice(None, BookSource.NONE, top.spread, CROSSED)
    if top.spread > (max_ticks + _SPREAD_SLACK) * tick:
        return BookPrice(top.mid, BookSource.MID, top.spread, mid=top.mid)
    return BookPrice(top.weighted_mid, BookSource.WEIGHTED_MID, top.spread, mid=top.mid)


def depth_imbalance(bids: Sequence[Level], asks: Sequence[Level], lam: float) -> Depth:
    """Whole-book imbalance with weights q e^(-lam |price - mid|); both sides non-empty, best first."""
    mid = 0.5 * (bids[0][0] + asks[0][0])
    bid_weight = math.fsum(qty * math.exp(-lam * abs(px - mid)) for px, qty in bids)
    ask_weight = math.fsum(qty * math.exp(-lam * abs(px - mid)) for px, qty in asks)
    total = bid_weight + ask_weight
    return Depth(bid_weight / total if total > 0.0 else 0.5, bid_weight, ask_weight)


def stoikov(
    q: Sequence[Sequence[float]],
    r1: Sequence[Sequence[float]],
    r2: Sequence[Sequence[float]],
    moves: Sequence[float],
    steps: int = 6,
) -> Chain:
    """Micro-price chain (Stoikov 2018) over states (imbalance bucket, spread).

    `q`: transitions without a mid move; `r1`: probability of each move size (`moves`); `r2`: state after a move.
    Rows of q + r1 and of q + r2 sum to 1. g1 = (I-Q)^-1 R1 K, B = (I-Q)^-1 R2, g = sum B^i g1.
    """
    import numpy as np  # noqa: PLC0415 - the live path must not load numpy

    no_move = np.asarray(q, dtype=np.float64)
    leave = np.eye(len(no_move)) - no_move
    first_move = np.asarray(r1, dtype=np.float64) @ np.asarray(moves, dtype=np.float64)
    g1 = np.linalg.solve(leave, first_move)
    b = np.linalg.solve(leave, np.asarray(r2, dtype=np.float64))
    g_sum, term = np.zeros_like(g1), g1
    for _ in range(steps):
        g_sum, term = g_sum + term, b @ term
    return Chain(tuple(g1.tolist()), tuple(g_sum.tolist()), _series_limit(b, g1))


def symmetrise(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    """Average of a block with its mirror image (imbalance I <-> 1-I, move m <-> -m), both axes in ascending order.

    Apply it to counts or probabilities of all three blocks; without it the chain drifts and its sum diverges.
    """
    mirrored = [list(reversed(row)) for row in reversed(rows)]
    return [[0.5 * (a + b) for a, b in zip(row, other, strict=True)] for row, other in zip(rows, mirrored, strict=True)]


def _first(levels: Iterable[Level], size_floor: float) -> Level | None:
    for level in levels:
        if level[1] >= size_floor and level[1] > 0.0:
            return level
    return None


def _series_limit(b: NDArray[np.floating[Any]], g1: NDArray[np.floating[Any]]) -> tuple[float, ...] | None:
    """Sum of B^i g1 for a stochastic B: finite when g1 has no component along the stationary law pi.

    Then (I - B + 1 pi) x = g1 has the sum as its solution (fundamental matrix of the chain).
    """
    import numpy as np  # noqa: PLC0415 - the live path must not load numpy

    n = len(g1)
    ones = np.ones(n)
    system = np.vstack((np.eye(n) - b.T, ones))
    stationary = np.linalg.lstsq(system, np.append(np.zeros(n), 1.0), rcond=None)[0]
    if abs(float(stationary @ g1)) > _STATIONARY_TOL * float(np.abs(g1).max()):
        return None
    limit = np.linalg.solve(np.eye(n) - b + np.outer(ones, stationary), g1)
    return tuple(limit.tolist())
