"""The book as others made it: what rests of ours is taken out before anything is read off it."""

from __future__ import annotations

from typing import Any, Final

from hlomm.research.kernel.compiled import compiled
from hlomm.research.kernel.estimators import guarded
from hlomm.research.kernel.formulas import NAN, SCALE, book_estimate
from hlomm.research.kernel.layout import ASK, BID, YES

EMPTY, BID_ONLY, ASK_ONLY, TWO_SIDED, CROSSED = 0, 1, 2, 3, 4


@compiled
def yes_px(leg: int, px: int) -> int:
    """A leg's own price in YES space, and back."""
    return px if leg == YES else SCALE - px


@compiled
def own_px(w: Any, side: int) -> int:
    """YES price of what rests of ours on a side, as far as the engine knows; -1 for nothing."""
    o = w.orders[side]
    return yes_px(o.leg, o.px) if o.id and o.oid else -1


@compiled
def levels(t: Any, book: int, side: int) -> int:
    return 0 if book < 0 else int(t.books[book, 2 + side] - t.books[book, side])


@compiled
def best(t: Any, book: int, side: int) -> int:
    """Best price of the recorded book; -1 for an empty side."""
    return int(t.levels[t.books[book, side], 0]) if levels(t, book, side) else -1


@compiled
def shape(t: Any, book: int) -> int:
    """Of the recorded book."""
    bids, asks = levels(t, book, BID), levels(t, book, ASK)
    if bids and asks:
        return CROSSED if best(t, book, BID) >= best(t, book, ASK) else TWO_SIDED
    if bids:
        return BID_ONLY
    return ASK_ONLY if asks else EMPTY


@compiled
def others_best(t: Any, w: Any, book: int, side: int) -> int:
    """Best price at which somebody else stands; -1 for nobody."""
    count = levels(t, book, side)
    if not count:
        return -1
    at = t.books[book, side]
    if t.levels[at, 0] == own_px(w, side) and t.levels[at, 1] <= w.orders[side].leaves:
        return int(t.levels[at + 1, 0]) if count > 1 else -1
    return int(t.levels[at, 0])


@compiled
def counting(t: Any, w: Any, p: Any, book: int, side: int) -> tuple[int, int, bool]:
    """(place, size without ours, whether ours changes it) of the level the microprice looks at; place -1: none."""
    plain = int(t.books[book, 4 + side])
    ours = own_px(w, side)
    if plain < 0:
        return -1, 0, False
    if ours < 0 or (ours - t.levels[plain, 0]) * (1 - 2 * side) < 0:
        return plain, int(t.levels[plain, 1]), False
    for at in range(t.books[book, side], t.books[book, 2 + side]):
        left = t.levels[at, 1]
        if t.levels[at, 0] == ours:
            left -= w.orders[side].leaves
        if left > 0 and left / 1e8 >= p.size_floor:
            return at, int(left), bool(at != plain or left != t.levels[at, 1])
    return -1, 0, True


@compiled
def priced(t: Any, w: Any, p: Any, book: int) -> tuple[float, float, float, float]:
    """(price, mid, z, standard deviation of z) of the others' book; NaN for none."""
    bid, bid_qty, bids_differ = counting(t, w, p, book, BID)
    ask, ask_qty, asks_differ = counting(t, w, p, book, ASK)
    if bid < 0 or ask < 0:
        return NAN, NAN, NAN, NAN
    if not (bids_differ or asks_differ):
        known = t.values[book]
        return known[0], known[2], known[3], known[4]
    value, spread, mid = guarded(int(t.levels[bid, 0]), bid_qty, int(t.levels[ask, 0]), ask_qty, p.max_spread)
    z, sd = book_estimate(value, spread)
    return value, mid, z, sd


SIGN: Final = (1, -1)
"""Direction of a side's orders: bids gain from YES."""
