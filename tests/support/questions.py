"""A question with a few outcomes, a basket of them, and books that fill immediate-or-cancel orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from hlomm.domain.ids import HYPERLIQUID, MarketId, outcome_market
from hlomm.domain.inputs import BookSnapshot, Level
from hlomm.domain.markets import Leg, Market
from hlomm.domain.orders import OrderRequest, Purpose, Side
from hlomm.domain.outputs import Output
from hlomm.domain.units import SCALE, Cash, Px, complement
from hlomm.domain.view import Basket, BasketLeg
from hlomm.engine.basket import BasketState, GroupState, question_group
from hlomm.engine.config import EngineConfig
from tests.support.puppet import Puppet
from tests.support.rig import Rig, placed
from tests.support.values import config, levels, lots, outcome, px, usd

QUESTION: Final = 7
KLASS: Final = "priceBucket"
BIDS: Final = levels(("0.29", 200), ("0.28", 200))
ASKS: Final = levels(("0.31", 200), ("0.32", 200))
RULES: Final = config(quotes={"min_interval_ns": 1_000_000_000}, flatten={"retry_ns": 1_000_000_000, "attempts": 3})


def members(count: int = 3, **changes: Any) -> list[Market]:
    """Outcomes 15, 16, ...; the last is the fallback."""
    return [
        outcome(
            15 + place, klass=KLASS, question=QUESTION, question_size=count, strike=None, fallback=place == count - 1,
            **changes,
        )
        for place in range(count)
    ]  # fmt: skip


def numbered(place: int) -> MarketId:
    return outcome_market(HYPERLIQUID, 15 + place)


def wanted(count: int = 3, *, leg: Leg = Leg.YES, number: float = 100, price: str = "0.31", loss: float = 5) -> Basket:
    """YES of all, or NO of all."""
    return Basket(
        legs=tuple(BasketLeg(numbered(place), leg, px(price)) for place in range(count)), qty=lots(number),
        least=lots(10), worth=Cash(SCALE if leg is Leg.YES else (count - 1) * SCALE), edge=px("0.05"),
        max_unwind_loss=usd(loss), reason="edge 0.05",
    )  # fmt: skip


@attrs.define(eq=False)
class Desk:
    """A rig whose puppet has the question."""

    rig: Rig

    @classmethod
    def open(cls, rules: EngineConfig = RULES, count: int = 3, **changes: Any) -> Desk:
        markets = members(count, **changes)
        desk = cls(Rig(rules, markets=markets, strategies=[Puppet(klass=KLASS)]))
        for place in range(count):
            desk.book(place)
        return desk

    def book(self, place: int, bids: tuple[Level, ...] = BIDS, asks: tuple[Level, ...] = ASKS) -> list[Output]:
        return self.rig.tell(BookSnapshot(numbered(place), bids, asks, self.rig.ms))

    def want(self, basket: Basket | None) -> list[OrderRequest]:
        """What leaves when the strategy wants that; afterwards it wants nothing more."""
        self.rig.puppet.basket = basket
        self.rig.state.touch(numbered(0))
        outputs = self.rig.turn()
        self.rig.puppet.basket = None
        return legs(outputs)

    def rig_orders(self, outputs: Sequence[Output] | None = None) -> list[OrderRequest]:
        """Legs that have left: in these outputs, or of those that are still on their way."""
        if outputs is not None:
            return legs(outputs)
        alive = {order.client_id for order in self.rig.state.orders.live()}
        return [order for order in legs(self.rig.outputs) if order.client_id in alive]

    def wait(self, span_s: float) -> list[OrderRequest]:
        return legs(self.rig.wait(span_s))

    def ends(self, order: OrderRequest, number: float, *, at: str | None = None, fee: str = "0") -> list[OrderRequest]:
        """It filled that much and is gone."""
        if not number:
            return legs(self.rig.rejected(order, "IocCancel", "could not match"))
        outputs = self.rig.filled(order, number, at=at, fee=fee)
        outputs += self.rig.closed(order, number, status="filled" if lots(number) == order.qty else "canceled")
        return legs(outputs)

    @property
    def known(self) -> GroupState:
        return self.rig.state.baskets.by_group[question_group(HYPERLIQUID, QUESTION)]

    @property
    def basket(self) -> BasketState:
        assert self.known.basket is not None
        return self.known.basket

    @property
    def phase(self) -> str:
        return self.basket.phase.value

    def counts(self, *names: str) -> tuple[int, ...]:
        return tuple(self.rig.state.baskets.counts.get(name, 0) for name in names)

    def held(self, leg: Leg = Leg.YES) -> list[float]:
        count = len(self.basket.legs)
        positions = [self.rig.state.portfolio.position(numbered(place)) for place in range(count)]
        return [position.held(leg) / SCALE for position in positions]


def legs(outputs: Sequence[Output]) -> list[OrderRequest]:
    return [order for order in placed(outputs) if order.purpose is Purpose.LEG]


def matched(order: OrderRequest, bids: Sequence[Level], asks: Sequence[Level]) -> list[tuple[Px, int]]:
    """Fills (own price, quantity) of an order that meets a YES book, best level first."""
    buys_yes = (order.leg is Leg.YES) is (order.side is Side.BUY)
    fills: list[tuple[Px, int]] = []
    left = int(order.qty)
    for yes_px, size in asks if buys_yes else bids:
        own = Px(yes_px) if order.leg is Leg.YES else complement(yes_px)
        if (own - order.px) * order.side > 0 or not left:
            break
        fills.append((own, min(size, left)))
        left -= min(size, left)
    return fills
