"""The links between contracts of all venues: found, graded, held against the reviews, and dropped with their legs.

Pairs are looked for when a contract is listed or changes, through an index by underlying and day of settlement, never
among all: a contract that settles days away from this one is no neighbour, and one of another year none at all. Of its
neighbours are kept those that a review covers, those that are the same or near, and, so that a person can see why a
pair is none, the nearest different one per venue. A pair that a review names is kept however different it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import ClassVar, Final

import attrs

from hlomm.domain.basket_rows import ArbitrageKind
from hlomm.domain.event import Difference, Grade, LegTerms, grade, same_terms, terms_of
from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.links import LinkEvent, LinkRules, LinkState, PairReview, Review, advance, refusal, unread
from hlomm.domain.markets import Market
from hlomm.domain.times import NS_PER_S

MAX_LINKS: Final = 1_024
"""Links that have not ended."""
MAX_SCANNED: Final = 512
"""Neighbours compared when a contract is listed."""
ENDED_KEPT: Final = 64
_DAY_NS: Final = 86_400 * NS_PER_S

Pair = tuple[MarketId, MarketId]


@attrs.define(eq=False, kw_only=True)
class Link:
    """Two contracts on one event at two venues; in the order of their ids."""

    markets: tuple[Market, Market]
    terms: tuple[LegTerms, LegTerms]
    grade: Grade
    differences: tuple[Difference, ...]
    state: LinkState = LinkState.PROPOSED
    reason: str = "nobody reviewed it"
    review: Review | None = None
    unread: tuple[VenueId, ...] = ()
    """Venues whose text the review trusts unread (`any`)."""
    changed: str = ""
    """What last changed in text or terms since it was found."""

    kind: ClassVar[ArbitrageKind] = ArbitrageKind.CROSS

    @property
    def pair(self) -> Pair:
        return self.markets[0].id, self.markets[1].id

    @property
    def tradable(self) -> bool:
        return self.state is LinkState.REVIEWED

    @property
    def refused(self) -> str | None:
        """Why it may not trade."""
        return None if self.tradable else f"{self.state.value}, {self.reason}"

    @property
    def ended(self) -> bool:
        return self.state is LinkState.GONE

    @property
    def max_mismatch(self) -> int:
        """Most probability, in 1e-8, of settling opposite ways at which it may trade."""
        return 0 if self.review is None else self.review.max_mismatch

    def other(self, market: MarketId) -> Market:
        """The leg that is not this one."""
        left, right = self.markets
        return right if market == left.id else left


@attrs.frozen
class Moved:
    """A link that entered another state."""

    link: Link
    was: LinkState | None
    """None: it was not there before."""


class LinkBook:
    def __init__(self, rules: LinkRules) -> None:
        self.rules = rules
        self.links: dict[Pair, Link] = {}
        self.ended: deque[Link] = deque(maxlen=ENDED_KEPT)
        self.unscanned = 0
        """Neighbours passed over because there were too many."""
        self.overflow = 0
        """Links not kept because there were too many."""
        self._markets: dict[MarketId, Market] = {}
        self._terms: dict[MarketId, LegTerms] = {}
        self._days: dict[tuple[str, int], dict[MarketId, None]] = {}
        self._of: dict[MarketId, dict[Pair, None]] = {}
        self._named: dict[MarketId, dict[MarketId, None]] = {}
        for review in rules.reviews:
            if isinstance(review, PairReview):
                for one, other in (review.markets, review.markets[::-1]):
                    self._named.setdefault(one, {})[other] = None

    def links_of(self, market: MarketId) -> tuple[Link, ...]:
        """Links that one leg of is this contract, in the order in which they were found."""
        return tuple(self.links[pair] for pair in self._of.get(market, ()))

    def told(self, market: Market) -> list[Moved]:
        """A contract is listed, or is not what it was."""
        terms, known = terms_of(market), self._terms.get(market.id)
        if terms is None:
            return [] if known is None else self.left(market.id, "no price decides it any more")
        self._markets[market.id], self._terms[market.id] = market, terms
        moved = []
        if known is not None:
            self._unindex(known)
            changed = not same_terms(known, terms)
            for link in self.links_of(market.id):
                moved += self._again(link, changed=changed)
        self._days.setdefault(_day(terms), {})[market.id] = None
        moved += [found for other in self._partners(terms) if (found := self._found(terms, other)) is not None]
        return moved

    def left(self, market_id: MarketId, reason: str) -> list[Moved]:
        """A contract settled or was delisted: its links end with it."""
        terms = self._terms.pop(market_id, None)
        if terms is None:
            return []
        self._unindex(terms)
        del self._markets[market_id]
        moved = []
        for pair in self._of.pop(market_id, {}):
            link = self.links.pop(pair)
            self._of.get(link.other(market_id).id, {}).pop(pair, None)
            was, link.state = link.state, advance(link.state, LinkEvent.LEFT)
            link.reason = f"{market_id} {reason}"
            self.ended.append(link)
            moved.append(Moved(link, was))
        return moved

    # -- finding

    def _unindex(self, terms: LegTerms) -> None:
        day = self._days[_day(terms)]
        day.pop(terms.market, None)
        if not day:
            del self._days[_day(terms)]

    def _neighbours(self, terms: LegTerms) -> Iterator[LegTerms]:
        """Contracts of other venues on the same underlying that settle within a day or so."""
        underlying, day = _day(terms)
        scanned = 0
        for near in (day - 1, day, day + 1):
            for market_id in self._days.get((underlying, near), ()):
                other = self._terms[market_id]
                if other.venue == terms.venue:
                    continue
                if scanned == MAX_SCANNED:
                    self.unscanned += 1
                    continue
                scanned += 1
                yield other

    def _partners(self, terms: LegTerms) -> list[LegTerms]:
        """Those it is worth keeping a link with."""
        found: dict[MarketId, LegTerms] = {}
        different: dict[str, tuple[tuple[int, int], LegTerms]] = {}
        for other in self._neighbours(terms):
            graded, _ = grade(terms, other, self.rules.tolerances)
            if graded is not Grade.DIFFERENT:
                found[other.market] = other
                continue
            apart = distance(terms, other)
            if other.venue not in different or apart < different[other.venue][0]:
                different[other.venue] = apart, other
        matched = {other.venue for other in found.values()}
        for venue, (_, other) in different.items():
            if venue not in matched:
                found[other.market] = other
        for named in self._named.get(terms.market, ()):
            if named in self._terms:
                found[named] = self._terms[named]
        return list(found.values())

    def _found(self, mine: LegTerms, other: LegTerms) -> Moved | None:
        left, right = sorted((mine, other), key=lambda leg: leg.market)
        pair = (left.market, right.market)
        if pair in self.links:
            return None
        graded, differences = grade(left, right, self.rules.tolerances)
        link = Link(
            markets=(self._markets[left.market], self._markets[right.market]), terms=(left, right), grade=graded,
            differences=differences,
        )  # fmt: skip
        if not self._look(link) and not self.rules.proposals:
            return None
        if len(self.links) >= MAX_LINKS:
            self.overflow += 1
            return None
        self.links[pair] = link
        for market_id in pair:
            self._of.setdefault(market_id, {})[pair] = None
        return Moved(link, None)

    # -- reviewing

    def _again(self, link: Link, *, changed: bool) -> list[Moved]:
        """Compare and look up a link anew, one leg of which is not what it was."""
        was, before = link.state, link.terms
        left, right = link.pair
        link.markets = self._markets[left], self._markets[right]
        link.terms = self._terms[left], self._terms[right]
        link.grade, link.differences = grade(*link.terms, self.rules.tolerances)
        if changed:
            link.changed = _what_changed(before, link.terms)
            link.state = advance(link.state, LinkEvent.CHANGED)
        reason = link.reason
        self._look(link)
        return [Moved(link, was)] if link.state is not was or link.reason != reason else []

    def _look(self, link: Link) -> bool:
        """Hold a link against the reviews. True if one speaks of these contracts, whatever it says."""
        refusals = []
        for review in self.rules.reviews:
            said = refusal(review, link.markets, link.terms, link.grade, link.differences, changed=bool(link.changed))
            if said is None:
                link.state = advance(link.state, LinkEvent.COVERED)
                link.review, link.reason = review, f"reviewed as {review.name}"
                link.unread = unread(review, link.markets, link.terms)
                if link.unread:
                    link.reason += f", any text of {' and '.join(link.unread)} goes: nobody has read it"
                return True
            if said:
                refusals.append(said)
        link.state = advance(link.state, LinkEvent.UNCOVERED)
        first = [link.changed] if link.state is LinkState.SUSPENDED and link.changed else []
        link.unread = ()
        link.review, link.reason = None, "; ".join(first + refusals) or "nobody reviewed it"
        return bool(refusals)


def _day(terms: LegTerms) -> tuple[str, int]:
    return terms.key.underlying, terms.key.expiry // _DAY_NS


def distance(left: LegTerms, right: LegTerms) -> tuple[int, int]:
    """How far apart two contracts are: in price first, so that one strike at two hours is shown before two strikes."""
    strikes = left.strike, right.strike
    apart = 0 if strikes[0] is None or strikes[1] is None else abs(strikes[0] - strikes[1])
    return apart, abs(left.key.expiry - right.key.expiry)


def _what_changed(before: tuple[LegTerms, LegTerms], after: tuple[LegTerms, LegTerms]) -> str:
    for old, new in zip(before, after, strict=True):
        if old.rules != new.rules:
            return f"rules text of {new.market} changed from {old.rules or '(none)'} to {new.rules or '(none)'}"
        if not same_terms(old, new):
            return f"terms of {new.market} changed from {old} to {new}"
    return "a term changed"
