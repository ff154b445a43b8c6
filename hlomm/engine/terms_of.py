"""What an order of ours in a market may cost and where it may stand, before the gate is asked."""

from __future__ import annotations

from hlomm.domain.grid import ceil_px, floor_px
from hlomm.domain.markets import MarketKind
from hlomm.domain.units import SCALE, Px
from hlomm.domain.view import Wish
from hlomm.engine import gate
from hlomm.engine.fees import merge_rate, rates_of
from hlomm.engine.legs import LegTerms
from hlomm.engine.restraint import BID
from hlomm.engine.state import MarketState, State


def leg_terms(state: State, market: MarketState, direction: int, px: int, *, maker: bool) -> LegTerms:
    """What either leg of a level at a YES price costs."""
    spec = market.market
    bought = px if direction > 0 else SCALE - px
    opening, closing = rates_of(state, spec, bought, bought), rates_of(state, spec, SCALE - bought, SCALE - bought)

    def cash() -> int:
        return gate.free_cash(state, spec.venue)

    if opening is None or closing is None:
        return LegTerms(cash=cash)
    close, opened = (closing.close_maker, opening.open_maker) if maker else (closing.close_taker, opening.open_taker)
    return LegTerms(cash=cash, close=close, open=opened, pair=merge_rate(state, spec, opening))


def post_only(market: MarketState, direction: int, wish: Wish) -> Wish | None:
    """Keep the wish off the other side of the book and on the grid; None if that leaves no legal price."""
    if direction == BID:
        best = market.book.best_ask
        px = floor_px(market.market, wish.px if best is None else Px(min(wish.px, best - 1)))
    else:
        best = market.book.best_bid
        px = ceil_px(market.market, wish.px if best is None else Px(max(wish.px, best + 1)))
    if market.market.kind is MarketKind.OUTCOME and not 0 < px < SCALE:
        return None
    return wish if px == wish.px else Wish(Px(px), wish.qty)
