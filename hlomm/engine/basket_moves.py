"""What completes an uneven basket, and what sells its surplus back: limits that cannot lose more than is allowed.

Prices start from the books as they are seen, for the whole of what is missing or too much. What is then left of the
allowance is spread over the contracts and given to the limits, so that a book which moves meanwhile is still met; all
orders filled at their limits stay inside the allowance to the last unit, whatever part of them fills.
"""

from __future__ import annotations

import attrs

from hlomm.domain.grid import ceil_px, floor_px
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, direction, yes_px
from hlomm.domain.units import SCALE, Px, Qty, complement, floor_to, notional_floor, to_fixed, to_text
from hlomm.engine import ways
from hlomm.engine.basket import BasketLegState, BasketState
from hlomm.engine.exposure import mid_own
from hlomm.engine.fees import rates_of
from hlomm.engine.legs import LegTerms, choose_leg, sold_leg
from hlomm.engine.state import MarketState, State
from hlomm.pricing.complete_sets import all_in, highest, lowest, net_of


@attrs.frozen(kw_only=True)
class Move:
    """One order of a basket, before the gate."""

    of: BasketLegState
    market: MarketState
    leg: Leg
    side: Side
    px: Px
    qty: Qty


@attrs.frozen
class _Way:
    """A side of a book met to a depth: `each` is what a contract costs (or, sold, leaves) at its worst level."""

    of: BasketLegState
    market: MarketState
    leg: Leg
    side: Side
    qty: int
    each: int
    fee: int


