"""Recordings made by hand: two minutes of a market that moves, trades and is quoted in, and the files of one."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from hlomm.domain.ids import HYPERLIQUID, outcome_market
from hlomm.domain.inputs import BboUpdate, BookSnapshot, Input, MarkPrice, TradePrint
from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.research.recording import Event, Recording, perp_of

T0 = 1_778_385_600 * NS_PER_S
"""2026-05-10 04:00 UTC."""
OUTCOME = Market(
    id=outcome_market(HYPERLIQUID, 15), venue=HYPERLIQUID, kind=MarketKind.OUTCOME,
    ticker="OUT:BTC-80000-2026-05-10T0600", underlying="BTC", tick=Px(1_000), lot=Qty(SCALE),
    min_notional=Cash(10 * SCALE), quote_token="USDC", klass="priceBinary", strike=Px(80_000 * SCALE),
    expiry_ns=T0 + 7_200 * NS_PER_S, period="1d",
)  # fmt: skip
PERP = perp_of("BTC")
FEED_MS = 180


def lively(seconds: int = 120, seed: int = 1, expiry_s: int = 7_200) -> Recording:
    """A random walk: touches every 200 ms, marks every second, books every 500 ms, and trades that hit either side."""
    chance = random.Random(seed)
    spot, events = 80_050.0, list[Event]()
    marks: list[tuple[int, Px]] = []

    def happens(ms: int, item: Input) -> None:
        at_ns = T0 + ms * NS_PER_MS
        late_ns = (FEED_MS + chance.randrange(80)) * NS_PER_MS + len(events)  # no two at one time
        events.append(Event(received_ns=at_ns + late_ns, exchange_ns=at_ns, item=item))

    for ms in range(0, 1_000 * seconds, 100):
        stamp = T0 // NS_PER_MS + ms
        spot += chance.gauss(0.0, 3.0)
        mid = min(max(round(55_000 + (spot - 80_050) * 60), 5_000), 95_000)  # in ticks of 1e-5
        if ms % 200 == 0:
            bid = Px(round(spot) * SCALE)
            happens(ms, BboUpdate(PERP.id, (bid, SCALE), (Px(bid + SCALE), SCALE), stamp))
        if ms % 1_000 == 0:
            px = Px(round(spot * 10) * SCALE // 10)
            happens(ms, MarkPrice(PERP.id, px, stamp))
            marks.append((T0 + ms * NS_PER_MS, px))
        if ms % 500 == 0:
            sizes = [chance.randrange(20, 300) * SCALE for _ in range(10)]
            bids = tuple((Px((mid - 700 - 300 * n) * 1_000), sizes[n]) for n in range(5))
            asks = tuple((Px((mid + 700 + 300 * n) * 1_000), sizes[n + 5]) for n in range(5))
            happens(ms, BookSnapshot(OUTCOME.id, bids, asks, stamp))
        if chance.random() < 0.2:
            side = chance.choice((Side.BUY, Side.SELL))
            px = Px((mid + (700 + 300 * chance.randrange(3)) * side) * 1_000)
            happens(ms, TradePrint(OUTCOME.id, px, Qty(chance.randrange(5, 200) * SCALE), side, f"t{ms}", stamp))
    events.sort(key=lambda event: event.received_ns)
    books = sum(isinstance(event.item, BookSnapshot) for event in events)
    prints = sum(isinstance(event.item, TradePrint) for event in events)
    outcome = msgspec.structs.replace(OUTCOME, expiry_ns=T0 + expiry_s * NS_PER_S)
    return Recording(
        outcome=outcome, perp=PERP, events=tuple(events), marks=tuple(marks), books=books, prints_raw=prints,
        prints_replayed=0, mirrored=0, settled=Px(SCALE),
    )  # fmt: skip


def folder(path: Path, recording: Recording) -> Path:
    """The recording as a folder in the layout that `hlomm.research.recording` reads."""
    path.mkdir()
    rows: dict[str, list[dict[str, Any]]] = {"book_snapshot": [], "trade": [], "bbo": [], "mark": []}
    for event in recording.events:
        common = {"local_recv_ts": event.received_ns, "exchange_ts": event.exchange_ns}
        match event.item:
            case BookSnapshot(bids=bids, asks=asks):
                rows["book_snapshot"].append({
                    **common, "bid_px": [px / SCALE for px, _ in bids], "bid_sz": [qty / SCALE for _, qty in bids],
                    "ask_px": [px / SCALE for px, _ in asks], "ask_sz": [qty / SCALE for _, qty in asks],
                })  # fmt: skip
            case TradePrint(px=px, qty=qty, aggressor=side, trade_id=key):
                rows["trade"].append({
                    **common, "price": px / SCALE, "size": qty / SCALE, "side": side.name.lower(), "trade_id": key,
                })  # fmt: skip
            case BboUpdate(bid=bid, ask=ask):
                assert bid is not None
                assert ask is not None
                rows["bbo"].append({
                    **common, "bid_px": bid[0] / SCALE, "bid_sz": bid[1] / SCALE, "ask_px": ask[0] / SCALE,
                    "ask_sz": ask[1] / SCALE,
                })  # fmt: skip
            case MarkPrice(px=px):
                rows["mark"].append({**common, "mark_px": px / SCALE})
    for kind, symbol in (("book_snapshot", "#150"), ("trade", "#150"), ("bbo", "BTC"), ("mark", "BTC")):
        of_kind = sorted(rows[kind], key=lambda row: row["exchange_ts"])
        frame = pl.DataFrame(of_kind).with_columns(event=pl.lit(kind), symbol=pl.lit(symbol))
        frame.write_parquet(path / f"{kind}.parquet")
    minute = recording.outcome.tau_ns(T0) // (60 * NS_PER_S)
    meta = {
        "outcome_idx": "15", "expiry": f"20260510-04{minute:02d}", "targetPrice": "80000", "underlying": "BTC",
        "class": "priceBinary", "period": "1d",
    }  # fmt: skip
    pl.DataFrame({
        "local_recv_ts": [T0], "exchange_ts": [T0], "event": ["market_meta"], "symbol": ["#150"],
        "keys": [list(meta)], "values": [list(meta.values())],
    }).write_parquet(path / "meta.parquet")  # fmt: skip
    return path
