"""Rung: stateful sync, random programs. Whatever accounts do to the exchange, its books balance to the unit.

After every step: conservation, no negative balance, holds equal to the open orders, an uncrossed book in the order
of price, side and time. Each trade is compared with a second, naive matching of the same book.
"""

from __future__ import annotations

import contextlib
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE, Px
from hlomm.sim.accounts import Account
from hlomm.sim.config import RulesConfig
from hlomm.sim.events import Traded
from hlomm.sim.exchange import Exchange
from hlomm.sim.orders import PERP, NewOrder, Order, Refused, Target
from hlomm.sim.outcome_market import OutcomeSpec
from hlomm.sim.refusals import Status, WholeActionRefused

ACCOUNTS = 4
legs = st.sampled_from(list(Leg))
sides = st.sampled_from(list(Side))
tifs = st.sampled_from(list(Tif))
who = st.integers(0, ACCOUNTS - 1)
ticks = st.one_of(st.integers(40_000, 60_000), st.integers(1, 99_999))
lots = st.integers(1, 400)


def spec(outcome: int) -> OutcomeSpec:
    return OutcomeSpec(
        outcome=outcome,
        underlying="BTC",
        expiry_ns=2_000_000_000_000_000_000,
        target=Px(80_000 * SCALE),
        period="1d",
        quote_token="USDC",
        description="",
    )


