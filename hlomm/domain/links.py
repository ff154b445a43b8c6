"""Links between contracts of one event: who reviewed them, for which terms, and what became of them.

A machine may find pairs and compare their terms; only a person can read two rules texts and say that they mean the
same. So a pair that was found is `proposed` and trades nothing. A review makes it `reviewed`: for one pair of contracts
and their terms as they stood (`PairReview`), or for two recurring series, whose contracts live minutes, and the terms
in which they may differ (`RuleReview`). A review is for one rules text: when a text or a term changes the link is
`suspended`, until a review names the new one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from hlomm.domain.event import Difference, Grade, LegTerms, Tolerances, within
from hlomm.domain.faults import IllegalTransition
from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.markets import Market
from hlomm.domain.units import SCALE

ANY_TEXT: Final = "any"
"""A rule that trusts whatever text a contract is listed with; a change after that still suspends."""
TEMPLATE: Final = "template:"
"""Before a digest in a rule: that of the text without its dates, times and numbers, the same for a whole series."""


class LinkState(StrEnum):
    PROPOSED = "proposed"
    REVIEWED = "reviewed"
    """The only state that may trade."""
    SUSPENDED = "suspended"
    GONE = "gone"


class LinkEvent(StrEnum):
    COVERED = "covered"
    """A review covers it as it stands."""
    UNCOVERED = "uncovered"
    """None does."""
    CHANGED = "changed"
    """A rules text or a term of one leg is another than before."""
    LEFT = "left"
    """A leg settled or was delisted."""


_S = LinkState
_E = LinkEvent

TRANSITIONS: Final[dict[tuple[LinkState, LinkEvent], LinkState]] = {
    (_S.PROPOSED, _E.COVERED): _S.REVIEWED,
    (_S.PROPOSED, _E.UNCOVERED): _S.PROPOSED,
    (_S.PROPOSED, _E.CHANGED): _S.PROPOSED,
    (_S.PROPOSED, _E.LEFT): _S.GONE,
    (_S.REVIEWED, _E.COVERED): _S.REVIEWED,
    (_S.REVIEWED, _E.UNCOVERED): _S.SUSPENDED,
    (_S.REVIEWED, _E.CHANGED): _S.SUSPENDED,
    (_S.REVIEWED, _E.LEFT): _S.GONE,
    (_S.SUSPENDED, _E.COVERED): _S.REVIEWED,
    (_S.SUSPENDED, _E.UNCOVERED): _S.SUSPENDED,
    (_S.SUSPENDED, _E.CHANGED): _S.SUSPENDED,
    (_S.SUSPENDED, _E.LEFT): _S.GONE,
}


def advance(state: LinkState, event: LinkEvent) -> LinkState:
    """Next state; IllegalTransition for a pair outside the table."""
    try:
        return TRANSITIONS[(state, event)]
    except KeyError:
        raise IllegalTransition(f"link: cannot be {event.value} while {state.value}") from None


@attrs.frozen(kw_only=True)
class PairReview:
    """Two contracts, with their texts and terms as a person read them."""

    name: str
    markets: tuple[MarketId, MarketId]
    rules: tuple[str, str]
    """Digest of each text; a contract whose venue gives no text has an empty one."""
    terms: tuple[str, str]
    """`str(LegTerms)` of each, as `hlomm markets --links` prints them."""
    grade: Grade
    max_mismatch: int = SCALE
    reviewed_by: str = ""
    reviewed_on: str = ""


@attrs.frozen(kw_only=True)
class Family:
    """Contracts of one recurring series."""

    venue: VenueId
    klass: str
    period: str = ""
    """Empty for any."""
    rules: tuple[str, ...] = (ANY_TEXT,)

    @property
    def pinned(self) -> bool:
        return ANY_TEXT not in self.rules

    def trusts(self, leg: LegTerms) -> bool:
        """Whether the text of a contract is one that was read."""
        return leg.rules in self.rules or (bool(leg.template) and f"{TEMPLATE}{leg.template}" in self.rules)

    def has(self, market: Market) -> bool:
        return (self.venue, self.klass) == (market.venue, market.klass) and self.period in ("", market.period)


@attrs.frozen(kw_only=True)
class RuleReview:
    """Two recurring series: their contracts with one key are linked if they differ in nothing but `accept`."""

    name: str
    families: tuple[Family, Family]
    underlyings: tuple[str, ...]
    grade: Grade
    accept: tuple[str, ...]
    max_mismatch: int = SCALE
    """Most probability that the legs settle opposite ways, in 1e-8, at which it may trade."""
    reviewed_by: str = ""
    reviewed_on: str = ""


Review = PairReview | RuleReview


_EXACT: Final = Tolerances(instant_ns=0, strike=0, averaging_s=0)


@attrs.frozen(kw_only=True)
class LinkRules:
    """What the operator says of links."""

    tolerances: Tolerances = _EXACT
    reviews: tuple[Review, ...] = ()
    proposals: bool = True
    """Whether pairs that nobody reviewed are looked for and shown."""


def refusal(
    review: Review, markets: tuple[Market, Market], terms: tuple[LegTerms, LegTerms], grade: Grade,
    differences: tuple[Difference, ...], *, changed: bool,
) -> str | None:  # fmt: skip
    """Why a review does not cover a pair, None if it does; empty if it speaks of other contracts.

    `changed`: text or terms changed since the pair was found. Then only a review that names the text is good enough.
    """
    if isinstance(review, PairReview):
        return _pair_refusal(review, terms, grade)
    families = _families(review, markets)
    if families is None:
        return ""
    for family, leg in zip(families, terms, strict=True):
        if family.pinned and not family.trusts(leg):
            said = f"{leg.rules or '(none)'} (template {leg.template})" if leg.template else leg.rules or "(none)"
            return f"{review.name}: rules text {said} of {leg.market} is not the one reviewed"
        if changed and not family.trusts(leg):
            return f"{review.name}: text or terms changed after the listing, and the review names no text"
    return _grade_refusal(review, grade) or _term_refusal(review, differences)


def unread(
    review: Review, markets: tuple[Market, Market], terms: tuple[LegTerms, LegTerms]
) -> tuple[VenueId, ...]:  # fmt: skip
    """Venues whose rules text of this pair nobody has read: the review takes it as it comes."""
    families = None if isinstance(review, PairReview) else _families(review, markets)
    if families is None:
        return ()
    return tuple(leg.venue for family, leg in zip(families, terms, strict=True) if leg.rules and not family.trusts(leg))


def _pair_refusal(review: PairReview, terms: tuple[LegTerms, LegTerms], grade: Grade) -> str | None:
    by_market = {leg.market: leg for leg in terms}
    if set(by_market) != set(review.markets):
        return ""
    for market, rules, said in zip(review.markets, review.rules, review.terms, strict=True):
        leg = by_market[market]
        if leg.rules != rules:
            return f"{review.name}: rules text {leg.rules or '(none)'} of {market} is not the one reviewed"
        if str(leg) != said:
            return f"{review.name}: terms of {market} are not those reviewed: {leg}"
    return _grade_refusal(review, grade)


def _families(review: RuleReview, markets: tuple[Market, Market]) -> tuple[Family, Family] | None:
    """The families of the two contracts in their order, None if the rule is about others."""
    left, right = markets
    if left.underlying not in review.underlyings:
        return None
    for one, other in (review.families, review.families[::-1]):
        if one.has(left) and other.has(right):
            return one, other
    return None


def _grade_refusal(review: Review, grade: Grade) -> str | None:
    if within(grade, review.grade):
        return None
    return f"{review.name}: graded {grade.value}, reviewed as {review.grade.value}"


def _term_refusal(review: RuleReview, differences: tuple[Difference, ...]) -> str | None:
    for one in differences:
        if one.term not in review.accept:
            return f"{review.name}: {one.term} differs ({one.left} / {one.right}), which was not reviewed"
    return None
