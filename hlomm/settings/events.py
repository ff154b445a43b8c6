"""Settings of events that several venues list: which of their contracts are one, and how alike they have to be."""

from __future__ import annotations

from typing import Literal

from hlomm.settings.kinds import Fraction, NonNegative, Section


class Leg(Section, frozen=True):
    """One series in a rule for links."""

    venue: Literal["hyperliquid", "polymarket", "kalshi"]
    klass: str
    period: str
    rules: tuple[str, ...]


class LinkRule(Section, frozen=True):
    name: str
    left: Leg
    right: Leg
    underlyings: tuple[str, ...]
    grade: Literal["same", "near"]
    accept: tuple[str, ...]
    max_mismatch: Fraction
    reviewed_by: str
    reviewed_on: str


class LinkPair(Section, frozen=True):
    name: str
    left: str
    right: str
    left_rules: str
    right_rules: str
    left_terms: str
    right_terms: str
    grade: Literal["same", "near"]
    max_mismatch: Fraction
    reviewed_by: str
    reviewed_on: str


class Events(Section, frozen=True):
    proposals: bool
    instant_s: NonNegative
    strike_bps: NonNegative
    averaging_s: NonNegative
    rules: tuple[LinkRule, ...]
    pairs: tuple[LinkPair, ...]
