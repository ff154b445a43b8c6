"""The venue of a tape, compiled: fill model 2 with cancels behind us, for one order on either side of the book.

Twins: `TapeVenue`, `TapeMarket`, `TapeBook`, `OwnOrders` and `Mail` with constant latencies.
"""

from __future__ import annotations

import math
from typing import Any, Final

from hlomm.research.kernel import books
from hlomm.research.kernel.compiled import compiled
from hlomm.research.kernel.formulas import SCALE, notional_ceil, notional_floor, scaled
from hlomm.research.kernel.layout import (
    AMEND,
    AMEND_FAILED,
    ANSWER,
    ASK,
    BID,
    BUY,
    CANCEL,
    CANCEL_FAILED,
    CLOSED,
    FILL,
    MERGE_FAILED,
    MERGED,
    NEVER,
    NO,
    NONE,
    NOT_SO,
    NOTHING,
    OPENED,
    OVERFLOW,
    PLACE,
    QUERY,
    QUEUED_MAX,
    RECENT_IDS,
    REJECTED,
    SO,
    YES,
)

_DEEP: Final = 1e15


# -- what is on its way


@compiled
def copied(to: Any, row: Any) -> None:
    """Without memory of its own, which assigning a whole row would ask for."""
    for at in range(8):
        to[at] = row[at]


@compiled
def send(s: Any, p: Any, w: Any) -> None:
    """Hand out what the turn collected: cancels, conversions, amends, orders, questions, as the outbox sorts them."""
    count = w.out[0, 0]
    for kind in range(1, 6):
        batch = 0
        for at in range(1, count + 1):
            if w.out[at, 1] != kind:
                continue
            if s.requests >= QUEUED_MAX:
                s.beyond |= OVERFLOW
                return
            copied(w.requests[s.requests], w.out[at])
            w.requests[s.requests, 0] = s.now + p.entry_ns
            s.requests += 1
            batch = 1
        s.sent += batch if kind != QUERY else 0
    w.out[0, 0] = 0


@compiled
def tell(
    s: Any, p: Any, w: Any, at_ns: int, not_before_ns: int, kind: int, side: int, number: int, oid: int, a: int,
    b: int, c: int,
) -> None:  # fmt: skip
    """News of something that happened; no news of one order overtakes another, that of the account comes last."""
    come = max(at_ns + p.response_ns, not_before_ns)
    if number:
        last = w.latest[number % RECENT_IDS]
        if last[0] == number:
            come = max(come, last[1])
        last[0], last[1] = number, come
    else:
        come = max(come, s.latest_news)
    s.latest_news = max(s.latest_news, come)
    if s.news >= QUEUED_MAX:
        s.beyond |= OVERFLOW
        return
    at = s.news
    while at > 0 and w.news[at - 1, 0] > come:
        copied(w.news[at], w.news[at - 1])
        at -= 1
    row = w.news[at]
    row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7] = come, kind, side, number, oid, a, b, c
    s.news += 1


@compiled
def next_ns(s: Any, t: Any, w: Any) -> int:
    """When something happens at the venue that concerns us: without an order there the tape runs by itself."""
    found = w.requests[0, 0] if s.requests else NEVER
    if (w.resting[BID].id or w.resting[ASK].id) and s.v_next < len(t.venue):
        found = min(found, t.venue[s.v_next].at)
    return int(found)


@compiled
def step(s: Any, p: Any, t: Any, w: Any) -> None:
    """The next thing there; of two at one time the market's own comes first."""
    arrives_ns = w.requests[0, 0] if s.requests else NEVER
    if s.v_next < len(t.venue) and t.venue[s.v_next].at <= arrives_ns:
        if w.resting[BID].id or w.resting[ASK].id:
            _happens(s, p, t, w, s.v_next)
        s.v_next += 1
        return
    kind, side, number = w.requests[0, 1], w.requests[0, 2], w.requests[0, 3]
    leg, buys, px, qty = w.requests[0, 4], w.requests[0, 5], w.requests[0, 6], w.requests[0, 7]
    s.requests -= 1
    for at in range(s.requests):
        copied(w.requests[at], w.requests[at + 1])
    if kind == PLACE:
        _place(s, p, t, w, arrives_ns, side, number, leg, buys, px, qty)
    elif kind == AMEND:
        _amend(s, p, t, w, arrives_ns, side, number, leg, buys, px, qty)
    elif kind == CANCEL:
        if w.resting[side].id == number:
            _close(s, p, w, arrives_ns, side, NOTHING)
        else:
            tell(s, p, w, arrives_ns, NOTHING, CANCEL_FAILED, side, number, NOTHING, NOTHING, NOTHING, NOTHING)
    elif kind == QUERY:
        open_now = SO if w.resting[side].id == number else NOT_SO
        tell(s, p, w, arrives_ns, NOTHING, ANSWER, side, number, NOTHING, open_now, NOTHING, NOTHING)
    else:
        _merge(s, p, w, arrives_ns, qty)


