"""From wishes to the fewest actions, compiled: twins of `restraint`, `terms_of`, `legs`, `refusals`, `quoting`."""

from __future__ import annotations

from typing import Any, Final

from hlomm.research.kernel import books, gate
from hlomm.research.kernel.compiled import compiled
from hlomm.research.kernel.formulas import SCALE, ceil_to, floor_to, notional_ceil, notional_floor
from hlomm.research.kernel.layout import (
    AMEND,
    ASK,
    BID,
    BUY,
    CANCEL,
    NO,
    NONE,
    NOT_SO,
    NOTHING,
    OPEN,
    OVERFLOW,
    PENDING_AMEND,
    PENDING_CANCEL,
    PENDING_NEW,
    PLACE,
    QUEUED_MAX,
    SELL,
    SO,
    UNKNOWN,
    YES,
)
from hlomm.research.kernel.money import available, resting_buys
from hlomm.research.kernel.strategy import wishes

CANCEL_AGAIN_NS: Final = 250_000_000
KEPT: Final = 10
CALM, WIDEN, PAUSE, REDUCE = 0, 1, 2, 3


@compiled
def request(
    s: Any, w: Any, kind: int, side: int, number: int, leg: int, buys: int, px: int, qty: int
) -> None:  # fmt: skip
    """Collected for the end of the turn."""
    count = w.out[0, 0]
    if count >= QUEUED_MAX - 1:
        s.beyond |= OVERFLOW
        return
    w.out[0, 0] = count + 1
    row = w.out[count + 1]
    row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7] = s.now, kind, side, number, leg, buys, px, qty


@compiled
def decide(s: Any, p: Any, t: Any, w: Any) -> None:
    """Ask the strategy, clamp, and act on the difference."""
    kind = others_shape(s, t, w)
    w.orders[BID].wish_px = w.orders[ASK].wish_px = -1
    s.fair = -1
    if not blocked(s, p, t):
        wishes(s, p, t, w, kind == books.TWO_SIDED)
        if s.fair >= 0 and kind != books.TWO_SIDED:
            s.ref2 = 2 * s.fair
    w.orders[BID].asked_px, w.orders[ASK].asked_px = w.orders[BID].wish_px, w.orders[ASK].wish_px
    restrain(s, p, t, w, BID)
    restrain(s, p, t, w, ASK)
    for side in range(2):
        if w.orders[side].wish_px >= 0 and post_only(s, p, t, w, side):
            want(s, p, t, w, side, kind)
        else:
            cancel(s, p, w, side)


@compiled
def others_shape(s: Any, t: Any, w: Any) -> int:
    kind = books.shape(t, s.book)
    if kind == books.CROSSED or kind == books.EMPTY:  # noqa: PLR1714 - compiled
        return kind
    bids, asks = books.others_best(t, w, s.book, BID) >= 0, books.others_best(t, w, s.book, ASK) >= 0
    if bids and asks:
        return books.TWO_SIDED
    if bids:
        return books.BID_ONLY
    return books.ASK_ONLY if asks else books.EMPTY


@compiled
def blocked(s: Any, p: Any, t: Any) -> bool:
    """Whether nothing is quoted before any strategy is asked."""
    if s.now < s.resting_until or s.book < 0:
        return True
    if s.now - s.book_ns > p.stale_ns:
        return True
    return books.shape(t, s.book) == books.CROSSED


# -- what restrains a wish


@compiled
def stage_of(s: Any, p: Any) -> int:
    net = abs(s.yes - s.no)
    if net > p.reduce_from:
        return REDUCE
    if net > p.pause_from:
        return PAUSE
    return WIDEN if net > p.widen_from else CALM


