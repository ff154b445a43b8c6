"""What an account earned by settlement, from its ledger, beside the books that the engine keeps of the same fills."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

import pytest

from hlomm.daemon.ledger_fold import Fold
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import HYPERLIQUID, KALSHI, MarketId, kalshi_market, outcome_market
from hlomm.domain.inputs import Booted, FillReceived, MarketSettled
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Cash, Px, Qty, complement
from hlomm.engine.portfolio import Portfolio
from hlomm.research.promotion import records
from hlomm.rundir.ledger_schema import connect
from tests.support.records import ACCOUNT, Script
from tests.unit.ledger.test_venues import WHO, checkpoint

MARKETS: Final = {
    HYPERLIQUID: [outcome_market(HYPERLIQUID, n) for n in (15, 16)],
    KALSHI: [kalshi_market("A"), kalshi_market("B")],
}
ENDS: Final = (Px(SCALE), Px(0))


class Life:
    """Trades of one account with their books; `told`: its venue tells a settlement as fills as well."""

    def __init__(self, seed: int, venue: str) -> None:
        self.rng = random.Random(f"promotion/{venue}/{seed}")
        self.script, self.books, self.keys = Script(), Portfolio(), 0
        self.held = {(market, leg): 0 for market in MARKETS[venue] for leg in Leg}
        accounts = tuple(WHO.items())
        self.script.hear(
            Booted(epoch_ms=self.script.epoch, profile="sim", version="0", config="{}", halted=None, account=ACCOUNT,
                   accounts=accounts)
        )  # fmt: skip
        checkpoint(self.script, KALSHI)
        self.venue = venue

    def fill(self, market: MarketId, leg: Leg, side: Side, px: Px, qty: int, kind: FillKind, fee: int) -> None:
        self.keys += 1
        one = Fill(
            key=f"f{self.keys}", market=market, leg=leg, side=side, px=px, qty=Qty(qty), fee=Cash(fee), kind=kind,
            maker=False, client_id=None, venue_order_id=None, venue_ms=1,
        )  # fmt: skip
        self.script.hear(FillReceived(one))
        self.held[market, leg] += side * qty
        if kind is not FillKind.SETTLEMENT:
            self.books.apply(one)

    def trade(self) -> None:
        market, leg = self.rng.choice(list(self.held))
        held = self.held[market, leg]
        side = Side.SELL if held and self.rng.random() < 0.3 else Side.BUY
        qty = self.rng.randrange(1, held + 1) if side is Side.SELL else self.rng.randrange(1, 90 * SCALE)
        fee = self.rng.choice((0, self.rng.randrange(SCALE)))
        self.fill(market, leg, side, Px(self.rng.randrange(1, SCALE)), qty, FillKind.TRADE, fee)

    def end(self) -> None:
        for market in MARKETS[self.venue]:
            yes_px = self.rng.choice(ENDS)
            self.script.hear(MarketSettled(market, yes_px, "test"))
            self.books.settle(market, yes_px)
            for leg, px in ((Leg.YES, yes_px), (Leg.NO, complement(yes_px))):
                if self.venue == HYPERLIQUID and self.held[market, leg]:
                    fee = self.held[market, leg] * px // SCALE // 700
                    self.fill(market, leg, Side.SELL, px, self.held[market, leg], FillKind.SETTLEMENT, fee)
                    self.books.charge(market, fee)


@pytest.mark.parametrize("venue", MARKETS)
@pytest.mark.parametrize("seed", range(4))
def test_what_a_settlement_pays_is_in_its_result(seed: int, venue: str, tmp_path: Path) -> None:
    """Whether a fill tells of it, as at Hyperliquid, or not, as at Kalshi and Polymarket."""
    life = Life(seed, venue)
    for _ in range(40):
        life.trade()
    life.end()
    checkpoint(life.script, KALSHI)
    connection = connect(tmp_path / "ledger.sqlite")
    Fold(connection).apply(life.script.batch(), gaps=False)
    connection.close()
    (record,) = records(tmp_path / "ledger.sqlite")
    assert record.account == WHO[venue]
    assert len(record.results) >= 1
    assert sum(record.results) == life.books.realised - life.books.fees
