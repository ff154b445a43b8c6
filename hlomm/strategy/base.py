"""The strategy contract: a pure function of views, with whatever estimators it keeps per market."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from hlomm.domain.ids import MarketId, StrategyId
from hlomm.domain.markets import Market
from hlomm.domain.view import Basket, Desired, MarketView, PairView


class Strategy(Protocol):
    """Decides desired state, never orders. Called in a fixed order, so it may keep state but read no clock."""

    @property
    def id(self) -> StrategyId: ...

    def wants(self, market: Market) -> bool:
        """Whether this strategy quotes that market."""

    def decide(self, view: MarketView) -> Desired:
        """Quotes wanted now. Called whenever the market changed and at least once per re-quote interval."""

    def combine(self, views: Sequence[MarketView]) -> Basket | None:
        """Tokens of one question worth buying together; `views` are all its outcomes, and all are this strategy's."""

    def unmatched(self, listed: Iterable[Market]) -> Mapping[str, str]:
        """Settings that select nothing of what is listed: setting and pattern to a sentence with what there is."""

    def forget(self, market: MarketId) -> None:
        """Drop what was kept about a market that no longer exists."""


@runtime_checkable
class PairStrategy(Strategy, Protocol):
    """One that trades links as well."""

    def cross(self, pair: PairView) -> Basket | str:
        """Both legs of one event worth buying together, or `guard: detail` why they are not."""


Strategies = Mapping[StrategyId, Strategy]
"""Those of one engine, in the order in which they are asked."""
