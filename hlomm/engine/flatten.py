"""Getting to safety: everything cancelled, pairs merged, single tokens sold or held by policy.

Runs once per turn while FLATTENING or STOPPING. Order of the walk: no order of a market may rest before its tokens are
sold; pairs of YES and NO become cash (worth exactly 1, no book needed); what is left is sold immediate-or-cancel, at
most `max_slippage` below the best bid. A token without a buyer, too small for the venue's minimum, or closer to
settlement than `hold_to_expiry` is held, and the loss that could still come of it is reported.

Two things are waited for until the deadline, because they say nothing about a buyer: a book that is not there (a lost
session took it, requests bring a new one) and orders on their way out. An order that the venue has twice been asked
about in vain holds nothing up any longer: it may never have existed, and the tokens are a risk now.

The end is the venue's word, not ours: once our books say that all is done, every venue is asked for its account, and
the walk ends when each gives the picture we have. News of a fill can be lost with a session, so a picture that keeps
differing is taken over, loudly, and the walk goes on with what it shows.
"""

from __future__ import annotations

from hlomm.domain.ids import is_ours
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderState, Purpose, Side, Tif
from hlomm.domain.outputs import AlertLevel, HaltState, MergeSet
from hlomm.domain.report import SideNote
from hlomm.domain.units import SCALE, Px, Qty, ceil_to, complement, floor_to, notional_floor, to_fixed, to_text
from hlomm.engine import gate, quoting, reconcile
from hlomm.engine.exposure import worst_loss
from hlomm.engine.orders import Order
from hlomm.engine.state import MarketState, State, VenueState, Walk

TIMER = "flatten"
_NO_BOOK = "no book came"


def step(state: State, walk: Walk) -> bool:
    """Do what can be done now; True when nothing is left to do (or the deadline has passed)."""
    for order in list(state.orders.live()):
        if order.purpose is not Purpose.FLATTEN:
            quoting.cancel(state, order)
    late, done = state.now.mono_ns >= walk.deadline_ns, True
    if walk.sell and not late:
        for market in list(state.markets.values()):
            if market.is_outcome and market.settled is None:
                done = _reduce(state, walk, market) and done
    clear = done and state.orders.live_count == 0 and not state.orders.awaiting_fills()
    if not clear:
        walk.clear_ns = None
    confirmed = clear and _confirmed(state, walk)
    if confirmed or late:
        _report(state, walk, confirmed=confirmed)
        return True
    state.timers.set_earliest(TIMER, min(state.now.mono_ns + state.config.flatten.retry_ns, walk.deadline_ns))
    return False


def _confirmed(state: State, walk: Walk) -> bool:
    """Whether every venue that we ever reached has, since our books are clear, described the account as they do."""
    now_ns = state.now.mono_ns
    if walk.clear_ns is None or walk.clear_ns < state.last_move_ns:
        walk.clear_ns = now_ns
        walk.judged = {venue.venue: venue.account for venue in state.venues.values()}
    waiting = [venue for venue in state.venues.values() if venue.ever_up and not _agrees(state, walk, venue)]
    if waiting and now_ns >= walk.ask_again_ns:
        walk.ask_again_ns = now_ns + state.config.flatten.retry_ns
        for venue in waiting:
            state.out.query_account(venue.venue)
    return not waiting


def _agrees(state: State, walk: Walk, venue: VenueState) -> bool:
    account = venue.account
    if account is None or account is walk.judged[venue.venue]:
        return False
    if walk.clear_ns is None or account.asked_mono_ns < walk.clear_ns:
        return False
    resting = any(is_ours(order.client_id) for order in account.orders)
    different = walk.sell and bool(reconcile.difference(state, account))
    if not resting and not different:
        return True
    walk.judged[venue.venue] = account
    if resting:
        return False
    walk.disputes += 1
    if walk.disputes >= state.config.reconcile.strikes:
        walk.disputes = 0
        reconcile.take_over(state, venue, account, f"{venue.venue} keeps showing another account than our books")
    return False


def _reduce(state: State, walk: Walk, market: MarketState) -> bool:
    """One step in one market; True when it needs no more."""
    market_id, rules, now_ns = market.market.id, state.config.flatten, state.now.mono_ns
    position = state.portfolio.position(market_id)
    if position.flat:
        walk.held.pop(market_id, None)
        return True
    if any(_holds_up(order) for order in state.orders.live_in(market_id)) or now_ns < walk.again_ns.get(market_id, 0):
        return False
    merges = walk.merges.get(market_id, 0)
    pairs = floor_to(position.pairs, market.market.lot)
    if pairs > 0 and merges < rules.attempts and not market.gone:
        walk.merges[market_id] = merges + 1
        walk.again_ns[market_id] = now_ns + rules.retry_ns
        state.out.merge(market_id, MergeSet(market_id, Qty(pairs)))
        state.budgets.spend(market.market.venue, 1)
        return False
    reason = _sell(state, walk, market)
    if reason is None:
        return False
    walk.held[market_id] = reason
    return True


