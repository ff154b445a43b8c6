"""Rung: stateful sync. Whatever members do, no cash is created or lost, against a second set of books.

The model knows only what a trade says (who, which side, price, size, fee) and what a settlement pays.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE
from hlomm.sim.config_kalshi import KalshiRulesConfig
from hlomm.sim.kalshi.contracts import CRYPTO_SHARD, Event, Market, Phase, Series, StrikeType
from hlomm.sim.kalshi.engine import Amendment
from hlomm.sim.kalshi.events import Filled
from hlomm.sim.kalshi.exchange import Exchange
from hlomm.sim.kalshi.fees import FeeTerms
from hlomm.sim.kalshi.orders import NewOrder, SelfTrade
from hlomm.sim.kalshi.refusals import Refused

MEMBERS = 4
PRICES = st.sampled_from([1_000, 3_000, 4_000, 4_500, 4_900, 5_000, 5_100, 5_500, 6_000, 9_900])
LOTS = st.one_of(st.integers(1, 300), st.integers(1_000, 40_000))
WHO = st.integers(0, MEMBERS - 1)


class Books(RuleBasedStateMachine):
    direct = True
    fee_type = "quadratic"

    def __init__(self) -> None:
        super().__init__()
        self.exchange = Exchange(KalshiRulesConfig(direct_member=self.direct), 1)
        self.exchange.tape.now_ns = 1_795_000_000 * 10**9
        self.engine = self.exchange.engines[CRYPTO_SHARD]
        self.series = Series(
            ticker="KXBTCD",
            frequency="hourly",
            strike_type=StrikeType.GREATER,
            structure="linear_cent",
            timer_s=1.0,
            fees=FeeTerms(self.fee_type),
            market_title="",
        )
        self.members = [
            self.exchange.open_account(
                f"m{index}", f"m{index}", {0: 10 * SCALE, CRYPTO_SHARD: (30, 300, 900, 5)[index] * SCALE}
            )
            for index in range(MEMBERS)
        ]
        self.cash = [sum(member.cash.values()) for member in self.members]
        self.position: dict[tuple[int, str], int] = {}
        self.fees = self.count = 0
        self.markets: list[Market] = []
        for _ in range(2):
            self.open_market()

    def open_market(self) -> None:
        self.count += 1
        event = Event(ticker=f"E-{self.count}", series=self.series, close_ns=2 * 10**18)
        market = Market(
            ticker=f"E-{self.count}-T1",
            event_ticker=event.ticker,
            series=self.series,
            created_ns=0,
            open_ns=0,
            close_ns=2 * 10**18,
            strike=1,
            structure="linear_cent",
            phase=Phase.ACTIVE,
        )
        self.exchange.list_market(event, market)
        self.markets.append(market)

    def attempt(self, call: Any, *args: Any, **more: Any) -> None:
        with contextlib.suppress(Refused):
            call(*args, **more)
        self.take_fills()

    def take_fills(self) -> None:
        """Book every fill in the model: at expiry a contract pays 100 cents to one side, so a sale borrows them."""
        for event in self.exchange.tape.drain():
            if not isinstance(event, Filled):
                continue
            who, side = self.members.index(event.account), event.order.side
            key = (who, event.order.ticker)
            before = self.position.get(key, 0)
            after = self.position[key] = before + side * event.lots
            borrowed = min(after, 0) - min(before, 0)
            self.cash[who] += borrowed * SCALE // 100 - side * event.lots * event.ticks * 100 - event.fee
            self.fees += event.fee
            assert event.position == after
            assert event.fee >= 0

    @rule(
        who=WHO,
        market=st.integers(0, 1),
        side=st.sampled_from(list(Side)),
        ticks=PRICES,
        lots=LOTS,
        tif=st.sampled_from([Tif.GTC, Tif.GTC, Tif.GTC, Tif.IOC, Tif.FOK]),
        post_only=st.booleans(),
        reduce_only=st.sampled_from([False, False, True]),
        mode=st.sampled_from(list(SelfTrade)),
        grouped=st.booleans(),
    )
    def place(self, who: int, market: int, grouped: bool, mode: SelfTrade, **terms: Any) -> None:
        member = self.members[who]
        groups = [group for group in self.engine.groups.values() if group.account is member and not group.triggered]
        new = NewOrder(
            ticker=self.markets[market].ticker,
            self_trade=mode,
            group_id=groups[0].group_id if grouped and groups else None,
            **terms,
        )
        self.attempt(self.engine.place, member, new)

    @rule(who=WHO, pick=st.integers(0, 50))
    def cancel(self, who: int, pick: int) -> None:
        orders = self.members[who].orders()
        if orders:
            self.attempt(self.engine.cancel, self.members[who], orders[pick % len(orders)].order_id)

    @rule(who=WHO, pick=st.integers(0, 50), ticks=PRICES, lots=LOTS)
    def amend(self, who: int, pick: int, ticks: int, lots: int) -> None:
        orders = self.members[who].orders()
        if orders:
            order = orders[pick % len(orders)]
            wish = Amendment(ticker=order.ticker, side=order.side, ticks=ticks, lots=lots)
            self.attempt(self.engine.amend, self.members[who], order.order_id, wish)

    @rule(who=WHO, pick=st.integers(0, 50), by=LOTS)
    def decrease(self, who: int, pick: int, by: int) -> None:
        orders = self.members[who].orders()
        if orders:
            order_id = orders[pick % len(orders)].order_id
            self.attempt(self.engine.decrease, self.members[who], order_id, by=by, to=None)

    @rule(who=WHO, limit=st.integers(100, 3_000))
    def group(self, who: int, limit: int) -> None:
        self.attempt(self.engine.create_group, self.members[who], limit)

    @rule(who=WHO, cents=st.integers(1, 2_000), back=st.booleans())
    def transfer(self, who: int, cents: int, back: bool) -> None:
        source, destination = (CRYPTO_SHARD, 0) if back else (0, CRYPTO_SHARD)
        self.attempt(self.exchange.transfer, self.members[who], source, destination, cents * SCALE // 100)

    @precondition(lambda self: self.position)
    @rule(market=st.integers(0, 1), yes=st.booleans())
    def settle(self, market: int, yes: bool) -> None:
        old = self.markets.pop(market)
        self.engine.empty_closed(old)
        for member in self.members:
            if old.ticker in member.positions:
                self.exchange.ledger.settle(member, CRYPTO_SHARD, old.ticker, yes=yes)
        self.exchange.ledger.settled(old.ticker)
        for who in range(MEMBERS):
            lots = self.position.pop((who, old.ticker), 0)
            # What was sold was borrowed at a dollar and is given back, if NO wins, in full.
            self.cash[who] += abs(lots) * SCALE // 100 if (lots > 0) is yes and lots else 0
        self.take_fills()
        self.open_market()

    @invariant()
    def books_agree(self) -> None:
        assert self.exchange.audit() == []
        for who, member in enumerate(self.members):
            assert sum(member.cash.values()) == self.cash[who], member.name
            held = {ticker: position.lots for ticker, position in member.positions.items() if position.lots}
            assert held == {ticker: lots for (owner, ticker), lots in self.position.items() if owner == who and lots}
        assert self.exchange.ledger.fees == self.fees
        pairs = sum(lots for lots in self.position.values() if lots > 0)
        assert sum(self.cash) + self.fees + pairs * SCALE // 100 == self.exchange.ledger.deposited

    @invariant()
    def books_never_cross(self) -> None:
        for market in self.markets:
            bid, ask = market.book.best_ticks(Side.BUY), market.book.best_ticks(Side.SELL)
            assert bid is None or ask is None or bid < ask


class RoundedBooks(Books):
    direct = False


class FeeingBooks(Books):
    fee_type = "quadratic_with_maker_fees"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Books, RoundedBooks, FeeingBooks])
def test_no_cash_is_created_or_lost(kind: type[Books]) -> None:
    case: Any = kind.TestCase()
    case.settings = settings(
        max_examples=60, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
    )
    case.runTest()
