"""Fills of the account (venue sheet sections 2, 7.3, 7.6 and 7.8).

Rows are decoded one by one: a row that cannot be read costs itself, not its neighbours. Rows of coins this program
never trades (spot pairs) are skipped without being an anomaly.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import VenueOrderId
from hlomm.domain.units import ONE, Cash, Px, notional_ceil
from hlomm.venues.anomalies import Anomaly, guarded
from hlomm.venues.fields import CoinText, DecimalText, Millis, VenueNumber, Word, qty, signed, unsigned
from hlomm.venues.hyperliquid.wire.account import CloidText, SideLetter, client_id_of, read_side
from hlomm.venues.hyperliquid.wire.coins import Coin, read_coin, read_token

_FILL_KINDS: Final = {
    "Settlement": FillKind.SETTLEMENT,
    "Split Outcome": FillKind.SPLIT,
    "Merge Outcome": FillKind.MERGE,
    "Negate Outcome": FillKind.NEGATE,
    "Merge Question": FillKind.MERGE_QUESTION,
}


FILLS_PAGE: Final = 2_000
"""Most rows that an answer has."""


class FillRow(Struct, frozen=True, rename="camel"):
    coin: CoinText
    px: DecimalText
    sz: DecimalText
    side: SideLetter
    time: Millis
    dir: Word
    oid: VenueNumber
    crossed: bool
    fee: DecimalText
    tid: VenueNumber = 0
    """0 on synthetic fills; absent in recordings of 2023."""
    cloid: CloidText | None = None
    fee_token: CoinText | None = None
    start_position: DecimalText = ""


class FillRows(Struct, frozen=True):
    """`skipped` counts rows of coins we do not trade."""

    user: str
    snapshot: bool
    fills: tuple[Fill, ...]
    skipped: int
    span: tuple[int, int] | None = None
    """Earliest and latest time of an answer that was full, so that there may be more; None of one that was not."""


class _Stamped(Struct, frozen=True):
    time: Millis


_fill_row: Final = msgspec.json.Decoder(FillRow)
_stamped: Final = msgspec.json.Decoder(_Stamped)


def fills(rows: list[msgspec.Raw], user: str, *, snapshot: bool) -> tuple[FillRows, tuple[Anomaly, ...]]:
    """Fills of outcome and perp coins. Kinds of anomaly: `fill.schema`, `fill.price`, `fill.size`, ..."""
    good: list[Fill] = []
    anomalies: list[Anomaly] = []
    skipped = 0
    for raw in rows:
        row, wrong = guarded("fill.schema", _fill_row.decode, raw)
        anomalies += wrong
        if row is None:
            continue
        coin = read_coin(row.coin)
        if coin is None:
            skipped += 1
            continue
        fill, wrong = guarded("fill.schema", _fill, coin, row)
        anomalies += wrong
        if fill is not None:
            good.append(fill)
    return FillRows(user.lower(), snapshot, tuple(good), skipped), tuple(anomalies)


def span_of(rows: list[msgspec.Raw], page: int) -> tuple[int, int] | None:
    """See `FillRows.span`: of all rows, whatever their coins, of an answer that holds at most `page`."""
    if len(rows) < page:
        return None
    stamped = [guarded("stamp.schema", _stamped.decode, raw)[0] for raw in rows]
    times = [row.time for row in stamped if row is not None]
    return min(times, default=0), max(times, default=0)


def _fill(coin: Coin, row: FillRow) -> Fill:
    # Synthetic and settlement fills may stand at exactly 0 or 1, so the range is closed here.
    px = Px(unsigned(row.px, "fill.price"))
    if coin.outcome is not None and px > ONE:
        raise ProtocolViolation("fill.price", f"outcome fill above 1: {row.px!r}")
    size = qty(row.sz, "fill.size")
    return Fill(
        key=_fill_key(row),
        market=coin.market,
        leg=coin.leg,
        side=read_side(row.side, "fill.side"),
        px=px,
        qty=size,
        fee=_fee(row, px),
        kind=_FILL_KINDS.get(row.dir, FillKind.TRADE),
        maker=not row.crossed,
        client_id=client_id_of(row.cloid),
        venue_order_id=VenueOrderId(str(row.oid)),
        venue_ms=row.time,
    )


def _fill_key(row: FillRow) -> str:
    """Identity over replays: (coin, time, tid); synthetic fills have tid 0 and are told apart by order and figures."""
    if row.tid:
        return f"{row.coin}:{row.time}:{row.tid}"
    return f"{row.coin}:{row.time}:o{row.oid}:{row.px}:{row.sz}:{row.start_position}"


def _fee(row: FillRow, px: Px) -> Cash:
    """Fee in quote, positive when paid. A fee taken in the outcome token itself is valued at the fill price."""
    fee = signed(row.fee, "fill.fee")
    if row.fee_token is not None and read_token(row.fee_token) is not None:
        return notional_ceil(px, fee)
    return Cash(fee)
