"""From match to money: the transactions behind the trades, delivered, tried again, or failed (venue sheet 11)."""

from __future__ import annotations

import heapq
import random

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.sim.pm.chain import keccak
from hlomm.sim.pm.events import Printed, TradeChanged
from hlomm.sim.pm.exchange import Exchange
from hlomm.sim.pm.faults import PmFault, PmFaults
from hlomm.sim.pm.orders import MakerFill, Order, Trade, TradeStatus
from hlomm.sim.pm.wallets import Wallet


class Settling:
    """Carries trades through their life. Those of background traders alone are delivered at once and not told of."""

    def __init__(self, exchange: Exchange, faults: PmFaults, rng: random.Random, seed: int) -> None:
        self._exchange = exchange
        self._faults = faults
        self._rng = rng
        self._seed = seed
        self._due: list[tuple[int, int, Trade, TradeStatus]] = []
        self._stale: list[tuple[int, int, Wallet]] = []
        """Wallets that received something, by when the operator looks at the chain again."""
        self._count = 0
        self.failed = 0
        self.retried = 0

    def __len__(self) -> int:
        return len(self._due)

    @property
    def next_ns(self) -> int | None:
        """When something is due next; None if nothing is on its way."""
        return min((queue[0][0] for queue in (self._due, self._stale) if queue), default=None)

    def pending(self) -> list[Trade]:
        """Trades that are matched and not on the chain yet."""
        waiting = {TradeStatus.MATCHED, TradeStatus.RETRYING}
        found = {trade.id: trade for _, _, trade, _ in self._due if trade.status in waiting}
        return list(found.values())

    def note(self) -> None:
        """Take up the trades of the present step."""
        for event in list(self._exchange.tape.events):
            if isinstance(event, Printed):
                if event.trade.private:
                    self._deliver(event.trade)
                else:
                    self._tell(event.trade)
                    self._plan(event.trade)

    def run(self) -> None:
        """Carry out what is due."""
        now_ns = self._exchange.tape.now_ns
        while self._due and self._due[0][0] <= now_ns:
            _, _, trade, status = heapq.heappop(self._due)
            self._advance(trade, status)
        while self._stale and self._stale[0][0] <= now_ns:
            wallet = heapq.heappop(self._stale)[2]
            if self._faults.take(PmFault.BALANCE_STALE) is None:
                wallet.refresh()

    def _plan(self, trade: Trade) -> None:
        """Draw the fate of a trade; the draws are the same whatever faults are armed."""
        config, rng = self._exchange.config, self._rng
        mined = config.mined_s * rng.uniform(0.5, 1.5)
        confirmed = config.confirmed_s * rng.uniform(0.5, 1.5)
        luck = rng.random()
        mined += self._faults.delay_ns(PmFault.TRADE_STUCK) / NS_PER_S
        fails = luck < config.failed or self._faults.take(PmFault.TRADE_FAILED) is not None
        if fails or luck < config.failed + config.retried:
            self._push(trade, TradeStatus.RETRYING, mined)
            mined += config.retry_s
        if fails:
            self._push(trade, TradeStatus.FAILED, mined)
        else:
            self._push(trade, TradeStatus.MINED, mined)
            self._push(trade, TradeStatus.CONFIRMED, mined + confirmed)

    def _push(self, trade: Trade, status: TradeStatus, after_s: float) -> None:
        self._count += 1
        due_ns = self._exchange.tape.now_ns + round(after_s * NS_PER_S)
        heapq.heappush(self._due, (due_ns, self._count, trade, status))

    def _advance(self, trade: Trade, status: TradeStatus) -> None:
        trade.advance(status, self._exchange.tape.now_ms)
        match status:
            case TradeStatus.RETRYING:
                self.retried += 1
                trade.hash = self._hash(trade, "first")
            case TradeStatus.MINED:
                trade.hash = self._hash(trade, "last")
                self._deliver(trade)
            case TradeStatus.FAILED:
                self.failed += 1
                self._release(trade)
                self._exchange.markets[trade.number].pending -= 1
            case TradeStatus.CONFIRMED | TradeStatus.MATCHED:
                pass
        self._tell(trade)

    def _tell(self, trade: Trade) -> None:
        now_ms = self._exchange.tape.now_ms
        self._exchange.tape.events.append(
            TradeChanged(trade=trade, status=trade.status, hash=trade.hash, time_ms=now_ms)
        )

    def _hash(self, trade: Trade, which: str) -> str:
        return "0x" + keccak(f"{self._seed}/{trade.id}/{which}".encode()).hex()

    # -- the transaction

    def _deliver(self, trade: Trade) -> None:
        self._release(trade)
        self._exchange.markets[trade.number].pending -= 1
        for fill in trade.makers:
            self._deliver_part(trade, fill)
            self._receive(fill.order, fill.lots, fill.lots * fill.order.new.ticks)
        self._exchange.bank.charge(trade.taker.wallet, trade.fee)
        self._receive(trade.taker, trade.lots, trade.cash - trade.fee)

    def _receive(self, order: Order, lots: int, cash: int) -> None:
        """What a client's wallet received cannot be used until the operator has seen it on the chain."""
        wallet = order.wallet
        if wallet.background:
            return
        if order.new.side is Side.BUY:
            wallet.holding(order.new.number, order.new.leg).unseen += lots
        else:
            wallet.unseen += cash
        self._count += 1
        due_ns = self._exchange.tape.now_ns + seconds_to_ns(self._exchange.config.balance_refresh_s)
        heapq.heappush(self._stale, (due_ns, self._count, wallet))

    def _release(self, trade: Trade) -> None:
        """Give back what the trade promised: it is now delivered, or never will be."""
        taker = trade.taker
        if taker.new.side is Side.BUY:
            taker.wallet.out -= trade.cash + trade.fee
        else:
            taker.wallet.holding(trade.number, taker.new.leg).out -= trade.lots
        for fill in trade.makers:
            maker = fill.order
            if maker.new.side is Side.BUY:
                maker.wallet.out -= fill.lots * maker.new.ticks
            else:
                maker.wallet.holding(trade.number, maker.new.leg).out -= fill.lots

    def _deliver_part(self, trade: Trade, fill: MakerFill) -> None:
        """COMPLEMENTARY, MINT or MERGE, by the sides of the two orders."""
        bank, taker, maker, lots = self._exchange.bank, trade.taker, fill.order, fill.lots
        leg, cash = taker.new.leg, lots * trade.ticks
        if taker.new.side is not maker.new.side:
            assert leg is maker.new.leg, "opposite sides meet on one token"
            buyer, seller = (taker, maker) if taker.new.side is Side.BUY else (maker, taker)
            bank.transfer(buyer.wallet, seller.wallet, (trade.number, leg), lots, cash)
            return
        assert maker.new.leg is Leg(1 - leg), "equal sides meet on opposite tokens"
        if taker.new.side is Side.BUY:
            bank.mint(taker.wallet, leg, cash, maker.wallet, trade.number, lots)
        else:
            bank.burn(taker.wallet, leg, cash, maker.wallet, trade.number, lots)
