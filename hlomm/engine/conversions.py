"""Conversions on their way: what each of them has claimed until its fills come or it is known not to have happened.

A conversion takes its tokens or its cash at the venue at a moment that nobody can foretell, so from the moment it is
sent nothing else may sell or spend them. It has no id of its own: what is told of it names its kind and its market,
so there is one at a time per market, and per question.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from hlomm.domain.fills import Fill
from hlomm.domain.ids import MarketId, VenueId, venue_of
from hlomm.domain.markets import Leg
from hlomm.domain.sets import SetAction

LEGS_OF: Final[dict[SetAction, tuple[Leg, ...]]] = {
    SetAction.SPLIT: (),
    SetAction.MERGE: (Leg.YES, Leg.NO),
    SetAction.NEGATE: (Leg.NO,),
    SetAction.MERGE_QUESTION: (Leg.YES,),
}
"""Tokens that each one gives up."""


@attrs.define(eq=False, kw_only=True)
class Pending:
    """One conversion that was sent. Amounts are scaled contracts, which is also the cash they are worth."""

    action: SetAction
    markets: tuple[MarketId, ...]
    """Those whose tokens it moves; the first is the one that the request names."""
    qty: int
    sent_ns: int
    lost: bool = False
    """Nobody knows whether it was done; if it was, its fills tell."""

    @property
    def giving(self) -> tuple[MarketId, ...]:
        """Markets whose tokens it gives up."""
        return self.markets if self.action is SetAction.MERGE_QUESTION else self.markets[:1]


@attrs.define(eq=False)
class Conversions:
    """Those on their way, by the market that the request names; a market takes part in one at most."""

    pending: dict[MarketId, Pending] = attrs.field(factory=dict)
    resting_until_ns: dict[MarketId, int] = attrs.field(factory=dict)
    """Time before which nothing else is tried there: the venue refused the last one."""
    done: dict[str, int] = attrs.field(factory=dict)
    """Contracts (scaled) converted, by kind."""
    failed: int = 0

    def involving(self, market: MarketId) -> Pending | None:
        """The one that moves tokens of this market."""
        return next((one for one in self.pending.values() if market in one.markets), None)

    def tokens(self, market: MarketId, leg: Leg) -> int:
        """Tokens that are as good as gone."""
        if not self.pending:
            return 0
        return sum(
            one.qty for one in self.pending.values() if leg in LEGS_OF[one.action] and market in one.giving
        )  # fmt: skip

    @property
    def cash(self) -> int:
        """Cash that is as good as gone."""
        return sum(one.qty for one in self.pending.values() if one.action is SetAction.SPLIT)

    def cash_at(self, venue: VenueId) -> int:
        """The same at one venue."""
        if not self.pending:
            return 0
        return sum(
            one.qty
            for market, one in self.pending.items()
            if one.action is SetAction.SPLIT and venue_of(market) == venue
        )

    def told(self, parts: Sequence[Fill]) -> None:
        """Parts of one conversion have come: what it had claimed is in the books now."""
        kind = parts[0].kind.value
        self.done[kind] = self.done.get(kind, 0) + max(part.qty for part in parts)
        one = next(filter(None, (self.involving(part.market) for part in parts)), None)
        if one is not None and one.action.value == kind:
            del self.pending[one.markets[0]]

    def answered(self) -> list[Pending]:
        """Those that will show any moment: nothing says that they are lost."""
        return [one for one in self.pending.values() if not one.lost]

    def take(self, market: MarketId, action: SetAction) -> Pending | None:
        """End the one that a failure names; None if there is no such one."""
        one = self.pending.get(market)
        return self.pending.pop(market) if one is not None and one.action is action else None
