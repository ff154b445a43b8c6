"""Kalshi itself: one shard of it, with what trades there, who else does, and what is paid at the end."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from hlomm.domain.ids import KALSHI, MarketId, kalshi_market
from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.research.soak.beside.door import Contract, Door
from hlomm.research.soak.timeline import S, Timeline
from hlomm.research.soak.weather import Weather
from hlomm.sim.config_kalshi import KalshiRulesConfig
from hlomm.sim.kalshi.accounts import Account, Order
from hlomm.sim.kalshi.contracts import (
    CRYPTO_SHARD,
    Event,
    Market,
    Phase,
    Series,
    Step,
    StrikeType,
    cents_text,
    threshold_event_ticker,
)
from hlomm.sim.kalshi.events import Filled, OrderChanged
from hlomm.sim.kalshi.exchange import Exchange
from hlomm.sim.kalshi.fees import FeeTerms
from hlomm.sim.kalshi.grid import LOT, TICK, to_grid
from hlomm.sim.kalshi.orders import NewOrder, Reason, Status
from hlomm.sim.kalshi.refusals import Refused as Turned
from hlomm.venues.kalshi.wire import account as wire
from hlomm.venues.kalshi.wire.sides import BookSide

CENT: Final = SCALE // 100
SERIES: Final = "KXBTCD"
_OTHER_STRUCTURE: Final = {"linear_cent": "tapered_deci_cent", "tapered_deci_cent": "linear_cent"}


class KalshiVenue(Door):
    venue = KALSHI

    def __init__(self, timeline: Timeline, weather: Weather, rng: random.Random, seed: int, cash_usd: int) -> None:
        super().__init__(timeline, weather, rng)
        self.exchange = Exchange(KalshiRulesConfig(thursday_pause=False), seed)
        self.engine = self.exchange.engines[CRYPTO_SHARD]
        self.ours = self._open("ours", cash_usd)
        self._crowd = self._open("crowd", 10**9, background=True)
        self._takers = self._open("takers", 10**9, background=True)
        self._series = Series(
            ticker=SERIES, frequency="hourly", strike_type=StrikeType.GREATER, structure="linear_cent", timer_s=20.0,
            fees=FeeTerms(), market_title="Bitcoin price",
        )  # fmt: skip
        self._fills: list[wire.FillRow] = []
        self._orders: dict[str, Order] = {}
        """Ours by client id, whatever became of them."""
        self._unpaid: dict[str, bool] = {}
        """Determined and not settled yet: whether YES pays."""
        self._settled: list[tuple[str, int, bool, int]] = []

    def _open(self, name: str, cash_usd: int, *, background: bool = False) -> Account:
        return self.exchange.open_account(name, name, {CRYPTO_SHARD: cash_usd * SCALE}, background=background)

    # -- time

    def tick(self) -> None:
        self.exchange.tape.now_ns = self.now_ns
        paused = self._timeline.now_ns < self.paused_until_ns
        if paused is not self.engine.paused:
            self.engine.pause(paused=paused)
        self.engine.expire()

    def flush(self) -> None:
        ours = False
        for event in self.exchange.tape.drain():
            if isinstance(event, Filled) and event.account is self.ours:
                ours = True
                row = self._fill(event)
                self._fills.append(row)
                self.count(event.order.order_id, row.qty)
                self.tell_fill(row)
            elif isinstance(event, OrderChanged) and event.account is self.ours:
                ours = True
                self.publish(self._row(event.order, event.status, event.filled, event.lots))
        if ours:
            self.on_change()

    def _fill(self, event: Filled) -> wire.FillRow:
        return wire.FillRow(
            trade_id=event.trade_id, order_id=event.order.order_id, ticker=event.order.ticker,
            side=book_side(event.order.side), px=Px(event.ticks * TICK), qty=Qty(event.lots * LOT),
            fee=Cash(event.fee), maker=not event.is_taker, venue_ms=self.now_ms, client_id=event.order.client_id,
            position_after=event.position * LOT,
        )  # fmt: skip

    def _row(self, order: Order, status: Status, filled: int, lots: int) -> wire.OrderRow:
        return wire.OrderRow(
            order_id=order.order_id, client_id=order.client_id, ticker=order.ticker, shard=CRYPTO_SHARD,
            side=book_side(order.side), px=Px(order.ticks * TICK), status=status.value, filled=Qty(filled * LOT),
            leaves=Qty(lots * LOT), initial=Qty(order.lots_initial * LOT),
        )  # fmt: skip

    # -- others

    def withdraw(self, market: MarketId) -> None:
        self.quote(market, ())

    def quote(self, market: MarketId, levels: Sequence[tuple[int, int]]) -> None:
        self.tick()
        known = self._market(market)
        for side in Side:
            for order in known.book.orders(side):
                if order.account is self._crowd:
                    self.engine.withdraw(order, Reason.DECREASE)
        for ticks, contracts in levels:
            self._other(known, self._crowd, ticks, contracts, Tif.GTC)
        self.flush()

    def hit(self, market: MarketId, side: int, contracts: int) -> None:
        self.tick()
        known = self._market(market)
        touch = known.book.best_ticks(Side(-side))
        if touch is not None:
            self._other(known, self._takers, touch, side * contracts, Tif.IOC)
            self.flush()

    def _other(self, market: Market, account: Account, ticks: int, contracts: int, tif: Tif) -> None:
        new = NewOrder(
            ticker=market.ticker, side=Side.BUY if contracts > 0 else Side.SELL,
            ticks=to_grid(market.structure, ticks, up=contracts < 0), lots=abs(contracts) * 100, tif=tif,
        )  # fmt: skip
        with suppress(Turned):  # the market is paused or over: others get refusals as well
            self.engine.place(account, new)

    # -- contracts

    def stand(self, contract: Contract) -> MarketId | None:
        self.tick()
        strike = contract.strike // CENT // 100 * 100 - 1
        name = threshold_event_ticker(SERIES, contract.expiry_ns)
        ticker = f"{name}-T{cents_text(strike)}"
        if ticker in self.exchange.markets:
            return None
        event = self.exchange.events.get(name) or Event(ticker=name, series=self._series, close_ns=contract.expiry_ns)
        market = Market(
            ticker=ticker, event_ticker=name, series=self._series, created_ns=self.now_ns, open_ns=self.now_ns,
            close_ns=contract.expiry_ns, strike=strike, structure=self._series.structure, updated_ns=self.now_ns,
        )  # fmt: skip
        self.exchange.list_market(event, market)
        market.move(Step.OPEN, self.now_ns)
        return kalshi_market(ticker)

    def end(self, market: MarketId) -> None:
        self.tick()
        known = self._market(market)
        known.move(Step.CLOSE, self.now_ns)
        self.engine.empty_closed(known)
        self.flush()

    def settle(self, market: MarketId, price: int) -> None:
        self.tick()
        known = self._market(market)
        known.move(Step.DETERMINE, self.now_ns)
        known.value, known.determined_ns = price // CENT, self.now_ns
        known.result = known.pays(known.value)
        self._unpaid[known.ticker] = known.result
        self.decided[market] = SCALE if known.result else 0
        self._timeline.after(round(known.series.timer_s * S), lambda: self._pay(known))

    def _pay(self, market: Market) -> None:
        self.tick()
        assert market.result is not None
        del self._unpaid[market.ticker]
        ledger = self.exchange.ledger
        self._settled.append((market.ticker, self.ours.lots(market.ticker) * LOT, market.result, self.now_ms))
        for account in self.exchange.accounts.values():
            if market.ticker in account.positions:
                ledger.settle(account, CRYPTO_SHARD, market.ticker, yes=market.result)
        ledger.settled(market.ticker)
        market.move(Step.SETTLE, self.now_ns)
        market.settled_ns = self.now_ns
        self.on_change()

    def change(self, fault: str) -> bool:
        live = [market for market in self.exchange.markets.values() if market.phase is Phase.ACTIVE]
        for market in live:
            match fault:
                case "fee":
                    self.exchange.events[market.event_ticker].fees = FeeTerms("quadratic_with_maker_fees", 15_000)
                case "tick":
                    market.structure = _OTHER_STRUCTURE[market.structure]
                case _:
                    market.amended_rules = " This text was amended."
        return bool(live)

    def _market(self, market: MarketId) -> Market:
        return self.exchange.markets[market.partition(":")[2]]


def book_side(side: Side) -> BookSide:
    return BookSide.BID if side is Side.BUY else BookSide.ASK
