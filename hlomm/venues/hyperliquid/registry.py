"""What is listed, under which asset id, and what is gone for good (venue sheet sections 2, 7.1 to 7.3).

Outcome ids are never reused, so an outcome that ended stays ended: subscribing to its coin would be dropped silently
or close the socket.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import attrs

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.ids import HYPERLIQUID, MarketId, outcome_market
from hlomm.domain.markets import Leg, Market, MarketKind
from hlomm.domain.units import to_text
from hlomm.venues.anomalies import anomaly
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.questions import Questions
from hlomm.venues.hyperliquid.wire.coins import (
    SPOT_ASSET_BASE,
    outcome_asset,
    outcome_number,
    perp_coin,
    spot_asset,
)
from hlomm.venues.hyperliquid.wire.descriptions import PRICE_BINARY
from hlomm.venues.hyperliquid.wire.info import OutcomeMeta
from hlomm.venues.hyperliquid.wire.outcomes import (
    NO_QUESTION,
    NotTraded,
    OutcomeSpec,
    PerpRow,
    QuestionSpec,
    outcome_listing,
    perp_listing,
)

ENDED_MAX: Final = 4_096


TERMS: Final = (
    "underlying", "strike", "comparator", "floor", "ceiling", "averaging_s", "fallback", "expiry_ns", "quote_token",
    "klass", "deployer", "fee_scale",
)  # fmt: skip
"""Fields of a market that decide what its tokens pay, in what, on whose word, and less which fees."""
SAYS_NOTHING: Final = (NO_QUESTION, "no_quote_token")
"""Reasons that something is missing, not that something is different."""


@attrs.frozen
class MetaDelta:
    """What metadata changed."""

    listed: tuple[Market, ...]
    """Markets that appeared."""
    vanished: tuple[int, ...]
    """Outcomes of ours that are listed no more, or that their question calls settled."""
    changed: tuple[tuple[Market, str], ...] = ()
    """Markets that no longer are what they were listed as, and what is different. Each is told once."""


@attrs.define(eq=False)
class Registry:
    """Listed markets by id, perps' asset ids by coin."""

    underlyings: tuple[str, ...]
    counters: Counters
    quote_token: str | None = None
    """Collateral of every listed outcome; settled by the first outcome list if the configuration leaves it open."""
    markets: dict[MarketId, Market] = attrs.field(factory=dict)
    perp_assets: dict[str, int] = attrs.field(factory=dict)
    _ended: BoundedMap[int, None] = attrs.field(factory=lambda: BoundedMap(ENDED_MAX))
    _passed_over: BoundedMap[int, int] = attrs.field(factory=lambda: BoundedMap(ENDED_MAX))
    """Hash of what was judged: an outcome of which the description is mended gets another hearing."""
    _questions: Questions = attrs.field(factory=Questions)
    _changed: BoundedMap[int, str] = attrs.field(factory=lambda: BoundedMap(ENDED_MAX))
    _untold: list[tuple[Market, str]] = attrs.field(factory=list)

    def apply_perps(self, universe: Iterable[PerpRow]) -> tuple[Market, ...]:
        """Take the perp universe in; returns the perps of our underlyings that were not listed yet."""
        listed: list[Market] = []
        for asset, row in enumerate(universe):
            self.perp_assets[row.name] = asset
            if row.name in self.underlyings and not row.is_delisted and self._add(perp := perp_listing(row)):
                listed.append(perp)
        return tuple(listed)

    def apply_outcomes(self, meta: OutcomeMeta) -> MetaDelta:
        """Take the whole outcome list in."""
        if self.quote_token is None:
            self.quote_token = self._prevailing_quote(meta.specs)
        told = [self.apply_question(question) for question in meta.questions]
        listed = [market for delta in told for market in delta.listed]
        settled = {outcome for delta in told for outcome in delta.vanished}
        listed += [market for spec in meta.specs if (market := self.apply_created(spec)) is not None]
        known = [outcome_number(id_) for id_, market in self.markets.items() if market.kind is MarketKind.OUTCOME]
        vanished = tuple(n for n in known if n is not None and (n not in meta.listed or n in settled))
        changed = tuple(change for delta in told for change in delta.changed)
        return MetaDelta(tuple(listed), vanished, changed + self.take_changed())

    def apply_question(self, question: QuestionSpec) -> MetaDelta:
        """Take a question in: its legs may have been waiting for it, and some of them may be settled."""
        made = [self.apply_created(leg) for leg in self._questions.learn(question)]
        settled = tuple(
            outcome
            for outcome in question.settled_named_outcomes
            if outcome_market(HYPERLIQUID, outcome) in self.markets
        )
        return MetaDelta(tuple(market for market in made if market is not None), settled, self.take_changed())

    def outcomes_of(self, question: int) -> tuple[int, ...]:
        """Outcomes of a question; none if it is unknown."""
        return self._questions.outcomes_of(question)

    def is_fallback(self, market: MarketId) -> bool | None:
        """Whether a market is its question's fallback, also when it has ended; None if no question told of it."""
        number = outcome_number(market)
        return None if number is None else self._questions.is_fallback(number)

    def apply_created(self, spec: OutcomeSpec) -> Market | None:
        """The market of one outcome if it is new and ours; None otherwise, with the reason counted."""
        if spec.outcome in self._ended:
            return None
        question = self._questions.of(spec.outcome)
        said = (spec.name, spec.description, spec.quote_token, spec.deployer, spec.venue, spec.deployer_fee_scale)
        judged = hash((said, question))
        if self._passed_over.get(spec.outcome) == judged:
            return None
        listed = self.markets.get(outcome_market(HYPERLIQUID, spec.outcome))
        try:
            listing = outcome_listing(spec, question)
        except ProtocolViolation as violation:
            self.counters.note((anomaly(violation.kind, violation),), "outcome metadata")
            self._passed_over.put(spec.outcome, judged)
            return None
        reason = listing.reason if isinstance(listing, NotTraded) else self._not_ours(listing)
        if reason is None and listed is None and question and spec.outcome in question.settled_named_outcomes:
            reason = "settled"
        if reason == NO_QUESTION:
            self._questions.keep(spec)
        if reason is not None:
            self._passed_over.put(spec.outcome, judged)
            self.counters.add(f"not_traded.{reason}")
            if reason not in SAYS_NOTHING:
                self._compare(listed, f"now passed over: {reason}")
            return None
        assert isinstance(listing, Market)
        return self._admit(spec, listing, listed)

    def _admit(self, spec: OutcomeSpec, listing: Market, listed: Market | None) -> Market | None:
        """Enter a market that is ours; None if it is known already."""
        if self.quote_token is None:
            if listing.deployer is not None:
                # Anybody may deploy: what settles our collateral is the protocol's own. The next list decides again.
                return None
            self.quote_token = listing.quote_token
        if listing.question is not None:
            self._questions.keep(spec)
        if listed is not None:
            self._compare(listed, _difference(listed, listing))
            return None
        self._passed_over.pop(spec.outcome)
        self._add(listing)
        return listing

    def _compare(self, listed: Market | None, difference: str) -> None:
        """A listed market that is read differently now is told of, once. What cannot be read is no difference.

        It stays in the registry, so that its settlement is still found; nobody may quote it any more, because a price
        was made for other terms.
        """
        if listed is None or not difference:
            return
        number = outcome_number(listed.id)
        assert number is not None
        if self._changed.add(number, difference):
            self.counters.add("terms_changed")
            self._untold.append((listed, difference))

    def difference_of(self, market: MarketId) -> str | None:
        """How a listed market differs from what it was listed as; None while it does not."""
        number = outcome_number(market)
        return None if number is None else self._changed.get(number)

    def take_changed(self) -> tuple[tuple[Market, str], ...]:
        """Changes of terms not told yet."""
        told, self._untold = tuple(self._untold), []
        return told

    def _not_ours(self, market: Market) -> str | None:
        if market.underlying not in self.underlyings:
            return "underlying"
        if self.quote_token is not None and market.quote_token != self.quote_token:
            return "quote_token"
        return None

    def _prevailing_quote(self, specs: Iterable[OutcomeSpec]) -> str | None:
        """The collateral most binaries of ours use, the first in the alphabet among equals."""
        votes: Counter[str] = Counter()
        for spec in specs:
            try:
                listing = outcome_listing(spec)
            except ProtocolViolation:
                continue
            if isinstance(listing, Market) and listing.klass == PRICE_BINARY and listing.underlying in self.underlyings:
                votes[listing.quote_token] += 1
        return min(votes, key=lambda token: (-votes[token], token)) if votes else None

    def _add(self, market: Market) -> bool:
        new = market.id not in self.markets
        self.markets.setdefault(market.id, market)
        return new

    def end(self, outcome: int) -> Market | None:
        """Mark an outcome as ended; returns its market if it was listed."""
        self._ended.put(outcome, None)
        self._questions.end(outcome)
        return self.markets.pop(outcome_market(HYPERLIQUID, outcome), None)

    def asset_id(self, market: MarketId, leg: Leg) -> int | None:
        """Asset id for orders; None for a perp or spot pair of which no id is known."""
        outcome = outcome_number(market)
        if outcome is not None:
            return outcome_asset(outcome, leg)
        coin = perp_coin(market)
        return self.perp_assets.get(coin, spot_asset(coin))

    def is_perp_asset(self, asset: int) -> bool:
        return asset < SPOT_ASSET_BASE

    def live_at(self, market: MarketId, wall_ns: int) -> bool:
        """Whether streams of a market may be asked for: listed and, for an outcome, not past its settlement."""
        listed = self.markets.get(market)
        return listed is not None and (listed.expiry_ns is None or listed.expiry_ns > wall_ns)


def _difference(was: Market, now: Market) -> str:
    """Which terms differ, as `strike 1 -> 2`; empty if none does. Another name or period changes no payment."""
    return ", ".join(
        f"{name} {_said(name, was)} -> {_said(name, now)}" for name in TERMS if getattr(was, name) != getattr(now, name)
    )


def _said(name: str, market: Market) -> str:
    value = getattr(market, name)
    return to_text(value) if name in {"strike", "floor", "ceiling"} and value is not None else str(value)
