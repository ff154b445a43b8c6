"""Fees as told, held against our own fills."""

from __future__ import annotations

import pytest

from hlomm.domain.fills import FillKind
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import FeeRates, MarketListed, MarketSettled
from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.engine import fees
from hlomm.engine.fees import rates_of
from tests.support.rig import Rig, alerts
from tests.support.values import M2, M, outcome, px

TOLD = FeeRates(venue=HYPERLIQUID, open_maker=0, open_taker=0, close_maker=40_000, close_taker=70_000, settle=70_000)


def up() -> Rig:
    rig = Rig()
    rig.tell(TOLD)
    rig.buy(100, "0.5")
    return rig


def test_a_fill_at_the_told_rate_changes_nothing() -> None:
    rig = up()
    said = rig.buy(20, "0.5", side=Side.SELL, fee="0.007")
    assert not alerts(said, "fee_differs")
    assert rates_of(rig.state, rig.market().market) == TOLD


@pytest.mark.parametrize("fee", ["0", "0.014", "0.008"])
def test_a_fill_at_another_rate_is_said_once_and_believed(fee: str) -> None:
    rig = up()
    (alert,) = alerts(rig.buy(20, "0.5", side=Side.SELL, fee=fee), "fee_differs")
    assert "close taker cost" in alert.text
    rates = rates_of(rig.state, rig.market().market)
    assert rates is not None
    assert rates.close_taker == round(float(fee) / 10 * 1e8)
    assert (rates.close_maker, rates.settle, rates.open_taker) == (40_000, 70_000, 0), (
        "one occasion says nothing of others"
    )
    assert not alerts(rig.buy(20, "0.5", side=Side.SELL, fee=fee), "fee_differs")


def test_rounding_of_the_venue_is_no_difference_and_dust_tells_nothing() -> None:
    rig = up()
    assert not alerts(rig.buy(20, "0.5", side=Side.SELL, fee="0.006999"), "fee_differs")
    assert not alerts(rig.buy(1, "0.5", side=Side.SELL, fee="0.01"), "fee_differs")


def test_what_is_learned_holds_for_the_class_and_outlives_the_next_table_of_rates() -> None:
    rig = up()
    rig.tell(MarketListed(outcome(16, deployer="0x08")))
    rig.buy(20, "0.5", side=Side.SELL, fee="0.014")
    rig.tell(TOLD)
    own = rates_of(rig.state, rig.market().market)
    other = rates_of(rig.state, rig.market(M2).market)
    assert own is not None
    assert own.close_taker == 140_000
    assert other == TOLD, "a deployer's contracts are a class of their own"


def test_settlement_fees_are_learned_too() -> None:
    rig = up()
    rig.tell(MarketSettled(M, px(1), "price:1"))

    (alert,) = alerts(
        rig.buy(100, "1", side=Side.SELL, leg=Leg.YES, kind=FillKind.SETTLEMENT, fee="0.14"), "fee_differs"
    )
    assert "settle cost 0.14 on 100" in alert.text


def test_a_rate_is_said_once_for_its_class_however_often_it_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contracts of one class that are charged differently: each rate is news once, not once per contract."""
    rig = up()
    rig.tell(MarketListed(outcome(16)))
    rig.buy(200, "0.5", market=M2)
    said = []
    for _ in range(5):
        said += alerts(rig.buy(4, "0.5", side=Side.SELL, fee="0"), "fee_differs")
        said += alerts(rig.buy(4, "0.5", side=Side.SELL, fee="0.0014", market=M2), "fee_differs")
    assert len(said) == 2
    monkeypatch.setattr(fees, "SAID_MAX", 2)
    said = alerts(rig.buy(4, "0.5", side=Side.SELL, fee="0.0050"), "fee_differs")
    assert len(said) == 1
    assert len(rig.state.fees_said) == 2