# -- requests


@compiled
def _place(
    s: Any, p: Any, t: Any, w: Any, at_ns: int, side: int, number: int, leg: int, buys: int, px: int, qty: int
) -> None:  # fmt: skip
    if _refused(s, p, t, w, side, leg, buys, px, qty, NOT_SO):
        tell(s, p, w, at_ns, NOTHING, REJECTED, side, number, NOTHING, NOTHING, NOTHING, NOTHING)
        return
    _rest(s, p, t, w, at_ns, side, number, leg, buys, px, qty)


@compiled
def _rest(
    s: Any, p: Any, t: Any, w: Any, at_ns: int, side: int, number: int, leg: int, buys: int, px: int, qty: int
) -> None:  # fmt: skip
    r = w.resting[side]
    s.v_oid += 1
    r.id, r.oid, r.leg, r.side, r.px, r.yes_px, r.left, r.filled = (
        number, s.v_oid, leg, buys, px, books.yes_px(leg, px), qty, 0,
    )  # fmt: skip
    r.ahead, r.remaining = _ahead(s, t, side, r.yes_px), qty / 1e8
    tell(s, p, w, at_ns, NOTHING, OPENED, side, number, r.oid, qty, NOTHING, NOTHING)


@compiled
def _amend(
    s: Any, p: Any, t: Any, w: Any, at_ns: int, side: int, number: int, leg: int, buys: int, px: int, qty: int
) -> None:  # fmt: skip
    """A cancel and a new order under the same number."""
    if w.resting[side].id != number:
        tell(s, p, w, at_ns, NOTHING, AMEND_FAILED, side, number, NOTHING, NOTHING, NOTHING, NOTHING)
        return
    if _refused(s, p, t, w, side, leg, buys, px, qty, SO):
        _close(s, p, w, at_ns, side, NOTHING)
        tell(s, p, w, at_ns, NOTHING, AMEND_FAILED, side, number, NOTHING, NOTHING, NOTHING, NOTHING)
        return
    _rest(s, p, t, w, at_ns, side, number, leg, buys, px, qty)


@compiled
def _close(s: Any, p: Any, w: Any, at_ns: int, side: int, not_before_ns: int) -> None:
    r = w.resting[side]
    tell(s, p, w, at_ns, not_before_ns, CLOSED, side, r.id, r.oid, NOTHING, NOTHING, NOTHING)
    r.id = 0


