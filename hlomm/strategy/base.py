"""The strategy contract: a pure function of views, with whatever estimators it keeps per market."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeGuard, TypeVar, runtime_checkable

import attrs

from hlomm.domain.ids import MarketId, StrategyId, VenueId
from hlomm.domain.look_rows import FigureRow, SurfaceRow
from hlomm.domain.markets import Leg, Market
from hlomm.domain.units import Qty
from hlomm.domain.view import Appraisal, Basket, Desired, MarketView, PairView

Config = TypeVar("Config")


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


@runtime_checkable
class Appraiser(Protocol):
    """One that can say what a link would bring without trading it. For people: nothing is learned, nothing decided."""

    @property
    def least(self) -> Qty:
        """Fewest contracts worth trading: the size that prices are told for."""

    def appraise(self, pair: PairView) -> Appraisal | str:
        """The better way round at the least size, or `guard: detail` why it cannot be told."""


@runtime_checkable
class Charting(Protocol):
    """One that can draw what its quote depends on. For people: nothing is learned, nothing decided."""

    def surface(self, market: MarketId, cap: Qty) -> SurfaceRow:
        """Around its last decision on a market, for inventories up to `cap`; a note where there is none."""

    def figures(self, market: MarketId) -> FigureRow | None:
        """Of its last decision; None without one."""


@runtime_checkable
class Tunable(Strategy, Protocol):
    """One whose settings may change while it runs; which of them, `hlomm.settings.tunable` says."""

    def retune(self, name: str, value: float) -> None:
        """Go on with another value of one setting. What was estimated so far stays."""


def retuned(config: Config, name: str, value: float) -> Config:
    """A configuration with one number changed."""
    known: Any = config
    changed: Config = attrs.evolve(known, **{name: value})
    return changed


@runtime_checkable
class LadderStrategy(Strategy, Protocol):
    """One that trades two strikes of one settlement as well."""

    def climb(self, pair: PairView) -> Basket | str:
        """YES of the left and NO of the right, the higher strike, worth buying, or `guard: detail` why they are not."""


@runtime_checkable
class RestingStrategy(PairStrategy, Protocol):
    """One that also rests one leg of a link, and takes the other once that has filled."""

    @property
    def maker(self) -> VenueId | None:
        """Venue at which it rests; None: nowhere."""

    def rest(self, pair: PairView, leg: Leg) -> Basket | str:
        """That leg at `maker`, at the price it may rest at, then the one to take; or `guard: detail` why not."""


def crosses(one: Strategy) -> TypeGuard[PairStrategy]:
    """What kind a strategy is, asked in every turn: a look at its class, where `isinstance` goes over every member."""
    return hasattr(type(one), "cross")


def climbs(one: Strategy) -> TypeGuard[LadderStrategy]:
    return hasattr(type(one), "climb")


def rests(one: Strategy) -> TypeGuard[RestingStrategy]:
    return hasattr(type(one), "rest")


Strategies = Mapping[StrategyId, Strategy]
"""Those of one engine, in the order in which they are asked."""
