"""Repeated object keys, of which JSON decoders silently keep the last.

A full scan costs a second parse, so it is spent on private frames and answers, where a repeated key could hide a fill
or an order. Market data has a cheaper guard: the number of `px` keys must equal the number of rows.
"""

from __future__ import annotations

import json
from typing import Any

from hlomm.domain.faults import ProtocolViolation


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ProtocolViolation("duplicate_keys", "an object repeats a key")


def refuse_duplicate_keys(text: str | bytes) -> None:
    """ProtocolViolation(`duplicate_keys`) if any object of the document repeats a key."""
    try:
        json.loads(text, object_pairs_hook=_unique)
    except ValueError as error:  # stricter than msgspec in corners, e.g. integers of thousands of digits
        raise ProtocolViolation("not_json", str(error)) from None


def refuse_extra_prices(text: str | bytes, rows: int) -> None:
    """ProtocolViolation(`duplicate_keys`) if the document has more or fewer `px` keys than rows."""
    found = text.count('"px"') if isinstance(text, str) else text.count(b'"px"')
    if found != rows:
        raise ProtocolViolation("duplicate_keys", f"{found} px keys in {rows} rows")
