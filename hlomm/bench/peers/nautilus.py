"""NautilusTrader's side of the contest: a script for an interpreter that has it, `python nautilus.py ORDER`.

It imports nothing of this program. ORDER is a JSON document: `tape` (rows as `numpy.save` writes them, see `tape`),
`maker` (see `plan`), `ticks` and `end_ns`. What it found goes to stdout as one JSON document.

The L2 book takes one batch of deltas for a change of the book; prints are trade ticks that the matching engine hears
(`trade_execution`). It has no model of a queue, and a seller's print moves its bid, not its offer: what rests is
filled when the other side of the book comes to its price (`is_limit_matched` in `execution/matching_core.pyx`), which
is rarer than prints at it. The account is on margin, because nothing here can be bought instead of selling short.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

import nautilus_trader
import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.models import LatencyModel
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.model.currencies import USDC
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas, TradeTick
from nautilus_trader.model.enums import (
    AccountType,
    AggressorSide,
    AssetClass,
    BookAction,
    BookType,
    OmsType,
    OrderSide,
    TimeInForce,
)
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
from nautilus_trader.model.instruments import BinaryOption
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

Json = dict[str, Any]

_PRINT: Final = 1
_LAST: Final = 1 << 7
"""RecordFlag.F_LAST."""
_SIDES: Final = {1: OrderSide.BUY, -1: OrderSide.SELL}
_TAKERS: Final = {1: AggressorSide.BUYER, -1: AggressorSide.SELLER}


def run(order: Json) -> Json:
    """One backtest."""
    begun_s = time.process_time()
    engine, instrument = _engine(order)
    engine.add_data(list(_data(np.load(order["tape"]).tolist(), instrument)))
    maker = Maker(instrument, order["maker"], order["ticks"])
    engine.add_strategy(maker)
    load_s, wall_s, begun_s = time.process_time() - begun_s, time.perf_counter(), time.process_time()
    engine.run()
    cpu_s, wall_s = time.process_time() - begun_s, time.perf_counter() - wall_s
    events = engine.iteration
    engine.dispose()
    return {
        "version": nautilus_trader.__version__, "events": events, "cpu_s": cpu_s, "wall_s": wall_s, "runs": 1,
        "load_s": load_s, **maker.counts, "net": maker.net, "cash": maker.cash,
    }  # fmt: skip


def _engine(order: Json) -> tuple[Any, Any]:
    venue, symbol = Venue("SIM"), Symbol("YES")
    decimals = len(str(order["ticks"])) - 1
    instrument = BinaryOption(
        instrument_id=InstrumentId(symbol, venue), raw_symbol=symbol, asset_class=AssetClass.ALTERNATIVE, currency=USDC,
        price_precision=decimals, size_precision=0, price_increment=Price(1 / order["ticks"], decimals),
        size_increment=Quantity.from_int(1), activation_ns=0, expiration_ns=order["end_ns"], ts_event=0, ts_init=0,
        maker_fee=Decimal(0), taker_fee=Decimal(0),
    )  # fmt: skip
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False))
    engine.add_venue(
        venue=venue, oms_type=OmsType.NETTING, account_type=AccountType.MARGIN, base_currency=USDC,
        starting_balances=[Money(10_000, USDC)], book_type=BookType.L2_MBP, trade_execution=True,
        latency_model=LatencyModel(order["maker"]["latency_ns"]),
    )  # fmt: skip
    engine.add_instrument(instrument)
    return engine, instrument


def _data(rows: list[list[int]], instrument: Any) -> Iterator[Any]:
    """A batch of deltas for each change of the book, a trade tick for each print."""
    step = instrument.price_increment.as_double()
    number = 0
    for (at_ns, kind), frame in groupby(rows, key=lambda row: (row[0], row[1])):
        deltas = []
        for _, _, side, tick, lots, last in frame:
            number += 1
            price, size = instrument.make_price(tick * step), instrument.make_qty(lots)
            if kind == _PRINT:
                yield TradeTick(instrument.id, price, size, _TAKERS[side], TradeId(str(number)), at_ns, at_ns)
                continue
            action = BookAction.UPDATE if lots else BookAction.DELETE
            level = BookOrder(_SIDES[side], price, size, tick)
            deltas.append(
                OrderBookDelta(instrument.id, action, level, _LAST if last else 0, number, at_ns, at_ns)
            )  # fmt: skip
        if deltas:
            yield OrderBookDeltas(instrument.id, deltas)


class Maker(Strategy):  # type: ignore[misc, unused-ignore]
    """The rule."""

    def __init__(self, instrument: Any, rule: Json, ticks: int) -> None:
        super().__init__()
        self.instrument, self.rule, self.ticks = instrument, rule, ticks
        self.net, self.cash = 0, 0.0
        self.counts = {"orders": 0, "amends": 0, "cancels": 0, "fills": 0}
        self.resting: dict[int, Any] = {1: None, -1: None}

    def on_start(self) -> None:
        self.subscribe_order_book_deltas(self.instrument.id, BookType.L2_MBP)
        self.clock.set_timer_ns("requote", self.rule["requote_ns"], 0, 0, self.on_time)

    def on_time(self, event: Any) -> None:
        del event
        book, rule = self.cache.order_book(self.instrument.id), self.rule
        if book is None or book.best_bid_price() is None or book.best_ask_price() is None:
            return
        mid2 = round((book.best_bid_price().as_double() + book.best_ask_price().as_double()) * self.ticks)
        for way in (1, -1):
            tick = way * (way * mid2 // 2 - rule["distance"])  # a half is rounded away from the mid
            self.want(way, tick, allowed=way * self.net + rule["size"] <= rule["cap"])

    def want(self, way: int, tick: int, *, allowed: bool) -> None:
        resting, price = self.resting[way], self.instrument.make_price(tick / self.ticks)
        live = resting is not None and not resting.is_closed
        if live and (not resting.is_open or resting.is_pending_update or resting.is_pending_cancel):
            return
        if not allowed:
            if live:
                self.counts["cancels"] += 1
                self.cancel_order(resting)
        elif not live:
            self.counts["orders"] += 1
            self.resting[way] = self.order_factory.limit(
                self.instrument.id, _SIDES[way], self.instrument.make_qty(self.rule["size"]), price, TimeInForce.GTC,
                post_only=True,
            )  # fmt: skip
            self.submit_order(self.resting[way])
        elif resting.price != price:
            self.counts["amends"] += 1
            whole = self.instrument.make_qty(self.rule["size"] + int(resting.filled_qty))
            self.modify_order(resting, whole, price)

    def on_order_filled(self, event: Any) -> None:
        way = 1 if event.order_side == OrderSide.BUY else -1
        self.counts["fills"] += 1
        self.net += way * int(event.last_qty)
        self.cash -= way * int(event.last_qty) * event.last_px.as_double()


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))  # noqa: T201 - its answer
