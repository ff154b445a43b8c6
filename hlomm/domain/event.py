"""One event at two venues: what each contract is decided by, and every term in which two of them differ.

Two contracts with one name may pay opposite ways: another year, another hour, YES for below, a strict comparator,
another index, a mean instead of a print. So nothing is taken from titles: `terms_of` reads a contract's own fields, and
`grade` compares them one by one. A term that differs makes the pair

- `near` if the two still turn on almost the same price at almost the same time: what is left between them is a basis
  that `hlomm.pricing.basis` can put a price on;
- `different` otherwise. No price makes that a pair.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.markets import Comparator, Leg, Market, MarketKind, Source
from hlomm.domain.ticker import civil_from_days, moment
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE, Px, to_text

CENT: Final = SCALE // 100
_DAY_NS: Final = 86_400 * NS_PER_S
UNKNOWN: Final = "not known yet"


class Grade(StrEnum):
    SAME = "same"
    """No term differs."""
    NEAR = "near"
    DIFFERENT = "different"


_RANK: Final = {Grade.SAME: 0, Grade.NEAR: 1, Grade.DIFFERENT: 2}


def within(grade: Grade, allowed: Grade) -> bool:
    """Whether a pair is no worse than what was allowed."""
    return _RANK[grade] <= _RANK[allowed]


class OutcomeKey(msgspec.Struct, frozen=True, kw_only=True):
    """What people mean by "the same event". Prices in whole cents, rounded down; `grade` compares them exactly."""

    underlying: str
    strike: int | None
    """None while a strike that is itself an average is not known."""
    expiry: int
    """Instant whose price decides, or the end of the window, in wall nanoseconds."""
    comparator: Comparator
    upper: int | None = None
    """End of a price range; None where it has none."""

    def __str__(self) -> str:
        strike = UNKNOWN if self.strike is None else to_text(self.strike * CENT)
        price = strike if self.upper is None else f"{strike}..{to_text(self.upper * CENT)}"
        return f"{self.underlying} {self.comparator.value} {price} @ {instant_text(self.expiry)}"


class LegTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What decides one contract. YES of it pays if the event is true and `polarity` is YES, or false and it is NO."""

    market: MarketId
    venue: VenueId
    key: OutcomeKey
    polarity: Leg
    source: Source
    strike: Px | None
    upper: Px | None
    averaging_s: int
    """Seconds up to the instant over which the price is averaged; 0: a single print."""
    floats_from_ns: int | None
    """When a strike that is itself an average was, or will be, taken; None: it was fixed in advance."""
    void: str
    quote_token: str
    deployer: str | None
    rules: str
    """Digest of the rules text."""
    template: str = ""
    """Digest of the same without dates, times and numbers."""

    def __str__(self) -> str:
        """All of it in one line, in words: what a reviewer of a single pair signs."""
        parts = [
            str(self.key), f"YES pays for {self.polarity.name}", self.source.value, _averaging(self.averaging_s),
            f"strike {_floating(self.floats_from_ns)}", f"void {self.void or 'not said'}", self.quote_token,
        ]  # fmt: skip
        if self.deployer is not None:
            parts.append(f"deployer {self.deployer}")
        return "; ".join(parts)


class Difference(msgspec.Struct, frozen=True):
    """One term in which two contracts differ, and what that makes of the pair."""

    term: str
    left: str
    right: str
    makes: Grade


class Tolerances(msgspec.Struct, frozen=True, kw_only=True):
    """How much two contracts may differ and still be near."""

    instant_ns: int
    strike: int
    """Fraction of the strike in 1e-8."""
    averaging_s: int


def terms_of(market: Market) -> LegTerms | None:
    """What decides a contract; None for a perp and for an outcome that no price decides."""
    expiry = market.settles_ns if market.settles_ns is not None else market.expiry_ns
    if market.kind is not MarketKind.OUTCOME or market.fallback or expiry is None:
        return None
    strike, upper, polarity, comparator = market.strike, None, Leg.YES, market.comparator
    if strike is None and market.floor is not None:
        strike, upper, comparator = market.floor, market.ceiling, Comparator.AT_LEAST
    elif strike is None and market.ceiling is not None:
        # Paid below the ceiling: the NO of "at the ceiling or above".
        strike, polarity, comparator = market.ceiling, Leg.NO, Comparator.AT_LEAST
    if strike is None and market.averaging_from_ns is None:
        return None
    key = OutcomeKey(
        underlying=market.underlying, strike=None if strike is None else strike // CENT, expiry=expiry,
        comparator=comparator, upper=None if upper is None else upper // CENT,
    )  # fmt: skip
    return LegTerms(
        market=market.id, venue=market.venue, key=key, polarity=polarity, source=market.source, strike=strike,
        upper=upper, averaging_s=market.averaging_s, floats_from_ns=market.averaging_from_ns, void=market.void,
        quote_token=market.quote_token, deployer=market.deployer, rules=market.rules,
        template=market.template,
    )  # fmt: skip


def same_terms(old: LegTerms, new: LegTerms) -> bool:
    """Whether nothing changed but that a floating strike became known."""
    if old.strike is None and new.strike is not None:
        old = msgspec.structs.replace(
            old, strike=new.strike, key=msgspec.structs.replace(old.key, strike=new.key.strike)
        )
    return old == new


