"""hftbacktest's side of the contest: a script for an interpreter that has it, `python hft.py ORDER`.

It imports nothing of this program. ORDER is a JSON document: `tape` (rows as `numpy.save` writes them, see `tape`),
`maker` (see `plan`) and `ticks`. What it found goes to stdout as one JSON document.

The maker is compiled by numba before the clock starts. Queue: risk averse, as this program's own default; an order is
also filled when the book is seen to cross it. Constant latency each way, none of the feed. As in its own examples an
order at the wrong price is cancelled and another one sent, and orders fill whole or not at all: of 2.4.4 a changed
order keeps its old size, and the exchange with partial fills ends a backtest early (its issues 280 and 301, pull
request 317).
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Final

import hftbacktest
import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTX,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit

Json = dict[str, Any]

_PRINT: Final = 1
_LEAST_S: Final = 0.3
"""Of processor time, over which it is run again and again; its best run counts."""
_RUNS_MAX: Final = 50
_END_OF_DATA: Final = 1
_COUNTED: Final = ("orders", "cancels")


def run(order: Json) -> Json:
    """The best of as many runs as fill a third of a second."""
    begun_s = time.process_time()
    rows = np.load(order["tape"])
    data = _events(rows, order["ticks"])
    load_s = time.process_time() - begun_s
    _once(order, data)  # compiles
    runs = [_once(order, data)]
    while len(runs) < _RUNS_MAX and sum(one["cpu_s"] for one in runs) < _LEAST_S:
        runs.append(_once(order, data))
    changes = np.unique(rows[rows[:, 1] != _PRINT, 0]).size
    return {
        "version": hftbacktest.__version__, "events": int(changes + (rows[:, 1] == _PRINT).sum()), "runs": len(runs),
        "load_s": load_s, **min(runs, key=lambda one: one["cpu_s"]),
    }  # fmt: skip


def _events(rows: Any, ticks: int) -> Any:
    """The tape as its event array, one row for each."""
    found = np.zeros(len(rows), event_dtype)
    kind = np.where(rows[:, 1] == _PRINT, TRADE_EVENT, DEPTH_EVENT)
    found["ev"] = kind | np.where(rows[:, 2] == 1, BUY_EVENT, SELL_EVENT) | EXCH_EVENT | LOCAL_EVENT
    found["exch_ts"] = found["local_ts"] = rows[:, 0]
    found["px"], found["qty"] = rows[:, 3] / ticks, rows[:, 4]
    return found


def _once(order: Json, data: Any) -> Json:
    """One backtest; making it is loading, and not timed."""
    rule, tick_size = order["maker"], 1 / order["ticks"]
    asset = (
        BacktestAsset()
        .data([data])
        .linear_asset(1.0)
        .constant_order_latency(rule["latency_ns"], rule["latency_ns"])
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(tick_size)
        .lot_size(1.0)
    )
    backtest, counts = HashMapMarketDepthBacktest([asset]), np.zeros(len(_COUNTED), np.int64)
    wall_s, begun_s = time.perf_counter(), time.process_time()
    ended = maker(backtest, counts, rule["requote_ns"], rule["distance"], rule["size"], rule["cap"], tick_size)
    cpu_s, wall_s = time.process_time() - begun_s, time.perf_counter() - wall_s
    assert ended == _END_OF_DATA, f"it ended early, with {ended}"
    values = backtest.state_values(0)
    found: Json = {"cpu_s": cpu_s, "wall_s": wall_s, "net": float(values.position), "cash": float(values.balance)}
    found |= {"fills": int(values.num_trades), "amends": 0}
    backtest.close()
    return found | dict(zip(_COUNTED, counts.tolist(), strict=True))


@njit  # type: ignore[untyped-decorator, unused-ignore]
def maker(hbt: Any, counts: Any, requote_ns: int, distance: int, size: float, cap: float, tick_size: float) -> int:
    """The rule, compiled. Orders have a number each; `resting` has the last one of either side."""
    resting = np.zeros(2, np.uint64)
    number = cancels = 0
    while True:
        ended = hbt.elapse(requote_ns)
        if ended:
            break
        depth, orders, position = hbt.depth(0), hbt.orders(0), hbt.position(0)
        hbt.clear_inactive_orders(0)
        mid2 = depth.best_bid_tick + depth.best_ask_tick
        for side in range(2):
            way = 1 - 2 * side
            tick = way * (way * mid2 // 2 - distance)  # a half is rounded away from the mid
            allowed = way * position + size <= cap
            if resting[side] in orders:
                order = orders.get(resting[side])
                if not order.cancellable or (allowed and order.price_tick == tick):
                    continue
                cancels += 1
                hbt.cancel(0, resting[side], False)
            if not allowed:
                continue
            number += 1
            resting[side] = number
            if way == 1:
                hbt.submit_buy_order(0, number, tick * tick_size, size, GTX, LIMIT, False)
            else:
                hbt.submit_sell_order(0, number, tick * tick_size, size, GTX, LIMIT, False)
    counts[0], counts[1] = number, cancels
    return int(ended)


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))  # noqa: T201 - its answer
