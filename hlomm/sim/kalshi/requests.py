"""Requests as the REST part hands them to its handlers, and how their figures are read."""

from __future__ import annotations

from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, urlsplit

import attrs
import msgspec

from hlomm.sim.kalshi.refusals import Refused, bad_request

_INT_DIGITS: Final = 15


@attrs.frozen
class Query:
    """The part after the question mark."""

    values: dict[str, list[str]]

    @classmethod
    def of(cls, target: str) -> Query:
        return cls(parse_qs(urlsplit(target).query, keep_blank_values=True))

    def text(self, name: str) -> str | None:
        """The first value, None where it is missing or empty."""
        return next((value for value in self.values.get(name, ()) if value), None)

    def many(self, name: str) -> list[str]:
        """All values, given by repetition or by commas."""
        return [item for value in self.values.get(name, ()) for item in value.split(",") if item]

    def number(self, name: str) -> int | None:
        """A whole number; Refused for anything else."""
        text = self.text(name)
        if text is None:
            return None
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= _INT_DIGITS):
            raise Refused(bad_request(name))
        return int(text)

    def flag(self, name: str) -> bool:
        return self.text(name) == "true"

    def limit(self, default: int, most: int) -> int:
        """`limit`, refused out of its range."""
        value = self.number("limit")
        if value is not None and not 0 < value <= most:
            raise Refused(bad_request("limit"))
        return default if value is None else value


def page(rows: list[Any], query: Query, default: int, most: int) -> tuple[list[Any], str]:
    """One page of rows and the cursor of the next, empty at the end. Cursors are opaque to clients."""
    start = query.number("cursor") or 0
    end = max(start, 0) + query.limit(default, most)
    return rows[max(start, 0) : end], (str(end) if end < len(rows) else "")


BodyType = TypeVar("BodyType")


def decoded(body: bytes, kind: type[BodyType]) -> BodyType:
    """A JSON body as a struct; Refused where it is not one."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise Refused(bad_request(str(error)[:200])) from error
