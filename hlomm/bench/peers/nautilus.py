"""NautilusTrader's side of the contest: a script for an interpreter that has it, `python nautilus.py ORDER`.

It imports nothing of this program. ORDER is a JSON document: `tape` (rows as `numpy.save` writes them, see `tape`),
`maker` (see `plan`), `ticks` and `end_ns`. What it found goes to stdout as one JSON document, or `not_installed`.

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

Json = dict[str, Any]

_PRINT: Final = 1
_LAST: Final = 1 << 7
"""RecordFlag.F_LAST."""


def run(order: Json) -> Json:
    """One backtest. ImportError where it is not installed."""
    import nautilus_trader  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    begun_s = time.process_time()
    rows = np.load(order["tape"]).tolist()
    engine, instrument = _engine(order)
    engine.add_data(list(_data(rows, instrument)))
    maker = _maker(instrument, order)
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
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig  # noqa: PLC0415
    from nautilus_trader.backtest.models import LatencyModel  # noqa: PLC0415
    from nautilus_trader.common.config import LoggingConfig  # noqa: PLC0415
    from nautilus_trader.model.currencies import USDC  # noqa: PLC0415
    from nautilus_trader.model.enums import AccountType, AssetClass, BookType, OmsType  # noqa: PLC0415
    from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue  # noqa: PLC0415
    from nautilus_trader.model.instruments import BinaryOption  # noqa: PLC0415
    from nautilus_trader.model.objects import Money, Price, Quantity  # noqa: PLC0415

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
    from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas, TradeTick  # noqa: PLC0415
    from nautilus_trader.model.enums import AggressorSide, BookAction, OrderSide  # noqa: PLC0415
    from nautilus_trader.model.identifiers import TradeId  # noqa: PLC0415

    step = instrument.price_increment.as_double()
    sides = {1: OrderSide.BUY, -1: OrderSide.SELL}
    takers = {1: AggressorSide.BUYER, -1: AggressorSide.SELLER}
    number = 0
    for (at_ns, kind), frame in groupby(rows, key=lambda row: (row[0], row[1])):
        deltas = []
        for _, _, side, tick, lots, last in frame:
            number += 1
            price, size = instrument.make_price(tick * step), instrument.make_qty(lots)
            if kind == _PRINT:
                yield TradeTick(instrument.id, price, size, takers[side], TradeId(str(number)), at_ns, at_ns)
                continue
            action = BookAction.UPDATE if lots else BookAction.DELETE
            book_order = BookOrder(sides[side], price, size, tick)
            flags = _LAST if last else 0
            deltas.append(OrderBookDelta(instrument.id, action, book_order, flags, number, at_ns, at_ns))
        if deltas:
            yield OrderBookDeltas(instrument.id, deltas)


def _maker(instrument: Any, order: Json) -> Any:
    """The rule as a strategy: made here, because its base class is the peer's."""
    from nautilus_trader.model.enums import BookType, OrderSide, TimeInForce  # noqa: PLC0415
    from nautilus_trader.trading.strategy import Strategy  # noqa: PLC0415

    rule, ticks = order["maker"], order["ticks"]

    class Maker(Strategy):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.net, self.cash = 0, 0.0
            self.counts = {"orders": 0, "amends": 0, "cancels": 0, "fills": 0}
            self.resting: dict[int, Any] = {1: None, -1: None}

        def on_start(self) -> None:
            self.subscribe_order_book_deltas(instrument.id, BookType.L2_MBP)
            self.clock.set_timer_ns("requote", rule["requote_ns"], 0, 0, self.on_time)

        def on_time(self, event: Any) -> None:
            del event
            book = self.cache.order_book(instrument.id)
            if book is None or book.best_bid_price() is None or book.best_ask_price() is None:
                return
            mid2 = round((book.best_bid_price().as_double() + book.best_ask_price().as_double()) * ticks)
            for way in (1, -1):
                tick = way * (way * mid2 // 2 - rule["distance"])  # a half is rounded away from the mid
                self.want(way, tick, way * self.net + rule["size"] <= rule["cap"])

        def want(self, way: int, tick: int, allowed: bool) -> None:  # noqa: FBT001 - called above only
            resting, price = self.resting[way], instrument.make_price(tick / ticks)
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
                    instrument.id, OrderSide.BUY if way == 1 else OrderSide.SELL, instrument.make_qty(rule["size"]),
                    price, TimeInForce.GTC, post_only=True,
                )  # fmt: skip
                self.submit_order(self.resting[way])
            elif resting.price != price:
                self.counts["amends"] += 1
                whole = instrument.make_qty(rule["size"] + int(resting.filled_qty))
                self.modify_order(resting, whole, price)

        def on_order_filled(self, event: Any) -> None:
            way = 1 if event.order_side == OrderSide.BUY else -1
            self.counts["fills"] += 1
            self.net += way * int(event.last_qty)
            self.cash -= way * int(event.last_qty) * event.last_px.as_double()

    return Maker()


def answer(order: Json) -> Json:
    """What was found, or what is not installed."""
    try:
        return run(order)
    except ImportError as error:
        return {"not_installed": error.name}


if __name__ == "__main__":
    print(json.dumps(answer(json.loads(sys.argv[1]))))  # noqa: T201 - its answer
