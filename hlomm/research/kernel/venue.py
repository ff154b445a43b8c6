"""The venue of a tape, compiled: fill model 2 with cancels behind us, for one order on either side of the book.

Twins: `TapeVenue`, `TapeMarket`, `TapeBook`, `OwnOrders` and `Mail` with constant latencies.
"""

from __future__ import annotations

from typing import Any

from hlomm.research.kernel import books
from hlomm.research.kernel.compiled import compiled
from hlomm.research.kernel.formulas import SCALE, notional_ceil, notional_floor
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
from hlomm.research.kernel.matching import ahead, free_tokens, hit, refused

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
    trade = _next_trade(s, t, w)
    if trade < len(t.venue):
        found = min(found, t.venue_at[trade])
    return int(found)


@compiled
def _next_trade(s: Any, t: Any, w: Any) -> int:
    """Number of the trade that may meet an order of ours; snapshots wait until one does."""
    if (w.resting[BID].id or w.resting[ASK].id) and s.v_next < len(t.venue):
        return int(t.venue[s.v_next].next_trade)
    return len(t.venue)


@compiled
def step(s: Any, p: Any, t: Any, w: Any) -> None:
    """The next trade or request there; of two at one time the market's own comes first."""
    arrives_ns = w.requests[0, 0] if s.requests else NEVER
    trade = _next_trade(s, t, w)
    if trade < len(t.venue) and t.venue_at[trade] <= arrives_ns:
        s.v_next = trade + 1
        _happens(s, p, t, w, trade)
        return
    while s.v_next < len(t.venue) and t.venue_at[s.v_next] <= arrives_ns:
        s.v_next += 1
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
    if refused(s, p, t, w, side, leg, buys, px, qty, NOT_SO):
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
    r.seen = s.v_next
    r.ahead, r.remaining = ahead(s, t, side, r.yes_px), qty / 1e8
    tell(s, p, w, at_ns, NOTHING, OPENED, side, number, r.oid, qty, NOTHING, NOTHING)


@compiled
def _amend(
    s: Any, p: Any, t: Any, w: Any, at_ns: int, side: int, number: int, leg: int, buys: int, px: int, qty: int
) -> None:  # fmt: skip
    """A cancel and a new order under the same number."""
    if w.resting[side].id != number:
        tell(s, p, w, at_ns, NOTHING, AMEND_FAILED, side, number, NOTHING, NOTHING, NOTHING, NOTHING)
        return
    if refused(s, p, t, w, side, leg, buys, px, qty, SO):
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
    if min(free_tokens(s, w, YES, NONE), free_tokens(s, w, NO, NONE)) < qty:
        tell(s, p, w, at_ns, NOTHING, MERGE_FAILED, BID, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING)
        return
    s.v_yes -= qty
    s.v_no -= qty
    s.v_cash += 2 * notional_floor(SCALE // 2, qty)
    tell(s, p, w, at_ns, NOTHING, MERGED, BID, NOTHING, NOTHING, qty, NOTHING, NOTHING)


# -- what trades do


@compiled
def _happens(s: Any, p: Any, t: Any, w: Any, at: int) -> None:
    side = BID if t.venue[at].trade > 0 else ASK
    r = w.resting[side]
    if not r.id:
        return
    qty = hit(p, t, r, at, side)
    if qty:
        r.left -= qty
        r.filled += qty
        _pay(s, p, t, w, at, side, qty)
        if not r.left:
            _close(s, p, w, t.venue_at[at], side, t.venue[at].told)


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
    tell(s, p, w, t.venue_at[at], t.venue[at].told, FILL, side, r.id, r.oid, qty, r.px, fee)
