"""Contracts of three venues on one event, as their sessions list them."""

from __future__ import annotations

from typing import Any, Final

from hlomm.domain.event import Grade, Tolerances
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET, kalshi_market, polymarket_market
from hlomm.domain.links import Family, LinkRules, Review, RuleReview
from hlomm.domain.markets import Comparator, Market, Source
from hlomm.domain.ticker import wall_ns_of
from hlomm.domain.times import NS_PER_S
from tests.support.values import outcome, px

NOON: Final = wall_ns_of(2026, 11, 20, 17 * 60)
"""12:00 US Eastern in standard time."""
MINUTE: Final = 60 * NS_PER_S
CONDITION: Final = "0x" + "5" * 64

TOLERANCES: Final = Tolerances(instant_ns=90 * NS_PER_S, strike=80_000, averaging_s=120)
"""90 s, 8 bps, 120 s."""


def hyperliquid(number: int = 15, **changes: Any) -> Market:
    """At 91,000 or above, by the mark of the instant."""
    values: dict[str, Any] = {"strike": px(91_000), "expiry_ns": NOON, "period": "15m"}
    return outcome(number, **(values | changes))


def kalshi(name: str = "KXBTCD-26NOV2012-T90999.99", **changes: Any) -> Market:
    """Above 90,999.99, by the mean of the minute before."""
    values: dict[str, Any] = {
        "id": kalshi_market(name), "venue": KALSHI, "klass": "KXBTCD", "period": "1h", "strike": px("90999.99"),
        "comparator": Comparator.ABOVE, "averaging_s": 60, "source": Source.BRTI, "quote_token": "USD",
        "expiry_ns": NOON, "rules": "kalshi-text", "void": "fair market price", "ticker": f"OUT:{name}",
    }  # fmt: skip
    return outcome(0, **(values | changes))


def polymarket(condition: str = CONDITION, **changes: Any) -> Market:
    """Above 91,000, by the close of the minute that opens at noon."""
    values: dict[str, Any] = {
        "id": polymarket_market(condition), "venue": POLYMARKET, "klass": "above", "period": "1d",
        "strike": px(91_000), "comparator": Comparator.ABOVE, "source": Source.BINANCE_1M, "quote_token": "pUSD",
        "expiry_ns": NOON, "settles_ns": NOON + MINUTE, "rules": "polymarket-text", "ticker": "OUT:pm",
    }  # fmt: skip
    return outcome(0, **(values | changes))


def up_or_down(venue: str, start_ns: int, strike: str | None = None, **changes: Any) -> Market:
    """Fifteen minutes, up if the mean at the end is no lower than the mean at the start."""
    values: dict[str, Any] = {
        "strike": None if strike is None else px(strike), "averaging_from_ns": start_ns, "averaging_s": 60,
        "comparator": Comparator.AT_LEAST, "expiry_ns": start_ns + 15 * MINUTE, "settles_ns": None, "period": "15m",
    }  # fmt: skip
    if venue == KALSHI:
        return kalshi("KXBTC15M-26NOV201215-15", klass="KXBTC15M", **(values | changes))
    return polymarket(klass="updown", source=Source.CHAINLINK_TWAP, **(values | changes))


def rule(name: str = "hourly", **changes: Any) -> RuleReview:
    """Hyperliquid's binaries and Kalshi's hourlies."""
    values: dict[str, Any] = {
        "name": name,
        "families": (
            Family(venue=HYPERLIQUID, klass="priceBinary", period="15m"), Family(venue=KALSHI, klass="KXBTCD"),
        ),
        "underlyings": ("BTC",), "grade": Grade.NEAR,
        "accept": ("comparator", "strike", "averaging", "source", "void", "quote_token"),
        "reviewed_by": "a tester", "reviewed_on": "2026-11-20",
    }  # fmt: skip
    return RuleReview(**(values | changes))


def link_rules(*reviews: Review, proposals: bool = True) -> LinkRules:
    return LinkRules(tolerances=TOLERANCES, reviews=reviews, proposals=proposals)
