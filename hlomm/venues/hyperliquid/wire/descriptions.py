"""The description grammars of HIP-4 outcomes and questions, read and printed (venue sheet section 7.2).

A description is `key:value|key:value`. A pair is split at its first colon only, because coin names of builder-deployed
perps contain colons. What is printed is canonical: keys in the venue's order, plain decimals without trailing zeros.
Reading accepts keys in any order and keys it does not know, which are not printed again; a key that occurs twice
has no meaning and is refused, and so are terms under which no settlement is possible.

Everything is judged without a clock: an expiry in the past is a description like any other.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from msgspec import Struct

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ticker import civil_from_days, days_from_civil, wall_ns_of
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Px, to_text
from hlomm.venues.fields import positive

PRICE_BINARY: Final = "priceBinary"
PRICE_BUCKET: Final = "priceBucket"
BINARY_PRICE: Final = "binaryPrice"
"""The one template of which the terms are understood."""
TEMPLATE: Final = "template:"

LEG_NAME: Final = "Recurring Named Outcome"
FALLBACK_NAME: Final = "Recurring Fallback"
FALLBACK_NAMES: Final = (FALLBACK_NAME, "template fallback")
_FALLBACK: Final = "other"

LAST_YEAR: Final = 2199
"""Nanoseconds of later ones outgrow the 64 bits of a record."""
THRESHOLDS_MAX: Final = 99
"""A question has at most 100 named outcomes."""
AVERAGING_MAX_S: Final = 86_400

_EXPIRY: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})-([0-9]{2})([0-9]{2})", re.ASCII)
_UNDERLYING: Final = re.compile(r"[A-Za-z0-9:._]{1,40}", re.ASCII)
_PERIOD: Final = re.compile(r"[A-Za-z0-9]{0,16}", re.ASCII)
_COUNT: Final = re.compile(r"0|[1-9][0-9]{0,5}", re.ASCII)


class PriceBinary(Struct, frozen=True, kw_only=True):
    """YES iff the mark, interpolated at the instant, is at or above the target."""

    underlying: str
    expiry_ns: int
    target: Px
    period: str


class PriceBucket(Struct, frozen=True, kw_only=True):
    """A question: leg n is paid iff the mark is from threshold n-1 on and below threshold n."""

    underlying: str
    expiry_ns: int
    thresholds: tuple[Px, ...]
    """Rising; there is one leg more than thresholds."""
    period: str

    def bounds(self, index: int) -> tuple[Px | None, Px | None]:
        """Floor and ceiling of a leg; ProtocolViolation `outcome.index` beyond the legs."""
        if not 0 <= index <= len(self.thresholds):
            raise ProtocolViolation("outcome.index", f"expected 0..{len(self.thresholds)}, was {index}")
        edges = (None, *self.thresholds, None)
        return edges[index], edges[index + 1]


class BucketLeg(Struct, frozen=True):
    """A named outcome of a recurring question; what it pays on stands in the question."""

    index: int


class Fallback(Struct, frozen=True):
    """The outcome that pays if no named one of its question does."""


class BinaryPrice(Struct, frozen=True, kw_only=True):
    """Template of that id: YES iff the average price of the last `seconds` before `time_ns` is above the threshold."""

    perp: str
    price_description: str
    seconds: int
    threshold: Px
    time_ns: int


class Template(Struct, frozen=True):
    """Another template: its id and its keywords, sorted, with values nobody here understands."""

    id: str
    keywords: tuple[tuple[str, str], ...]


class Unknown(Struct, frozen=True):
    """A class this program has never heard of. `text` is the description as it came."""

    klass: str
    text: str


Description = PriceBinary | PriceBucket | BucketLeg | Fallback | BinaryPrice | Template | Unknown


# -- reading


def description_fields(description: str) -> dict[str, str]:
    """The pairs of a description; a part without a colon is a key with an empty value, of a repeated key the last."""
    return dict(_pairs(description))


def outcome_class_of(name: str, description: str) -> str:
    """Class as the venue names it; never raises. Legs and fallbacks are known by their name."""
    if name.startswith(TEMPLATE):
        return name
    return description_fields(description).get("class") or name or "unnamed"


def read_description(name: str, description: str) -> Description:
    """What the name and description of an outcome or a question say.

    ProtocolViolation `outcome.*` if a known class has terms that make no sense; an unknown class is no violation.
    """
    if name.startswith(TEMPLATE):
        return _template(name.removeprefix(TEMPLATE), description)
    declared = description_fields(description).get("class")
    if declared == PRICE_BINARY:
        return price_binary(description)
    if declared == PRICE_BUCKET:
        return price_bucket(description)
    if not declared and name == LEG_NAME:
        return BucketLeg(_count(_strict(description).get("index", ""), "outcome.index"))
    if not declared and name in FALLBACK_NAMES:
        if description != _FALLBACK:
            raise ProtocolViolation("outcome.fallback", f"expected {_FALLBACK!r}, was {description[:40]!r}")
        return Fallback()
    return Unknown(outcome_class_of(name, description), description)


def price_binary(description: str) -> PriceBinary:
    """The terms of a `priceBinary`. ProtocolViolation `outcome.*` for terms that make no sense."""
    fields = _strict(description)
    return PriceBinary(
        underlying=_underlying(fields.get("underlying", "")),
        expiry_ns=expiry_ns(fields.get("expiry", "")),
        target=Px(positive(fields.get("targetPrice", ""), "outcome.target")),
        period=_period(fields.get("period", "")),
    )


def price_bucket(description: str) -> PriceBucket:
    """The terms of a `priceBucket` question. ProtocolViolation `outcome.*` for terms that make no sense."""
    fields = _strict(description)
    texts = fields.get("priceThresholds", "").split(",")
    if len(texts) > THRESHOLDS_MAX:
        raise ProtocolViolation("outcome.thresholds", f"expected at most {THRESHOLDS_MAX}, were {len(texts)}")
    thresholds = tuple(Px(positive(text, "outcome.thresholds")) for text in texts)
    if any(low >= high for low, high in pairwise(thresholds)):
        raise ProtocolViolation("outcome.thresholds", f"expected rising prices, were {','.join(texts)[:80]!r}")
    return PriceBucket(
        underlying=_underlying(fields.get("underlying", "")),
        expiry_ns=expiry_ns(fields.get("expiry", "")),
        thresholds=thresholds,
        period=_period(fields.get("period", "")),
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


def _pairs(description: str) -> list[tuple[str, str]]:
    split = (part.partition(":") for part in description.split("|"))
    return [(key, value) for key, _, value in split]


def _strict(description: str) -> dict[str, str]:
    pairs = _pairs(description)
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ProtocolViolation("outcome.repeated_key", f"a key occurs twice: {description[:80]!r}")
    return fields


def _template(id_: str, description: str) -> BinaryPrice | Template:
    fields = _strict(description) if description else {}
    if id_ != BINARY_PRICE:
        if not all(":" in part for part in description.split("|") if description):
            raise ProtocolViolation("outcome.keyword", f"expected keyword:value, was {description[:80]!r}")
        return Template(id_, tuple(sorted(fields.items())))
    seconds = _count(fields.get("seconds", ""), "outcome.seconds")
    if not 1 <= seconds <= AVERAGING_MAX_S:
        raise ProtocolViolation("outcome.seconds", f"expected 1..{AVERAGING_MAX_S}, was {seconds}")
    return BinaryPrice(
        perp=_underlying(fields.get("perp", "")),
        price_description=fields.get("priceDescription", ""),
        seconds=seconds,
        threshold=Px(positive(fields.get("threshold", ""), "outcome.target")),
        time_ns=expiry_ns(fields.get("time", "")),
    )


def _underlying(text: str) -> str:
    if _UNDERLYING.fullmatch(text) is None:
        raise ProtocolViolation("outcome.underlying", f"expected a coin name, was {text[:60]!r}")
    return text


def _period(text: str) -> str:
    if _PERIOD.fullmatch(text) is None:
        raise ProtocolViolation("outcome.period", f"expected a word such as 1d, was {text[:40]!r}")
    return text


def _count(text: str, kind: str) -> int:
    if _COUNT.fullmatch(text) is None:
        raise ProtocolViolation(kind, f"expected a number of at most six digits, was {text[:40]!r}")
    return int(text)


# -- printing


def print_description(terms: Description) -> str:
    """The canonical description: `read_description` of it, under its `name_of`, gives the terms back."""
    match terms:
        case PriceBinary():
            return _joined(
                ("class", PRICE_BINARY), ("underlying", terms.underlying), ("expiry", print_expiry(terms.expiry_ns)),
                ("targetPrice", to_text(terms.target)), ("period", terms.period),
            )  # fmt: skip
        case PriceBucket():
            thresholds = ",".join(to_text(price) for price in terms.thresholds)
            return _joined(
                ("class", PRICE_BUCKET), ("underlying", terms.underlying), ("expiry", print_expiry(terms.expiry_ns)),
                ("priceThresholds", thresholds), ("period", terms.period),
            )  # fmt: skip
        case BucketLeg():
            return f"index:{terms.index}"
        case Fallback():
            return _FALLBACK
        case BinaryPrice():
            return _joined(
                ("perp", terms.perp), ("priceDescription", terms.price_description), ("seconds", str(terms.seconds)),
                ("threshold", to_text(terms.threshold)), ("time", print_expiry(terms.time_ns)),
            )  # fmt: skip
        case Template():
            return "|".join(f"{key}:{value}" for key, value in terms.keywords)
        case Unknown():
            return terms.text


def name_of(terms: Description) -> str:
    """The name an outcome or question of these terms is listed under."""
    match terms:
        case PriceBinary() | PriceBucket():
            return "Recurring"
        case BucketLeg():
            return LEG_NAME
        case Fallback():
            return FALLBACK_NAME
        case BinaryPrice():
            return f"{TEMPLATE}{BINARY_PRICE}"
        case Template():
            return f"{TEMPLATE}{terms.id}"
        case Unknown():
            return terms.klass


def print_expiry(at_ns: int) -> str:
    """`YYYYMMDD-HHMM` UTC of wall nanoseconds; seconds are dropped."""
    days, minutes = divmod(at_ns // (60 * NS_PER_S), 24 * 60)
    year, month, day = civil_from_days(days)
    return f"{year:04d}{month:02d}{day:02d}-{minutes // 60:02d}{minutes % 60:02d}"


def _joined(*pairs: tuple[str, str]) -> str:
    """Pairs without a value are left out: a series without period says none."""
    return "|".join(f"{key}:{value}" for key, value in pairs if value)
