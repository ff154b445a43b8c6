"""What an order meets at the tape's market, compiled: whether it is taken, what is ahead of it, what a print leaves it.

Twins: `TapeMarket`, `TapeBook` and `OwnOrders`, with cancels behind us.
"""

from __future__ import annotations

import math
from typing import Any, Final

from hlomm.research.kernel import books
from hlomm.research.kernel.compiled import compiled
from hlomm.research.kernel.formulas import notional_ceil, notional_floor, scaled
from hlomm.research.kernel.layout import BUY, NONE, YES

_DEEP: Final = 1e15


# -- rules


@compiled
def refused(
    s: Any, p: Any, t: Any, w: Any, side: int, leg: int, buys: int, px: int, qty: int, amends: int
) -> bool:  # fmt: skip
    ignoring = side if amends else NONE
    if crosses(s, t, w, side, books.yes_px(leg, px)) or notional_floor(px, qty) < p.min_notional:
        return True
    if buys != BUY:
        return qty > free_tokens(s, w, leg, ignoring)
    return bool(notional_ceil(px, qty) > s.v_cash - reserved(w, ignoring))


@compiled
def crosses(s: Any, t: Any, w: Any, side: int, at: int) -> bool:
    other, sign = 1 - side, books.SIGN[side]
    best = touch(s, t, other)
    ours = w.resting[other].yes_px if w.resting[other].id else -1
    return bool((best >= 0 and (at - best) * sign >= 0) or (ours >= 0 and (at - ours) * sign >= 0))


@compiled
def touch(s: Any, t: Any, side: int) -> int:
    book = t.venue[s.v_next - 1].shown if s.v_next > 0 else -1
    if book < 0 or t.shown[book, side] == t.shown[book, 2 + side]:
        return -1
    return int(t.depth[t.shown[book, side], 0])


@compiled
def free_tokens(s: Any, w: Any, leg: int, ignoring: int) -> int:
    free = s.v_yes if leg == YES else s.v_no
    for side in range(2):
        r = w.resting[side]
        if r.id and side != ignoring and r.side != BUY and r.leg == leg:
            free -= r.left
    return int(free)


@compiled
def reserved(w: Any, ignoring: int) -> int:
    locked = 0
    for side in range(2):
        r = w.resting[side]
        if r.id and side != ignoring and r.side == BUY:
            locked += notional_ceil(r.px, r.left)
    return locked


# -- queues


@compiled
def shown(t: Any, book: int, side: int, at: int) -> int:
    """Size of a level of a snapshot; 0 between its levels, -1 where it does not reach that deep."""
    first, end = t.shown[book, side], t.shown[book, 2 + side]
    sign = books.SIGN[side]
    for place in range(first, end):
        px = t.depth[place, 0]
        if px == at:
            return int(t.depth[place, 1])
        if (px - at) * sign < 0:
            return 0
    return -1 if end > first else 0


@compiled
def ahead(s: Any, t: Any, side: int, at: int) -> float:
    """What an order joining a level finds there: the snapshot's size less what was printed since."""
    now = s.v_next - 1
    book = t.venue[now].shown if now >= 0 else -1
    if book < 0:
        return 0.0
    size = shown(t, book, side, at)
    if size < 0:
        return _DEEP
    sign, gone, since = books.SIGN[side], 0, now
    while since > 0 and t.venue[since].trade != 0:
        since -= 1
    for print_ in range(since, now + 1):
        if t.venue[print_].trade != sign:
            continue
        if (at - t.venue[print_].px) * sign > 0:
            gone = size
        elif at == t.venue[print_].px:
            gone += t.venue[print_].qty
    return max(size - gone, 0) / 1e8


@compiled
def _caught_up(t: Any, r: Any, at: int, side: int) -> None:
    """What the snapshots before a row of the tape left of the queue ahead: only a trade at its price asks."""
    for place in range(r.seen, at):
        if not r.ahead > 0.0:
            break
        if t.venue[place].trade == 0:
            size = shown(t, t.venue[place].shown, side, r.yes_px)
            if size >= 0:
                r.ahead = min(r.ahead, size / 1e8)
    r.seen = at + 1


@compiled
def hit(p: Any, t: Any, r: Any, at: int, side: int) -> int:
    """How much of an order a print fills."""
    beyond = (r.yes_px - t.venue[at].px) * books.SIGN[side]
    left = t.venue[at].qty
    if beyond < 0 or left <= 0:
        return 0
    if beyond > 0:
        filled = min(r.left, left)
        r.remaining = (r.left - filled) / 1e8
        return int(filled)
    _caught_up(t, r, at, side)
    r.ahead -= left / 1e8
    if r.ahead >= 0.0 or r.remaining <= 0.0:
        return 0
    lot = p.lot / 1e8
    fill = min(math.floor(-r.ahead / lot + 0.5) * lot, r.remaining)
    if fill > 0.0:
        r.remaining -= fill
        r.ahead = 0.0
    return int(min(scaled(fill), left, r.left))
