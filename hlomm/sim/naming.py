"""Descriptions of contracts as the venue writes them: `key:value` pairs joined by `|` (venue sheet 7.2)."""

from __future__ import annotations

from hlomm.domain.ticker import civil_from_days
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Px, to_text


def stamp(time_ns: int) -> str:
    """An expiry, `YYYYMMDD-HHMM` in UTC; seconds are cut off."""
    days, seconds = divmod(time_ns // NS_PER_S, 86_400)
    year, month, day = civil_from_days(days)
    hour, minute = divmod(seconds // 60, 60)
    return f"{year:04d}{month:02d}{day:02d}-{hour:02d}{minute:02d}"


def describe_binary(underlying: str, expiry_ns: int, target: Px, period: str) -> str:
    """A recurring price binary."""
    rule = f"targetPrice:{to_text(target)}"
    return f"class:priceBinary|underlying:{underlying}|expiry:{stamp(expiry_ns)}|{rule}|period:{period}"


def describe_bucket(underlying: str, expiry_ns: int, thresholds: tuple[Px, ...], period: str) -> str:
    """The question of a recurring price bucket; its legs only carry their index."""
    rule = f"priceThresholds:{','.join(to_text(price) for price in thresholds)}"
    return f"class:priceBucket|underlying:{underlying}|expiry:{stamp(expiry_ns)}|{rule}|period:{period}"


def describe_template(underlying: str, expiry_ns: int, threshold: Px, average_s: int) -> str:
    """A deployer's `template:binaryPrice`; keywords in alphabetical order."""
    return (
        f"perp:{underlying}|priceDescription:{underlying}-USDC perp mark|seconds:{average_s}"
        f"|threshold:{to_text(threshold)}|time:{stamp(expiry_ns)}"
    )
