"""Pairs of strikes of one settlement: whatever is above the higher one is above the lower one too (QUANT 6.3).

YES of the lower strike and NO of the higher one pay 1 at least, and 2 between them. At one venue that needs no person
to say so: contracts of a series are in one ladder if every term of theirs is the same but the strike, the digest of the
rules text among them, so that they turn on one number. At two venues it holds only as far as the venues settle alike:
there a reviewed rule of `hlomm.domain.links` must cover the two series but for the strike, and the strategy charges
the basis.

A strike is paired with the next ones above it, up to `REACH` of them: one that is between may be quoted wide, or not at
all. Across venues it is paired with the first above it. Strikes that are themselves averages are in no ladder, nor are
the outcomes of a question, whose fallback may pay instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

import attrs
import msgspec

from hlomm.domain.basket_rows import ArbitrageKind
from hlomm.domain.event import Grade, LegTerms, grade, same_terms, terms_of
from hlomm.domain.ids import MarketId
from hlomm.domain.links import LinkRules, RuleReview, refusal
from hlomm.domain.markets import Leg, Market

MAX_PAIRS: Final = 256
"""Pairs of strikes kept at a time."""
REACH: Final = 2
"""Strikes above one that it is paired with at its own venue."""

Pair = tuple[MarketId, MarketId]
LadderKey = tuple[str, str, LegTerms]
"""Class, period and the terms of a contract, without what is its own."""


@attrs.define(eq=False, kw_only=True)
class Rungs:
    """A strike and a higher one, in that order."""

    markets: tuple[Market, Market]
    terms: tuple[LegTerms, LegTerms]
    review: RuleReview | None = None
    """Across venues: what allows it."""
    ended: bool = False

    kind: ClassVar[ArbitrageKind] = ArbitrageKind.LADDER

    @property
    def pair(self) -> Pair:
        return self.markets[0].id, self.markets[1].id

    @property
    def refused(self) -> str | None:
        return "its strikes are no longer listed side by side, or not on the same terms" if self.ended else None

    @property
    def max_mismatch(self) -> int:
        """Most probability, in 1e-8, that both legs lose. Nothing but the venues' difference can make them."""
        return 0 if self.review is None else self.review.max_mismatch


@attrs.frozen
class _Ladder:
    """Rungs by strike, ascending."""

    markets: tuple[Market, ...]
    terms: tuple[LegTerms, ...]


