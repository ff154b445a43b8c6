"""The risk gate: no order leaves without having passed here.

Each check is one row: a stable name, the question, the numbers. A check may pass, shrink the order or refuse it;
`Resize` carries on with what is left, so the smallest room decides. Pending orders count as filled in the worst
case. An amend is judged as a second order beside the one it replaces, because until the venue answers either may
fill. Orders that only reduce (flattening, see `reducing`) skip the checks that guard new risk; perps are traded to
hedge, within limits of their own (`hedge_limits`) and those of what could be lost. The shape of a book is that of
others' orders: our own quote is nobody to trade with.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Purpose, Side, Tif, direction, goes_home, yes_px
from hlomm.domain.outputs import HaltState
from hlomm.domain.units import SCALE, Px, Qty, floor_to, notional_floor, to_text
from hlomm.domain.view import BookShape
from hlomm.engine import closed, hedge_limits, payoff_limits, reducing, restraint, stranded, tripped
from hlomm.engine.config import OneSided
from hlomm.engine.exposure import Exposure, available, exposure, locked_cost, mid_own
from hlomm.engine.order import Order
from hlomm.engine.pending import Pending
from hlomm.engine.position import Position
from hlomm.engine.room import Room
from hlomm.engine.state import MarketState, State


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """An order that somebody wants; `px` in the leg's own coin."""

    market: MarketState
    leg: Leg
    side: Side
    px: Px
    qty: Qty
    tif: Tif
    purpose: Purpose
    replaces: Order | None = None
    """The resting order that this one would amend."""

    @property
    def direction(self) -> int:
        return direction(self.leg, self.side)


class Pass(msgspec.Struct, frozen=True, gc=False):
    qty: Qty


class Resize(msgspec.Struct, frozen=True, gc=False):
    qty: Qty
    limit: str
    numbers: str


class Reject(msgspec.Struct, frozen=True, gc=False):
    limit: str
    numbers: str


Verdict = Pass | Resize | Reject

LIMITS: Final = (
    "halted", "session", "market", "book", "stale_book", "one_sided", "crossed_book", "fair_deviation", "post_only",
    "budget", "drawdown", "open_orders", "max_order_notional", "max_position", "max_gross_notional", "cash", "tokens",
    "min_notional", "perp", "guardian", "breaker", "reduce_only", "max_resting_without_deadman",
    "max_hedge_notional", "perp_wallet", "doubt", "venue_paused", "venue_breaker", "max_loss_event",
    "max_loss_underlying", "max_loss_total", "min_qty",
)  # fmt: skip
"""Every name a verdict may carry."""
ROOMS: Final = frozenset({
    "max_loss_event", "max_loss_underlying", "max_loss_total", "max_gross_notional", "max_position", "cash",
    "max_resting_without_deadman", "min_notional", "min_qty",
})  # fmt: skip
"""Those that say that there is no room: dear to find out, and slow to change."""


def judge(state: State, want: Proposal) -> Verdict:
    """Verdict on one proposal, given everything already pending. Counted by the caller."""
    market, shape = want.market, state.others(want.market).shape
    refusal = _may_send(state, want) or (None if want.purpose is Purpose.FLATTEN else _may_quote(state, want, shape))
    if refusal is not None:
        return refusal
    qty, binding = int(want.qty), None
    for room in _rooms(state, want, shape):
        if room[0] < qty:
            qty, binding = max(floor_to(room[0], market.market.lot), 0), room
    limit, numbers = ("", "") if binding is None else (binding[1], binding[2]())
    if qty <= 0:
        return Reject(limit, numbers)
    if (small := _too_small(state, want, qty)) is not None:
        return Reject(small.limit, f"{small.numbers} after {limit}: {numbers}" if limit else small.numbers)
    return Pass(Qty(qty)) if not limit else Resize(Qty(qty), limit, numbers)


