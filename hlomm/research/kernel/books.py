"""The book as others made it: what rests of ours is taken out before anything is read off it."""

from __future__ import annotations

from typing import Any, Final

from hlomm.research.kernel.compiled import compiled
from hlomm.research.kernel.estimators import guarded
from hlomm.research.kernel.formulas import NAN, SCALE, book_estimate
from hlomm.research.kernel.layout import ASK, BEST, BEST_QTY, BID, COUNTS, COUNTS_PX, END, FIRST, SECOND, YES

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
def best(t: Any, book: int, side: int) -> int:
    """Best price of the recorded book; -1 for an empty side."""
    return -1 if book < 0 else int(t.books[book, BEST + side])


@compiled
def shape(t: Any, book: int) -> int:
    """Of the recorded book."""
    bid, ask = best(t, book, BID), best(t, book, ASK)
    if bid >= 0 and ask >= 0:
        return CROSSED if bid >= ask else TWO_SIDED
    if bid >= 0:
        return BID_ONLY
    return ASK_ONLY if ask >= 0 else EMPTY


@compiled
def others_best(t: Any, w: Any, book: int, side: int) -> int:
    """Best price at which somebody else stands; -1 for nobody."""
    found = best(t, book, side)
    if found >= 0 and found == own_px(w, side) and t.books[book, BEST_QTY + side] <= w.orders[side].leaves:
        return int(t.books[book, SECOND + side])
    return found


@compiled
def counting(t: Any, w: Any, p: Any, book: int, side: int) -> tuple[int, int, bool]:
    """(place, how much of it is ours, whether that matters) of the level the microprice looks at; place -1: none."""
    plain = int(t.books[book, COUNTS + side])
    ours = own_px(w, side)
    if plain < 0:
        return -1, 0, False
    if ours < 0 or (ours - t.books[book, COUNTS_PX + side]) * (1 - 2 * side) < 0:
        return plain, 0, False
    for at in range(t.books[book, FIRST + side], t.books[book, END + side]):
        taken = int(w.orders[side].leaves) if t.levels[at, 0] == ours else 0
        left = t.levels[at, 1] - taken
        if left > 0 and left / 1e8 >= p.size_floor:
            return at, taken, bool(at != plain or taken)
    return -1, 0, True


@compiled
def priced(t: Any, w: Any, p: Any, book: int) -> tuple[float, float, float, float]:
    """(price, mid, z, standard deviation of z) of the others' book; NaN for none."""
    bid, from_bid, bids_differ = counting(t, w, p, book, BID)
    ask, from_ask, asks_differ = counting(t, w, p, book, ASK)
    if bid < 0 or ask < 0:
        return NAN, NAN, NAN, NAN
    if not (bids_differ or asks_differ):
        known = t.values[book]
        return known[0], known[2], known[3], known[4]
    bid_qty, ask_qty = int(t.levels[bid, 1]) - from_bid, int(t.levels[ask, 1]) - from_ask
    value, spread, mid = guarded(int(t.levels[bid, 0]), bid_qty, int(t.levels[ask, 0]), ask_qty, p.max_spread)
    z, sd = book_estimate(value, spread)
    return value, mid, z, sd


SIGN: Final = (1, -1)
"""Direction of a side's orders: bids gain from YES."""
