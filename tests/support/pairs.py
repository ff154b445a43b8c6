"""A reviewed link between two venues, a strategy that wants a pair of it, and books that fill what is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from hlomm.domain.ids import HYPERLIQUID, KALSHI
from hlomm.domain.inputs import BookSnapshot, Level
from hlomm.domain.markets import Leg
from hlomm.domain.orders import OrderRequest, Purpose
from hlomm.domain.outputs import Output
from hlomm.domain.units import SCALE, Cash
from hlomm.domain.view import Basket, BasketLeg, PairView
from hlomm.engine.basket import BasketState, GroupState, link_group
from hlomm.engine.config import EngineConfig
from tests.support.puppet import Puppet
from tests.support.rig import Rig, placed
from tests.support.values import START, config, levels, lots, px, seconds, usd
from tests.support.venues import hyperliquid, kalshi, link_rules, rule

EXPIRY_NS: Final = START.wall_ns + seconds(3600)
HL: Final = hyperliquid(expiry_ns=EXPIRY_NS)
KS: Final = kalshi(expiry_ns=EXPIRY_NS, min_notional=usd(1))
GROUP: Final = link_group(HL.id, KS.id)
CHEAP: Final = levels(("0.48", 300), ("0.47", 300)), levels(("0.50", 300), ("0.51", 300))
DEAR: Final = levels(("0.55", 300), ("0.54", 300)), levels(("0.57", 300), ("0.58", 300))
"""YES is had at 0.50 here, NO at 0.45 there: 0.95 for what pays 1."""
REVIEWED: Final = link_rules(rule())


def rules(**sections: dict[str, Any]) -> EngineConfig:
    """The usual configuration with the link reviewed."""
    usual = {"quotes": {"min_interval_ns": 1_000_000_000}, "flatten": {"retry_ns": 1_000_000_000, "attempts": 3}}
    return attrs.evolve(config(**(usual | sections)), links=REVIEWED)


RULES: Final = rules()


class Crosser(Puppet):
    """Wants a basket of a link when told to."""

    def __init__(self) -> None:
        super().__init__("crosser", klass="none")
        self.pair: Basket | str = "idle: nothing is wanted"
        self.seen: list[PairView] = []

    def cross(self, pair: PairView) -> Basket | str:
        self.seen.append(pair)
        return self.pair


def wanted(number: float = 100, *, yes: str = "0.50", no: str = "0.45", loss: float = 5, **more: Any) -> Basket:
    """YES at Hyperliquid, NO at Kalshi."""
    return Basket(
        legs=(BasketLeg(HL.id, Leg.YES, px(yes)), BasketLeg(KS.id, Leg.NO, px(no))), qty=lots(number), least=lots(10),
        worth=Cash(SCALE), edge=px("0.05"), max_unwind_loss=usd(loss), reason="edge 0.05", **more,
    )  # fmt: skip


@attrs.define(eq=False)
class PairDesk:
    rig: Rig
    crosser: Crosser

    @classmethod
    def open(cls, rules: EngineConfig = RULES) -> PairDesk:
        crosser, quoter = Crosser(), Puppet()
        desk = cls(Rig(rules, markets=[HL, KS], strategies=[crosser, quoter], venues=(HYPERLIQUID, KALSHI)), crosser)
        desk.books()
        return desk

    def books(
        self, cheap: tuple[tuple[Level, ...], tuple[Level, ...]] = CHEAP,
        dear: tuple[tuple[Level, ...], tuple[Level, ...]] = DEAR,
    ) -> list[Output]:  # fmt: skip
        ms = self.rig.ms
        return self.rig.tell(BookSnapshot(HL.id, *cheap, ms), BookSnapshot(KS.id, *dear, ms))

    def want(self, basket: Basket) -> list[OrderRequest]:
        """What leaves when the strategy wants that; afterwards it wants nothing more."""
        self.wait(1.5)  # a link is looked at no more often than a market is quoted
        self.crosser.pair = basket
        self.rig.state.touch(HL.id)
        outputs = self.rig.wait(1)
        self.crosser.pair = "idle: nothing is wanted"
        return legs(outputs)

    def ends(self, order: OrderRequest, number: float, *, fee: str = "0") -> list[OrderRequest]:
        """It filled that much and is gone."""
        if not number:
            return legs(self.rig.rejected(order, "IocCancel", "could not match"))
        outputs = self.rig.filled(order, number, fee=fee)
        outputs += self.rig.closed(order, number, status="filled" if lots(number) == order.qty else "canceled")
        return legs(outputs)

    def wait(self, span_s: float) -> list[OrderRequest]:
        """Let time pass while both books are heard again every half second."""
        found: list[OrderRequest] = []
        for _ in range(round(span_s * 2)):
            found += legs(self.rig.wait(0.5))
            for market in (HL.id, KS.id):
                book = self.rig.market(market).book
                if book.seen:
                    found += legs(self.rig.tell(BookSnapshot(market, book.bids, book.asks, self.rig.ms)))
        return found

    @property
    def known(self) -> GroupState:
        return self.rig.state.baskets.by_group[GROUP]

    @property
    def basket(self) -> BasketState:
        assert self.known.basket is not None
        return self.known.basket

    @property
    def phase(self) -> str:
        return self.basket.phase.value


def legs(outputs: Sequence[Output]) -> list[OrderRequest]:
    return [order for order in placed(outputs) if order.purpose is Purpose.LEG]
