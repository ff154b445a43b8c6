"""An hour of a busy client, every fault of the engine and the chain, and books that balance after each request."""

from __future__ import annotations

import random

import pytest

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.sim.config import PolymarketConfig, SimConfig
from hlomm.sim.faults import FaultArgs
from hlomm.sim.kalshi.world import common_path
from hlomm.sim.pm.exchange import Held
from hlomm.sim.pm.orders import Kind, NewOrder
from hlomm.sim.pm.refusals import Refused
from hlomm.sim.pm.venue import PolymarketVenue

ORIGIN = 1_795_000_035 * 10**9
FAULTS = (
    *("trade_failed", "trade_stuck", "balance_stale", "resolution_late", "resolution_void", "makers_withdrawn"),
    *("fee_changed", "tick_changed", "minimum_changed", "rules_changed"),
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_books_balance_in_a_storm(seed: int) -> None:
    config = SimConfig(polymarket=PolymarketConfig(failed=0.05, retried=0.05, closed_kept=3))
    venue = PolymarketVenue(config, seed, ORIGIN, common_path(config, seed))
    rng = random.Random(seed)
    wallets = [wallet for wallet in venue.exchange.bank.wallets.values() if not wallet.background]
    filled = refused = 0
    for count in range(600):
        venue.world.advance(ORIGIN + count * 1_200_000_000)
        if rng.random() < 0.03:
            venue.faults.arm(rng.choice(FAULTS), FaultArgs(count=1, delay_s=rng.uniform(0, 90)))
        wallet = rng.choice(wallets)
        market = rng.choice(list(venue.world.listing.live.values()))
        leg, side = rng.choice(list(Leg)), rng.choice(list(Side))
        touch = market.best(leg, Side(-side))
        ticks = rng.randrange(1, 100) * 100 if touch is None or rng.random() < 0.3 else touch
        new = NewOrder(
            id=f"storm-{count}",
            number=market.number,
            leg=leg,
            side=side,
            ticks=ticks,
            lots=rng.randrange(500, 8_000),
            kind=rng.choice(list(Kind)),
            owner=wallet.name,
            expiration_s=venue.exchange.tape.now_ns // 10**9 + rng.randrange(60, 300),
        )
        try:
            outcome = venue.exchange.submit(wallet, new)
        except Refused:
            refused += 1
        else:
            if isinstance(outcome, Held):
                venue.world.at(venue.exchange.tape.now_ns + 150_000_000, lambda held=outcome: _resume(venue, held))
            filled += isinstance(outcome, Held) or bool(outcome.lots)
        if rng.random() < 0.1:
            venue.exchange.cancel_all(venue.exchange.orders_of(wallet.name)[:1])
        # Trades of this very moment are noted by the next step, so the audit waits for it.
        venue.world.advance(venue.world.next_step_ns)
        if count % 25 == 0:
            assert venue.world.audit() == []
    assert filled > 100
    assert refused > 50
    assert venue.world.settling.failed > 1
    assert len([market for market in venue.exchange.markets.values() if market.redeemed]) == 3


def _resume(venue: PolymarketVenue, held: Held) -> None:
    try:
        venue.exchange.resume(held)
    except Refused:
        return
