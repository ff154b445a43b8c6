"""The account against a second bookkeeper, over random lives: fills, splits, merges, settlements, fees, perps that go
long, short and through zero, funding, fills that come late, sales that come before their purchases, and an operator who
takes the venue's figures over.

After every step: cash, tokens, cost, realised result and fees are equal to the unit; money is conserved; the parts of
the result add up to it.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import PerpBalance, TokenBalance
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import Cash, Px, Qty
from hlomm.engine.attribution import Attribution
from hlomm.engine.exposure import locked_cost, worst_loss
from hlomm.engine.portfolio import Portfolio
from tests.support.ledger import UNIT, Ledger, Stake
from tests.support.values import M2, PERP, M, account, usd

MARKETS = st.sampled_from([M, M2])
NUMBERS = st.integers(1, 400)
PRICES = st.integers(1, 99_999)
FEES = st.integers(0, 50_000_000)
START = usd(1_000_000)
WALLET = usd(500_000)
PERPS = st.sampled_from([PERP, MarketId("hyperliquid:ETH")])
TICK, LOT = 10_000_000, 1_000
"""Of the BTC perp: 0.1 USD and 0.00001 BTC."""


class PortfolioMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.books = Portfolio()
        self.parts = Attribution()
        self.ledger = Ledger(START)
        self.references: dict[MarketId, int] = {}
        self.keys = 0

    @initialize(
        found=st.lists(st.tuples(MARKETS, st.sampled_from(list(Leg)), NUMBERS, st.integers(0, 300)), max_size=3)
    )
    def open_account(self, found: list[tuple[MarketId, Leg, int, int]]) -> None:
        tokens = {}
        self.ledger.wallet = WALLET
        for market, leg, number, cost in found:
            tokens[market, leg] = TokenBalance(market, leg, Qty(number * UNIT), Cash(cost * UNIT))
        perps = (PerpBalance(PERP, Qty(-3 * LOT), Cash(-240 * LOT)),) if found else ()
        self.books.open_with(account(1_000_000, tuple(tokens.values()), perps=perps, perp_cash=500_000))
        for one in perps:
            self.ledger.stakes[one.market] = Stake(one.qty, one.cost)
            self.parts.found(one.market, one.qty, 0, one.cost)
        for (market, leg), token in tokens.items():
            heap = self.ledger.heap(market, leg)
            heap.tokens, heap.cost = token.total, token.cost
            yes, no = (token.total, 0) if leg is Leg.YES else (0, token.total)
            self.parts.found(market, yes, no, token.cost)
        self.worth_at_start = START + WALLET + self.ledger.total_cost() + self.ledger.total_paid()

    # -- movements

    def _fill(
        self,
        market: MarketId,
        leg: Leg,
        side: Side,
        number: int,
        px: int,
        fee: int = 0,
        kind: FillKind = FillKind.TRADE,
    ) -> None:
        self.keys += 1
        fill = Fill(
            key=str(self.keys), market=market, leg=leg, side=side, px=Px(px), qty=Qty(number * UNIT), fee=Cash(fee),
            kind=kind, maker=True, client_id=None, venue_order_id=None, venue_ms=self.keys,
        )  # fmt: skip
        yes_px = px if leg is Leg.YES else UNIT - px
        self.references.setdefault(market, 2 * yes_px)
        self.parts.filled(fill)
        self.books.apply(fill)
        self.ledger.fill(fill)

    @rule(
        market=MARKETS, leg=st.sampled_from(list(Leg)), side=st.sampled_from(list(Side)), number=NUMBERS, px=PRICES,
        fee=FEES,
    )  # fmt: skip
    def trade(self, market: MarketId, leg: Leg, side: Side, number: int, px: int, fee: int) -> None:
        """Sales are not limited to what is held: their purchase may be on another channel."""
        self._fill(market, leg, side, number, px * 1_000, fee)

    @rule(market=MARKETS, number=NUMBERS, px=PRICES, split=st.booleans())
    def split_or_merge(self, market: MarketId, number: int, px: int, split: bool) -> None:
        kind, side = (FillKind.SPLIT, Side.BUY) if split else (FillKind.MERGE, Side.SELL)
        before = self.ledger.cash
        self._fill(market, Leg.YES, side, number, px * 1_000, kind=kind)
        self._fill(market, Leg.NO, side, number, UNIT - px * 1_000, kind=kind)
        if market not in self.ledger.over:
            assert self.ledger.cash - before == -side * number * UNIT, "a pair is worth exactly one"

    @rule(market=MARKETS, leg=st.sampled_from(list(Leg)), number=NUMBERS)
    def negate(self, market: MarketId, leg: Leg, number: int) -> None:
        self._fill(market, Leg.NO, Side.SELL, number, UNIT, kind=FillKind.NEGATE)
        self._fill(M2 if market == M else M, Leg.YES, Side.BUY, number, UNIT, kind=FillKind.NEGATE)

    @rule(market=MARKETS, yes_px=st.sampled_from([0, UNIT, UNIT // 2, 33_333_333]))
    def settle(self, market: MarketId, yes_px: int) -> None:
        yes_px = self.ledger.over.get(market, yes_px)
        first = market not in self.ledger.over
        assert self.books.settle(market, Px(yes_px)) is first
        if first:
            self.parts.settled(market, yes_px)
            self.references[market] = 2 * yes_px
        self.ledger.settle(market, yes_px)
        assert self.books.position(market).flat

    @rule(
        market=PERPS, side=st.sampled_from(list(Side)), number=st.integers(1, 5_000), px=st.integers(1, 1_000_000),
        fee=FEES,
    )  # fmt: skip
    def trade_perp(self, market: MarketId, side: Side, number: int, px: int, fee: int) -> None:
        self.keys += 1
        fill = Fill(
            key=str(self.keys), market=market, leg=Leg.YES, side=side, px=Px(px * TICK), qty=Qty(number * LOT),
            fee=Cash(fee), kind=FillKind.TRADE, maker=False, client_id=None, venue_order_id=None, venue_ms=self.keys,
        )  # fmt: skip
        self.references.setdefault(market, 2 * px * TICK)
        self.parts.filled(fill)
        self.books.apply(fill)
        self.ledger.perp(fill, LOT)

    @rule(market=PERPS, mark=st.integers(1, 1_000_000))
    def mark_perp(self, market: MarketId, mark: int) -> None:
        self.keys += 1
        self.parts.moved(market, 2 * mark * TICK, self.keys)
        self.references[market] = 2 * mark * TICK

    @rule(market=PERPS, paid=st.integers(-100_000_000, 100_000_000))
    def fund(self, market: MarketId, paid: int) -> None:
        self.books.fund(market, paid)
        self.parts.funded(paid)
        self.ledger.fund(paid)

    @rule(market=MARKETS, bid=PRICES, ask=PRICES)
    def move(self, market: MarketId, bid: int, ask: int) -> None:
        self.keys += 1
        self.parts.moved(market, (bid + ask) * 1_000, self.keys)
        if market not in self.ledger.over:
            self.references[market] = (bid + ask) * 1_000

    # -- what must hold

    @invariant()
    def both_bookkeepers_agree(self) -> None:
        books, ledger = self.books, self.ledger
        assert books.totals() == (ledger.cash, ledger.earned, ledger.fees)
        assert books.cost == ledger.total_cost()
        assert (books.perps.raw, books.perps.cost) == (ledger.wallet, ledger.total_paid())
        for perp, stake in ledger.stakes.items():
            held = books.perps.position(perp)
            assert (held.qty, held.cost) == (stake.qty, stake.paid)
            assert held.qty * held.cost >= 0, "cost is signed like the quantity"
        for (market, leg), heap in ledger.heaps.items():
            position = books.position(market)
            assert position.held(leg) == heap.tokens
            assert (position.cost_yes if leg is Leg.YES else position.cost_no) == heap.cost

    @invariant()
    def money_is_conserved(self) -> None:
        self.books.check()
        assert self.books.deposits == getattr(self, "worth_at_start", 0)
        held = [*self.books.positions.values(), *self.books.perps.positions.values()]
        assert sum(p.realised for p in held) == self.books.realised
        assert sum(p.fees for p in held) == self.books.fees
        assert sum(p.funding for p in self.books.perps.positions.values()) == self.books.perps.funding

    @invariant()
    def the_parts_add_up(self) -> None:
        """Spread + inventory + settlement = all that was earned and is not yet realised, in the finest unit."""
        earned2 = 2 * UNIT * (self.ledger.earned - self.ledger.total_cost() - self.ledger.total_paid())
        for perp, stake in self.ledger.stakes.items():
            reference2 = self.references.get(perp)
            earned2 += 2 * UNIT * stake.paid if reference2 is None else stake.qty * reference2
        for (market, leg), heap in self.ledger.heaps.items():
            reference2 = self.references.get(market)
            if reference2 is None:
                earned2 += 2 * UNIT * heap.cost
            else:
                earned2 += heap.tokens * (reference2 if leg is Leg.YES else 2 * UNIT - reference2)
        assert self.parts.total2() == earned2
        assert sum(self.parts.parts()) == earned2 // (2 * UNIT)

    @invariant()
    def what_is_at_stake_is_bounded_by_what_it_cost(self) -> None:
        for market, position in self.books.positions.items():
            cost = position.cost_yes + position.cost_no
            if position.yes >= 0 and position.no >= 0:
                assert 0 <= locked_cost(position) <= cost + 2
                outcomes = [cost - self.ledger.if_outcome(market, leg) for leg in Leg]
                assert worst_loss(position) == max(*outcomes, 0)
                if position.yes == position.no:
                    assert locked_cost(position) == 0
                single = max(position.yes, position.no) - position.pairs
                assert (locked_cost(position) > 0) <= (single > 0)


class AdoptMachine(PortfolioMachine):
    """The same life, and now and then an operator who takes over what the venue says."""

    @rule(
        cash=st.integers(-1_000, 1_000), changes=st.dictionaries(
            st.tuples(MARKETS, st.sampled_from(list(Leg))), st.tuples(st.integers(0, 500), st.integers(0, 500)),
            max_size=4,
        ),
        perps=st.dictionaries(PERPS, st.integers(-3_000, 3_000).filter(bool), max_size=2),
        raw=st.integers(-1_000_000, 1_000_000),
    )  # fmt: skip
    def adopt(
        self, cash: int, changes: dict[tuple[MarketId, Leg], tuple[int, int]], perps: dict[MarketId, int], raw: int
    ) -> None:
        """Compared by what must be true of any takeover: figures, conservation, sums."""
        changes = {key: value for key, value in changes.items() if key[0] not in self.ledger.over}
        tokens = tuple(TokenBalance(m, leg, Qty(n * UNIT), Cash(c * UNIT)) for (m, leg), (n, c) in changes.items() if n)
        before = {market: self._result2(market) for market in self.books.positions}
        perps_before = {market: self._perp_result2(market) for market in self.books.perps.positions}
        balances = tuple(PerpBalance(m, Qty(n * LOT), Cash(n * LOT * 80_000)) for m, n in perps.items())
        target = self.books.cash + cash * UNIT
        self.books.adopt(account(f"{target / UNIT:.8f}", tokens, perps=balances, perp_cash=raw))
        for market, perp in self.books.perps.positions.items():
            gain2 = self._perp_result2(market) - perps_before.get(market, 0)
            self.parts.adjusted(market, perp.qty, 0, perp.cost, gain2)
            assert perp.qty == perps.get(market, 0) * LOT
        assert self.books.perps.raw == raw * UNIT
        for market, position in self.books.positions.items():
            gain2 = self._result2(market) - before.get(market, 0)
            cost = position.cost_yes + position.cost_no
            self.parts.adjusted(market, position.yes, position.no, cost, gain2)
        held = {(token.market, token.leg): token.total for token in tokens}
        for market, position in self.books.positions.items():
            for leg in Leg:
                assert position.held(leg) == held.get((market, leg), 0)
        assert self.books.cash == target
        self._follow()

    def _result2(self, market: MarketId) -> int:
        position, reference2 = self.books.position(market), self.references.get(market)
        cost = position.cost_yes + position.cost_no
        if reference2 is None:
            return 2 * UNIT * position.realised
        value2 = position.yes * reference2 + position.no * (2 * UNIT - reference2)
        return 2 * UNIT * (position.realised - cost) + value2

    def _perp_result2(self, market: MarketId) -> int:
        perp, reference2 = self.books.perps.position(market), self.references.get(market)
        if reference2 is None:
            return 2 * UNIT * perp.realised
        return 2 * UNIT * (perp.realised - perp.cost) + perp.qty * reference2

    def _follow(self) -> None:
        """From here on the second bookkeeper starts from the adopted figures."""
        self.ledger.cash = self.books.cash
        self.ledger.earned = self.books.realised
        self.ledger.wallet = self.books.perps.raw
        self.ledger.stakes = {m: Stake(perp.qty, perp.cost) for m, perp in self.books.perps.positions.items()}
        self.ledger.heaps.clear()
        for market, position in self.books.positions.items():
            for leg, cost in ((Leg.YES, position.cost_yes), (Leg.NO, position.cost_no)):
                heap = self.ledger.heap(market, leg)
                heap.tokens, heap.cost = position.held(leg), cost


PortfolioMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
AdoptMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestPortfolioMachine = PortfolioMachine.TestCase
TestAdoptMachine = AdoptMachine.TestCase