def mending(state: State, basket: BasketState) -> list[Move] | str:
    """Buy what is missing, up to break-even and the allowance beyond; or why not."""
    most = basket.most
    found: list[_Way] = []
    for of in basket.legs:
        market = state.markets[of.market]
        short = floor_to(most - of.held, market.market.lot)
        if short <= 0:
            continue
        others = state.others(market)
        # Whoever buys the other leg sells this one.
        px = _deep(ways.bids_for(_other(of.leg), others.bids, others.asks), short)
        if px is None:
            return f"nobody sells {of.leg.name} of {market.market.ticker}"
        fee = _fees(state, market, complement(px))[0]
        found.append(_Way(of, market, of.leg, Side.BUY, short, all_in(complement(px), fee), fee))
    if not found:
        return "what is missing is less than a lot"
    allowed = basket.plan.max_unwind_loss - basket.loss(most)
    slack = allowed - sum(-(-way.each * way.qty // SCALE) for way in found)
    if slack < 0:
        return f"completing it would lose {to_fixed(-slack, 2)} more than it may"
    return _moves(found, slack)


def unwinding(state: State, basket: BasketState) -> list[Move] | str:
    """Sell what is too much, or buy its complement where a sale is too small to send; or why not.

    Legs that lose least go first. One that has no buyer, or would lose more than is left, waits; what has not been sold
    has lost nothing yet, and a gain that is not made yet is no allowance for losing on another leg.
    """
    surplus = {place: of.held - basket.sets for place, of in enumerate(basket.legs) if of.held > basket.sets}
    basis = {place: basket.legs[place].basis(qty, basket.aside) for place, qty in surplus.items()}
    slack = basket.plan.max_unwind_loss - basket.loss(basket.sets) + sum(basis.values())
    out = {place: _ways_out(state, basket.legs[place], qty) for place, qty in surplus.items()}
    lost = {
        place: max(basis[place] - sum(_brings(basket, way) for way in found), 0)
        for place, found in out.items()
        if found
    }
    going: list[_Way] = []
    for place in sorted(lost, key=lambda place: (lost[place], place)):
        if lost[place] <= slack:
            slack -= lost[place]
            going += out[place]
    if going:
        return _moves(going, slack)
    return "selling it back would lose more than it may" if lost else "nobody buys what is too much"


def _brings(basket: BasketState, way: _Way) -> int:
    """At its worst level, rounded down; a complement makes a pair, which is merged."""
    return (way.each if way.side is Side.SELL else basket.unit - way.each) * way.qty // SCALE


def _ways_out(state: State, of: BasketLegState, surplus: int) -> list[_Way]:
    """The tokens that are free to sell, and the complement of those that are not: conversions may have used them."""
    market = state.markets[of.market]
    others = state.others(market)
    px = _deep(ways.bids_for(of.leg, others.bids, others.asks), surplus)
    if px is None:
        return []
    gain = -direction(of.leg, Side.BUY)
    free = state.free_tokens(of.market, sold_leg(gain))
    # Without cash to its name no purchase stands in for a sale that can be sent.
    choice = choose_leg(market.market, gain, yes_px(of.leg, px), Qty(surplus), free, lambda: LegTerms(cash=lambda: 0))
    buying, selling = _fees(state, market, complement(px))[0], _fees(state, market, px)[1]
    sold = choice.qty if choice.side is Side.SELL else 0
    found = []
    if sold:
        found.append(_Way(of, market, of.leg, Side.SELL, sold, net_of(px, selling), selling))
    if surplus > sold:
        cost = all_in(complement(px), buying)
        found.append(_Way(of, market, _other(of.leg), Side.BUY, surplus - sold, cost, buying))
    return found


def small(state: State, basket: BasketState) -> bool:
    """Whether what is missing is less than its venue's smallest order."""
    for of in basket.legs:
        market = state.markets[of.market]
        short, others = basket.most - of.held, state.others(market)
        px = _deep(ways.bids_for(_other(of.leg), others.bids, others.asks), short)
        if short > 0 and _sendable(market, of.leg, short, None if px is None else complement(px)):
            return False
    return True


def dust(state: State, basket: BasketState) -> bool:
    """Whether what is too much is so little that neither a sale of it nor its complement could be sent."""
    for of in basket.legs:
        surplus, market = of.held - basket.sets, state.markets[of.market]
        others = state.others(market)
        px = _deep(ways.bids_for(of.leg, others.bids, others.asks), surplus)
        tokens = ((of.leg, px), (_other(of.leg), None if px is None else complement(px)))
        if surplus > 0 and any(_sendable(market, leg, surplus, at) for leg, at in tokens):
            return False
    return True


def _sendable(market: MarketState, leg: Leg, qty: int, px: Px | None) -> bool:
    """Whether the gate would find it large enough; at a price that is not known only the quantity counts."""
    spec, mid = market.market, mid_own(leg, market.book.best_bid, market.book.best_ask)
    qty = floor_to(qty, spec.lot)
    if qty <= 0 or qty < spec.min_qty or px is None:
        return qty > 0 and qty >= spec.min_qty
    return notional_floor(px if mid is None else Px(min(px, mid)), qty) >= spec.min_notional


def _moves(found: list[_Way], slack: int) -> list[Move]:
    """Orders at limits that share the slack by contract."""
    give = slack * SCALE // sum(way.qty for way in found)
    return [
        Move(of=way.of, market=way.market, leg=way.leg, side=way.side, px=_limit(way, give), qty=Qty(way.qty))
        for way in found
    ]


def _limit(way: _Way, give: int) -> Px:
    """The price that costs (or leaves) so much more (or less), on the grid and inside (0, 1)."""
    spec = way.market.market
    if way.side is Side.BUY:
        return floor_px(spec, Px(min(highest(way.each + give, way.fee), SCALE - 1)))
    # Below that the order would be too small to send.
    least = -(-spec.min_notional * SCALE // way.qty)
    return ceil_px(spec, Px(max(lowest(max(way.each - give, 0), way.fee), least, 1)))


def _deep(buyers: list[tuple[int, int]], qty: int) -> Px | None:
    """Price of the last level that much meets, or of the last there is; None without one."""
    for px, size in buyers:
        qty -= size
        if qty <= 0:
            return Px(px)
    return Px(buyers[-1][0]) if buyers else None


def _fees(state: State, market: MarketState, px: int) -> tuple[int, int]:
    """(of buying at that price or more, of selling at that price or less) as fractions in 1e-8."""
    buying, selling = rates_of(state, market.market, px, SCALE), rates_of(state, market.market, 1, px)
    return 0 if buying is None else buying.open_taker, 0 if selling is None else selling.close_taker


def _other(leg: Leg) -> Leg:
    return Leg.NO if leg is Leg.YES else Leg.YES


def left_over(state: State, basket: BasketState) -> str:
    """The surplus of each leg in words."""
    return ", ".join(
        f"{to_text(of.held - basket.sets)} {of.leg.name} {_name(state, of)}"
        for of in basket.legs
        if of.held > basket.sets
    )


def _name(state: State, of: BasketLegState) -> str:
    market = state.markets.get(of.market)
    return of.market if market is None else market.market.ticker