def _too_small(state: State, want: Proposal, qty: int) -> Reject | None:
    """What the venue would not take for its size alone; of a perp whatever closes it may go."""
    spec = want.market.market
    if qty < spec.min_qty:
        return Reject("min_qty", f"{to_text(qty)} < {to_text(spec.min_qty)}")
    px = _minimum_px(want)
    worth = notional_floor(px, qty)
    if worth >= spec.min_notional or reducing.closes_perp(state, want.market, qty):
        return None
    return Reject("min_notional", f"{to_text(qty)} x {to_text(px)} = {to_text(worth)} < {to_text(spec.min_notional)}")


def _may_send(state: State, want: Proposal) -> Reject | None:
    """What holds for every order, flattening included."""
    market = want.market
    if state.journal_failed:
        return Reject("halted", "the journal cannot be written")
    if state.halt is not HaltState.RUNNING and want.purpose is not Purpose.FLATTEN:
        return Reject("halted", f"{state.halt.value}: {state.halt_reason}")
    venue = state.venues.get(market.market.venue)
    if venue is None or not (venue.up or (want.purpose is Purpose.FLATTEN and venue.ever_up)):
        return Reject("session", f"{market.market.venue} session is down")
    if (shut := closed.why(state, venue.venue)) is not None:
        return Reject("venue_paused", shut)
    if not goes_home(want.purpose, want.side) and (cut := tripped.why(state, venue.venue)) is not None:
        return Reject("venue_breaker", cut)
    if market.gone or market.settled is not None:
        return Reject("market", "settled or no longer listed")
    if not market.is_outcome:
        why = reducing.perp_refusal(state, market, want.side, want.purpose)
        if why is not None:
            return Reject("perp", why)
    return None


def _may_quote(state: State, want: Proposal, shape: BookShape) -> Reject | None:
    """What holds for orders that take or may take risk."""
    market, limits, now = want.market, state.config.limits, state.now
    book = market.book
    if state.unguarded is not None:
        return Reject("guardian", state.unguarded)
    doubt = state.venues[market.market.venue].doubt
    if doubt is not None:
        return Reject("doubt", f"{doubt}, the account is being read")
    braked = restraint.paused(state, market)
    if braked is not None and not _goes_home(state, want):
        return Reject("breaker", braked)
    if market.market.expiry_ns is not None and market.market.tau_ns(now.wall_ns) == 0:
        return Reject("market", "past its expiry")
    if (shape is BookShape.UNKNOWN or shape is BookShape.EMPTY) and limits.one_sided is not OneSided.ALLOW:
        return Reject("book", f"book is {shape.value}")
    if shape is BookShape.CROSSED:
        return Reject("crossed_book", "touch and depth disagree")
    age_ns = now.mono_ns - book.received_ns
    if age_ns > limits.stale_book_ns:
        return Reject("stale_book", f"book {age_ns / 1e9:.1f} s old > {limits.stale_book_ns / 1e9:.1f} s")
    if shape in (BookShape.BID_ONLY, BookShape.ASK_ONLY) and limits.one_sided is OneSided.REFUSE:
        return Reject("one_sided", f"book is {shape.value}")
    own_yes_px, gains = yes_px(want.leg, want.px), want.direction
    fair = market.desired.fair if market.desired is not None else None
    if fair is not None and abs(own_yes_px - fair) > limits.max_fair_deviation:
        return Reject(
            "fair_deviation",
            f"|{to_text(own_yes_px)} - fair {to_text(fair)}| > {to_text(limits.max_fair_deviation)}",
        )
    if want.tif is Tif.ALO:
        touch = book.best_ask if gains > 0 else book.best_bid
        if touch is not None and (own_yes_px - touch) * gains >= 0:
            return Reject("post_only", f"{to_text(own_yes_px)} would match {to_text(touch)}")
    return _may_afford(state, want)


