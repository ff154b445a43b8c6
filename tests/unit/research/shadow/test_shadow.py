"""A shadow that goes on for days keeps no more than one that goes on for an hour."""

from __future__ import annotations

from hlomm.domain.ids import HYPERLIQUID, outcome_market
from hlomm.domain.inputs import MarketListed, MarketSettled
from hlomm.domain.times import NS_PER_S, Now
from hlomm.domain.units import SCALE, Cash, Px
from hlomm.research.fill_model import FillModel
from hlomm.research.shadow.rows import Rows
from hlomm.research.shadow.shadow import Shadow
from hlomm.research.shadow.twin import Piece
from hlomm.settings.load import load
from tests.unit.store.making import T0, market


def test_contracts_that_are_over_are_let_go_of() -> None:
    shadow = Shadow(load("sim", environ={}), FillModel(), Cash(10_000 * SCALE), Now(0, T0), Rows())
    for number in range(20):
        one = market(outcome_market(HYPERLIQUID, number), T0 + (900 * number + 890) * NS_PER_S)
        for second, item in (
            (900 * number, MarketListed(one)), (900 * number + 895, MarketSettled(one.id, Px(SCALE), "x")),
        ):  # fmt: skip
            shadow.take(Piece(Now(second * NS_PER_S, T0 + second * NS_PER_S), (item,)))
    shadow.finish()
    assert len(shadow._venue.markets) == len(shadow._venue.purse.claims) <= 2
