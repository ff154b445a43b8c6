"""What a strategy wants to trade at once: one immediate-or-cancel order per market at a time, at its limit or better.

The leg is chosen as for quotes: what is held is sold before the complement is bought. A taker that found nothing rests
for `quotes.min_interval`, so a price that is always gone before we come costs little.
"""

from __future__ import annotations

from hlomm.domain.grid import ceil_px, floor_px
from hlomm.domain.orders import Purpose, Tif
from hlomm.domain.report import SideNote
from hlomm.domain.units import SCALE, to_text
from hlomm.domain.view import Take
from hlomm.engine import gate, quoting, terms_of
from hlomm.engine.legs import choose_leg, sold_leg
from hlomm.engine.state import MarketState, State


def act(state: State, market: MarketState, wish: Take) -> None:
    """Send the order, or note why not."""
    market_id, now_ns = market.market.id, state.now.mono_ns
    if any(order.purpose is Purpose.LEG for order in state.orders.live_in(market_id)):
        market.notes[wish.direction] = SideNote(guard="taking", detail=wish.reason)
        return
    wait_ns = state.config.quotes.min_interval_ns * state.budgets.pace(market.market.venue)
    if market.taken_ns is not None and now_ns - market.taken_ns < wait_ns:
        market.notes[wish.direction] = SideNote(guard="pacing", detail=wish.reason)
        return
    px = floor_px(market.market, wish.px) if wish.direction > 0 else ceil_px(market.market, wish.px)
    if not 0 < px < SCALE:
        market.notes[wish.direction] = SideNote(guard="grid", detail=f"no legal price at {to_text(wish.px)}")
        return
    choice = choose_leg(
        market.market, wish.direction, px, wish.qty, state.free_tokens(market_id, sold_leg(wish.direction)),
        lambda: terms_of.leg_terms(state, market, wish.direction, px, maker=False),
    )  # fmt: skip
    want = gate.Proposal(
        market=market, leg=choice.leg, side=choice.side, px=choice.px, qty=choice.qty, tif=Tif.IOC, purpose=Purpose.LEG
    )
    admitted = quoting.admit(state, want)
    if isinstance(admitted, SideNote):
        market.notes[wish.direction] = admitted
        return
    quoting.send(state, want, admitted, market.strategy)
    market.taken_ns = now_ns
    market.notes[wish.direction] = SideNote(guard="taking", detail=wish.reason)
