"""Whatever is asked of the exchange and the chain, nothing is created and nothing lost."""

from __future__ import annotations

import random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import Px
from hlomm.sim.config import PolymarketConfig
from hlomm.sim.pm import naming
from hlomm.sim.pm.audit import audit
from hlomm.sim.pm.events import Printed
from hlomm.sim.pm.exchange import Exchange, Held
from hlomm.sim.pm.faults import PmFaults
from hlomm.sim.pm.market import Market
from hlomm.sim.pm.orders import Kind, NewOrder
from hlomm.sim.pm.refusals import Refused
from hlomm.sim.pm.settling import Settling
from hlomm.sim.pm.units import WHOLE
from hlomm.sim.pm.wallets import Wallet

NOW = 1_795_000_035 * 10**9
WALLETS = 4


class Venue(RuleBasedStateMachine):
    """Orders, cancels, delays, conversions and the passing of time, in any order; half of the trades have trouble."""

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        config = PolymarketConfig(failed=0.3, retried=0.2, fak_buy="cash")
        self.exchange = Exchange(config, 1)
        self.exchange.tape.now_ns = NOW
        spec = naming.above(1, 1, "15m", NOW, NOW + 10**12, Px(80_000 * 10**8), NOW)
        self.market = Market(spec=spec, tick=100, min_lots=500, fee_rate=7_000_000, delayed=True)
        self.exchange.list_market(self.market)
        self.settling = Settling(self.exchange, PmFaults(), random.Random(1), 1)
        self.wallets = [
            self.exchange.bank.open(Wallet(address=f"0x{i}", name=str(i), background=i == 0), 200 * 10**6)
            for i in range(WALLETS)
        ]
        self.count = 0
        self.waiting: list[Held] = []
        self.done = False

    @rule(
        who=st.integers(0, WALLETS - 1),
        leg=st.sampled_from(Leg),
        side=st.sampled_from(Side),
        cents=st.integers(1, 99),
        lots=st.integers(1, 9_000),
        kind=st.sampled_from(Kind),
        by_cash=st.booleans(),
    )
    def place(self, who: int, leg: Leg, side: Side, cents: int, lots: int, kind: Kind, by_cash: bool) -> None:
        self.count += 1
        cash = by_cash and not kind.rests and side is Side.BUY
        new = NewOrder(
            id=str(self.count),
            number=1,
            leg=leg,
            side=side,
            ticks=cents * 100,
            lots=lots,
            kind=kind,
            expiration_s=self.exchange.tape.now_ns // 10**9 + 100 if kind is Kind.GTD else 0,
            spend=lots * cents * 100 if cash else None,
            by_cash=cash,
        )
        try:
            result = self.exchange.submit(self.wallets[who], new)
        except Refused:
            return
        if isinstance(result, Held):
            self.waiting.append(result)

    @precondition(lambda self: self.waiting)
    @rule(index=st.integers(0, 100))
    def resume(self, index: int) -> None:
        held = self.waiting.pop(index % len(self.waiting))
        try:
            self.exchange.resume(held)
        except Refused:
            assert held.new.id not in self.exchange.open

    @precondition(lambda self: self.exchange.open)
    @rule(index=st.integers(0, 100))
    def cancel(self, index: int) -> None:
        orders = list(self.exchange.open.values())
        self.exchange.cancel(orders[index % len(orders)])

    @rule(who=st.integers(0, WALLETS - 1), lots=st.integers(1, 3_000), splits=st.booleans())
    def convert(self, who: int, lots: int, splits: bool) -> None:
        wallet, bank = self.wallets[who], self.exchange.bank
        if splits and wallet.free >= lots * WHOLE and not self.done:
            bank.split(wallet, 1, lots)
        elif not splits and min(wallet.free_lots(1, leg) for leg in Leg) >= lots:
            bank.merge(wallet, 1, lots)

    @rule(seconds=st.integers(0, 30))
    def wait(self, seconds: int) -> None:
        self.step()
        self.exchange.tape.now_ns += seconds * 10**9
        self.exchange.expire()
        self.settling.run()

    @precondition(lambda self: not self.done)
    @rule(yes_ticks=st.sampled_from([0, WHOLE // 2, WHOLE]))
    def resolve(self, yes_ticks: int) -> None:
        self.market.accepting = False
        while self.waiting:
            self.resume(0)
        self.exchange.cancel_all(list(self.exchange.open.values()), "CANCELED_MARKET_RESOLVED")
        self.step()
        self.exchange.tape.now_ns += 10**12
        self.settling.run()
        assert self.market.pending == 0
        self.exchange.bank.redeem(1, yes_ticks)
        assert self.exchange.bank.backing == 0
        self.done = True

    def step(self) -> None:
        self.settling.note()
        self.exchange.tape.drain()

    @invariant()
    def nothing_is_lost(self) -> None:
        on_the_way = [event.trade for event in self.exchange.tape.events if isinstance(event, Printed)]
        assert audit(self.exchange, [*self.settling.pending(), *on_the_way]) == []
        bank = self.exchange.bank
        assert sum(wallet.cash for wallet in self.wallets) + bank.backing + bank.fees == WALLETS * 200 * 10**6
        bid, ask = self.market.book.best_ticks(Side.BUY), self.market.book.best_ticks(Side.SELL)
        assert bid is None or ask is None or bid < ask


Venue.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestVenue = Venue.TestCase
