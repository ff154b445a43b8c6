"""Outcome metadata: specifications, the description grammar, domain markets (venue sheet sections 7.2 and 7.3).

A description is `key:value|key:value`, split at the first colon only, because coin names of builder-deployed perps
contain colons. Only `priceBinary` is traded; every other class is recognised by name and passed over.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import HYPERLIQUID, outcome_market, perp_market
from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.ticker import civil_from_days, days_from_civil, outcome_ticker, perp_ticker, wall_ns_of
from hlomm.domain.units import ONE, SCALE, Cash, Px, Qty
from hlomm.venues.hyperliquid.wire.anomalies import Anomaly, guarded
from hlomm.venues.hyperliquid.wire.fields import DecimalText, OutcomeNumber, Text, Word, positive, unsigned

OUTCOME_TICK: Final = Px(SCALE // 100_000)
OUTCOME_LOT: Final = Qty(SCALE)
MIN_NOTIONAL: Final = Cash(10 * SCALE)
PERP_DECIMALS: Final = 6

_PERP_COLLATERAL: Final = "USDC"
"""Of the first perp dex, the only one traded here."""

PRICE_BINARY: Final = "priceBinary"

LAST_YEAR: Final = 2199
"""Nanoseconds of later ones outgrow the 64 bits of a record."""
_EXPIRY: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})-([0-9]{2})([0-9]{2})", re.ASCII)
_UNDERLYING: Final = re.compile(r"[A-Za-z0-9:._]{1,40}", re.ASCII)


class SideSpec(Struct, frozen=True):
    name: Word


class OutcomeSpec(Struct, frozen=True, rename="camel"):
    outcome: OutcomeNumber
    name: Word
    description: Text
    side_specs: Annotated[list[SideSpec], Meta(min_length=2, max_length=2)]
    quote_token: Word = ""
    """Absent before June 2026."""
    venue: Word | None = None
    deployer: Word | None = None


class OutcomeMetaReply(Struct, frozen=True):
    outcomes: Annotated[list[msgspec.Raw], Meta(max_length=20_000)]


class SettledOutcomeReply(Struct, frozen=True, rename="camel"):
    spec: OutcomeSpec
    settle_fraction: DecimalText
    details: Text = ""


class PerpRow(Struct, frozen=True, rename="camel"):
    name: Word
    sz_decimals: Annotated[int, Meta(ge=0, le=PERP_DECIMALS)]
    is_delisted: bool | None = None


class PerpMetaReply(Struct, frozen=True):
    universe: Annotated[list[PerpRow], Meta(max_length=5_000)]


class PriceBinary(Struct, frozen=True, kw_only=True):
    """YES iff the mark, interpolated at the instant, is at or above the target."""

    underlying: str
    expiry_ns: int
    target: Px
    period: str


class Settlement(Struct, frozen=True):
    """What a settled outcome pays per YES token."""

    outcome: int
    yes_px: Px
    details: str


class NotTraded(Struct, frozen=True):
    """An outcome that is passed over. `reason` is a word for counters."""

    outcome: int
    klass: str
    reason: str


_spec: Final = msgspec.json.Decoder(OutcomeSpec)


def outcome_specs(rows: list[msgspec.Raw]) -> tuple[tuple[OutcomeSpec, ...], tuple[Anomaly, ...]]:
    """Specifications that can be read; the others become `outcome.schema`."""
    specs: list[OutcomeSpec] = []
    anomalies: list[Anomaly] = []
    for raw in rows:
        spec, wrong = guarded("outcome.schema", _spec.decode, raw)
        anomalies += wrong
        if spec is not None:
            specs.append(spec)
    return tuple(specs), tuple(anomalies)


def description_fields(description: str) -> dict[str, str]:
    """The pairs of a description; a part without a colon is kept as a key with an empty value."""
    pairs = (part.partition(":") for part in description.split("|"))
    return {key: value for key, _, value in pairs}


def outcome_class(spec: OutcomeSpec) -> str:
    """Class of an outcome as the venue names it."""
    if spec.name.startswith("template:"):
        return spec.name
    klass = description_fields(spec.description).get("class")
    if klass:
        return klass
    # Legs and fallbacks of a question carry only their place in it; their name says what they are.
    return spec.name or "unnamed"


def price_binary(description: str) -> PriceBinary:
    """The terms of a `priceBinary`. ProtocolViolation `outcome.*` for terms that make no sense."""
    fields = description_fields(description)
    underlying = fields.get("underlying", "")
    if _UNDERLYING.fullmatch(underlying) is None:
        raise ProtocolViolation("outcome.underlying", f"expected a coin name, was {underlying!r}")
    return PriceBinary(
        underlying=underlying,
        expiry_ns=expiry_ns(fields.get("expiry", "")),
        target=Px(positive(fields.get("targetPrice", ""), "outcome.target")),
        period=fields.get("period", "")[:16],
    )


def expiry_ns(text: str) -> int:
    """Wall nanoseconds of `YYYYMMDD-HHMM` UTC. ProtocolViolation `outcome.expiry` if it is no such instant."""
    match = _EXPIRY.fullmatch(text)
    if match is None:
        raise ProtocolViolation("outcome.expiry", f"expected YYYYMMDD-HHMM, was {text[:40]!r}")
    year, month, day, hour, minute = (int(part) for part in match.groups())
    if not (1970 <= year <= LAST_YEAR and 1 <= month <= 12 and 1 <= day <= 31 and hour <= 23 and minute <= 59):
        raise ProtocolViolation("outcome.expiry", f"no such instant: {text!r}")
    # The calendar's own round trip catches the 31st of a short month.
    if civil_from_days(days_from_civil(year, month, day)) != (year, month, day):
        raise ProtocolViolation("outcome.expiry", f"no such day: {text!r}")
    return wall_ns_of(year, month, day, hour * 60 + minute)


def outcome_listing(spec: OutcomeSpec) -> Market | NotTraded:
    """The domain market of an outcome, or why it is not traded. ProtocolViolation for terms that make no sense."""
    klass = outcome_class(spec)
    if klass != PRICE_BINARY:
        return NotTraded(spec.outcome, klass, "class")
    if not spec.quote_token:
        return NotTraded(spec.outcome, klass, "no_quote_token")
    terms = price_binary(spec.description)
    return Market(
        id=outcome_market(HYPERLIQUID, spec.outcome),
        venue=HYPERLIQUID,
        kind=MarketKind.OUTCOME,
        ticker=outcome_ticker(terms.underlying, terms.target, terms.expiry_ns),
        underlying=terms.underlying,
        tick=OUTCOME_TICK,
        lot=OUTCOME_LOT,
        min_notional=MIN_NOTIONAL,
        quote_token=spec.quote_token,
        klass=klass,
        strike=terms.target,
        expiry_ns=terms.expiry_ns,
        period=terms.period,
        deployer=spec.deployer or spec.venue,
    )


def perp_listing(row: PerpRow) -> Market:
    """The domain market of a perp; its tick is the finest step, five significant figures may force a coarser one."""
    return Market(
        id=perp_market(HYPERLIQUID, row.name),
        venue=HYPERLIQUID,
        kind=MarketKind.PERP,
        ticker=perp_ticker(row.name),
        underlying=row.name,
        tick=Px(SCALE // 10 ** (PERP_DECIMALS - row.sz_decimals)),
        lot=Qty(SCALE // 10**row.sz_decimals),
        min_notional=MIN_NOTIONAL,
        quote_token=_PERP_COLLATERAL,
    )


def settlement(reply: SettledOutcomeReply) -> Settlement:
    """ProtocolViolation `settlement.fraction` for a payout outside 0..1."""
    fraction = unsigned(reply.settle_fraction, "settlement.fraction")
    if fraction > ONE:
        raise ProtocolViolation("settlement.fraction", f"expected 0..1, was {reply.settle_fraction!r}")
    return Settlement(reply.spec.outcome, Px(fraction), reply.details)
