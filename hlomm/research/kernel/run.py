"""One set of settings over one recording, compiled: the driver's two lines of time and the engine's turn."""

from __future__ import annotations

from typing import Any, Final

from hlomm.research.kernel import books
from hlomm.research.kernel.compiled import compiled, kept
from hlomm.research.kernel.estimators import ewma_begin
from hlomm.research.kernel.formulas import INF, SCALE, floor_to, notional_ceil, notional_floor
from hlomm.research.kernel.layout import (
    ASK,
    BID,
    BOOK_HEARD,
    CROWDED,
    HEDGED,
    MARK_HEARD,
    MERGE,
    NEVER,
    NO,
    NONE,
    NOTHING,
    OPEN,
    PERP_HEARD,
    QUERY,
    STRANGE,
    SURPRISE,
    UNKNOWN,
    YES,
)
from hlomm.research.kernel.money import available, held, pairs, pnl, settled, watch
from hlomm.research.kernel.orders import log, news
from hlomm.research.kernel.quoting import decide, request
from hlomm.research.kernel.venue import next_ns, send, step

_MINUTE_NS: Final = 60_000_000_000


@kept
def run(s: Any, p: Any, t: Any, w: Any, results: Any) -> None:
    """From the first event to the settlement; `results` takes the result at every sample, and the last."""
    begin(s, p, w)
    event, sample, stirred, arrived, sampled = -1, 0, True, False, False
    while True:
        if event >= 0:
            event = _passed(s, t, event)
            until_ns = t.at[event] if event < len(t.at) else p.end_ns
            stirred, arrived = False, s.wake > until_ns
            if not arrived:  # everything before that, at the venue and here, in order of time
                deadline = _deadline(s)
                at_ns = min(min(deadline, w.news[0, 0]) if s.news else deadline, until_ns)
                if next_ns(s, t, w) <= at_ns:
                    step(s, p, t, w)
                    continue
                s.now = at_ns
                if s.news and w.news[0, 0] <= at_ns:
                    news(s, p, w)
                    stirred = True
                elif at_ns >= until_ns:
                    s.wake, arrived = _wake(s, t, w), True
            if arrived:
                if event == len(t.at):
                    break
                sampled = _told(s, t, w, event)
        if stirred or s.dirty or s.wake <= s.now:
            turn(s, p, t, w, stirred)
        if arrived and sampled:
            results[sample] = pnl(s)
            sample += 1
        if arrived or event < 0:
            event += 1
    if p.settles >= 0:
        _settle(s, p)
    results[sample] = pnl(s)


@compiled
def _passed(s: Any, t: Any, event: int) -> int:
    """Number of the next event, once all were passed by before which nothing is due and on which nothing is done."""
    last = t.marked[s.marked].number
    if s.dirty or event == last or t.at[event] >= s.wake:
        return event
    if last < len(t.at) and t.at[last] < s.wake:
        return int(last)
    while event < last and t.at[event] < s.wake:
        _heard(s, t, event)
        event += 1
    return event


@compiled
def _heard(s: Any, t: Any, event: int) -> None:
    """Nothing moved, and is known for the newer."""
    of = t.heard[event]
    if of == BOOK_HEARD:
        s.book_ns = t.heard_ns[event]
    elif of == PERP_HEARD:
        s.perp_ns = t.heard_ns[event]
    elif of == MARK_HEARD:
        s.mark_ns = t.heard_ns[event]


@compiled
def _told(s: Any, t: Any, w: Any, event: int) -> bool:
    """The engine learns of an event; whether the paths take a point."""
    s.now = t.at[event]
    one = t.marked[s.marked]
    if event != one.number:
        _heard(s, t, event)
        return False
    s.marked += 1
    s.book_ns, s.mid2, s.perp_ns, s.mark, s.mark_ns = one.book_ns, one.mid2, one.perp_ns, one.mark, one.mark_ns
    if one.stirs:
        s.dirty = 1
        if one.stirs == 1:
            _book_changed(s, t, w, one.book)
    return bool(one.sampled)


@compiled
def begin(s: Any, p: Any, w: Any) -> None:
    """Memory that may have served another run, made new; `s` comes zeroed."""
    for side in range(2):
        o = w.orders[side]
        o.id = o.refused = o.restrained = o.oid = 0
        o.acted_ns = o.cancel_ns = -1
        w.resting[side].id = 0
    for at in range(len(w.latest)):
        w.latest[at, 0] = 0
    w.out[0, 0] = 0
    s.now, s.dirty, s.book, s.fair, s.day, s.mid2, s.mark = p.start_ns, 1, -1, -1, -1, -1, -1
    s.cash = s.v_cash = s.high_water = p.cash
    s.mark_bid = s.mark_ask = s.ref2 = -1
    s.t_refresh = s.t_again = s.t_treasury = s.t_orders = s.wake = NEVER
    s.merge_fee = p.settle_fee
    s.vol_cell = -1
    ewma_begin(s.vol, p.vol_rate, p.vol_prior_s)
    s.gap_last_s = s.m_last_s = -INF
    s.m_var = p.m_var


@compiled
def _deadline(s: Any) -> int:
    return int(min(s.t_refresh, s.t_again, s.t_treasury, s.t_orders))


@compiled
def _wake(s: Any, t: Any, w: Any) -> int:
    """When anything but an event happens next, to us or to what we sent."""
    found = min(_deadline(s), next_ns(s, t, w))
    return min(found, int(w.news[0, 0])) if s.news else found


