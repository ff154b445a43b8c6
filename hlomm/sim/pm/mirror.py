"""The simulated Hyperliquid's contracts, for a Polymarket that lists beside them."""

from __future__ import annotations

from hlomm.sim import world
from hlomm.sim.contracts import Kind
from hlomm.sim.outcome_market import OutcomeSpec
from hlomm.sim.pm.listing import Contract, Mirror


def beside(other: world.World) -> Mirror:
    """What the other venue lists at an instant, which it is first brought to: both lists then depend on time alone."""

    def contracts(now_ns: int) -> list[Contract]:
        other.advance(now_ns)
        return [
            Contract(series.period, series.live.expiry_ns, series.live.target)
            for series in other.listing.series
            if series.kind is Kind.BINARY and isinstance(series.live, OutcomeSpec)
        ]

    return contracts