@compiled
def restrain(s: Any, p: Any, t: Any, w: Any, side: int) -> None:
    o, sign, net = w.orders[side], books.SIGN[side], s.yes - s.no
    o.restrained = 0
    if o.wish_px < 0:
        return
    stage = stage_of(s, p)
    drains = max(p.expiry_ns - s.now, 0) <= p.drain_ns
    forbidden = drains or stage == REDUCE or (stage == PAUSE and net * sign > 0)
    if forbidden:
        qty = min(o.wish_qty, floor_to(max(-net * sign, 0), p.lot))
        if qty <= 0:
            o.wish_px = -1
            return
        o.wish_qty, o.restrained = qty, 3
    if net * sign > 0 and p.widen_factor > SCALE and stage >= WIDEN:
        o.restrained |= 1
        o.wish_px = widened(s, p, w, side)
    elif forbidden and p.reduce_at_touch and stage == REDUCE:
        at_touch(s, p, t, w, side)


@compiled
def widened(s: Any, p: Any, w: Any, side: int) -> int:
    """The price farther from fair; -1 if there is none. Both sides are looked at as the strategy wanted them."""
    bid, ask = w.orders[BID].asked_px, w.orders[ASK].asked_px
    px = w.orders[side].wish_px
    spread = max(ask - bid, 0) if bid >= 0 and ask >= 0 else 2 * abs(px - s.fair)
    shift = -(-(p.widen_factor - SCALE) * spread // (2 * SCALE))
    px = floor_to(px - shift, p.tick) if side == BID else ceil_to(px + shift, p.tick)
    return px if 0 < px < SCALE else -1


@compiled
def at_touch(s: Any, p: Any, t: Any, w: Any, side: int) -> None:
    """Join the best of the others if that is nearer to a trade; never beyond fair."""
    best = books.others_best(t, w, s.book, side)
    o = w.orders[side]
    if best < 0:
        return
    if side == BID:
        o.wish_px = max(o.wish_px, floor_to(min(best, s.fair), p.tick))
    else:
        o.wish_px = min(o.wish_px, ceil_to(max(best, s.fair), p.tick))


@compiled
def post_only(s: Any, p: Any, t: Any, w: Any, side: int) -> bool:
    """Keep the wish, which is on the grid, off the other side of the book; whether that leaves a price."""
    o = w.orders[side]
    best = books.best(t, s.book, 1 - side)
    if best >= 0 and (o.wish_px - best) * books.SIGN[side] >= 0:
        o.wish_px = floor_to(best - 1, p.tick) if side == BID else ceil_to(best + 1, p.tick)
    return bool(0 < o.wish_px < SCALE)


# -- from a wish to an action


@compiled
def choose_leg(s: Any, p: Any, w: Any, side: int, px: int, qty: int) -> tuple[int, int, int, int]:
    """(leg, side, own-coin price, quantity) for one wished level."""
    replaced = side if w.orders[side].id else NONE
    sell_leg, buy_leg = (NO, YES) if side == BID else (YES, NO)
    free = available(s, w, sell_leg, replaced)
    sell_px, buy_px = books.yes_px(sell_leg, px), books.yes_px(buy_leg, px)
    sell_qty = floor_to(min(qty, free), p.lot) if free else 0
    if not sell_qty or sell_qty < p.min_qty or notional_floor(sell_px, sell_qty) < p.min_notional:
        return buy_leg, BUY, buy_px, qty
    if buy_px * p.open_maker + SCALE * s.merge_fee + SCALE < sell_px * p.close_maker:
        large = qty >= p.min_qty and notional_floor(buy_px, qty) >= p.min_notional
        if large and notional_ceil(buy_px, qty) <= s.cash - resting_buys(w):
            return buy_leg, BUY, buy_px, qty
    return sell_leg, SELL, sell_px, sell_qty


@compiled
def want(s: Any, p: Any, t: Any, w: Any, side: int, kind: int) -> None:
    o = w.orders[side]
    leg, buys, px, qty = choose_leg(s, p, w, side, o.wish_px, o.wish_qty)
    if not o.id:
        _place(s, p, t, w, side, leg, buys, px, qty, kind)
    elif o.leg != leg or o.side != buys:
        cancel(s, p, w, side)
    else:
        _keep_or_amend(s, p, t, w, side, px, qty, kind)


@compiled
def _place(
    s: Any, p: Any, t: Any, w: Any, side: int, leg: int, buys: int, px: int, qty: int, kind: int
) -> None:  # fmt: skip
    o = w.orders[side]
    if _too_soon(s, p, o) or _refusal_stands(s, p, o, leg, px, qty):
        return
    sent, verdict = gate.judge(s, p, t, w, side, leg, buys, px, qty, kind, NOT_SO)
    if not sent:
        if verdict == gate.NO_ROOM:
            o.refused, o.refused_ns, o.refused_leg, o.refused_px, o.refused_qty = 1, s.now, leg, px, qty
            o.refused_version, o.refused_cash = s.version, s.cash
        return
    o.refused = 0
    s.next_id += 1
    o.id, o.state, o.leg, o.side, o.px, o.leaves = s.next_id, PENDING_NEW, leg, buys, px, sent
    o.filled = o.oid = o.amend_px = o.amend_qty = o.asked = o.asked_ns = 0
    o.cancel_ns = -1
    o.sent_ns = o.acted_ns = s.now
    s.version += 1
    s.live += 1
    s.placed += 1
    request(s, w, PLACE, side, o.id, leg, buys, px, sent)


@compiled
def _refusal_stands(s: Any, p: Any, o: Any, leg: int, px: int, qty: int) -> bool:
    if not o.refused:
        return False
    quiet_ns = s.now - o.refused_ns
    if quiet_ns < p.min_interval_ns:
        return True
    same = (
        o.refused_leg == leg and o.refused_px == px and o.refused_qty == qty and o.refused_version == s.version
        and o.refused_cash == s.cash
    )  # fmt: skip
    return bool(quiet_ns < KEPT * p.min_interval_ns and same)


@compiled
def _keep_or_amend(
    s: Any, p: Any, t: Any, w: Any, side: int, px: int, qty: int, kind: int
) -> None:  # fmt: skip
    o = w.orders[side]
    if o.state != OPEN or not o.oid:
        return
    move = books.yes_px(o.leg, px) - books.yes_px(o.leg, o.px)
    retreats = move * books.SIGN[side] < 0
    tolerance = 0 if retreats and o.restrained & 1 else s.tolerance
    moved = abs(move) >= max(p.min_move, tolerance)
    resized = abs(qty - o.leaves) > p.min_size_change * o.leaves
    if not moved and not resized:
        return
    if not (moved and retreats) and _too_soon(s, p, o):
        return
    sent, _ = gate.judge(s, p, t, w, side, o.leg, o.side, px, qty, kind, SO)
    if sent != qty:
        if moved or qty <= o.leaves:
            cancel(s, p, w, side)
        return
    o.state, o.amend_px, o.amend_qty = PENDING_AMEND, px, qty
    o.sent_ns = o.acted_ns = s.now
    s.version += 1
    s.amends += 1
    request(s, w, AMEND, side, o.id, o.leg, o.side, px, qty)


@compiled
def _too_soon(s: Any, p: Any, o: Any) -> bool:
    if o.acted_ns < 0 or s.now >= o.acted_ns + p.min_interval_ns:
        return False
    s.t_again = min(s.t_again, o.acted_ns + p.min_interval_ns)
    return True


@compiled
def cancel(s: Any, p: Any, w: Any, side: int) -> None:
    """Unless there is nothing, or one is on its way. An order in doubt is cancelled again and again."""
    o = w.orders[side]
    if not o.id or o.state == PENDING_CANCEL:
        return
    if o.cancel_ns >= 0:
        if o.state == UNKNOWN and s.now - o.cancel_ns < p.query_retry_ns:
            return
        if s.now - o.cancel_ns < CANCEL_AGAIN_NS:
            s.t_again = min(s.t_again, o.cancel_ns + CANCEL_AGAIN_NS)
            return
    if o.state != UNKNOWN:
        o.state = PENDING_CANCEL
    o.cancel_ns = o.sent_ns = s.now
    s.version += 1
    s.cancels += 1
    request(s, w, CANCEL, side, o.id, o.leg, NOTHING, NOTHING, NOTHING)
