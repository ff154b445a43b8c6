"""Whatever asks it, the guardian's session passes nothing on that could make the account larger. Rung: property."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

import hlomm.guardian
from hlomm.domain.ids import HYPERLIQUID, ClientId, MarketId, outcome_market, perp_market
from hlomm.domain.inputs import AccountState, PerpBalance, TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.units import Cash, Px, Qty
from hlomm.guardian.reduce_only import NOT_A_REDUCTION, ReduceOnly

MARKETS = [outcome_market(HYPERLIQUID, 1), outcome_market(HYPERLIQUID, 2), perp_market(HYPERLIQUID, "BTC")]
QTY = st.integers(1, 200).map(Qty)
TOKENS = st.lists(
    st.builds(
        TokenBalance, market=st.sampled_from(MARKETS[:2]), leg=st.sampled_from(Leg), total=QTY, cost=st.just(Cash(0))
    ),
    max_size=4, unique_by=lambda token: (token.market, token.leg),
)  # fmt: skip
PERPS = st.lists(
    st.builds(PerpBalance, market=st.just(MARKETS[2]), qty=st.integers(-200, 200).filter(bool), cost=st.just(0)),
    max_size=1,
)
ORDERS = st.lists(
    st.builds(
        OrderRequest, client_id=st.just(ClientId("0x")), market=st.sampled_from(MARKETS), leg=st.sampled_from(Leg),
        side=st.sampled_from(Side), px=st.just(Px(1)), qty=QTY, tif=st.sampled_from(Tif),
        purpose=st.sampled_from(Purpose), reduce_only=st.booleans(),
    ),
    max_size=12,
)  # fmt: skip
SALES = st.lists(
    st.builds(
        OrderRequest, client_id=st.just(ClientId("0x")), market=st.sampled_from(MARKETS), leg=st.sampled_from(Leg),
        side=st.sampled_from(Side), px=st.just(Px(1)), qty=QTY, tif=st.just(Tif.IOC),
        purpose=st.just(Purpose.FLATTEN), reduce_only=st.just(True),
    ),
    max_size=12,
)  # fmt: skip


class Ledger:
    """A venue that fills whatever reaches it, and keeps what the account then is."""

    venue = HYPERLIQUID

    def __init__(self, tokens, perps):
        self.tokens = {(token.market, token.leg): token.total for token in tokens}
        self.perps = {perp.market: perp.qty for perp in perps}
        self.reached = []

    async def fetch_account(self):
        return AccountState(
            venue=HYPERLIQUID, cash=Cash(0), orders=(), asked_mono_ns=0,
            tokens=tuple(TokenBalance(m, leg, Qty(total), Cash(0)) for (m, leg), total in self.tokens.items() if total),
            perps=tuple(PerpBalance(m, Qty(qty), Cash(0)) for m, qty in self.perps.items() if qty),
        )  # fmt: skip

    async def place_now(self, orders):
        self.reached += orders
        for order in orders:
            if order.market in self.perps:
                self.perps[order.market] += order.side * order.qty
            else:
                self.tokens[order.market, order.leg] = self.tokens.get((order.market, order.leg), 0) + (
                    order.side * order.qty
                )
        return ["filled"] * len(orders)

    def naked(self, market: MarketId) -> int:
        """What a settlement could take: tokens without their pair, or the size of the perp position."""
        yes, no = (self.tokens.get((market, leg), 0) for leg in (Leg.YES, Leg.NO))
        assert min(yes, no) >= 0, "nothing is sold that is not held"
        return abs(yes - no) + abs(self.perps.get(market, 0))


@given(TOKENS, PERPS, ORDERS | SALES, st.booleans())
def test_no_order_that_passes_increases_what_can_be_lost(tokens, perps, orders, read_first):
    async def run():
        ledger = Ledger(tokens, perps)
        session = ReduceOnly(ledger)
        if read_first:
            await session.fetch_account()
        before = {market: ledger.naked(market) for market in MARKETS}
        words = await session.place_now(orders)
        assert len(words) == len(orders)
        assert words.count(NOT_A_REDUCTION) == session.held_back == len(orders) - len(ledger.reached)
        assert all(ledger.naked(market) <= before[market] for market in MARKETS)
        assert not ledger.reached or read_first, "without a look at the account nothing passes"

    trio.run(run)


def test_the_surplus_passes_once():
    async def run():
        sale = OrderRequest(
            client_id=ClientId("0x"), market=MARKETS[0], leg=Leg.YES, side=Side.SELL, px=Px(1), qty=Qty(60),
            tif=Tif.IOC, purpose=Purpose.FLATTEN, reduce_only=True,
        )  # fmt: skip
        ledger = Ledger(
            [TokenBalance(MARKETS[0], Leg.YES, Qty(100), Cash(0)), TokenBalance(MARKETS[0], Leg.NO, Qty(40), Cash(0))],
            [],
        )
        session = ReduceOnly(ledger)
        await session.fetch_account()
        assert await session.place_now([sale, sale]) == ["filled", NOT_A_REDUCTION]

    trio.run(run)


def test_it_has_neither_stream_nor_engine():
    session = ReduceOnly(Ledger([], []))
    with pytest.raises(AssertionError):
        session.submit(None)
    with pytest.raises(AssertionError):
        trio.run(session.run, None)


def test_no_other_part_of_the_guardian_can_place_an_order():
    """Only the wrapper may name the verb, and only the wrapper is handed a session."""
    for path in Path(hlomm.guardian.__path__[0]).glob("*.py"):
        names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert path.name == "reduce_only.py" or not names & {"place_now", "submit"}, path
