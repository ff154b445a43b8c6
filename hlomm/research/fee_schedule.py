"""What outcome contracts of Hyperliquid cost, by day: everything that is known, and since when and from whom.

Only the side that reduces pays: a sale of tokens, and the settlement of what pays. Opening, splitting and merging are
free. rate = base rate * (s + max(s, 1)): base rates of the first tier (taker and settlement 0.0007, maker 0.0004), and
s the deployer's factor, 0 for protocol contracts, which have none. (Venue sheet 7.8; QUANT 6.1.)

A day without evidence takes the nearest rule that has some, and says so.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

import attrs

from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import FeeRates
from hlomm.domain.markets import Market
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE
from hlomm.venues.hyperliquid.fees import BASE_MAKER, BASE_TAKER


class FeesOf(StrEnum):
    RECORDED = "recorded"
    """The day of the recording."""
    TODAY = "today"
    """What a live session reckons with now, whatever was charged then."""


class Listed(StrEnum):
    """By whom a contract is listed; each has rules of its own."""

    PROTOCOL = "protocol"
    DEPLOYER = "deployer"


@attrs.frozen(kw_only=True)
class Rule:
    """One rule, for the days from which there is evidence of it."""

    listed: Listed
    first: date
    last: date
    charged: bool
    source: str


RULES: Final = (
    Rule(
        listed=Listed.PROTOCOL, first=date(2026, 5, 2), last=date(2026, 10, 2), charged=False,
        source='documentation of 2026-05-08 to 2026-10-02 ("currently zero"); 182 mainnet fills of 2026-06-05 to '
        "2026-06-09, settlements among them, all without fee",
    ),
    Rule(
        listed=Listed.DEPLOYER, first=date(2026, 9, 12), last=date(2026, 10, 9), charged=True,
        source="two mainnet fills fit the multiplier rule exactly; the documentation of deployers states it",
    ),
)  # fmt: skip
"""Not in it, for nobody knows: whether protocol contracts are charged since 2026-10-03, and whether merging is."""


@attrs.frozen(kw_only=True)
class Schedule:
    """Fees of one contract in one backtest."""

    rates: FeeRates
    said: str
    """Which rule, and how well it is known."""
    known: bool
    """There is evidence for that day."""


def schedule(market: Market, at_ns: int, which: FeesOf = FeesOf.RECORDED) -> Schedule:
    """Fees of a contract at a moment of its recording, or today's."""
    listed = Listed.PROTOCOL if market.deployer is None else Listed.DEPLOYER
    if which is FeesOf.TODAY:
        # As a live session reckons before its first own fill: the dear side of what is not known.
        said = "today's: charged by the multiplier rule, as a live session assumes until its first own fill"
        return Schedule(rates=_rates(market, charged=True), said=said, known=False)
    day = datetime.fromtimestamp(at_ns // NS_PER_S, UTC).date()
    rule = min((rule for rule in RULES if rule.listed is listed), key=lambda rule: _away(rule, day))
    charged = "charged by the multiplier rule" if rule.charged else "free"
    said = f"{listed} contracts of {day}: {charged} (known {rule.first} to {rule.last})"
    away = _away(rule, day)
    if away:
        said += f"; nobody told of that day, so the nearest known rule, {away} day{'s' * (away > 1)} away"
    return Schedule(rates=_rates(market, charged=rule.charged), said=said, known=not away)


def _away(rule: Rule, day: date) -> int:
    """Days between a day and the rule's evidence."""
    return max((rule.first - day).days, (day - rule.last).days, 0)


def _rates(market: Market, *, charged: bool) -> FeeRates:
    factor = market.fee_scale + max(market.fee_scale, SCALE)
    maker, taker = (base * factor // SCALE if charged else 0 for base in (BASE_MAKER, BASE_TAKER))
    return FeeRates(venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=maker, close_taker=taker, settle=taker)
