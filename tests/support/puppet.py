"""A strategy that wants exactly what a test tells it to want."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from hlomm.domain.ids import MarketId, StrategyId
from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.view import Basket, Desired, MarketView, Wish, no_quote
from tests.support.values import lots, px

IDLE: Final = "puppet: idle"
Quote = tuple[str | float, float]
"""(YES price, contracts)."""


class Puppet:
    def __init__(self, name: str = "puppet", klass: str = "priceBinary") -> None:
        self._id = StrategyId(name)
        self._klass = klass
        self.desired: dict[MarketId, Desired] = {}
        self.views: list[MarketView] = []
        self.forgotten: list[MarketId] = []
        self.complaints: dict[str, str] = {}
        self.basket: Basket | None = None
        self.combined: list[tuple[MarketId, ...]] = []

    @property
    def id(self) -> StrategyId:
        return self._id

    def wants(self, market: Market) -> bool:
        return market.kind is MarketKind.OUTCOME and market.klass == self._klass

    def decide(self, view: MarketView) -> Desired:
        self.views.append(view)
        return self.desired.get(view.market.id, no_quote(IDLE))

    def combine(self, views: Sequence[MarketView]) -> Basket | None:
        self.combined.append(tuple(view.market.id for view in views))
        return self.basket

    def unmatched(self, listed: Iterable[Market]) -> dict[str, str]:
        del listed
        return dict(self.complaints)

    def forget(self, market: MarketId) -> None:
        self.forgotten.append(market)
        self.desired.pop(market, None)


def desire(
    bid: Quote | None = None, ask: Quote | None = None, *, fair: str | float | None = None, tolerance: str | float = 0
) -> Desired:
    return Desired(
        bid=None if bid is None else Wish(px(bid[0]), lots(bid[1])),
        ask=None if ask is None else Wish(px(ask[0]), lots(ask[1])),
        bid_reason="" if bid is not None else IDLE,
        ask_reason="" if ask is not None else IDLE,
        fair=None if fair is None else px(fair),
        fair_source="" if fair is None else "book",
        tolerance=px(tolerance),
    )
