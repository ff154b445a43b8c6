"""The risk gate for post-only quotes, compiled: the twin of `hlomm.engine.gate.judge` and of what it asks."""

from __future__ import annotations

from typing import Any

from hlomm.research.kernel import books
from hlomm.research.kernel.compiled import compiled
from hlomm.research.kernel.formulas import SCALE, contracts, floor_to, notional_ceil, notional_floor
from hlomm.research.kernel.layout import ASK, BID, BUY, NONE, YES
from hlomm.research.kernel.money import exposed, held, pairs, reachable_gross, resting_buys, selling

PASSED, NO_ROOM, REFUSED = 0, 1, 2
"""Verdicts; `NO_ROOM` is one of `gate.ROOMS`, after which the gate is not asked again for a while."""
REFUSE, REDUCE_ONLY, ALLOW = 0, 1, 2
"""As `OneSided`."""


@compiled
def judge(
    s: Any, p: Any, t: Any, w: Any, side: int, leg: int, buys: int, px: int, want: int, kind: int, amends: int
) -> tuple[int, int]:  # fmt: skip
    """(quantity that may be sent, verdict) of an order on a side of the book; `kind`: of the book without ours."""
    if kind == books.EMPTY and p.one_sided != ALLOW:
        return 0, REFUSED
    if (kind in (books.BID_ONLY, books.ASK_ONLY)) and p.one_sided == REFUSE:
        return 0, REFUSED
    if s.fair >= 0 and abs(books.yes_px(leg, px) - s.fair) > p.max_fair_deviation:
        return 0, REFUSED
    if not amends and s.live >= p.max_open_orders:
        return 0, REFUSED
    qty, verdict = _shrunk(s, p, w, side, leg, buys, px, want, kind, amends)
    if qty <= 0:
        return 0, verdict
    if qty < p.min_qty or notional_floor(_minimum_px(s, t, leg, px), qty) < p.min_notional:
        return 0, NO_ROOM
    return qty, PASSED


@compiled
def _shrunk(
    s: Any, p: Any, w: Any, side: int, leg: int, buys: int, px: int, want: int, kind: int, amends: int
) -> tuple[int, int]:  # fmt: skip
    """(what every room leaves, whether the last that shrank it is one of `gate.ROOMS`)."""
    qty, verdict = want, PASSED
    net = s.yes - s.no
    worst = net * books.SIGN[side] + exposed(w.orders[side])
    replaced = side if amends else NONE
    if buys != BUY:
        room = max(held(s, leg) - selling(w, leg, replaced) - s.merging, 0)
        if room < qty:
            qty, verdict = max(floor_to(room, p.lot), 0), REFUSED
    if kind != books.TWO_SIDED and p.one_sided == REDUCE_ONLY and max(-worst, 0) < qty:
        qty, verdict = max(floor_to(max(-worst, 0), p.lot), 0), REFUSED
    room = min(_loss_room(s, p, w, leg, buys, px, qty), max(p.max_position - worst, 0))
    if room < qty:
        qty, verdict = max(floor_to(room, p.lot), 0), NO_ROOM
    if w.orders[side].restrained & 2 and max(-worst, 0) < qty:
        qty, verdict = max(floor_to(max(-worst, 0), p.lot), 0), REFUSED
    room = _stranded_room(s, p, w, leg, buys, px, qty, replaced)
    if room < qty:
        qty, verdict = max(floor_to(room, p.lot), 0), NO_ROOM
    if buys == BUY:
        return _cash_room(s, p, w, leg, px, qty, verdict)
    if pairs(s) and reachable_gross(s, w, leg, buys) > p.max_gross:
        room = max(held(s, leg) - pairs(s) - selling(w, leg, NONE), 0)
        if room < qty:
            qty, verdict = max(floor_to(room, p.lot), 0), NO_ROOM
    return qty, verdict


@compiled
def _cash_room(s: Any, p: Any, w: Any, leg: int, px: int, qty: int, verdict: int) -> tuple[int, int]:
    dear = max(px, 1)
    room = contracts(p.max_order_notional, dear, qty)
    if room < qty:
        qty, verdict = max(floor_to(room, p.lot), 0), REFUSED
    room = min(
        contracts(max(p.max_gross - reachable_gross(s, w, leg, BUY), 0), dear, qty),
        contracts(max(s.cash - resting_buys(w), 0), dear, qty),
    )
    if room < qty:
        qty, verdict = max(floor_to(room, p.lot), 0), NO_ROOM
    return qty, verdict


@compiled
def _minimum_px(s: Any, t: Any, leg: int, px: int) -> int:
    bid, ask = books.best(t, s.book, BID), books.best(t, s.book, ASK)
    if bid < 0 or ask < 0:
        return px
    return min(px, books.yes_px(leg, (bid + ask) // 2))


@compiled
def unit_loss(leg: int, side: int, px: int, yes: int) -> int:
    paid = SCALE if (yes == 1) == (leg == YES) else 0
    return px - paid if side == BUY else paid - px


@compiled
def _loss_room(s: Any, p: Any, w: Any, leg: int, buys: int, px: int, wanted: int) -> int:
    """Of the three limits on what may be lost the least counts: with one contract all see the same losses."""
    room = wanted
    for ending in range(2):
        yes = ending
        lost = unit_loss(leg, buys, px, yes)
        if lost <= 0:
            continue
        loss = s.cost_yes + s.cost_no - s.realised - (s.yes if yes else s.no)
        for side in range(2):
            o = w.orders[side]
            if o.id:
                first = unit_loss(o.leg, o.side, o.px, yes)
                then = unit_loss(o.leg, o.side, o.amend_px or o.px, yes)
                loss += notional_ceil(first, o.leaves) if first > 0 else 0
                loss += notional_ceil(then, o.amend_qty) if then > 0 else 0
        room = min(room, contracts(max(p.max_loss - loss, 0), lost, wanted))
    return room


@compiled
def _stranded_room(s: Any, p: Any, w: Any, leg: int, buys: int, px: int, wanted: int, replaced: int) -> int:
    free = max(p.max_resting - _stranded(s, w), 0)
    if buys == BUY:
        return contracts(free, max(px, 1), wanted)
    single = held(s, leg) - pairs(s) - selling(w, leg, replaced)
    return max(single, 0) + contracts(free, max(SCALE - px, 1), wanted)


@compiled
def _stranded(s: Any, w: Any) -> int:
    """What resting orders may take if nobody cancels them. A sale of either leg is the only one."""
    taken = 0
    for side in range(2):
        o = w.orders[side]
        if not o.id:
            continue
        if o.side == BUY:
            taken += notional_ceil(o.px, o.leaves)
            taken += notional_ceil(o.amend_px or o.px, o.amend_qty)
        else:
            lowest = min(o.px, o.amend_px) if o.amend_px else o.px
            qty, both = max(o.leaves, o.amend_qty), pairs(s)
            out = min(max(qty - max(held(s, o.leg) - both, 0), 0), both)
            taken += notional_ceil(SCALE - lowest, min(qty, out))
    return taken
