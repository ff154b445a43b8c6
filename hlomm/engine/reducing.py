"""What an order on the way to safety may do: only ever reduce. The gate's rows for `Purpose.FLATTEN`.

Pending orders count as filled, each on the side where it leaves less to reduce: a surplus is what one leg has beyond
the other once every sale of it and every purchase of its complement has filled. Whatever fills, in whatever order,
no leg turns into the naked one and no perp changes its sign.
"""

from __future__ import annotations

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Purpose, Side
from hlomm.domain.units import SCALE, Qty, to_text
from hlomm.engine.exposure import available, exposure
from hlomm.engine.fees import rates_of
from hlomm.engine.room import Room
from hlomm.engine.state import MarketState, State


def perp_refusal(state: State, market: MarketState, side: Side, purpose: Purpose) -> str | None:
    """Why an order in a perp may not go; None for a hedge, and for what reduces what is held."""
    held = state.portfolio.perps.position(market.market.id).qty
    if purpose is Purpose.HEDGE:
        return None
    if purpose is not Purpose.FLATTEN:
        return "only hedges and orders that reduce are sent in perps"
    return f"{side.name} does not reduce {to_text(held)}" if held * side >= 0 else None


def closes_perp(state: State, market: MarketState, qty: int) -> bool:
    """Whether an order closes a whole perp position: then the venue's minimum is taken not to apply."""
    return not market.is_outcome and qty == abs(state.portfolio.perps.position(market.market.id).qty)


def rooms(state: State, market: MarketState, leg: Leg, side: Side, px: int, cash: int) -> list[Room]:
    """That of every limit on a reduction. `cash` is what no order has claimed."""
    if not market.is_outcome:
        return [_perp_room(state, market)]
    position, pending = state.portfolio.position(market.market.id), state.orders.pending(market.market.id)
    held = leg if side is Side.SELL else _other(leg)
    # Sales of the surplus and purchases of its complement gain from the same end.
    claimed = pending.losing if held is Leg.YES else pending.gaining
    single = position.held(held) - max(position.held(_other(held)), 0) - claimed
    found: list[Room] = [(max(single, 0), "tokens", lambda: f"{to_text(single)} {held.name} single and unclaimed")]
    if side is Side.SELL:
        free = available(position, exposure(position, pending), leg, state.withheld(market.market.id, leg))
        found.append((free, "tokens", lambda: f"{to_text(free)} {leg.name} free to sell"))
    else:
        fees = rates_of(state, market.market, px, px)
        all_in = max(px, 1) + (0 if fees is None else -(-px * fees.open_taker // SCALE))
        found.append((max(cash, 0) * SCALE // all_in, "cash", lambda: f"{to_text(cash)} free"))
        if all_in >= SCALE:
            found.append((Qty(0), "cash", lambda: f"{to_text(all_in)} a contract, which merges to 1"))
    return found


def _perp_room(state: State, market: MarketState) -> Room:
    held = abs(state.portfolio.perps.position(market.market.id).qty)
    pending = state.orders.pending(market.market.id)
    left = held - pending.gaining - pending.losing
    return max(left, 0), "perp", lambda: f"{to_text(left)} of {to_text(held)} not claimed by other orders"


def _other(leg: Leg) -> Leg:
    return Leg.NO if leg is Leg.YES else Leg.YES
