"""Rung: pure. What outcome trades cost, against the two fills measured on mainnet, and what counts as volume."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.domain.units import SCALE
from hlomm.sim.config import RulesConfig
from hlomm.sim.events import Fill, FillDir
from hlomm.sim.fees import outcome_fee
from hlomm.sim.outcome_market import Deployer

YES, NO, BUY, SELL = Leg.YES, Leg.NO, Side.BUY, Side.SELL
CENT = 1_000
DEPLOYER = Deployer(address="0x" + "d" * 40, venue="out", fee_scale=SCALE)


def deployed(make_desk: Any, scale: int = SCALE, **rules: Any) -> Any:
    """A desk whose outcome 16 a deployer listed."""
    desk = make_desk(RulesConfig(**rules))
    spec = attrs.evolve(desk.market.spec, outcome=16, deployer=attrs.evolve(DEPLOYER, fee_scale=scale))
    desk.market, desk.outcome = desk.exchange.list_outcome(spec), 16
    return desk


@pytest.mark.parametrize(
    ("rules", "lots", "fee"),
    [
        # 2026-10-09: spot taker 0.06 % less 5 % staking discount, scale 1
        (RulesConfig(spot_taker=57_000), 163, 18_582_000),
        # 2026-09: base rate, referral discount of 4 %
        (RulesConfig(referral_discount=4_000_000), 3, 403_200),
    ],
)
def test_measured_settlement_fills(make_desk: Any, rules: RulesConfig, lots: int, fee: int) -> None:
    desk = deployed(make_desk, **attrs.asdict(rules))
    holder = desk.account()
    desk.exchange.split(holder, 16, lots)
    desk.exchange.settle(16, SCALE, "price:1")
    rows = [event.row for event in desk.events(Fill) if event.row.dir is FillDir.SETTLEMENT]
    assert [(row.px, row.lots, row.fee) for row in rows] == [(SCALE, lots, fee), (0, lots, 0)]
    assert desk.exchange.ledger.fees == fee
    assert desk.exchange.audit() == []


@pytest.mark.parametrize(
    ("scale", "multiplier_x2"), [(0, 2), (SCALE // 2, 3), (SCALE, 4), (2 * SCALE, 8), (10 * SCALE, 40)]
)
def test_the_multiplier(scale: int, multiplier_x2: int) -> None:
    notional = 100 * SCALE
    assert outcome_fee(RulesConfig(), notional, maker=False, deployer_scale=scale) == 7_000_000 * multiplier_x2 // 2
    assert outcome_fee(RulesConfig(), notional, maker=True, deployer_scale=scale) == 4_000_000 * multiplier_x2 // 2


def test_protocol_series_are_free_unless_the_rules_say_otherwise() -> None:
    assert outcome_fee(RulesConfig(), SCALE, maker=False) == 0
    assert outcome_fee(RulesConfig(outcome_fees=True), SCALE, maker=False) == 70_000


def test_only_the_reducing_side_of_a_deployed_contract_pays(make_desk: Any) -> None:
    desk = deployed(make_desk)
    holder, buyer = desk.account(), desk.account()
    desk.exchange.split(holder, 16, 100)
    desk.place(buyer, YES, BUY, 50 * CENT, 100)
    desk.place(holder, YES, SELL, 50 * CENT, 100, Tif.IOC)
    fees = {e.account.name: e.row.fee for e in desk.events(Fill) if e.row.dir is not FillDir.SPLIT}
    assert fees == {holder.name: 50 * SCALE * 14 // 10_000, buyer.name: 0}
    desk.place(buyer, NO, BUY, 40 * CENT, 30)
    desk.place(holder, YES, BUY, 60 * CENT, 30, Tif.IOC)  # a mint
    assert desk.exchange.ledger.fees == 50 * SCALE * 14 // 10_000
    desk.place(holder, NO, SELL, 45 * CENT, 50)
    desk.place(buyer, YES, SELL, 55 * CENT, 50, Tif.IOC)  # a burn: both pay, each its own rate
    burn = 50 * 45 * SCALE // 100 * 8 // 10_000 + 50 * 55 * SCALE // 100 * 14 // 10_000
    assert desk.exchange.ledger.fees == 50 * SCALE * 14 // 10_000 + burn
    assert desk.exchange.audit() == []


@pytest.mark.parametrize(("maker_rate", "volume"), [(40_000, 50 * SCALE), (0, 50 * 55 * SCALE // 100)])
def test_a_burn_counts_one_per_pair_or_the_takers_price(make_desk: Any, maker_rate: int, volume: int) -> None:
    desk = deployed(make_desk, spot_maker=maker_rate)
    maker, taker = desk.account(), desk.account()
    for account in (maker, taker):
        desk.exchange.split(account, 16, 50)
    desk.place(maker, NO, SELL, 45 * CENT, 50)
    desk.place(taker, YES, SELL, 55 * CENT, 50, Tif.IOC)
    assert (maker.volume, taker.volume) == (volume, volume)


def test_settlement_counts_its_payout_as_volume(make_desk: Any) -> None:
    desk = deployed(make_desk)
    holder = desk.account()
    desk.exchange.split(holder, 16, 40)
    desk.exchange.settle(16, SCALE // 4, "price:1")
    assert holder.volume == 40 * SCALE