def _holds_up(order: Order) -> bool:
    """Whether an order of the market must be gone before its tokens are sold."""
    return order.state is not OrderState.UNKNOWN or order.asked < 2


def _sell(state: State, walk: Walk, market: MarketState) -> str | None:
    """Send one immediate-or-cancel sale, or wait for a book; the reason to hold instead, if there is one."""
    market_id, rules, position = market.market.id, state.config.flatten, state.portfolio.position(market.market.id)
    leg = Leg.YES if position.yes > 0 or position.no == 0 else Leg.NO
    held = position.held(leg)
    if held <= 0:
        return f"{leg.name} is short by {to_text(-held)}: a fill is missing"
    if market.gone:
        return "no longer listed, waiting for settlement"
    if market.market.tau_ns(state.now.wall_ns) <= rules.hold_to_expiry_ns:
        return "settles too soon to sell"
    if walk.attempts.get(market_id, 0) >= rules.attempts:
        return f"not sold in {rules.attempts} attempts"
    if not market.book.seen:
        if market.strategy is None and walk.held.get(market_id) != _NO_BOOK:
            state.out.subscribe(market_id)  # a market that nobody quotes is not followed
        walk.held[market_id] = _NO_BOOK
        return None
    bid = best_buyer(market, leg)
    if bid is None:
        return "no buyer in the book"
    qty = Qty(floor_to(held, market.market.lot))
    if notional_floor(bid, qty) < market.market.min_notional:
        return f"too small to sell: {to_text(qty)} x {to_text(bid)} < {to_text(market.market.min_notional)}"
    # The limit gives way as far as allowed, but never below the price at which the order would be too small to send.
    px = max(floor_to(bid - rules.max_slippage, market.market.tick), _least_px(market, qty))
    want = gate.Proposal(
        market=market, leg=leg, side=Side.SELL, px=Px(px), qty=qty, tif=Tif.IOC, purpose=Purpose.FLATTEN
    )
    admitted = quoting.admit(state, want)
    if isinstance(admitted, SideNote):
        return f"{admitted.guard}: {admitted.detail}"
    walk.attempts[market_id] = walk.attempts.get(market_id, 0) + 1
    walk.again_ns[market_id] = state.now.mono_ns + rules.retry_ns
    quoting.send(state, want, admitted, None)
    return None


def best_buyer(market: MarketState, leg: Leg) -> Px | None:
    """Best price somebody pays for a token now, from the YES book."""
    if leg is Leg.YES:
        return market.book.best_bid
    ask = market.book.best_ask
    return None if ask is None else complement(ask)


def _least_px(market: MarketState, qty: Qty) -> int:
    """Lowest price on the grid at which the sale meets the venue's minimum."""
    return max(ceil_to(-(-market.market.min_notional * SCALE // qty), market.market.tick), market.market.tick)


def _report(state: State, walk: Walk, *, confirmed: bool) -> None:
    left = [
        f"{market.market.ticker} {to_text(position.yes)} YES {to_text(position.no)} NO"
        f" (worst {to_fixed(worst_loss(position), 2)}; {walk.held.get(market_id, 'not sold')})"
        for market_id, market in state.markets.items()
        if market.settled is None and not (position := state.portfolio.position(market_id)).flat
    ]
    resting = state.orders.live_count
    what = f"{walk.reason}: " + ("all orders cancelled" if not resting else f"{resting} orders not confirmed gone")
    if not walk.sell:
        what += ", tokens kept by policy" if left else ", flat"
    else:
        what += ", flat" if not left else "; held to settlement: " + "; ".join(left)
    bad = not confirmed
    if bad and not resting:
        what += " by our books, which the venue has not confirmed"
    next_step = " — check the venue by hand" if bad else ""
    if state.halt is HaltState.FLATTENING:
        next_step += " — `hlomm resume` to quote again"
    level = AlertLevel.CRITICAL if bad else AlertLevel.WARNING if left else AlertLevel.INFO
    state.out.alert(level, "flattened" if not bad else "flatten_deadline", what + next_step)
