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
from hlomm.venues.hyperliquid.bounded import BoundedMap
from hlomm.venues.hyperliquid.counters import Counters
from hlomm.venues.hyperliquid.wire.anomalies import anomaly
from hlomm.venues.hyperliquid.wire.coins import (
    SPOT_ASSET_BASE,
    outcome_asset,
    outcome_number,
    perp_coin,
    spot_asset,
)
from hlomm.venues.hyperliquid.wire.info import OutcomeMeta
from hlomm.venues.hyperliquid.wire.outcomes import NotTraded, OutcomeSpec, PerpRow, outcome_listing, perp_listing

ENDED_MAX: Final = 4_096


@attrs.frozen
class MetaDelta:
    """What an outcome list changed: markets that appeared, outcomes that are listed no more."""

    listed: tuple[Market, ...]
    vanished: tuple[int, ...]


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
    _passed_over: BoundedMap[int, str] = attrs.field(factory=lambda: BoundedMap(ENDED_MAX))

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
        listed = tuple(market for spec in meta.specs if (market := self.apply_created(spec)) is not None)
        known = [outcome_number(id_) for id_, market in self.markets.items() if market.kind is MarketKind.OUTCOME]
        vanished = tuple(outcome for outcome in known if outcome is not None and outcome not in meta.listed)
        return MetaDelta(listed, vanished)

    def apply_created(self, spec: OutcomeSpec) -> Market | None:
        """The market of one outcome if it is new and traded here; None otherwise, with the reason counted."""
        if spec.outcome in self._ended or spec.outcome in self._passed_over:
            return None
        try:
            listing = outcome_listing(spec)
        except ProtocolViolation as violation:
            self.counters.note((anomaly(violation.kind, violation),), "outcome metadata")
            self._passed_over.put(spec.outcome, "malformed")
            return None
        reason = listing.reason if isinstance(listing, NotTraded) else self._not_ours(listing)
        if reason is not None:
            self._passed_over.put(spec.outcome, reason)
            self.counters.add(f"not_traded.{reason}")
            return None
        assert isinstance(listing, Market)
        if self.quote_token is None:
            self.quote_token = listing.quote_token
        return listing if self._add(listing) else None

    def _not_ours(self, market: Market) -> str | None:
        if market.underlying not in self.underlyings:
            return "underlying"
        if self.quote_token is not None and market.quote_token != self.quote_token:
            return "quote_token"
        return None

    def _prevailing_quote(self, specs: Iterable[OutcomeSpec]) -> str | None:
        """The collateral most tradable outcomes use, the first in the alphabet among equals."""
        votes: Counter[str] = Counter()
        for spec in specs:
            try:
                listing = outcome_listing(spec)
            except ProtocolViolation:
                continue
            if isinstance(listing, Market) and listing.underlying in self.underlyings:
                votes[listing.quote_token] += 1
        return min(votes, key=lambda token: (-votes[token], token)) if votes else None

    def _add(self, market: Market) -> bool:
        new = market.id not in self.markets
        self.markets.setdefault(market.id, market)
        return new

    def end(self, outcome: int) -> Market | None:
        """Mark an outcome as ended; returns its market if it was listed."""
        self._ended.put(outcome, None)
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