class RungBook:
    def __init__(self, rules: LinkRules) -> None:
        self.rules = rules
        self.pairs: dict[Pair, Rungs] = {}
        self.overflow = 0
        """How often a pair was not kept because there were too many."""
        self._markets: dict[MarketId, Market] = {}
        self._terms: dict[MarketId, LegTerms] = {}
        self._reworded: set[MarketId] = set()
        """Text or terms changed since the listing: across venues only a review that names the text covers it."""
        self._of: dict[MarketId, dict[Pair, None]] = {}

    def pairs_of(self, market: MarketId) -> tuple[Rungs, ...]:
        """Pairs that one leg of is this contract, in the order in which they were found."""
        return tuple(self.pairs[pair] for pair in self._of.get(market, ()))

    def told(self, market: Market) -> list[Rungs]:
        """A contract is listed, or is not what it was; the pairs that are new."""
        terms, known, before = _rung(market), self._terms.get(market.id), self._markets.get(market.id)
        if terms is None:
            return self.left(market.id)
        self._markets[market.id], self._terms[market.id] = market, terms
        if known == terms and before is not None and _series(before) == _series(market):
            for rungs in self.pairs_of(market.id):
                rungs.markets = self._markets[rungs.pair[0]], self._markets[rungs.pair[1]]
            return []
        if known is not None and not same_terms(known, terms):
            self._reworded.add(market.id)
        return self._refresh({terms.key.underlying} | ({known.key.underlying} if known is not None else set()))

    def left(self, market: MarketId) -> list[Rungs]:
        """A contract settled or was delisted; those it stood between become neighbours."""
        terms = self._terms.pop(market, None)
        if terms is None:
            return []
        del self._markets[market]
        self._reworded.discard(market)
        return self._refresh({terms.key.underlying})

    # -- finding

    def _refresh(self, underlyings: set[str]) -> list[Rungs]:
        """Compare the pairs that there should be on an underlying with those that there are."""
        wanted: dict[Pair, RuleReview | None] = {}
        for underlying in sorted(underlyings):
            ladders = self._ladders(underlying)
            for ladder in ladders:
                wanted.update(dict.fromkeys(_within(ladder)))
            for lower in ladders:
                for upper in ladders:
                    wanted.update(self._across(lower, upper))
        for pair, rungs in list(self.pairs.items()):
            stale = pair not in wanted and rungs.terms[0].key.underlying in underlyings
            if stale or (pair in wanted and rungs.terms != tuple(map(self._terms.__getitem__, pair))):
                self._drop(rungs)
        new = []
        for pair, review in wanted.items():
            if pair in self.pairs:
                self.pairs[pair].review = review
            elif len(self.pairs) >= MAX_PAIRS:
                self.overflow += 1
            else:
                new.append(self._keep(pair, review))
        return new

    def _keep(self, pair: Pair, review: RuleReview | None) -> Rungs:
        low, high = pair
        rungs = Rungs(
            markets=(self._markets[low], self._markets[high]), terms=(self._terms[low], self._terms[high]),
            review=review,
        )  # fmt: skip
        self.pairs[pair] = rungs
        for market_id in pair:
            self._of.setdefault(market_id, {})[pair] = None
        return rungs

    def _drop(self, rungs: Rungs) -> None:
        rungs.ended = True
        del self.pairs[rungs.pair]
        for market_id in rungs.pair:
            del self._of[market_id][rungs.pair]
            if not self._of[market_id]:
                del self._of[market_id]

    def _ladders(self, underlying: str) -> list[_Ladder]:
        found: dict[LadderKey, list[LegTerms]] = {}
        for market_id, terms in self._terms.items():
            if terms.key.underlying == underlying:
                found.setdefault(_key(self._markets[market_id], terms), []).append(terms)
        ladders = []
        for rungs in found.values():
            rungs.sort(key=lambda terms: (terms.strike or 0, terms.market))
            ladders.append(_Ladder(tuple(self._markets[terms.market] for terms in rungs), tuple(rungs)))
        return ladders

    def _across(self, lower: _Ladder, upper: _Ladder) -> Iterator[tuple[Pair, RuleReview]]:
        """Each strike of one ladder with the first one of the other that is above it beyond any rounding."""
        if lower.terms[0].venue == upper.terms[0].venue:
            return
        reviews = [one for one in self.rules.reviews if isinstance(one, RuleReview)]
        if not any(_speaks_of(review, lower.markets[0], upper.markets[0]) for review in reviews):
            return
        for market, low in zip(lower.markets, lower.terms, strict=True):
            for other, high in zip(upper.markets, upper.terms, strict=True):
                if (high.strike or 0) <= (low.strike or 0):
                    continue
                graded, differences = grade(low, high, self.rules.tolerances)
                strike = [one for one in differences if one.term == "strike" and one.makes is Grade.DIFFERENT]
                if not strike:
                    continue  # a link, as far as the strikes go
                others = tuple(one for one in differences if one.term != "strike")
                graded = Grade.DIFFERENT if any(one.makes is Grade.DIFFERENT for one in others) else Grade.NEAR
                reworded = not self._reworded.isdisjoint((low.market, high.market))
                for review in reviews:
                    said = refusal(review, (market, other), (low, high), graded, others, changed=reworded)
                    if said is None:
                        yield (low.market, high.market), review
                        break
                break


def _rung(market: Market) -> LegTerms | None:
    """The terms of a contract that pays above a price fixed in advance; None for any other."""
    terms = terms_of(market)
    if terms is None or market.question is not None or terms.strike is None or terms.floats_from_ns is not None:
        return None
    return terms if terms.polarity is Leg.YES and terms.upper is None else None


def _key(market: Market, terms: LegTerms) -> LadderKey:
    key = msgspec.structs.replace(terms.key, strike=None)
    return *_series(market), msgspec.structs.replace(terms, market=MarketId(""), strike=None, key=key)


def _series(market: Market) -> tuple[str, str]:
    return market.klass, market.period


def _within(ladder: _Ladder) -> Iterator[Pair]:
    """Each strike with the next ones above it."""
    for place, low in enumerate(ladder.terms):
        above = [high for high in ladder.terms[place + 1 :] if (high.strike or 0) > (low.strike or 0)]
        for high in above[:REACH]:
            yield low.market, high.market


def _speaks_of(review: RuleReview, one: Market, other: Market) -> bool:
    return any(
        left.has(one) and right.has(other) for left, right in (review.families, review.families[::-1])
    )  # fmt: skip
