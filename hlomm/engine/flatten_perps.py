"""Perps on the way to safety: closed by reduce-only orders, immediate-or-cancel, near the touch.

The limit gives up at most `max_slippage_perp` of the touch and lies on the perp's price grid. `reduce_only` makes the
venue itself refuse what would open a position, should news of a fill be missing here.
"""

from __future__ import annotations

from collections.abc import Sequence

from hlomm.domain.grid import closing_limit
from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Purpose, Side, Tif
from hlomm.domain.report import SideNote
from hlomm.domain.units import SCALE, Px, Qty, floor_to, notional_floor, to_text
from hlomm.engine import closed, gate, payoffs, quoting
from hlomm.engine.flatten_outcomes import NO_BOOK, holds_up
from hlomm.engine.state import MarketState, State
from hlomm.engine.walk import Walk
from hlomm.pricing.scenario import Claim, PerpClaim, scenario


def close(state: State, walk: Walk, market_id: MarketId) -> bool:
    """One step in one perp; True when it needs no more."""
    position, market = state.portfolio.perps.position(market_id), state.markets.get(market_id)
    if not position.qty:
        walk.held.pop(market_id, None)
        return True
    if market is None or market.gone:
        walk.held[market_id] = "not followed: close it by hand"
        return True
    busy = any(holds_up(order) for order in state.orders.live_in(market_id))
    if busy or state.now.mono_ns < walk.again_ns.get(market_id, 0):
        return False
    shut = closed.why(state, market.market.venue)
    if shut is not None:
        walk.held[market_id] = shut
        return False
    reason = _send(state, walk, market, position.qty)
    if reason is None:
        return False
    walk.held[market_id] = reason
    return True


def _send(state: State, walk: Walk, market: MarketState, held: int) -> str | None:
    """Send one order, or wait for a book; the reason to leave it open instead, if there is one."""
    spec, rules = market.market, state.config.flatten
    if walk.attempts.get(spec.id, 0) >= rules.attempts:
        return f"not closed in {rules.attempts} attempts"
    if not market.book.seen:
        walk.held[spec.id] = NO_BOOK
        return None
    side = Side.SELL if held > 0 else Side.BUY
    touch = market.book.best_bid if side is Side.SELL else market.book.best_ask
    if touch is None:
        return f"no {'buyer' if side is Side.SELL else 'seller'} in the book"
    qty = floor_to(abs(held), spec.lot)
    if not qty:
        return f"{to_text(held)} is less than a lot"
    want = gate.Proposal(
        market=market, leg=Leg.YES, side=side, px=closing_limit(touch, rules.max_slippage_perp, side, spec.tick),
        qty=Qty(qty), tif=Tif.IOC, purpose=Purpose.FLATTEN,
    )  # fmt: skip
    admitted = quoting.admit(state, want)
    if isinstance(admitted, SideNote):
        return f"{admitted.guard}: {admitted.detail}"
    walk.attempts[spec.id] = walk.attempts.get(spec.id, 0) + 1
    walk.again_ns[spec.id] = state.now.mono_ns + rules.retry_ns
    quoting.send(state, want, admitted, None)
    return None


# -- in which order


def goes_first(state: State, walk: Walk, perp: MarketId) -> bool:
    """Whether a perp is being closed and the worst case of its underlying is no worse without it."""
    qty, market = state.portfolio.perps.position(perp).qty, state.markets[perp]
    if not qty or walk.attempts.get(perp, 0) >= state.config.flatten.attempts:
        return False
    px = market.closing_px(qty)
    if px is None or not market.book.seen:
        return False
    claims = _claims(state, perp)
    return worst_payoff(claims, 0, px) >= worst_payoff(claims, qty, px)


def bares(state: State, market: MarketState) -> bool:
    """Whether closing an outcome's surplus at the touch would make the worst case with its perp worse."""
    perp, position = market.underlying, state.portfolio.position(market.market.id)
    if perp is None or position.net == 0:
        return False
    qty = state.portfolio.perps.position(perp).qty
    px = state.markets[perp].closing_px(qty)
    if px is None:
        return False
    own = market.conservative_px(Leg.YES if position.net > 0 else Leg.NO)
    proceeds = notional_floor(Px(own or 0), abs(position.net))
    without = _claims(state, perp, closed=market.market.id)
    return worst_payoff(without, qty, px) + proceeds < worst_payoff(_claims(state, perp), qty, px)


def worst_payoff(claims: Sequence[Claim], perp_qty: int, px: int) -> int:
    """Least that the tokens pay and the perp gains together, from a price of `px` on; rounded down."""
    move = px * payoffs.STRESS // SCALE
    return scenario(claims, [PerpClaim(qty=perp_qty, entry=px)], low=px - move, high=px + move).worst


def _claims(state: State, perp: MarketId, closed: MarketId | None = None) -> list[Claim]:
    """Tokens that settle on the perp's mark; of the market `closed` only its pairs."""
    found = []
    for market_id, market in state.markets.items():
        if market.underlying == perp and market.settled is None:
            position = state.portfolio.position(market_id)
            yes, no = (position.pairs, position.pairs) if market_id == closed else (position.yes, position.no)
            found.append(payoffs.claim(market.market, yes, no))
    return found
