"""How large a hedge may be: the gate's rows for `Purpose.HEDGE`. What is on its way counts as filled."""

from __future__ import annotations

from typing import Final

from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, to_text
from hlomm.engine.room import Room
from hlomm.engine.state import MarketState, State

LEVERAGE: Final = 5
"""Most that a hedge may be of the perp wallet's equity, whatever the venue would lend."""


def rooms(state: State, market: MarketState, side: Side, px: int) -> list[Room]:
    """That of either limit."""
    perps = state.portfolio.perps
    held = perps.position(market.market.id).qty * side  # positive: the order adds to it
    known = state.orders.pending(market.market.id)
    pending = known.gaining if side is Side.BUY else known.losing
    dearest = max(px, market.book.best_ask or px)  # a sale may fill above its limit
    cap, equity = state.config.limits.max_hedge_notional, max(perps.raw + state.perp_value(market.market.id), 0)
    return [
        (
            _up_to(cap, dearest) - held - pending, "max_hedge_notional",
            lambda: f"{to_text(held + pending)} held of {to_text(cap)} USDC",
        ),
        (
            _up_to(LEVERAGE * equity, dearest) - held - pending, "perp_wallet",
            lambda: f"{LEVERAGE} times the perp wallet's {to_text(equity)}",
        ),
    ]  # fmt: skip


def only_reduces(state: State, market: MarketState, side: Side, qty: int) -> bool:
    """Whether an order can do nothing but make the position smaller: then the venue may hold us to it."""
    held = state.portfolio.perps.position(market.market.id).qty
    return held * side < 0 and qty <= abs(held)


def _up_to(cash: int, px: int) -> int:
    return cash * SCALE // max(px, 1)
