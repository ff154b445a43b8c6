"""The compressed mark feed `fastAssetCtxs`: base64 of raw DEFLATE of JSON (venue sheet section 3)."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Final

import msgspec
from msgspec import Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.inputs import MarkPrice
from hlomm.venues.anomalies import Anomaly, anomaly
from hlomm.venues.fields import DecimalText
from hlomm.venues.hyperliquid.wire.public import Marks, mark_price

INFLATED_MAX: Final = 2**20
"""About 20 times a full snapshot of every coin; a bomb stops here."""
_RAW_DEFLATE: Final = -15


class _FastCtx(Struct, frozen=True, rename="camel"):
    mark_px: DecimalText | None = None


_contexts: Final = msgspec.json.Decoder(dict[str, _FastCtx])


def fast_marks(payload: str) -> tuple[Marks, tuple[Anomaly, ...]]:
    """Marks of the perps in one push (the first is complete, later ones carry changes only).

    ProtocolViolation `fastAssetCtxs.*` if the payload cannot be unpacked; a single bad mark costs itself.
    """
    marks: list[MarkPrice] = []
    anomalies: list[Anomaly] = []
    for coin, context in _contexts.decode(_inflate(payload)).items():
        try:
            marks += mark_price(coin, context.mark_px).marks
        except ProtocolViolation as violation:
            anomalies.append(anomaly("fastAssetCtxs.price", violation))
    return Marks(tuple(marks)), tuple(anomalies)


def _inflate(payload: str) -> bytes:
    inflater = zlib.decompressobj(_RAW_DEFLATE)
    try:
        text = inflater.decompress(base64.b64decode(payload, validate=True), INFLATED_MAX + 1)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise ProtocolViolation("fastAssetCtxs.packing", str(error)) from None
    if len(text) > INFLATED_MAX:
        raise ProtocolViolation("fastAssetCtxs.packing", f"more than {INFLATED_MAX} bytes")
    return text