class ExchangeMachine(RuleBasedStateMachine):
    """Four accounts, one outcome at a time, and the perp."""

    @initialize(fees=st.booleans(), scale=st.sampled_from([0, SCALE, SCALE // 3]), keeps=st.booleans())
    def start(self, fees: bool, scale: int, keeps: bool) -> None:
        rules = RulesConfig(
            outcome_fees=fees,
            outcome_fee_scale=scale,
            modify_refused_keeps_old=keeps,
            open_orders=30,
            schedule_cancel_volume_usd=0,
        )
        self.exchange = Exchange(rules)
        self.exchange.tape.now_ns = 1_795_000_000_000_000_000
        self.exchange.perp.mark_ticks = 800_000
        self.number = 1
        self.exchange.list_outcome(spec(1))
        self.accounts: list[Account] = [
            self.exchange.open_account(
                f"0x{index + 1:040x}", f"a{index}", spot=500 * SCALE, perp=300 * SCALE, background=index == 3
            )
            for index in range(ACCOUNTS)
        ]

    # -- what accounts may do

    @rule(who=who, leg=legs, side=sides, ticks=ticks, lots=lots, tif=tifs)
    def place(self, who: int, leg: Leg, side: Side, ticks: int, lots: int, tif: Tif) -> None:
        new = NewOrder(target=Target(self.number, leg), side=side, ticks=ticks, lots=lots, tif=tif)
        self.checked_place(self.accounts[who], new)

    @rule(who=who, side=sides, ticks=st.integers(795, 805), lots=st.integers(1, 900), tif=tifs, reduce=st.booleans())
    def trade_perp(self, who: int, side: Side, ticks: int, lots: int, tif: Tif, reduce: bool) -> None:
        new = NewOrder(target=PERP, side=side, ticks=ticks * 1_000, lots=lots * 10, tif=tif, reduce_only=reduce)
        self.exchange.place(self.accounts[who], new)

    @rule(mark=st.integers(700_000, 900_000))
    def move_mark(self, mark: int) -> None:
        self.exchange.perp.mark_ticks = mark

    @rule(who=who, pick=st.integers(0, 50))
    def cancel(self, who: int, pick: int) -> None:
        order = self.pick(who, pick)
        if order is not None:
            assert self.exchange.cancel(order.account, order.target, order.oid)
            assert not self.exchange.cancel(order.account, order.target, order.oid)

    @rule(who=who, pick=st.integers(0, 50), ticks=ticks, lots=lots, tif=tifs, force=st.booleans())
    def modify(self, who: int, pick: int, ticks: int, lots: int, tif: Tif, force: bool) -> None:
        order = self.pick(who, pick)
        if order is None or order.target.outcome is None:
            return
        new = NewOrder(target=order.target, side=order.side, ticks=ticks, lots=lots, tif=tif)
        placed = self.exchange.modify(order.account, order.oid, new, always_place=force)
        if not isinstance(placed, Refused):
            assert order.oid not in self.exchange.tape.blotter_of(order.account).open

    @rule(who=who, lots=lots)
    def split(self, who: int, lots: int) -> None:
        account = self.accounts[who]
        free = account.quote_free
        try:
            self.exchange.split(account, self.number, lots)
        except WholeActionRefused:
            assert free < lots * SCALE

    @rule(who=who, lots=st.one_of(st.none(), lots))
    def merge(self, who: int, lots: int | None) -> None:
        account = self.accounts[who]
        free = min(account.held(self.number, leg).free for leg in Leg)
        try:
            self.exchange.merge(account, self.number, lots)
        except WholeActionRefused:
            assert free < (lots or 1)

    @rule(who=who, seconds=st.integers(5, 20))
    def arm_dead_man(self, who: int, seconds: int) -> None:
        with contextlib.suppress(WholeActionRefused):  # ten a day
            self.exchange.schedule_cancel(self.accounts[who], self.exchange.tape.now_ms + seconds * 1000)

    @rule(seconds=st.integers(1, 20))
    def pass_time(self, seconds: int) -> None:
        self.exchange.tape.now_ns += seconds * 10**9
        self.exchange.run_schedules()

    @rule(who=who)
    def cancel_all(self, who: int) -> None:
        self.exchange.cancel_all(self.accounts[who], Status.CANCELED)
        assert self.accounts[who].quote_hold == 0

    @precondition(lambda self: self.exchange.ledger.sets)
    @rule(fraction=st.one_of(st.sampled_from([0, SCALE, SCALE // 2]), st.integers(0, SCALE)))
    def settle(self, fraction: int) -> None:
        self.exchange.settle(self.number, fraction, "price:1")
        assert self.exchange.ledger.escrow == 0
        assert all(not account.tokens for account in self.accounts)
        self.number += 1
        self.exchange.list_outcome(spec(self.number))

    # -- helpers

    def pick(self, who: int, index: int) -> Order | None:
        orders = list(self.exchange.open_orders(self.accounts[who]))
        return orders[index % len(orders)] if orders else None

    def checked_place(self, account: Account, new: NewOrder) -> None:
        """Place, and compare the trades with a plain walk over the other side as it was."""
        market = self.exchange.outcomes[self.number]
        probe = Order.accept(new, account, 0, 0)
        resting = [(o.account, o.book_ticks, o.lots) for o in market.book.orders(Side(-probe.book_side))]
        before = len(self.exchange.tape.events)
        placed = self.exchange.place(account, new)
        trades = [e.trade for e in self.exchange.tape.events[before:] if isinstance(e, Traded)]
        expected = [] if isinstance(placed, Refused) else walk(resting, probe)
        assert [(t.ticks, t.lots) for t in trades] == expected
        assert sum(t.lots for t in trades) <= new.lots
        assert new.tif is not Tif.ALO or not trades

    # -- what must always hold

    @invariant()
    def books_balance(self) -> None:
        assert self.exchange.audit() == []

    @invariant()
    def nothing_is_negative(self) -> None:
        for account in self.accounts:
            assert 0 <= account.quote_hold <= account.quote
            for balance in account.tokens.values():
                assert 0 <= balance.hold <= balance.total
                assert balance.entry >= 0

    @invariant()
    def the_book_is_uncrossed_and_in_priority(self) -> None:
        for market in (*self.exchange.outcomes.values(), self.exchange.perp):
            bid, ask = market.book.best_ticks(Side.BUY), market.book.best_ticks(Side.SELL)
            assert bid is None or ask is None or bid < ask
            for side in Side:
                orders = market.book.orders(side)
                assert orders == sorted(orders, key=lambda o: (-side * o.book_ticks, o.rank, o.oid))
                assert all(order.lots > 0 for order in orders)

    @invariant()
    def open_orders_are_the_resting_ones(self) -> None:
        resting = {o.oid for m in self.markets() for side in Side for o in m.book.orders(side)}
        known = {order.oid for account in self.accounts for order in self.exchange.open_orders(account)}
        assert resting == known

    def markets(self) -> list[Any]:
        return [*self.exchange.outcomes.values(), self.exchange.perp]

    @invariant()
    def the_tape_does_not_grow_without_end(self) -> None:
        self.exchange.tape.drain()


def walk(resting: list[tuple[Account, int, int]], taker: Order) -> list[tuple[int, int]]:
    """Trades of a taker against orders in their sequence: own orders are skipped, the rest filled in turn."""
    out, left = [], taker.lots
    for account, book_ticks, size in resting:
        if left == 0 or (book_ticks - taker.book_ticks) * taker.book_side > 0:
            break
        if account is not taker.account:
            lots = min(left, size)
            out.append((book_ticks, lots))
            left -= lots
    return out


ExchangeMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestExchange = ExchangeMachine.TestCase
