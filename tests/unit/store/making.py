"""Stores made in tests, by the pen that makes real ones."""

from __future__ import annotations

from pathlib import Path

from hlomm.domain.ids import HYPERLIQUID, MarketId, outcome_market, perp_market, venue_of
from hlomm.domain.inputs import (
    BboUpdate,
    BookSnapshot,
    Input,
    MarketListed,
    MarketSettled,
    MarkPrice,
    SessionUp,
    TradePrint,
)
from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.orders import Side
from hlomm.domain.times import NS_PER_MS, NS_PER_S, Now
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.research.record.writer import Writer
from hlomm.research.recording import perp_of
from hlomm.research.store.pack import pack
from hlomm.research.store.schema import market_of

T0 = 1_795_000_000 * NS_PER_S
RUN = 1_795_000_000_000
OUTCOME = outcome_market(HYPERLIQUID, 7)
PERP = perp_market(HYPERLIQUID, "BTC")
EXPIRY = T0 + 60 * NS_PER_S


def market(id_: MarketId = OUTCOME, expiry_ns: int = EXPIRY) -> Market:
    return Market(
        id=id_, venue=HYPERLIQUID, kind=MarketKind.OUTCOME, ticker="OUT:BTC-79000-x", underlying="BTC",
        tick=Px(1_000), lot=Qty(SCALE), min_notional=Cash(10 * SCALE), quote_token="USDC", klass="priceBinary",
        strike=Px(79_000 * SCALE), expiry_ns=expiry_ns, period="15m",
    )  # fmt: skip


def book(ms: int, bid: int = 40, ask: int = 42, id_: MarketId = OUTCOME) -> BookSnapshot:
    cent = SCALE // 100
    return BookSnapshot(
        id_, ((bid * cent, 5 * SCALE), ((bid - 1) * cent, SCALE)), ((ask * cent, 3 * SCALE), ((ask + 1) * cent, SCALE)),
        T0 // NS_PER_MS + ms,
    )  # fmt: skip


def touch(ms: int, bid: int = 79_000) -> BboUpdate:
    return BboUpdate(PERP, (bid * SCALE, SCALE), ((bid + 1) * SCALE, SCALE), T0 // NS_PER_MS + ms)


def trade(ms: int, key: str) -> TradePrint:
    return TradePrint(OUTCOME, Px(42 * SCALE // 100), Qty(2 * SCALE), Side.BUY, key, T0 // NS_PER_MS + ms)


def mark(px: int) -> MarkPrice:
    return MarkPrice(PERP, Px(px * SCALE), 0)


def minute(*, settled: bool = True) -> list[tuple[int, Input]]:
    """(ms since T0, input) of a whole small market."""
    rows: list[tuple[int, Input]] = [
        (0, SessionUp(HYPERLIQUID)), (1, MarketListed(perp_of("BTC"))), (2, MarketListed(market())),
    ]  # fmt: skip
    for second in range(0, 60, 2):
        ms = 1_000 * second + 10
        rows += [(ms + 50, book(ms)), (ms + 60, touch(ms)), (ms + 70, mark(79_010)), (ms + 80, trade(ms, f"t{second}"))]
    if settled:
        rows.append((60_500, MarketSettled(OUTCOME, Px(SCALE), "price:79010")))
    return rows


def at(ms: int) -> Now:
    return Now(5 * NS_PER_S + ms * NS_PER_MS, T0 + ms * NS_PER_MS)


def write(root: Path, rows: list[tuple[int, Input]], *, run: int = RUN, packed: bool = True) -> Writer:
    """A finished run with a frame in front of every input."""
    pen = Writer(root, run, "sim")
    pen.own(at(rows[0][0] if rows else 0), HYPERLIQUID, "", "start")
    for ms, item in rows:
        seq = pen.frame(at(ms), HYPERLIQUID, 1, "/ws", repr(item).encode())
        pen.event(at(ms), venue_of(MarketId(market_of(item))) or HYPERLIQUID, item, seq)
    pen.own(at(rows[-1][0] if rows else 0), HYPERLIQUID, "", "stop")
    pen.close()
    if packed:
        pack(root)
    return pen
