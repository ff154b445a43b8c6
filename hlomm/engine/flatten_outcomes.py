"""Outcome tokens on the way to safety: pairs merged, the surplus of one leg sold or completed to pairs.

Pairs of YES and NO become cash (worth exactly 1, no book needed). Only the surplus of one leg is at risk, so only that
is reduced, never a half of a pair: selling it would bare the other half (pairs across venues: `flatten_pairs`). Per
attempt the better of two ways is taken, sale or purchase of the complement (`ways`), immediate-or-cancel, at most
`max_slippage` from the touch. A token without a buyer, too small for the venue's minimum either way, or closer to
settlement than `hold_to_expiry`, is held; so are pairs that the venue will not merge, which can lose nothing more.
"""

from __future__ import annotations

from hlomm.domain.inputs import Level
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderState, Purpose, Tif
from hlomm.domain.outputs import ConvertSet
from hlomm.domain.report import SideNote
from hlomm.domain.sets import SetAction
from hlomm.domain.units import SCALE, Qty, floor_to, to_text
from hlomm.engine import closed, flatten_pairs, gate, quoting, ways
from hlomm.engine.exposure import mid_own
from hlomm.engine.fees import merge_rate, rates_of
from hlomm.engine.order import Order
from hlomm.engine.state import MarketState, State
from hlomm.engine.walk import Walk

NO_BOOK = "no book came"


def reduce(state: State, walk: Walk, market: MarketState) -> bool:
    """One step in one market; True when it needs no more."""
    market_id, rules, now_ns = market.market.id, state.config.flatten, state.now.mono_ns
    position = state.portfolio.position(market_id)
    if position.flat:
        walk.held.pop(market_id, None)
        return True
    if any(holds_up(order) for order in state.orders.live_in(market_id)) or now_ns < walk.again_ns.get(market_id, 0):
        return False
    shut = closed.why(state, market.market.venue)
    if shut is not None and market.market.tau_ns(state.now.wall_ns) > rules.hold_to_expiry_ns and not market.gone:
        walk.held[market_id] = shut
        return False  # it opens again: nothing is tried, and nothing given up, until then
    converting = state.conversions.involving(market_id)
    if converting is not None and now_ns - converting.sent_ns < rules.retry_ns:
        return False  # what it leaves is seen in a moment
    merges = walk.merges.get(market_id, 0)
    delivered = min(position.held(leg) - state.undelivered.tokens(market_id, leg) for leg in Leg)
    pairs = floor_to(max(min(position.pairs, delivered), 0), market.market.lot)
    merging = state.config.can(market.market.venue).can_convert and merges < rules.attempts
    if pairs > 0 and merging and not market.gone:
        walk.merges[market_id] = merges + 1
        walk.again_ns[market_id] = now_ns + rules.retry_ns
        state.out.convert(market_id, ConvertSet(action=SetAction.MERGE, market=market_id, qty=Qty(pairs)))
        state.budgets.spend(market.market.venue, 1)
        return False
    walk.over.discard(market_id)
    walk.halves.discard(market_id)
    reason = _close_surplus(state, walk, market)
    if reason is None:
        return False
    walk.over.add(market_id)
    walk.held[market_id] = reason
    return True


def holds_up(order: Order) -> bool:
    """Whether an order of the market must be gone before its tokens are sold."""
    return order.state is not OrderState.UNKNOWN or order.asked < 2


