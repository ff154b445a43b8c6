"""Matching one order with the book: price, then time; one trade per price (venue sheet 11)."""

from __future__ import annotations

from typing import Final, Protocol

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.sim.pm.chain import keccak
from hlomm.sim.pm.market import Market
from hlomm.sim.pm.orders import MakerFill, NewOrder, Order, Trade
from hlomm.sim.pm.units import WHOLE, taker_fee
from hlomm.sim.pm.wallets import Wallet

MAKERS_PER_TRADE: Final = 25
"""Larger matches are split into several trades."""


class _Clock(Protocol):
    @property
    def now_ms(self) -> int: ...


def uuid_of(text: str) -> str:
    """A UUID-shaped name that depends on nothing but the text."""
    digits = keccak(text.encode()).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"


class Matcher:
    """Makes trades and reserves what they promise. Trade ids come from the seed and a counter."""

    def __init__(self, clock: _Clock, seed: int) -> None:
        self._clock = clock
        self._seed = seed
        self.trades = 0

    def match(self, market: Market, order: Order) -> list[Trade]:
        """Take what the order crosses, up to its size (or its cash); it is left with the rest."""
        trades: list[Trade] = []
        spend = order.new.spend if order.new.by_cash else None
        opposite = Side(-order.book_side)
        while order.lots or spend:
            best = market.book.best_ticks(opposite)
            if best is None or not market.book.crosses(order.book_side, order.book_ticks):
                break
            ticks = order.own_ticks(best)
            wanted = order.lots if spend is None else spend // ticks
            makers = self._take(market, opposite, best, wanted)
            if not makers:
                break
            trade = self._trade(market, order, makers, ticks, len(trades))
            trades.append(trade)
            if spend is not None:
                spend -= trade.cash
            order.lots = max(order.lots - trade.lots, 0)
        return trades

    def fills(self, market: Market, order: Order) -> bool:
        """Whether a FOK finds everything it wants."""
        opposite = Side(-order.book_side)
        if not order.new.by_cash:
            return market.book.lots_within(opposite, order.book_ticks) >= order.lots
        assert order.new.spend is not None
        left = order.new.spend
        for ticks, lots, _ in market.book.depth(opposite, WHOLE):
            if (ticks - order.book_ticks) * order.book_side > 0:
                break
            own = order.own_ticks(ticks)
            if lots >= left // own:
                return True
            left -= lots * own
        return False

    def meets_itself(self, market: Market, wallet: Wallet, new: NewOrder) -> bool:
        """Whether an order crosses one of the same wallet."""
        order = Order.accept(new, wallet, 0, 0)
        for other in market.book.orders(Side(-order.book_side)):
            if (other.book_ticks - order.book_ticks) * order.book_side > 0:
                return False
            if other.wallet is wallet:
                return True
        return False

    def _take(self, market: Market, side: Side, ticks: int, wanted: int) -> list[MakerFill]:
        fills: list[MakerFill] = []
        while wanted and len(fills) < MAKERS_PER_TRADE:
            maker = market.book.best(side)
            if maker is None or maker.book_ticks != ticks:
                break
            lots = min(wanted, maker.lots)
            market.touch(maker)
            market.book.take(maker, lots)
            maker.matched += lots
            _promise_maker(maker, lots)
            fills.append(MakerFill(order=maker, lots=lots))
            wanted -= lots
        return fills

    def _trade(self, market: Market, order: Order, makers: list[MakerFill], ticks: int, index: int) -> Trade:
        lots = sum(fill.lots for fill in makers)
        self.trades += 1
        trade = Trade(
            id=uuid_of(f"{self._seed}/trade/{self.trades}"),
            number=market.number,
            taker=order,
            makers=tuple(makers),
            ticks=ticks,
            lots=lots,
            fee=taker_fee(lots, ticks, market.fee_rate, market.fee_exponent),
            bucket_index=index,
            match_ms=self._clock.now_ms,
            updated_ms=self._clock.now_ms,
        )
        _promise_taker(order, trade)
        order.matched += lots
        for each in (order, *(fill.order for fill in makers)):
            if trade.id not in each.trades:
                each.trades.append(trade.id)
        market.last_ticks = ticks if order.new.leg is Leg.YES else WHOLE - ticks
        market.last_side = order.book_side
        market.volume_cash += trade.cash
        market.traded = True
        market.pending += 1
        return trade


def _promise_maker(maker: Order, lots: int) -> None:
    """What an open order held becomes what its trade needs."""
    if maker.new.side is Side.BUY:
        maker.wallet.hold -= lots * maker.new.ticks
        maker.wallet.out += lots * maker.new.ticks
    else:
        holding = maker.wallet.holding(maker.new.number, maker.new.leg)
        holding.hold -= lots
        holding.out += lots


def _promise_taker(order: Order, trade: Trade) -> None:
    if order.new.side is Side.BUY:
        order.wallet.out += trade.cash + trade.fee
    else:
        order.wallet.holding(order.new.number, order.new.leg).out += trade.lots
