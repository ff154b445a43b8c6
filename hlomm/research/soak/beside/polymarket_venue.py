"""Polymarket itself: what trades there, who else does, and what the chain makes of a match, now or never."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import attrs

from hlomm.domain.ids import POLYMARKET, MarketId, polymarket_market
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.research.soak.beside.door import Contract, Door
from hlomm.research.soak.timeline import S, Timeline
from hlomm.research.soak.weather import Fault, Weather
from hlomm.sim.config import PolymarketConfig
from hlomm.sim.faults import FaultArgs
from hlomm.sim.pm import naming, refusals
from hlomm.sim.pm.events import OrderChanged, Printed, TradeChanged
from hlomm.sim.pm.exchange import Exchange
from hlomm.sim.pm.faults import PmFault, PmFaults
from hlomm.sim.pm.market import Market
from hlomm.sim.pm.orders import Kind, NewOrder, Order, Trade, TradeStatus
from hlomm.sim.pm.settling import Settling
from hlomm.sim.pm.units import CASH, WHOLE
from hlomm.sim.pm.wallets import Wallet
from hlomm.venues.polymarket.wire import account_rows as rows

KEY: Final = "ours"
LOT: Final = SCALE // 100
TICK: Final = SCALE // WHOLE
MONEY: Final = SCALE // CASH
RESOLVES_S: Final = 20.0
REDEEMS_S: Final = 15.0
PATIENCE_S: Final = 10.0
LOOKS_S: Final = 5.0
"""The dead-man: no heartbeat for so long, looked at so often."""


class PolymarketVenue(Door):
    venue = POLYMARKET

    def __init__(self, timeline: Timeline, weather: Weather, rng: random.Random, seed: int, cash_usd: int) -> None:
        super().__init__(timeline, weather, rng)
        config = PolymarketConfig(taker_delay_ms=0, failed=0, retried=0.01, balance_refresh_s=1.0)
        self.exchange = Exchange(config, seed)
        self.faults = PmFaults()
        self.settling = Settling(self.exchange, self.faults, random.Random(f"{seed} settling"), seed)
        bank = self.exchange.bank
        self.ours = bank.open(Wallet(address="0x" + "a" * 40, name="ours"), cash_usd * CASH)
        deep = 10**9 * CASH
        self._crowd = bank.open(Wallet(address="0x" + "c" * 40, name="crowd", background=True), deep)
        self._takers = bank.open(Wallet(address="0x" + "d" * 40, name="takers", background=True), deep)
        self.trades: list[Trade] = []
        self._seed = seed
        self._numbers = 0
        self._others = 0
        self._bought: dict[tuple[MarketId, Leg], tuple[int, int]] = {}
        self._beat_ns: int | None = None
        self._step_ns: int | None = None
        """When the chain is looked at next."""

    # -- time

    def tick(self) -> None:
        self.exchange.tape.now_ns = self.faults.now_ns = self.now_ns
        self.exchange.expire()

    def flush(self) -> None:
        """Take up what matched and what the chain did; the next step of the chain is an event of its own."""
        self._spoil()
        self.settling.note()
        self.settling.run()
        events, touched = self.exchange.tape.drain()
        for number in touched:
            self.exchange.markets[number].touched.clear()
        ours = False
        for event in events:
            if isinstance(event, OrderChanged):
                if event.order.wallet is self.ours:
                    ours = True
                    self.publish(order_news(self.exchange, event))
            elif isinstance(event, TradeChanged):
                ours = True
                self._trade(event)
        if ours:
            self.on_change()
        due_ns = self.settling.next_ns
        if due_ns is not None and (self._step_ns is None or due_ns < self._step_ns):
            self._step_ns = due_ns
            self._timeline.after(due_ns - self.now_ns, lambda: self._step(due_ns))

    def _step(self, due_ns: int) -> None:
        if self._step_ns == due_ns:  # else a nearer one took its place
            self._step_ns = None
            self.tick()
            self.flush()

    def _spoil(self) -> None:
        """The fate of matches that others than the crowd took part in."""
        for event in self.exchange.tape.events:
            if isinstance(event, Printed) and not event.trade.private:
                if self._weather.take(Fault.PM_TRADE_FAILED) is not None:
                    self.faults.arm(PmFault.TRADE_FAILED, FaultArgs(count=1))
                if (stuck := self._weather.take(Fault.PM_TRADE_STUCK)) is not None:
                    self.faults.arm(PmFault.TRADE_STUCK, FaultArgs(count=1, delay_s=20 + 60 * stuck))

    def _trade(self, event: TradeChanged) -> None:
        news = trade_news(event.trade, event.status, self.ours, self.exchange)
        if event.status is TradeStatus.MATCHED:
            self.trades.append(event.trade)
        for part in news.fills:
            if event.status is TradeStatus.MATCHED:
                self.count(part.order_id, part.qty)
                self._book(part)
            elif event.status is TradeStatus.FAILED:
                self.count(part.order_id, -part.qty)
        self.tell_fill(news)

    def _book(self, part: rows.FillNews) -> None:
        """What tokens cost on average, over all that were bought."""
        if part.side is Side.BUY:
            held = self._token(part.token)
            bought, cost = self._bought.get(held, (0, 0))
            self._bought[held] = (bought + part.qty, cost + part.px * part.qty // SCALE)

    # -- dead-man

    def beat(self) -> bool:
        """A heartbeat; whether it counts."""
        if self._weather.take(Fault.PM_HEARTBEAT_LOST) is not None:
            return False
        if self._beat_ns is None:
            self._timeline.after(round(LOOKS_S * S), self._watch_beats)
        self._beat_ns = self._timeline.now_ns
        return True

    def _watch_beats(self) -> None:
        if self._beat_ns is not None and self._timeline.now_ns - self._beat_ns > PATIENCE_S * S:
            self._beat_ns = None
            self.tick()
            self.exchange.cancel_all(self.exchange.orders_of(KEY))
            self.flush()
            return
        self._timeline.after(round(LOOKS_S * S), self._watch_beats)

    # -- others

    def withdraw(self, market: MarketId) -> None:
        self.quote(market, ())

    def quote(self, market: MarketId, levels: Sequence[tuple[int, int]]) -> None:
        self.tick()
        known = self.exchange.by_condition[market.partition(":")[2]]
        mine = [order for order in self.exchange.open.values() if order.wallet is self._crowd]
        for order in mine:
            if order.new.number == known.number:
                self.exchange.cancel(order)
        for ticks, contracts in levels:
            self._other(known, self._crowd, ticks, contracts, Kind.GTC)
        self.flush()

    def hit(self, market: MarketId, side: int, contracts: int) -> None:
        self.tick()
        known = self.exchange.by_condition[market.partition(":")[2]]
        touch = known.best(Leg.YES, Side(-side))
        if touch is not None:
            self._other(known, self._takers, touch, side * contracts, Kind.FAK)
            self.flush()

    def _other(self, market: Market, wallet: Wallet, ticks: int, contracts: int, kind: Kind) -> None:
        """A purchase of either token, so that nobody needs any."""
        ticks = min(max(ticks // market.tick, 1) * market.tick, WHOLE - market.tick)
        leg, own = (Leg.YES, ticks) if contracts > 0 else (Leg.NO, WHOLE - ticks)
        self._others += 1
        new = NewOrder(
            id=f"other {self._others}", number=market.number, leg=leg, side=Side.BUY, ticks=own,
            lots=abs(contracts) * 100, kind=kind, owner="others",
        )  # fmt: skip
        with suppress(refusals.Refused):  # too small, or nobody there: others get refusals as well
            self.exchange.submit(wallet, new)

    # -- contracts

    def stand(self, contract: Contract) -> MarketId | None:
        self.tick()
        strike = Px(contract.strike)
        if any(
            market.spec.end_ns == contract.expiry_ns and market.spec.strike == strike
            for market in self.exchange.markets.values()
        ):
            return None
        self._numbers += 1
        start_ns = contract.expiry_ns - 3_600 * S
        spec = naming.above(
            self._seed, self._numbers, contract.period, start_ns, contract.expiry_ns, strike, self.now_ns
        )
        own = self.exchange.config
        self.exchange.list_market(
            Market(spec=spec, tick=own.tick, min_lots=own.min_shares * 100, fee_rate=own.fee_rate, delayed=False)
        )
        return polymarket_market(spec.condition)

    def end(self, market: MarketId) -> None:
        self._market(market).accepting = False

    def settle(self, market: MarketId, price: int) -> None:
        known = self._market(market)
        strike = known.spec.strike
        assert strike is not None
        self._timeline.after(round(RESOLVES_S * S), lambda: self._resolve(known, WHOLE if price > strike else 0))

    def _resolve(self, market: Market, yes_ticks: int) -> None:
        self.tick()
        orders = [order for order in self.exchange.open.values() if order.new.number == market.number]
        self.exchange.cancel_all(orders, "CANCELED_MARKET_RESOLVED")
        market.yes_ticks, market.resolved_ms = yes_ticks, self.now_ms
        self.decided[polymarket_market(market.spec.condition)] = yes_ticks * TICK
        self.flush()
        self._timeline.after(round(REDEEMS_S * S), lambda: self._redeem(market))

    def _redeem(self, market: Market) -> None:
        """Tokens turn into cash once nothing of them is on its way any more."""
        self.tick()
        if market.pending:
            self._timeline.after(round(REDEEMS_S * S), lambda: self._redeem(market))
            return
        assert market.yes_ticks is not None
        self.exchange.bank.redeem(market.number, market.yes_ticks)
        market.redeemed = True
        self.on_change()

    def change(self, fault: str) -> bool:
        live = [market for market in self.exchange.markets.values() if market.accepting]
        for market in live:
            match fault:
                case "fee":
                    market.fee_rate = market.fee_rate * 3 // 2
                case "tick":
                    market.tick = 10
                case "minimum":
                    market.min_lots *= 2
                case _:
                    text = f"{market.spec.description} In case of doubt the operator's reading of the source is final."
                    market.spec = attrs.evolve(market.spec, description=text)
        return bool(live)

    def _market(self, market: MarketId) -> Market:
        return self.exchange.by_condition[market.partition(":")[2]]

    def _token(self, token: str) -> tuple[MarketId, Leg]:
        market, leg = self.exchange.by_token[token]
        return polymarket_market(market.spec.condition), leg


# -- rows as the session's codec would read them


def trade_news(trade: Trade, status: TradeStatus, ours: Wallet, exchange: Exchange) -> rows.TradeNews:
    """A trade with our parts of it."""
    tokens = exchange.markets[trade.number].spec.tokens
    fills: list[rows.FillNews] = []
    taker = trade.taker
    if taker.wallet is ours:
        fills.append(
            rows.FillNews(
                f"{trade.id}:{taker.new.id}:0", taker.new.id, tokens[taker.new.leg], taker.new.side,
                Px(trade.ticks * TICK), Qty(trade.lots * LOT), False, Cash(trade.lots * trade.ticks * MONEY),
            )
        )  # fmt: skip
    for place, made in enumerate(trade.makers):
        new = made.order.new
        if made.order.wallet is ours:
            fills.append(
                rows.FillNews(
                    f"{trade.id}:{new.id}:{place}", new.id, tokens[new.leg], new.side, Px(new.ticks * TICK),
                    Qty(made.lots * LOT), True, Cash(made.lots * new.ticks * MONEY),
                )
            )  # fmt: skip
    condition = exchange.markets[trade.number].spec.condition
    return rows.TradeNews(trade.id, condition, rows.TradeStatus(status.value), tuple(fills), trade.match_ms)


def order_news(exchange: Exchange, event: OrderChanged) -> rows.OrderNews:
    return order_row(exchange, event.order, event.status, event.matched, event.time_ms)


def order_row(exchange: Exchange, order: Order, status: str, matched: int, time_ms: int) -> rows.OrderNews:
    new, spec = order.new, exchange.markets[order.new.number].spec
    stands = rows.standing(status)
    if stands is rows.Standing.FILLED and matched < order.lots_original:
        stands = rows.Standing.UNCLEAR
    return rows.OrderNews(
        id=new.id, condition=spec.condition, token=spec.tokens[new.leg], side=new.side, px=Px(new.ticks * TICK),
        qty=Qty(order.lots_original * LOT), matched=Qty(matched * LOT), status=status, standing=stands,
        venue_ms=time_ms,
    )  # fmt: skip