def _close_surplus(state: State, walk: Walk, market: MarketState) -> str | None:
    """Send one immediate-or-cancel order, or wait for a book; the reason to hold instead, if there is one."""
    market_id, rules, position = market.market.id, state.config.flatten, state.portfolio.position(market.market.id)
    for leg in Leg:
        if position.held(leg) < 0:
            return f"{leg.name} is short by {to_text(-position.held(leg))}: a fill is missing"
    if position.net == 0:
        return "pairs that were not merged: worth exactly 1 each"
    leg, surplus = (Leg.YES if position.net > 0 else Leg.NO), abs(position.net)
    bound, why, waits = flatten_pairs.bound(state, walk, market_id, leg)
    surplus -= bound
    if surplus <= 0:
        walk.halves.add(market_id)
        walk.held[market_id] = why
        return None if waits else why
    if market.gone:
        return "no longer listed, waiting for settlement"
    if market.market.tau_ns(state.now.wall_ns) <= rules.hold_to_expiry_ns:
        return "settles too soon to sell"
    if walk.attempts.get(market_id, 0) >= rules.attempts:
        return f"not sold in {rules.attempts} attempts"
    if not market.book.seen:
        if market.strategy is None and walk.held.get(market_id) != NO_BOOK:
            state.out.subscribe(market_id)  # a market that nobody quotes is not followed
        walk.held[market_id] = NO_BOOK
        return None
    buyers = ways.bids_for(leg, market.book.bids, market.book.asks)
    if not buyers:
        return "no buyer in the book"
    waiting = min(state.undelivered.tokens(market_id, leg), surplus)
    way = _way(state, market, leg, surplus, surplus - waiting, buyers, again=walk.attempts.get(market_id, 0) > 0)
    if way is None and waiting:
        walk.held[market_id] = f"{to_text(waiting)} {leg.name} are matched and not delivered yet"
        return None
    if way is None:
        least, fewest = to_text(market.market.min_notional), market.market.min_qty
        fewer = f" or fewer than {to_text(fewest)}" if fewest else ""
        text = f"{to_text(surplus)} x {to_text(buyers[0][0])} < {least}{fewer}"
        return f"too small to sell: {text}, nor can the rest be bought"
    return _send(state, walk, market, way)


def _way(
    state: State, market: MarketState, leg: Leg, surplus: int, ready: int, buyers: list[Level], *, again: bool
) -> ways.Way | None:
    """The better way at the first attempt; after that the sale where it can be sent. Only `ready` tokens can be sold.

    A sale needs neither cash nor a merge, and what stopped a purchase may leave it alone.
    """
    spec, slippage, best = market.market, state.config.flatten.max_slippage, buyers[0][0]
    # A sale takes prices from the best buyer's down, a purchase of the complement from one minus that up.
    selling = rates_of(state, spec, max(best - slippage, 1), best)
    buying = rates_of(state, spec, SCALE - best, SCALE - best + slippage)
    terms = ways.Terms(
        slippage=slippage, tick=spec.tick, lot=spec.lot, minimum=spec.min_notional, least=spec.min_qty,
        ticks=spec.ticks,
        sale=0 if selling is None else selling.close_taker, purchase=0 if buying is None else buying.open_taker,
        merge=merge_rate(state, spec, selling),
    )  # fmt: skip
    mid = mid_own(leg, market.book.best_bid, market.book.best_ask)
    cash = gate.free_cash(state, spec.venue)
    sale = ways.sale(leg, ready, buyers, mid, terms)
    if state.venues[spec.venue].fuse is not None:
        return sale  # its session lets no purchase pass any more
    again |= not state.config.can(spec.venue).can_convert  # the pairs of a purchase would hold its cash to settlement
    buy = ways.purchase(leg, surplus, buyers, mid, cash, terms)
    return sale or buy if again else ways.better(sale, buy)


def _send(state: State, walk: Walk, market: MarketState, way: ways.Way) -> str | None:
    want = gate.Proposal(
        market=market, leg=way.leg, side=way.side, px=way.px, qty=way.qty, tif=Tif.IOC, purpose=Purpose.FLATTEN
    )
    admitted = quoting.admit(state, want)
    if isinstance(admitted, SideNote):
        return f"{admitted.guard}: {admitted.detail}"
    market_id = market.market.id
    walk.attempts[market_id] = walk.attempts.get(market_id, 0) + 1
    walk.again_ns[market_id] = state.now.mono_ns + state.config.flatten.retry_ns
    quoting.send(state, want, admitted, None)
    return None