def grade(left: LegTerms, right: LegTerms, tolerances: Tolerances) -> tuple[Grade, tuple[Difference, ...]]:
    """The pair's grade and every term that differs, those that make it different first."""
    found = [
        *_who_and_which_way(left, right),
        *_strikes(left, right, tolerances),
        *_times(left, right, tolerances),
        *_plain(left, right),
    ]
    found.sort(key=lambda difference: -_RANK[difference.makes])  # stable: otherwise in the order above
    return max((one.makes for one in found), key=_RANK.__getitem__, default=Grade.SAME), tuple(found)


def _who_and_which_way(left: LegTerms, right: LegTerms) -> list[Difference]:
    found = []
    if left.key.underlying != right.key.underlying:
        found.append(Difference("underlying", left.key.underlying, right.key.underlying, Grade.DIFFERENT))
    if left.polarity is not right.polarity:
        found.append(Difference("polarity", left.polarity.name, right.polarity.name, Grade.DIFFERENT))
    if left.key.comparator is not right.key.comparator:
        # They part at one price only, the strike itself.
        found.append(Difference("comparator", left.key.comparator.value, right.key.comparator.value, Grade.NEAR))
    return found


def _strikes(left: LegTerms, right: LegTerms, tolerances: Tolerances) -> list[Difference]:
    found = []
    fixed = (left.floats_from_ns is None, right.floats_from_ns is None)
    if left.floats_from_ns != right.floats_from_ns:
        makes = Grade.NEAR
        if left.floats_from_ns is not None and right.floats_from_ns is not None:
            makes = _near_if(abs(left.floats_from_ns - right.floats_from_ns) <= tolerances.instant_ns)
        found.append(Difference("strike_set", _floating(left.floats_from_ns), _floating(right.floats_from_ns), makes))
    if left.strike != right.strike:
        if left.strike is None or right.strike is None:
            # Two averages over one window end near each other; a fixed strike and a future average need not.
            makes = _near_if(not any(fixed))
        else:
            makes = _near_if(_close(left.strike, right.strike, tolerances.strike))
        found.append(Difference("strike", _price(left.strike), _price(right.strike), makes))
    if left.upper != right.upper:
        both = left.upper is not None and right.upper is not None
        makes = _near_if(both and _close(left.upper or 0, right.upper or 0, tolerances.strike))
        texts = ["no upper end" if end is None else to_text(end) for end in (left.upper, right.upper)]
        found.append(Difference("upper", texts[0], texts[1], makes))
    return found


def _times(left: LegTerms, right: LegTerms, tolerances: Tolerances) -> list[Difference]:
    found, mine, theirs = [], left.key.expiry, right.key.expiry
    if mine != theirs:
        close = abs(mine - theirs) <= tolerances.instant_ns
        years = _year(mine), _year(theirs)
        if years[0] != years[1] and not close:
            found.append(Difference("year", str(years[0]), str(years[1]), Grade.DIFFERENT))
        found.append(Difference("instant", instant_text(mine), instant_text(theirs), _near_if(close)))
    if left.averaging_s != right.averaging_s:
        close = abs(left.averaging_s - right.averaging_s) <= tolerances.averaging_s
        found.append(
            Difference("averaging", _averaging(left.averaging_s), _averaging(right.averaging_s), _near_if(close))
        )
    return found


def _plain(left: LegTerms, right: LegTerms) -> list[Difference]:
    pairs = (
        ("source", left.source.value, right.source.value),
        ("deployer", left.deployer or "none", right.deployer or "none"),
        ("void", left.void or "not said", right.void or "not said"),
        ("quote_token", left.quote_token, right.quote_token),
    )
    return [Difference(term, mine, theirs, Grade.NEAR) for term, mine, theirs in pairs if mine != theirs]


TERMS: Final = (
    "underlying", "polarity", "comparator", "strike_set", "strike", "upper", "year", "instant", "averaging", "source",
    "deployer", "void", "quote_token",
)  # fmt: skip
"""Every term that can differ, in the order in which they are compared."""


def instant_text(wall_ns: int) -> str:
    """`2026-05-11T0600:00`: a UTC second."""
    return f"{moment(wall_ns)}:{wall_ns // NS_PER_S % 60:02d}"


def _near_if(close: bool) -> Grade:  # noqa: FBT001 - private, one meaning
    return Grade.NEAR if close else Grade.DIFFERENT


def _close(mine: int, theirs: int, tolerance: int) -> bool:
    return abs(mine - theirs) * SCALE <= tolerance * min(mine, theirs)


def _year(wall_ns: int) -> int:
    return civil_from_days(wall_ns // _DAY_NS)[0]


def _price(px: Px | None) -> str:
    return UNKNOWN if px is None else to_text(px)


def _averaging(seconds: int) -> str:
    return f"mean of {seconds} s" if seconds else "single print"


def _floating(wall_ns: int | None) -> str:
    return "fixed in advance" if wall_ns is None else f"mean up to {instant_text(wall_ns)}"
