"""Settings of what comes before real size: paper, and the canary."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from hlomm.settings.kinds import Count, Fraction, NonNegative, Positive, Section


class Paper(Section, frozen=True):
    cash: Positive
    perp_cash: NonNegative
    queue: Literal["back", "front", "power", "power3", "log", "log2"]
    queue_n: Positive
    latency: str
    seed: Annotated[int, msgspec.Meta(ge=0)]
    fees: Literal["today", "recorded"]


class Canary(Section, frozen=True):
    account: str
    size: Positive
    fills: Count
    settlements: Count
    days: NonNegative
    psr: Fraction