def _goes_home(state: State, want: Proposal) -> bool:
    """A hedge that gets smaller and nothing else: a breaker that kept it would keep a naked perp."""
    return want.purpose is Purpose.HEDGE and hedge_limits.only_reduces(state, want.market, want.side, want.qty)


def _may_afford(state: State, want: Proposal) -> Reject | None:
    limits, venue = state.config.limits, want.market.market.venue
    if state.budgets.exhausted(venue):
        return Reject("budget", f"{state.budgets.left(venue)} actions left, kept for cancels")
    drawdown = state.high_water - state.equity_of_turn()
    if drawdown > state.drawdown_limit():
        return Reject("drawdown", f"{to_text(drawdown)} > {to_text(state.drawdown_limit())}")
    if want.replaces is None and state.orders.live_count >= limits.max_open_orders:
        return Reject("open_orders", f"{state.orders.live_count} open >= {limits.max_open_orders}")
    return None


def _rooms(state: State, want: Proposal, shape: BookShape) -> list[Room]:
    """That of every limit that may shrink the order; one that leaves room for all of it need not answer."""
    market = want.market
    if want.purpose is Purpose.FLATTEN:
        return reducing.rooms(state, market, want.leg, want.side, want.px, free_cash(state, market.market.venue))
    if not market.is_outcome:
        hedge = hedge_limits.rooms(state, market, want.side, want.px)
        reduces = hedge_limits.only_reduces(state, market, want.side, want.qty)
        return [*hedge, *payoff_limits.hedge_rooms(state, market, want.side, want.px, reduces=reduces)]
    rooms = _position_rooms(state, want, shape)
    if not stranded.armed(state, state.venues[market.market.venue]):
        rooms += _stranded_rooms(state, want)
    if want.side is Side.BUY:
        rooms += _cash_rooms(state, want)
    elif (pairs := state.portfolio.position(market.market.id).pairs) > 0:
        rooms += _pair_rooms(state, want, pairs)
    return rooms


def _position_rooms(state: State, want: Proposal, shape: BookShape) -> list[Room]:
    """Those of limits on what may be held, and on what that may lose."""
    market, limits = want.market, state.config.limits
    market_id, cap = market.market.id, limits.max_position
    position, pending = state.portfolio.position(market_id), state.orders.pending(market_id)
    rooms: list[Room] = []
    if want.side is Side.SELL:
        # The venue lets no token be sold twice, so a sale may claim what the one it replaces has claimed.
        withheld = state.withheld(market_id, want.leg)
        free = available(position, exposure(position, pending, want.replaces), want.leg, withheld)
        rooms.append((free, "tokens", lambda: f"{to_text(free)} {want.leg.name} free to sell"))
    gains = want.direction
    worst = position.net + pending.gaining if gains > 0 else pending.losing - position.net
    if shape is not BookShape.TWO_SIDED and limits.one_sided is OneSided.REDUCE_ONLY:
        rooms.append(
            (max(-worst, 0), "one_sided", lambda: f"book is {shape.value}: only reducing net {to_text(position.net)}")
        )
    rooms += payoff_limits.rooms(state, market, want.leg, want.side, want.px, want.qty)
    if cap - worst < want.qty:
        rooms.append(
            (max(cap - worst, 0), "max_position", lambda: f"worst case {to_text(worst * gains)} of {to_text(cap)}")
        )
    forbidden = restraint.reduce_only(state, market, gains)
    if forbidden is not None:
        rooms.append((max(-worst, 0), "reduce_only", lambda: forbidden))
    return rooms


def _pair_rooms(state: State, want: Proposal, pairs: int) -> list[Room]:
    """A sale that takes pairs apart leaves the other halves single."""
    gross, most = reachable_gross(state, want), state.config.limits.max_gross_notional
    if gross <= most:
        return []
    position, pending = state.portfolio.position(want.market.market.id), state.orders.pending(want.market.market.id)
    single = max(position.held(want.leg) - pairs - _selling(pending, want.leg), 0)
    return [(single, "max_gross_notional", lambda: f"{to_text(gross)} locked of {to_text(most)} once pairs come apart")]


def _stranded_rooms(state: State, want: Proposal) -> list[Room]:
    venue, market_id = want.market.market.venue, want.market.market.id
    single = 0
    if want.side is Side.SELL:
        position = state.portfolio.position(market_id)
        claimed = _selling(exposure(position, state.orders.pending(market_id), want.replaces), want.leg)
        single = position.held(want.leg) - position.pairs - claimed
    cap, left = state.config.limits.max_resting_without_deadman, stranded.stranded(state, venue)
    room = stranded.room(cap - left, want.px, want.side, single)
    if room >= want.qty:
        return []
    return [
        (
            room, "max_resting_without_deadman",
            lambda: f"{to_text(left)} would be stranded of {to_text(cap)}, {venue} has no dead-man armed",
        )
    ]  # fmt: skip


def _selling(pending: Exposure | Pending, leg: Leg) -> int:
    return pending.selling_yes if leg is Leg.YES else pending.selling_no


def _cash_rooms(state: State, want: Proposal) -> list[Room]:
    limits, px = state.config.limits, max(want.px, 1)
    gross, free = reachable_gross(state, want), free_cash(state, want.market.market.venue)
    per_order, most = limits.max_order_notional, limits.max_gross_notional
    if min(per_order, most - gross, free) * SCALE // px >= want.qty:
        return []
    return [
        (per_order * SCALE // px, "max_order_notional", lambda: f"{to_text(per_order)} per order"),
        (
            max(most - gross, 0) * SCALE // px, "max_gross_notional",
            lambda: f"{to_text(gross)} locked of {to_text(most)}",
        ),
        (max(free, 0) * SCALE // px, "cash", lambda: f"{to_text(free)} free"),
    ]  # fmt: skip


def _minimum_px(want: Proposal) -> int:
    """Price the venue may judge the minimum on: the sheet disputes limit or mid, so the lower one must do."""
    book = want.market.book
    mid = mid_own(want.leg, book.best_bid, book.best_ask)
    return want.px if mid is None else min(want.px, mid)


def free_cash(state: State, venue: VenueId) -> int:
    """Cash at a venue that is there and that neither a pending buy nor a conversion has claimed."""
    claimed = state.orders.sums.buying(venue) + state.conversions.cash_at(venue) + state.undelivered.cash(venue)
    return state.portfolio.of(venue).cash - claimed


def gross_notional(state: State) -> int:
    """Collateral at risk now: what pending purchases may take, and what is sunk in unpaired tokens."""
    return state.orders.sums.buying() + state.portfolio.locked().total


def reachable_gross(state: State, want: Proposal) -> int:
    """The most collateral that fills of what is pending, and then of `want`, can leave at risk (its own px aside)."""
    locked = state.portfolio.locked()
    gross = state.orders.sums.buying() + locked.single
    for market_id, position in locked.paired:
        gross += _locked_at_worst(state, market_id, position, want)
    return gross


def _locked_at_worst(state: State, market_id: MarketId, position: Position, want: Proposal) -> int:
    """Cash in unpaired tokens if the orders of a market that holds pairs fill in the worst way.

    Selling one half of a pair leaves the other single; buying more of a leg mixes its average cost. Either way all
    that the leg has cost may come to count. Only one leg at a time can be the single one.
    """
    legs = [(order.leg, order.side) for order in state.orders.pending(market_id).orders]
    if want.market.market.id == market_id:
        legs.append((want.leg, want.side))
    worst = locked_cost(position)
    for leg, cost in ((Leg.YES, position.cost_yes), (Leg.NO, position.cost_no)):
        if any((side is Side.BUY) == (touched is leg) for touched, side in legs):
            worst = max(worst, cost)
    return worst