@compiled
def _merge(s: Any, p: Any, w: Any, at_ns: int, qty: int) -> None:
    if min(_free_tokens(s, w, YES, NONE), _free_tokens(s, w, NO, NONE)) < qty:
        tell(s, p, w, at_ns, NOTHING, MERGE_FAILED, BID, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING)
        return
    s.v_yes -= qty
    s.v_no -= qty
    s.v_cash += 2 * notional_floor(SCALE // 2, qty)
    tell(s, p, w, at_ns, NOTHING, MERGED, BID, NOTHING, NOTHING, qty, NOTHING, NOTHING)


# -- rules


@compiled
def _refused(
    s: Any, p: Any, t: Any, w: Any, side: int, leg: int, buys: int, px: int, qty: int, amends: int
) -> bool:  # fmt: skip
    ignoring = side if amends else NONE
    if _crosses(s, t, w, side, books.yes_px(leg, px)) or notional_floor(px, qty) < p.min_notional:
        return True
    if buys != BUY:
        return qty > _free_tokens(s, w, leg, ignoring)
    return bool(notional_ceil(px, qty) > s.v_cash - _reserved(w, ignoring))


@compiled
def _crosses(s: Any, t: Any, w: Any, side: int, at: int) -> bool:
    other, sign = 1 - side, books.SIGN[side]
    best = _best(s, t, other)
    ours = w.resting[other].yes_px if w.resting[other].id else -1
    return bool((best >= 0 and (at - best) * sign >= 0) or (ours >= 0 and (at - ours) * sign >= 0))


@compiled
def _best(s: Any, t: Any, side: int) -> int:
    book = t.venue[s.v_next - 1].shown if s.v_next > 0 else -1
    if book < 0 or t.shown[book, side] == t.shown[book, 2 + side]:
        return -1
    return int(t.depth[t.shown[book, side], 0])


@compiled
def _free_tokens(s: Any, w: Any, leg: int, ignoring: int) -> int:
    free = s.v_yes if leg == YES else s.v_no
    for side in range(2):
        r = w.resting[side]
        if r.id and side != ignoring and r.side != BUY and r.leg == leg:
            free -= r.left
    return int(free)


@compiled
def _reserved(w: Any, ignoring: int) -> int:
    locked = 0
    for side in range(2):
        r = w.resting[side]
        if r.id and side != ignoring and r.side == BUY:
            locked += notional_ceil(r.px, r.left)
    return locked


# -- queues


@compiled
def _shown(t: Any, book: int, side: int, at: int) -> int:
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
def _ahead(s: Any, t: Any, side: int, at: int) -> float:
    """What an order joining a level finds there: the snapshot's size less what was printed since."""
    now = s.v_next - 1
    book = t.venue[now].shown if now >= 0 else -1
    if book < 0:
        return 0.0
    size = _shown(t, book, side, at)
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
def _happens(s: Any, p: Any, t: Any, w: Any, at: int) -> None:
    if t.venue[at].trade == 0:
        for side in range(2):
            r = w.resting[side]
            if r.id and r.ahead > 0.0:
                size = _shown(t, t.venue[at].shown, side, r.yes_px)
                if size >= 0:
                    r.ahead = min(r.ahead, size / 1e8)
        return
    side = BID if t.venue[at].trade > 0 else ASK
    r = w.resting[side]
    if not r.id:
        return
    qty = _hit(p, t, r, at, side)
    if qty:
        r.left -= qty
        r.filled += qty
        _pay(s, p, t, w, at, side, qty)
        if not r.left:
            _close(s, p, w, t.venue[at].at, side, t.venue[at].told)


@compiled
def _hit(p: Any, t: Any, r: Any, at: int, side: int) -> int:
    """How much of an order a print fills."""
    beyond = (r.yes_px - t.venue[at].px) * books.SIGN[side]
    left = t.venue[at].qty
    if beyond < 0 or left <= 0:
        return 0
    if beyond > 0:
        filled = min(r.left, left)
        r.remaining = (r.left - filled) / 1e8
        return int(filled)
    r.ahead -= left / 1e8
    if r.ahead >= 0.0 or r.remaining <= 0.0:
        return 0
    lot = p.lot / 1e8
    fill = min(math.floor(-r.ahead / lot + 0.5) * lot, r.remaining)
    if fill > 0.0:
        r.remaining -= fill
        r.ahead = 0.0
    return int(min(scaled(fill), left, r.left))


@compiled
def _pay(s: Any, p: Any, t: Any, w: Any, at: int, side: int, qty: int) -> None:
    r = w.resting[side]
    fee = 0
    if r.side == BUY:
        s.v_cash -= notional_ceil(r.px, qty)
        if r.leg == YES:
            s.v_yes += qty
        else:
            s.v_no += qty
    else:
        fee = notional_ceil(p.close_maker, notional_ceil(r.px, qty))
        s.v_cash += notional_floor(r.px, qty) - fee
        if r.leg == YES:
            s.v_yes -= qty
        else:
            s.v_no -= qty
    tell(s, p, w, t.venue[at].at, t.venue[at].told, FILL, side, r.id, r.oid, qty, r.px, fee)
