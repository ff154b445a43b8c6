"""Strikes of the simulated Hyperliquid, for a listing that sets its own beside them."""

from __future__ import annotations

from hlomm.sim.exchange import Exchange
from hlomm.sim.kalshi.grid import CENT
from hlomm.sim.kalshi.listing import Neighbour


def strikes_of(exchange: Exchange) -> Neighbour:
    """What that exchange lists as a recurring protocol binary for an expiry and a period."""

    def strike(expiry_ns: int, period: str) -> int | None:
        for market in exchange.outcomes.values():
            spec = market.spec
            plain = spec.question is None and spec.deployer is None
            if plain and (spec.expiry_ns, spec.period) == (expiry_ns, period):
                return spec.target // CENT
        return None

    return strike