@compiled
def turn(s: Any, p: Any, t: Any, w: Any, stirred: bool) -> None:
    """`Engine.turn`."""
    if not stirred and not s.dirty and _deadline(s) > s.now:
        s.wake = _wake(s, t, w)
        return
    if s.t_refresh <= s.now:
        s.t_refresh, s.dirty = NEVER, 1
    if s.t_again <= s.now:
        s.t_again, s.dirty = NEVER, 1
    s.t_treasury = NEVER if s.t_treasury <= s.now else s.t_treasury
    s.t_orders = NEVER if s.t_orders <= s.now else s.t_orders
    _doubtful(s, p, w)
    watch(s, p)
    if s.dirty:
        s.dirty = 0
        if abs(s.yes - s.no) > p.flatten_from:
            s.beyond |= SURPRISE
        decide(s, p, t, w)
        s.t_refresh = _refresh_ns(s, p)
    if p.sets:
        _treasury(s, p, w)
    if w.out[0, 0]:
        _leave(s, p, w)
    s.wake = _wake(s, t, w)


@compiled
def _leave(s: Any, p: Any, w: Any) -> None:
    for kind in range(1, 5):
        for at in range(1, w.out[0, 0] + 1):
            row = w.out[at]
            if row[1] == kind:
                log(s, w, kind, row[3], row[4], row[5], row[6], row[7], NOTHING)
    minute = s.now // _MINUTE_NS
    if minute != s.minute:
        s.sent_before = s.sent if minute == s.minute + 1 else 0
        s.sent, s.minute = 0, minute
    send(s, p, w)
    if s.sent + s.sent_before >= p.weight_per_min:
        s.beyond |= CROWDED


@compiled
def _refresh_ns(s: Any, p: Any) -> int:
    """When to decide again if nothing happens, at the latest when a book is too old."""
    tau_ns = max(p.expiry_ns - s.now, 0)
    waits_ns = tau_ns // SCALE * p.refresh_share + tau_ns % SCALE * p.refresh_share // SCALE
    found = s.now + max(min(waits_ns, p.refresh_max_ns), p.refresh_ns)
    for perp in range(2):
        gone_ns = (s.perp_ns if perp else s.book_ns) + p.stale_ns
        if s.now <= gone_ns < found:
            found = gone_ns + 1
    return int(found)


@compiled
def _doubtful(s: Any, p: Any, w: Any) -> None:
    """Ask about orders whose fate is unknown."""
    doubtful = False
    for side in range(2):
        o = w.orders[side]
        if not o.id or o.state == OPEN:
            continue
        doubtful = True
        if s.now - o.sent_ns >= p.answer_ns:
            s.beyond |= STRANGE
        if o.state == UNKNOWN and (o.asked == 0 or s.now - o.asked_ns >= p.query_retry_ns):
            o.asked += 1
            o.asked_ns = o.sent_ns = s.now
            request(s, w, QUERY, side, o.id, o.leg, NOTHING, NOTHING, NOTHING)
    if doubtful:
        s.t_orders = min(s.t_orders, s.now + p.query_retry_ns)


@compiled
def _treasury(s: Any, p: Any, w: Any) -> None:
    """Pairs beyond need become cash, at most once per look."""
    if s.now < s.treasury_next:
        s.t_treasury = min(s.t_treasury, s.treasury_next)
        return
    s.treasury_next = s.now + max(p.treasury_ns, 1)
    s.t_treasury = min(s.t_treasury, s.treasury_next)
    if s.merging or s.now < s.merge_rest_ns:
        return
    free = min(available(s, w, YES, NONE), available(s, w, NO, NONE))
    beyond = floor_to(min(free, pairs(s)), p.lot)
    if beyond < p.sets_least or beyond <= 0 or s.now >= p.expiry_ns:
        return
    if p.hedges and s.yes != s.no and p.expiry_ns - s.now >= p.hedge_tau_ns:
        s.beyond |= HEDGED  # whose timer may bring the next turn before the next event does
    s.merging, s.dirty = beyond, 1
    request(s, w, MERGE, BID, NOTHING, NOTHING, NOTHING, NOTHING, beyond)


@compiled
def _book_changed(s: Any, t: Any, w: Any, book: int) -> None:
    s.book = book
    bid, ask = books.others_best(t, w, book, BID), books.others_best(t, w, book, ASK)
    if bid >= 0:
        s.mark_bid = bid
    if ask >= 0:
        s.mark_ask = ask
    if bid >= 0 and ask >= 0 and books.shape(t, book) != books.CROSSED:
        s.ref2 = bid + ask


@compiled
def _settle(s: Any, p: Any) -> None:
    """Tokens become what they pay; each leg's news is a turn of its own."""
    s.now = p.end_ns
    yes, no = held(s, YES), held(s, NO)
    settled(s, YES, p.settles)
    settled(s, NO, SCALE - p.settles)
    if yes:
        _charged(s, p, p.settles, yes)
    if no:
        _charged(s, p, SCALE - p.settles, no)


@compiled
def _charged(s: Any, p: Any, px: int, qty: int) -> None:
    fee = notional_ceil(p.settle_fee, notional_floor(px, qty))
    s.cash -= fee
    s.fees += fee
    watch(s, p)
