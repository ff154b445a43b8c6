"""What the venue tells of our orders, and what the engine's books make of it, compiled: `engine.orders` and intakes."""

from __future__ import annotations

from typing import Any

from hlomm.research.kernel.compiled import compiled
from hlomm.research.kernel.layout import (
    AMEND_FAILED,
    ANSWER,
    CANCEL_FAILED,
    CLOSED,
    FILL,
    FILLED,
    MERGE_FAILED,
    MERGED,
    OPEN,
    OPENED,
    PENDING_CANCEL,
    REJECTED,
    REJECTS_KEPT,
    STRANGE,
)
from hlomm.research.kernel.layout import UNKNOWN as IN_DOUBT
from hlomm.research.kernel.money import merged, traded
from hlomm.research.kernel.venue import copied


@compiled
def news(s: Any, p: Any, w: Any) -> None:
    """Take the first news in; it makes the market due."""
    kind, side, number, oid = w.news[0, 1], w.news[0, 2], w.news[0, 3], w.news[0, 4]
    a, b, c = w.news[0, 5], w.news[0, 6], w.news[0, 7]
    s.news -= 1
    for at in range(s.news):
        copied(w.news[at], w.news[at + 1])
    s.dirty = 1
    o = w.orders[side]
    live = number != 0 and o.id == number
    if kind == MERGED:
        merged(s, a)
        s.merging = s.merge_fee = 0
    elif kind == MERGE_FAILED:
        s.merging = 0
        s.merge_rest_ns = s.now + p.reject_pause_ns
    elif kind == OPENED:
        _opened(s, o, live, oid, a)
    elif kind == CLOSED:
        _closed(s, o, live, oid)
    elif kind == FILL:
        _filled(s, w, o, live, number, oid, (a, b, c))
    elif kind == REJECTED:
        _ended(s, o, live)
        _refusal(s, p, w)
    elif kind == AMEND_FAILED:
        s.version += 1
        if live:
            o.amend_px = o.amend_qty = 0
            o.state = IN_DOUBT
        _refusal(s, p, w)
    elif kind == CANCEL_FAILED:
        if live:
            s.version += 1
            o.state = IN_DOUBT
    elif kind == ANSWER and live and o.state == IN_DOUBT:
        if a:
            s.beyond |= STRANGE
        _ended(s, o, live)


@compiled
def _opened(s: Any, o: Any, live: bool, oid: int, leaves: int) -> None:
    s.version += 1
    if not live:
        s.beyond |= STRANGE
        return
    if o.amend_qty:
        o.px, o.leaves = o.amend_px, o.amend_qty
        o.amend_px = o.amend_qty = 0
    elif o.oid:
        s.beyond |= STRANGE
    o.oid = oid
    if leaves != o.leaves:
        s.beyond |= STRANGE
    if o.state != PENDING_CANCEL:
        o.state, o.asked = OPEN, 0


@compiled
def _closed(s: Any, o: Any, live: bool, oid: int) -> None:
    """It no longer rests under that id. While an amend is out only the old half of it is gone."""
    if live and o.oid != oid:
        s.beyond |= STRANGE
    if live and o.amend_qty:
        o.leaves = o.oid = 0
        s.version += 1
        return
    _ended(s, o, live)


@compiled
def _ended(s: Any, o: Any, live: bool) -> None:
    s.version += 1
    if live:
        o.id = 0
        s.live -= 1


@compiled
def _filled(
    s: Any, w: Any, o: Any, live: bool, number: int, oid: int, of: tuple[int, int, int]
) -> None:  # fmt: skip
    qty, px, fee = of
    if not live or o.oid != oid or qty > o.leaves:
        s.beyond |= STRANGE
        return
    traded(s, o.leg, o.side, px, qty, fee)
    log(s, w, FILLED, number, o.leg, o.side, px, qty, fee)
    o.leaves -= qty
    o.filled += qty
    s.version += 1
    if not o.leaves and not o.amend_qty:
        _ended(s, o, live)


@compiled
def _refusal(s: Any, p: Any, w: Any) -> None:
    """The venue refused something; too often, and the market rests."""
    w.rejects[s.rejects % REJECTS_KEPT] = s.now
    s.rejects += 1
    recent = 0
    for at in range(min(s.rejects, REJECTS_KEPT)):
        recent += s.now - w.rejects[at] <= p.reject_window_ns
    if recent >= p.reject_limit and s.now >= s.resting_until:
        s.resting_until = s.now + p.reject_pause_ns


@compiled
def log(
    s: Any, w: Any, kind: int, number: int, leg: int, buys: int, px: int, qty: int, fee: int
) -> None:  # fmt: skip
    """A row for whoever compares decisions."""
    if s.logged < len(w.log):
        row = w.log[s.logged]
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8] = (
            s.now, kind, number, leg, buys, px, qty, fee, s.cash,
        )  # fmt: skip
    s.logged += 1
