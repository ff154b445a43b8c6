"""Series, events and markets: what is traded, its life as a table, and the words the venue describes it with."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs

from hlomm.domain.times import NS_PER_S
from hlomm.sim.book import Ladder
from hlomm.sim.kalshi.accounts import Order
from hlomm.sim.kalshi.fees import FeeTerms

EASTERN: Final = ZoneInfo("America/New_York")
CRYPTO_SHARD: Final = 2
SHARDS: Final = {0: "Default", 1: "Combos", 2: "Crypto & Commodities", 3: "Tennis, Baseball, Basketball"}
RULES_SECONDARY: Final = (
    "Not all cryptocurrency price data is the same. The price used is the CF Benchmarks Real Time Index. At the last "
    "minute before expiration, 60 RTI prices are collected. The official and final value is the average of these "
    "prices."
)


class Phase(StrEnum):
    """`status` of a market."""

    INITIALIZED = "initialized"
    ACTIVE = "active"
    INACTIVE = "inactive"
    CLOSED = "closed"
    DETERMINED = "determined"
    FINALIZED = "finalized"


class Step(StrEnum):
    """What moves a market on."""

    OPEN = "open"
    PAUSE = "pause"
    RESUME = "resume"
    CLOSE = "close"
    DETERMINE = "determine"
    SETTLE = "settle"


LIFE: Final[dict[tuple[Phase, Step], Phase]] = {
    (Phase.INITIALIZED, Step.OPEN): Phase.ACTIVE,
    (Phase.ACTIVE, Step.PAUSE): Phase.INACTIVE,
    (Phase.INACTIVE, Step.RESUME): Phase.ACTIVE,
    (Phase.ACTIVE, Step.CLOSE): Phase.CLOSED,
    (Phase.INACTIVE, Step.CLOSE): Phase.CLOSED,
    (Phase.CLOSED, Step.DETERMINE): Phase.DETERMINED,
    (Phase.DETERMINED, Step.SETTLE): Phase.FINALIZED,
}
FILTERS: Final = {
    "unopened": {Phase.INITIALIZED},
    "open": {Phase.ACTIVE},
    "paused": {Phase.INACTIVE},
    "closed": {Phase.CLOSED, Phase.DETERMINED},
    "settled": {Phase.FINALIZED},
}
"""`status` of a query against the status of a market; anything else is a 400."""


class StrikeType(StrEnum):
    GREATER = "greater"
    GREATER_OR_EQUAL = "greater_or_equal"


@attrs.frozen(kw_only=True)
class Series:
    """A family of recurring events."""

    ticker: str
    frequency: str
    strike_type: StrikeType
    structure: str
    timer_s: float
    fees: FeeTerms
    market_title: str


@attrs.define(eq=False, kw_only=True)
class Market:
    """One contract. Values of the index are cents; sizes lots, money 1e-8 dollars."""

    ticker: str
    event_ticker: str
    series: Series
    created_ns: int
    open_ns: int
    close_ns: int
    strike: int | None
    """None until a market that compares with its own opening is open."""
    structure: str
    shard: int = CRYPTO_SHARD
    phase: Phase = Phase.INITIALIZED
    book: Ladder[Order] = attrs.field(factory=Ladder[Order])
    listed_strike_ns: int = 0
    """When lists show the strike: later than the single GET."""
    updated_ns: int = 0
    last_ticks: int | None = None
    last_lots: int = 0
    volume: int = 0
    dollar_volume: int = 0
    value: int | None = None
    """The index average that decided it."""
    result: bool | None = None
    determined_ns: int = 0
    settled_ns: int = 0
    amended_rules: str = ""
    """Appended to the rules by a fault."""

    @property
    def market_id(self) -> str:
        """The venue's own id: a UUID that depends on the ticker alone."""
        return str(UUID(bytes=sha256(self.ticker.encode()).digest()[:16], version=4))

    def move(self, step: Step, now_ns: int) -> None:
        """Take a step of its life; a step that the table does not have is an AssertionError."""
        phase = LIFE.get((self.phase, step))
        assert phase is not None, f"{self.ticker}: {self.phase} cannot {step}"
        self.phase, self.updated_ns = phase, now_ns

    def pays(self, cents: int) -> bool:
        """Whether YES wins at a value of the index."""
        assert self.strike is not None, "a market that opened has a strike"
        return cents > self.strike if self.series.strike_type is StrikeType.GREATER else cents >= self.strike


@attrs.define(eq=False, kw_only=True)
class Event:
    """A settlement instant of a series with its markets; `fees` overrides the series'."""

    ticker: str
    series: Series
    close_ns: int
    markets: list[Market] = attrs.field(factory=list)
    fees: FeeTerms | None = None


def eastern(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // NS_PER_S, UTC).astimezone(EASTERN)


def clock_words(ns: int) -> str:
    """`5 PM EST`, `4:15 PM EST`."""
    moment = eastern(ns)
    hour = moment.hour % 12 or 12
    minute = f":{moment.minute:02d}" if moment.minute else ""
    return f"{hour}{minute} {moment:%p %Z}"


def money_words(cents: int) -> str:
    """`$91,002.44`; whole dollars without decimals."""
    return f"${cents // 100:,}" + (f".{cents % 100:02d}" if cents % 100 else "")


def threshold_event_ticker(series: str, close_ns: int) -> str:
    """`KXBTCD-26NOV2017`: Eastern wall clock, the hour alone at a full hour."""
    moment = eastern(close_ns)
    clock = f"{moment:%H}" if moment.minute == 0 else f"{moment:%H%M}"
    return f"{series}-{moment:%y}{moment:%b}".upper() + f"{moment:%d}{clock}"


def window_event_ticker(series: str, close_ns: int) -> str:
    """`KXBTC15M-26NOV201615`."""
    moment = eastern(close_ns)
    return f"{series}-{moment:%y}{moment:%b}".upper() + f"{moment:%d%H%M}"


def cents_text(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def rules_primary(market: Market) -> str:
    """The sentence that decides, as the venue words it."""
    moment = eastern(market.close_ns)
    if market.series.strike_type is StrikeType.GREATER:
        assert market.strike is not None
        at = clock_words(market.close_ns)
        return (
            "If the simple average of the sixty seconds of CF Benchmarks' Bitcoin Real-Time Index (BRTI) before "
            f"{at} is above {cents_text(market.strike)} at {at} on {moment:%b} {moment.day}, {moment.year}, "
            "then the market resolves to Yes."
        )
    opening = eastern(market.open_ns)
    return (
        "If the simple average of the sixty seconds of CF Benchmarks' BRTI before "
        f"{clock_words(market.close_ns)} on {moment:%b} {moment.day}, {moment.year} is at least the simple average of "
        f"the sixty seconds of CF Benchmarks' BRTI before {clock_words(market.open_ns)} on {opening:%B} {opening.day}, "
        f"{opening.year}, then the market resolves to Yes."
    )


def yes_words(market: Market) -> str:
    """`yes_sub_title`."""
    if market.series.strike_type is StrikeType.GREATER:
        assert market.strike is not None
        return f"{money_words(market.strike + 1)} or above"
    return f"Target Price: {'TBD' if market.strike is None else money_words(market.strike)}"
