"""What the daemon believes to own, and what the exchange says that it does."""

from __future__ import annotations

from hlomm.daemon.app import Daemon
from hlomm.domain.ids import HYPERLIQUID, MarketId, outcome_market
from hlomm.domain.markets import Leg
from hlomm.sim.accounts import Account
from hlomm.sim.coins import OUTCOME_GRID
from hlomm.sim.orders import Order


def describe(order: Order) -> str:
    return f"{order.cloid} {order.side.name} {order.lots} {order.target.coin}"


def believed(daemon: Daemon) -> dict[tuple[MarketId, Leg], int]:
    positions = daemon.pump.engine.state.portfolio.positions
    return {
        (market, leg): int(position.held(leg))
        for market, position in sorted(positions.items())
        for leg in Leg
        if position.held(leg)
    }


def owned(account: Account) -> dict[tuple[MarketId, Leg], int]:
    return {
        (outcome_market(HYPERLIQUID, outcome), leg): held.total * OUTCOME_GRID.lot
        for (outcome, leg), held in sorted(account.tokens.items())
        if held.total
    }
