"""A desk with a reviewed link of which one leg rests: YES at Hyperliquid, hedged with NO at Kalshi."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hlomm.domain.ids import HYPERLIQUID, KALSHI, VenueId
from hlomm.domain.markets import Leg
from hlomm.domain.orders import CancelRequest, OrderRequest, Purpose
from hlomm.domain.outputs import Output
from hlomm.domain.units import SCALE, Cash
from hlomm.domain.view import Basket, BasketLeg, PairView
from hlomm.engine.basket import GroupState, resting_group
from hlomm.engine.config import EngineConfig
from hlomm.engine.resting_state import Resting
from tests.support.pairs import DEAR, HL, KS, RULES, Crosser, PairDesk
from tests.support.rig import Rig, cancelled, placed
from tests.support.values import levels, lots, px, usd

REST_GROUP = resting_group(HL.id, KS.id, Leg.YES, HYPERLIQUID)
FAR = levels(("0.42", 300), ("0.41", 300)), levels(("0.55", 300), ("0.56", 300))
"""Room to rest at 0.43 to 0.54; NO is had at 0.45 at the other venue."""
BOTH: tuple[VenueId, VenueId] = (HYPERLIQUID, KALSHI)


class Rester(Crosser):
    """Wants a leg to rest when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.wish: dict[Leg, Basket | str] = {}
        self.asked: dict[Leg, PairView] = {}

    @property
    def maker(self) -> VenueId:
        return HYPERLIQUID

    def rest(self, pair: PairView, leg: Leg) -> Basket | str:
        self.asked[leg] = pair
        return self.wish.get(leg, "idle: nothing is to rest")


def rested(
    number: float = 100, *, at: str = "0.50", hedge: str = "0.45", loss: float = 5, deadline_s: float = 10
) -> Basket:
    """YES at Hyperliquid for that price, then NO at Kalshi."""
    return Basket(
        legs=(BasketLeg(HL.id, Leg.YES, px(at)), BasketLeg(KS.id, Leg.NO, px(hedge))), qty=lots(number),
        least=lots(10), worth=Cash(SCALE), edge=px("0.05"), max_unwind_loss=usd(loss), reason="edge 0.05",
        deadline_ns=round(deadline_s * 1e9),
    )  # fmt: skip


@attrs.define(eq=False)
class RestDesk(PairDesk):
    crosser: Rester

    @classmethod
    def open(cls, rules: EngineConfig = RULES) -> RestDesk:
        rester = Rester()
        desk = cls(Rig(rules, markets=[HL, KS], strategies=[rester], venues=BOTH), rester)
        desk.books(FAR, DEAR)
        return desk

    def rests(self, basket: Basket | None = None) -> OrderRequest:
        """The order that leaves, accepted by the venue."""
        self.crosser.wish[Leg.YES] = rested() if basket is None else basket
        self.wait(1.5)
        found = [order for order in placed(self.rig.outputs) if order.purpose is Purpose.REST]
        self.rig.opened(found[-1])
        return found[-1]

    @property
    def rest(self) -> Resting:
        rest = self.known.rest
        assert rest is not None
        return rest

    @property
    def known(self) -> GroupState:
        return self.rig.state.baskets.by_group[REST_GROUP]


def hedges(outputs: Sequence[Output]) -> list[OrderRequest]:
    return [order for order in placed(outputs) if order.purpose is Purpose.LEG]


def pulled(outputs: Sequence[Output], order: OrderRequest) -> list[CancelRequest]:
    return [one for one in cancelled(outputs) if one.client_id == order.client_id]
