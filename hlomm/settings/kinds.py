"""Kinds of numbers that settings are made of, every one bounded, and the base of their sections."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0, lt=1e12)]
NonNegative = Annotated[float, msgspec.Meta(ge=0, lt=1e12)]
Fraction = Annotated[float, msgspec.Meta(gt=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Factor = Annotated[float, msgspec.Meta(ge=1, le=100)]
Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]
"""A price of an outcome or a distance between two."""
Warmth = Annotated[float, msgspec.Meta(ge=0, lt=55)]
"""Seconds after which a connection is asked something: below what a line is trusted for."""
WebSocket = Literal["direct", "library"]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass
