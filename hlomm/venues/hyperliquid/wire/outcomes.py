"""Outcome metadata: specifications of outcomes and questions, domain markets (venue sheet sections 7.2 and 7.3).

`priceBinary`, the legs and fallback of `priceBucket` questions and the template `binaryPrice` become markets; every
other class is recognised by name and passed over. What is listed here is not yet quoted: strategies choose.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import HYPERLIQUID, outcome_market, perp_market
from hlomm.domain.markets import Comparator, Market, MarketKind
from hlomm.domain.ticker import Terms, outcome_ticker, perp_ticker
from hlomm.domain.units import ONE, SCALE, Cash, Px, Qty
from hlomm.venues.anomalies import Anomaly, guarded
from hlomm.venues.fields import DecimalText, OutcomeNumber, Text, Word, unsigned
from hlomm.venues.hyperliquid.wire.descriptions import (
    PRICE_BUCKET,
    BinaryPrice,
    BucketLeg,
    Description,
    Fallback,
    PriceBinary,
    PriceBucket,
    outcome_class_of,
    read_description,
)

OUTCOME_TICK: Final = Px(SCALE // 100_000)
OUTCOME_LOT: Final = Qty(SCALE)
MIN_NOTIONAL: Final = Cash(10 * SCALE)
PERP_DECIMALS: Final = 6

_PERP_COLLATERAL: Final = "USDC"
"""Of the first perp dex, the only one traded here."""

NO_QUESTION: Final = "no_question"
"""Why a leg is not traded as long as nobody said which question it belongs to."""
NAMELESS: Final = "nameless"
"""Stands for a deployer whom the list does not name."""
FEE_SCALE_MAX: Final = 10 * SCALE
"""Of a deployer (sheet section 7.10)."""


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
    deployer_fee_scale: DecimalText | None = None


Numbers = Annotated[tuple[OutcomeNumber, ...], Meta(max_length=1_000)]


class QuestionSpec(Struct, frozen=True, rename="camel"):
    """Several outcomes of which exactly one pays YES."""

    question: OutcomeNumber
    name: Word
    description: Text
    fallback_outcome: OutcomeNumber | None = None
    named_outcomes: Numbers = ()
    settled_named_outcomes: Numbers = ()

    @property
    def outcomes(self) -> tuple[int, ...]:
        """Every outcome that belongs to it, settled ones and the fallback included."""
        fallback = () if self.fallback_outcome is None else (self.fallback_outcome,)
        return (*self.named_outcomes, *self.settled_named_outcomes, *fallback)

    @property
    def live(self) -> frozenset[int]:
        """Outcomes that may still pay YES."""
        return frozenset(self.outcomes) - frozenset(self.settled_named_outcomes)


class OutcomeMetaReply(Struct, frozen=True):
    outcomes: Annotated[list[msgspec.Raw], Meta(max_length=20_000)]
    questions: Annotated[list[msgspec.Raw], Meta(max_length=5_000)] = []
    """Absent from the official example."""


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
_question: Final = msgspec.json.Decoder(QuestionSpec)

T = TypeVar("T")


def outcome_specs(rows: list[msgspec.Raw]) -> tuple[tuple[OutcomeSpec, ...], tuple[Anomaly, ...]]:
    """Specifications that can be read; the others become `outcome.schema`."""
    return _readable("outcome.schema", _spec, rows)


def question_specs(rows: list[msgspec.Raw]) -> tuple[tuple[QuestionSpec, ...], tuple[Anomaly, ...]]:
    """Questions that can be read; the others become `question.schema`."""
    return _readable("question.schema", _question, rows)


def _readable(
    kind: str, decoder: msgspec.json.Decoder[T], rows: list[msgspec.Raw]
) -> tuple[tuple[T, ...], tuple[Anomaly, ...]]:
    values: list[T] = []
    anomalies: list[Anomaly] = []
    for raw in rows:
        value, wrong = guarded(kind, decoder.decode, raw)
        anomalies += wrong
        if value is not None:
            values.append(value)
    return tuple(values), tuple(anomalies)


def outcome_class(spec: OutcomeSpec) -> str:
    """Class of an outcome as the venue names it."""
    return outcome_class_of(spec.name, spec.description)


def outcome_listing(spec: OutcomeSpec, question: QuestionSpec | None = None) -> Market | NotTraded:
    """The domain market of an outcome, or why it is not traded. ProtocolViolation for terms that make no sense.

    `question` is the one the outcome belongs to, if it is known: legs and fallbacks are nothing without it.
    """
    klass = outcome_class(spec)
    terms = read_description(spec.name, spec.description)
    if isinstance(terms, BucketLeg | Fallback):
        if question is None:
            return NotTraded(spec.outcome, klass, NO_QUESTION)
        parent = read_description(question.name, question.description)
        if not isinstance(parent, PriceBucket):
            return NotTraded(spec.outcome, outcome_class_of(question.name, question.description), "class")
        known = _leg_fields(spec, terms, question, parent)
    elif isinstance(terms, PriceBinary | BinaryPrice):
        known = _binary_fields(klass, terms)
    else:
        return NotTraded(spec.outcome, klass, "class")
    if not spec.quote_token:
        return NotTraded(spec.outcome, klass, "no_quote_token")
    return Market(
        id=outcome_market(HYPERLIQUID, spec.outcome),
        venue=HYPERLIQUID,
        kind=MarketKind.OUTCOME,
        tick=OUTCOME_TICK,
        lot=OUTCOME_LOT,
        min_notional=MIN_NOTIONAL,
        quote_token=spec.quote_token,
        deployer=_deployer(spec, terms),
        question=None if question is None else question.question,
        question_size=0 if question is None else len(question.live),
        fee_scale=_fee_scale(spec),
        **known,
    )


def _binary_fields(klass: str, terms: PriceBinary | BinaryPrice) -> dict[str, Any]:
    if isinstance(terms, PriceBinary):
        return {
            "ticker": outcome_ticker(terms.underlying, terms.target, terms.expiry_ns), "klass": klass,
            "underlying": terms.underlying, "strike": terms.target, "expiry_ns": terms.expiry_ns,
            "period": terms.period,
        }  # fmt: skip
    above = Terms(strike=terms.threshold, comparator=Comparator.ABOVE)
    return {
        "ticker": outcome_ticker(terms.perp, above, terms.time_ns), "klass": klass, "underlying": terms.perp,
        "strike": terms.threshold, "expiry_ns": terms.time_ns, "comparator": Comparator.ABOVE,
        "averaging_s": terms.seconds,
    }  # fmt: skip


def _leg_fields(
    spec: OutcomeSpec, leg: BucketLeg | Fallback, question: QuestionSpec, parent: PriceBucket
) -> dict[str, Any]:
    """What a leg has from its question. Both must agree on what it is: either may be wrong."""
    fallback = isinstance(leg, Fallback)
    if fallback is not (spec.outcome == question.fallback_outcome) or spec.outcome not in question.outcomes:
        raise ProtocolViolation("outcome.question", f"{spec.name!r} is not what question {question.question} says")
    floor, ceiling = (None, None) if isinstance(leg, Fallback) else parent.bounds(leg.index)
    named = Terms(other=True) if fallback else Terms(floor=floor, ceiling=ceiling)
    return {
        "ticker": outcome_ticker(parent.underlying, named, parent.expiry_ns), "klass": PRICE_BUCKET,
        "underlying": parent.underlying, "expiry_ns": parent.expiry_ns, "period": parent.period, "floor": floor,
        "ceiling": ceiling, "fallback": fallback,
    }  # fmt: skip


def _deployer(spec: OutcomeSpec, terms: Description) -> str | None:
    """Whose key settles it; None for the protocol.

    Templates and fee factors are for deployers only, so their outcomes are never taken for the protocol's, whatever
    the list leaves out.
    """
    deployed = isinstance(terms, BinaryPrice) or spec.deployer_fee_scale is not None
    return spec.deployer or spec.venue or (NAMELESS if deployed else None)


def _fee_scale(spec: OutcomeSpec) -> int:
    if spec.deployer_fee_scale is None:
        return 0
    scale = unsigned(spec.deployer_fee_scale, "outcome.fee_scale")
    if scale > FEE_SCALE_MAX:
        raise ProtocolViolation("outcome.fee_scale", f"expected 0..10, was {spec.deployer_fee_scale!r}")
    return scale


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
