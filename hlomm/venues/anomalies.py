"""What the codec refuses: counted by kind, dropped, never raised (design: a bad frame must not end a session)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from hlomm.domain.faults import ProtocolViolation

T = TypeVar("T")

DETAIL_LIMIT: Final = 160


class Anomaly(msgspec.Struct, frozen=True):
    """One thing that was dropped. `kind` comes from a fixed vocabulary, `detail` is for the first log line."""

    kind: str
    detail: str


def anomaly(kind: str, detail: object) -> Anomaly:
    return Anomaly(kind, str(detail)[:DETAIL_LIMIT])


# Everything a decode of hostile bytes may raise: msgspec's own errors, broken UTF-8 inside strings, and nesting
# beyond the interpreter's stack.
DECODE_ERRORS: Final = (msgspec.DecodeError, UnicodeError, RecursionError)


def guarded(kind: str, decode: Callable[..., T], *args: Any) -> tuple[T | None, tuple[Anomaly, ...]]:
    """Run one decoding step; a refusal becomes an anomaly of that kind (or of the more exact kind it names)."""
    try:
        return decode(*args), ()
    except ProtocolViolation as violation:
        return None, (anomaly(violation.kind, violation),)
    except DECODE_ERRORS as error:
        return None, (anomaly(kind, error),)
