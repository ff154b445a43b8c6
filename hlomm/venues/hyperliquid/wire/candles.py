"""`candleSnapshot`: the request and its rows (venue sheet section 2).

What a row says of itself is read here; whether it may be believed is for whoever asked to judge. A row that cannot be
read costs itself.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from hlomm.domain.faults import ProtocolViolation, UnitError
from hlomm.domain.units import Px, parse_unsigned
from hlomm.venues.anomalies import Anomaly, guarded
from hlomm.venues.fields import CoinText, DecimalText, Millis, VenueNumber, Word, positive

CANDLES: Final = "candleSnapshot"
PAGE: Final = 5_000
"""Rows of one answer at most, and how many of the latest the venue keeps."""
LENGTHS_S: Final = {
    "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1_800, "1h": 3_600, "2h": 7_200, "4h": 14_400, "8h": 28_800,
    "12h": 43_200, "1d": 86_400,
}  # fmt: skip
"""Those that begin at whole multiples of their length since 1970. `3d`, `1w` and `1M` exist too and do not."""


class CandleRow(Struct, frozen=True, rename={"end": "T"}):
    """As on the wire: from `t` to the last millisecond `T`, both unix ms; `v` in coins, `n` trades."""

    t: Millis
    end: Millis
    s: CoinText
    i: Word
    o: DecimalText
    h: DecimalText
    l: DecimalText  # noqa: E741 - spelt as on the wire
    c: DecimalText
    v: DecimalText
    n: VenueNumber


class Candle(Struct, frozen=True, kw_only=True):
    """One row. Prices in 1e-8; `volume` too, and it may be larger than 64 bits hold."""

    coin: str
    interval: str
    start_ms: int
    end_ms: int
    open: Px
    high: Px
    low: Px
    close: Px
    volume: int


class CandleRows(Struct, frozen=True):
    """In the order of the answer; `skipped` rows could not be read."""

    candles: tuple[Candle, ...]
    skipped: int


_rows: Final = msgspec.json.Decoder(Annotated[list[Raw], Meta(max_length=2 * PAGE)])
_row: Final = msgspec.json.Decoder(CandleRow)


def candles_request(coin: str, interval: str, start_ms: int, end_ms: int) -> bytes:
    """Candles of which a part lies in the span, both ends included."""
    asked = {"coin": coin, "interval": interval, "startTime": start_ms, "endTime": end_ms}
    return msgspec.json.encode({"type": CANDLES, "req": asked})


def decode_candles(body: bytes) -> tuple[CandleRows | None, tuple[Anomaly, ...]]:
    """Rows and what is wrong with the others; None for an answer that is no list of at most 10,000."""
    raws, wrong = guarded("candles.schema", _rows.decode, body)
    if raws is None:
        return None, wrong
    candles, anomalies = [], list(wrong)
    for raw in raws:
        candle, refused = guarded("candle.schema", _candle, raw)
        anomalies += refused
        if candle is not None:
            candles.append(candle)
    return CandleRows(tuple(candles), len(raws) - len(candles)), tuple(anomalies)


def _candle(raw: Raw) -> Candle:
    row = _row.decode(raw)
    return Candle(
        coin=row.s, interval=row.i, start_ms=row.t, end_ms=row.end, open=_px(row.o), high=_px(row.h), low=_px(row.l),
        close=_px(row.c), volume=_volume(row.v),
    )  # fmt: skip


def _px(text: str) -> Px:
    return Px(positive(text, "candle.px"))


def _volume(text: str) -> int:
    try:
        return parse_unsigned(text)
    except UnitError as error:
        raise ProtocolViolation("candle.volume", str(error)) from None
