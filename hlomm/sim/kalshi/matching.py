"""Matching at the makers' prices, with price-time priority, and the bookkeeping around each order's life."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE
from hlomm.sim.config_kalshi import KalshiRulesConfig
from hlomm.sim.kalshi.accounts import Account, Group, Order
from hlomm.sim.kalshi.collateral import Claim, need
from hlomm.sim.kalshi.contracts import Event, Market
from hlomm.sim.kalshi.events import (
    BookChanged,
    CashChanged,
    Filled,
    GroupChanged,
    GroupKind,
    OrderChanged,
    PositionChanged,
    Traded,
)
from hlomm.sim.kalshi.fees import Charge, FeeTerms, charge, trade_fee
from hlomm.sim.kalshi.grid import CASH, CENT
from hlomm.sim.kalshi.ledger import Ledger
from hlomm.sim.kalshi.orders import Reason, SelfTrade, Status, unit_cost
from hlomm.sim.kalshi.tape import Tape

_DIRECT_PRECISION: Final = SCALE // 10_000


class Matching(ABC):
    """Books of one shard and what a match does to orders, money and groups."""

    def __init__(self, shard: int, rules: KalshiRulesConfig, ledger: Ledger, tape: Tape) -> None:
        self.shard = shard
        self.rules = rules
        self.ledger = ledger
        self.tape = tape
        self.precision = _DIRECT_PRECISION if rules.direct_member else CENT
        self.markets: dict[str, Market] = {}
        self.events: dict[str, Event] = {}
        self.live: dict[str, Order] = {}
        """Clients' orders that rest or are being matched, by the venue's id."""
        self.groups: dict[str, Group] = {}

    @abstractmethod
    def terms(self, market: Market) -> FeeTerms:
        """Fees of a market now."""

    # -- matching

    def reducible(self, account: Account, ticker: str, side: Side) -> int:
        """How much an order of that side could close."""
        held = account.lots(ticker)
        return abs(held) if held * side < 0 else 0

    def match(self, market: Market, taker: Order) -> None:
        """Trade as much of an incoming order as meets it. It may end here: filled, or cancelled by a rule."""
        while taker.live and taker.lots and not _closed_group(taker) and market.book.crosses(taker.side, taker.ticks):
            maker = market.book.best(Side(-taker.side))
            assert maker is not None, "a crossed side has an order"
            if maker.account is taker.account:
                if taker.self_trade is SelfTrade.TAKER:
                    self._end(taker, Reason.SELF_TRADE)
                    return
                self.withdraw(maker, Reason.SELF_TRADE)
                continue
            self._meet(market, taker, maker)
        if taker.lots and _closed_group(taker):
            self._end(taker, Reason.DECREASE)

    def _meet(self, market: Market, taker: Order, maker: Order) -> None:
        """Trade with one resting order, unless a rule ends one of the two first."""
        lots = min(taker.lots, maker.lots)
        for order in (maker, taker):
            if order.reduce_only:
                lots = min(lots, self.reducible(order.account, order.ticker, order.side))
                if lots == 0:
                    self._drop(order, Reason.REDUCE_ONLY)
                    return
        charges: list[Charge] = []
        for order in (maker, taker):
            charges.append(self._charge(market, order, maker.ticks, lots, maker=order is maker))
            if not self._affords(order, charges[-1]):
                self._drop(order, Reason.MARGIN)
                return
        self._trade(market, taker, maker, lots, charges)

    def _drop(self, order: Order, reason: Reason) -> None:
        """End an order wherever it is."""
        if order.oid in order.account.resting.get(order.ticker, {}):
            self.withdraw(order, reason)
        else:
            self._end(order, reason)

    def _charge(self, market: Market, order: Order, ticks: int, lots: int, *, maker: bool) -> Charge:
        terms = self.terms(market)
        revenue = self.ledger.revenue(order.account, order.ticker, order.side, ticks, lots)
        fee = trade_fee(terms.rate(maker=maker), terms.multiplier, ticks, lots)
        return charge(revenue, fee, self.precision, order.fee_pending)

    def _affords(self, order: Order, due: Charge) -> bool:
        """Whether the fill can be paid without what other markets' orders need: rounding can cost more than is held."""
        account = order.account
        others = account.held.get(self.shard, 0) - account.holds.get(order.ticker, 0)
        return account.cash[self.shard] - others + due.change >= 0

    def _trade(self, market: Market, taker: Order, maker: Order, lots: int, charges: list[Charge]) -> None:
        ticks, trade_id = maker.ticks, self.tape.next_id()
        market.last_ticks, market.last_lots = ticks, lots
        market.volume += lots
        market.dollar_volume += lots * ticks * CASH
        market.book.take(maker, lots)
        taker.lots -= lots
        self._level(market, maker, -lots)
        self.tape.write(Traded(trade_id=trade_id, ticker=market.ticker, ticks=ticks, lots=lots, taker=taker.side))
        for order, due in zip((maker, taker), charges, strict=True):
            self.ledger.trade(order.account, self.shard, market.ticker, order.side, ticks, lots, due.fee)
            order.account.positions[market.ticker].updated_ns = self.tape.now_ns
            self._fill(order, ticks, lots, due, trade_id, maker=order is maker)
        self.ledger.balanced()
        for order in (maker, taker):
            self._after_fill(market, order)
        for order in (maker, taker):
            if order.group is not None and order.group.matched(self.tape.now_ns, lots):
                self.trigger(order.group)

    def _fill(self, order: Order, ticks: int, lots: int, due: Charge, trade_id: str, *, maker: bool) -> None:
        order.filled += lots
        order.tick_lots += ticks * lots
        order.fee_pending = due.pending
        cost = lots * unit_cost(order.side, ticks)
        if maker:
            order.maker_cost, order.maker_fees = order.maker_cost + cost, order.maker_fees + due.fee
        else:
            order.taker_cost, order.taker_fees = order.taker_cost + cost, order.taker_fees + due.fee
        if order.account.background:
            return
        self.tape.write(
            Filled(
                account=order.account,
                order=order,
                trade_id=trade_id,
                ticks=ticks,
                lots=lots,
                fee=due.fee,
                is_taker=not maker,
                position=order.account.lots(order.ticker),
            )
        )

    def _after_fill(self, market: Market, order: Order) -> None:
        account = order.account
        if order.lots == 0:
            order.status = Status.EXECUTED
            self._forget(order)
        if account.background:
            return
        self.changed(order, Reason.TRADE)
        self.tape.write(PositionChanged(account, market.ticker))
        self.hold(account, market)
        self.margin_call(account, market)
        self.tape.write(CashChanged(account))

    def margin_call(self, account: Account, market: Market) -> None:
        """Cancel the youngest orders of a market until the rest is backed: a fill can use up what others closed."""
        while account.free(self.shard) < 0:
            orders = account.resting.get(market.ticker)
            assert orders, "only this market's need has grown"
            self.withdraw(next(reversed(orders.values())), Reason.MARGIN)

    # -- an order's life in the book

    def enter_book(self, market: Market, order: Order) -> None:
        market.book.add(order)
        account = order.account
        if not account.background:
            account.resting.setdefault(market.ticker, {})[order.oid] = order
            if order.group is not None:
                order.group.orders[order.oid] = order
        self._level(market, order, order.lots)
        self.hold(account, market)
        self.changed(order, order.reason)
        if not account.background:
            self.margin_call(account, market)

    def leave_book(self, order: Order, *, quiet: bool = False) -> None:
        """Take an order off its level; it lives on until it is ended or entered again."""
        market = self.markets[order.ticker]
        market.book.remove(order)
        if not quiet:
            self._level(market, order, -order.lots)
        self._forget(order, live=True)
        self.hold(order.account, market)

    def withdraw(self, order: Order, reason: Reason, *, quiet: bool = False) -> None:
        """Cancel a resting order."""
        self.leave_book(order, quiet=quiet)
        self._end(order, reason)

    def shrink(self, order: Order, lots: int, reason: Reason) -> None:
        """Make a resting order smaller where it stands."""
        market = self.markets[order.ticker]
        less = order.lots - lots
        if less:
            market.book.take(order, less)
            self._level(market, order, -less)
            self.hold(order.account, market)
        self.changed(order, reason)

    def _end(self, order: Order, reason: Reason | None) -> None:
        """Cancel an order that is in no book; what was left of it is gone."""
        order.status, order.lots = Status.CANCELED, 0
        self._forget(order)
        self.changed(order, reason if reason is not None else order.reason)

    def _forget(self, order: Order, *, live: bool = False) -> None:
        orders = order.account.resting.get(order.ticker)
        if orders is not None:
            orders.pop(order.oid, None)
            if not orders:
                del order.account.resting[order.ticker]
        if order.group is not None:
            order.group.orders.pop(order.oid, None)
        if not live:
            self.live.pop(order.order_id, None)

    def hold(self, account: Account, market: Market) -> None:
        """Recount what the orders of an account in a market need."""
        if account.background:
            return
        claims = [Claim.of(order) for order in account.resting.get(market.ticker, {}).values()]
        wanted = need(account.lots(market.ticker), claims, self.terms(market), self.precision)
        before = account.holds.pop(market.ticker, 0)
        if wanted:
            account.holds[market.ticker] = wanted
        if wanted != before:
            account.held[self.shard] = account.held.get(self.shard, 0) + wanted - before
            self.tape.write(CashChanged(account))

    # -- groups

    def trigger(self, group: Group) -> None:
        """Cancel a group's orders and take no more until it is reset."""
        if group.triggered:
            return
        group.triggered = True
        self.told(group, GroupKind.TRIGGERED)
        for order in list(group.orders.values()):
            self.withdraw(order, Reason.DECREASE)

    def told(self, group: Group, kind: GroupKind) -> None:
        self.tape.write(GroupChanged(group.account, kind, group.group_id, group.limit))

    # -- events

    def changed(self, order: Order, reason: Reason | None) -> None:
        order.updated_ns, order.reason = self.tape.now_ns, reason
        if not order.account.background:
            self.tape.write(
                OrderChanged(
                    account=order.account,
                    order=order,
                    status=order.status,
                    reason=reason,
                    filled=order.filled,
                    lots=order.lots,
                )
            )

    def _level(self, market: Market, order: Order, lots: int) -> None:
        client = None if order.account.background else order.account
        self.tape.write(
            BookChanged(
                ticker=market.ticker,
                side=order.side,
                ticks=order.ticks,
                lots=lots,
                owner=client,
                client_id=None if client is None else order.client_id,
            )
        )


def _closed_group(order: Order) -> bool:
    return order.group is not None and order.group.triggered
