"""Public market data: books, touches, trades, marks (venue sheet section 3). Everything leaves in YES space.

Rejected: prices at or beyond 0 and 1 for outcomes, sizes <= 0, levels out of order, crossed or locked books.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.inputs import BboUpdate, BookSnapshot, BookSource, Level, MarkPrice, TradePrint
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Px, Qty
from hlomm.venues.anomalies import Anomaly, anomaly
from hlomm.venues.fields import CoinText, DecimalText, Millis, VenueNumber, outcome_px, positive
from hlomm.venues.hyperliquid.wire.coins import Coin, read_coin
from hlomm.venues.hyperliquid.wire.ladder import UNKNOWN, BookMemory, LevelRow, read_ladder


class BookData(Struct, frozen=True):
    """`l2Book`, pushed or asked for: bids and asks, best first. At most 20 levels a side in practice."""

    coin: CoinText
    time: Millis
    levels: tuple[Annotated[list[LevelRow], Meta(max_length=200)], Annotated[list[LevelRow], Meta(max_length=200)]]


class BboData(Struct, frozen=True):
    coin: CoinText
    time: Millis
    bbo: tuple[LevelRow | None, LevelRow | None]


class TradeRow(Struct, frozen=True):
    coin: CoinText
    side: Annotated[str, Meta(max_length=1)]
    px: DecimalText
    sz: DecimalText
    time: Millis
    tid: VenueNumber


class AssetCtx(Struct, frozen=True, rename="camel"):
    mark_px: DecimalText | None = None


class AssetCtxData(Struct, frozen=True):
    coin: CoinText
    ctx: AssetCtx


class Prints(Struct, frozen=True):
    """Trades of one push, oldest first as sent. `mirrored` counts those told a second time by the NO coin."""

    trades: tuple[TradePrint, ...]
    mirrored: int


class Marks(Struct, frozen=True):
    marks: tuple[MarkPrice, ...]


def known_coin(name: str, kind: str) -> Coin:
    """ProtocolViolation(`kind`) for a coin of no form we could have asked for."""
    coin = read_coin(name)
    if coin is None:
        raise ProtocolViolation(kind, f"expected an outcome or perp coin, was {name!r}")
    return coin


def own_px(coin: Coin, text: str, kind: str) -> int:
    return positive(text, kind) if coin.outcome is None else outcome_px(text, kind)


def book_snapshot(data: BookData, source: BookSource, memory: BookMemory | None = None) -> BookSnapshot:
    """The book in YES space. ProtocolViolation `l2Book.*` for one that cannot be.

    With a `memory`, levels that the coin's last book had are not read again.
    """
    coin = known_coin(data.coin, "l2Book.coin")
    was = UNKNOWN if memory is None else memory.of(data.coin)
    outcome = coin.outcome is not None
    buying = read_ladder(data.levels[0], -1, was[0], outcome=outcome)
    selling = read_ladder(data.levels[1], 1, was[1], outcome=outcome)
    bids, asks = buying.levels, selling.levels
    if bids and asks and bids[0][0] >= asks[0][0]:
        raise ProtocolViolation("l2Book.crossed", f"{data.coin}: bid {bids[0][0]} against ask {asks[0][0]}")
    if memory is not None:
        memory.put(data.coin, (buying, selling))
    if coin.leg is Leg.NO:
        bids, asks = _complemented(asks), _complemented(bids)
    return BookSnapshot(coin.market, bids, asks, data.time, source)


def _complemented(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple([(SCALE - px, size) for px, size in levels])


def bbo_update(data: BboData) -> BboUpdate:
    """The touch in YES space. ProtocolViolation `bbo.*` for one that cannot be."""
    coin = known_coin(data.coin, "bbo.coin")
    bid, ask = (_touch(coin, row) for row in data.bbo)
    if bid is not None and ask is not None and bid[0] >= ask[0]:
        raise ProtocolViolation("bbo.crossed", f"{data.coin}: bid {bid[0]} against ask {ask[0]}")
    if coin.leg is Leg.NO:
        bid, ask = _complement(ask), _complement(bid)
    return BboUpdate(coin.market, bid, ask, data.time)


def _touch(coin: Coin, row: LevelRow | None) -> Level | None:
    return None if row is None else (own_px(coin, row.px, "bbo.price"), positive(row.sz, "bbo.size"))


def _complement(level: Level | None) -> Level | None:
    return None if level is None else (SCALE - level[0], level[1])


def prints(rows: list[TradeRow]) -> tuple[Prints, tuple[Anomaly, ...]]:
    """Trades worth believing, row by row: one bad row does not cost the others.

    Every outcome trade is printed on both coins (sheet 7.4); only the YES coin's print is turned into a trade.
    """
    trades: list[TradePrint] = []
    anomalies: list[Anomaly] = []
    mirrored = 0
    for row in rows:
        try:
            coin = known_coin(row.coin, "trades.coin")
            if coin.leg is Leg.NO:
                mirrored += 1
            else:
                trades.append(_print(coin, row))
        except ProtocolViolation as violation:
            anomalies.append(anomaly(violation.kind, violation))
    return Prints(tuple(trades), mirrored), tuple(anomalies)


def _print(coin: Coin, row: TradeRow) -> TradePrint:
    if row.side not in ("A", "B"):
        raise ProtocolViolation("trades.side", f"expected A or B, was {row.side!r}")
    return TradePrint(
        coin.market,
        Px(own_px(coin, row.px, "trades.price")),
        Qty(positive(row.sz, "trades.size")),
        Side.BUY if row.side == "B" else Side.SELL,
        str(row.tid),
        row.time,
    )


def mark_price(coin_name: str, mark: str | None) -> Marks:
    """Mark of a perp; the venue stamps no time on it. Empty where there is no mark or the coin is no perp."""
    coin = read_coin(coin_name)
    if mark is None or coin is None or coin.outcome is not None:
        return Marks(())
    return Marks((MarkPrice(coin.market, Px(positive(mark, "activeAssetCtx.price")), 0),))
