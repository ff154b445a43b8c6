"""Two strikes of one series at one venue, a strategy that wants them together, and books that fill what is sent."""

from __future__ import annotations

from typing import Any, Final

import attrs

from hlomm.domain.ids import HYPERLIQUID, KALSHI
from hlomm.domain.inputs import BookSnapshot, Level
from hlomm.domain.markets import FeeCurve, Leg, Market
from hlomm.domain.orders import OrderRequest
from hlomm.domain.outputs import Output
from hlomm.domain.units import SCALE, Cash
from hlomm.domain.view import Basket, BasketLeg, PairView
from hlomm.engine.basket import GroupState
from hlomm.engine.config import EngineConfig
from tests.support.pairs import CHEAP, DEAR, EXPIRY_NS, PairDesk, legs
from tests.support.pairs import rules as pair_rules
from tests.support.puppet import Puppet
from tests.support.rig import Rig
from tests.support.values import levels, lots, px, usd
from tests.support.venues import kalshi

CURVE: Final = FeeCurve(taker=7_000_000, step=Cash(100))


def rung(dollars: int, **changes: Any) -> Market:
    """Above so many dollars less a cent, as Kalshi lists it."""
    strike = f"{dollars - 1}.99"
    name = f"KXBTCD-26NOV2012-T{strike}"
    return kalshi(name, **({"strike": px(strike), "expiry_ns": EXPIRY_NS, "fee": CURVE} | changes))


LOW: Final = rung(91_000)
HIGH: Final = rung(91_250)
GROUP: Final = f"{LOW.id} << {HIGH.id}"
IN_ORDER: Final = levels(("0.40", 300), ("0.39", 300)), levels(("0.42", 300), ("0.43", 300))
"""A higher strike's book beside `CHEAP`."""
RULES: Final = pair_rules()


class Climber(Puppet):
    """Wants a basket of two strikes when told to."""

    def __init__(self) -> None:
        super().__init__("climber", klass="none")
        self.pair: Basket | str = "idle: nothing is wanted"
        self.seen: list[PairView] = []

    def cross(self, pair: PairView) -> Basket | str:
        raise AssertionError(f"asked to cross {pair}")

    def climb(self, pair: PairView) -> Basket | str:
        self.seen.append(pair)
        return self.pair if pair.left.market.id == LOW.id else "idle: another pair"


def wanted(number: float = 100, *, yes: str = "0.50", no: str = "0.45", loss: float = 5, **more: Any) -> Basket:
    """YES of the lower strike, NO of the higher one."""
    return Basket(
        legs=(BasketLeg(LOW.id, Leg.YES, px(yes)), BasketLeg(HIGH.id, Leg.NO, px(no))), qty=lots(number),
        least=lots(10), worth=Cash(SCALE), edge=px("0.05"), max_unwind_loss=usd(loss), reason="edge 0.05", **more,
    )  # fmt: skip


@attrs.define(eq=False)
class LadderDesk(PairDesk):
    climber: Climber = attrs.field(factory=Climber)

    @classmethod
    def open(cls, rules: EngineConfig = RULES, *, quoter: str = "priceBinary") -> LadderDesk:
        climber = Climber()
        rig = Rig(rules, markets=[LOW, HIGH], strategies=[climber, Puppet(klass=quoter)], venues=(HYPERLIQUID, KALSHI))
        desk = cls(rig, climber=climber, crosser=climber)  # type: ignore[arg-type]
        desk.books()
        return desk

    def books(
        self, cheap: tuple[tuple[Level, ...], tuple[Level, ...]] = CHEAP,
        dear: tuple[tuple[Level, ...], tuple[Level, ...]] = DEAR,
    ) -> list[Output]:  # fmt: skip
        ms = self.rig.ms
        return self.rig.tell(BookSnapshot(LOW.id, *cheap, ms), BookSnapshot(HIGH.id, *dear, ms))

    def want(self, basket: Basket) -> list[OrderRequest]:
        self.wait(1.5)
        self.climber.pair = basket
        self.rig.state.touch(LOW.id)
        outputs = self.rig.wait(1)
        self.climber.pair = "idle: nothing is wanted"
        return legs(outputs)

    def wait(self, span_s: float) -> list[OrderRequest]:
        found: list[OrderRequest] = []
        for _ in range(round(span_s * 2)):
            found += legs(self.rig.wait(0.5))
            for market in (LOW.id, HIGH.id):
                book = self.rig.market(market).book
                if book.seen:
                    found += legs(self.rig.tell(BookSnapshot(market, book.bids, book.asks, self.rig.ms)))
        return found

    @property
    def known(self) -> GroupState:
        return self.rig.state.baskets.by_group[GROUP]
