"""Parity: what has to be left after every cost, how far into the book it goes, and what it says."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import pytest

from hlomm.domain.view import Desired
from hlomm.strategy.btc_parity import BtcParity, BtcParityConfig
from hlomm.strategy.outlooks import RealisedKind
from tests.support.values import levels, lots, outcome, px
from tests.unit.strategy.views import view

CONFIG = BtcParityConfig(
    classes=("priceBinary",), underlyings=("BTC",), periods=(), deployers=(),
    min_liquidity=0.0, min_edge=0.02, doubt=0.0, hedge_cost=0.0,
    follow_book=False, min_tau_s=60.0, vol_annual=0.45, vol_prior_s=300.0, vol_halflife_s=900.0,
    realised=RealisedKind.EWMA, sample_s=2.0,
    basis_bps=1.5, vol_error=0.25, max_underlying_age_s=10.0, kelly_fraction=1.0, max_stake=0.5, max_size=500.0,
    min_size=10.0,
)  # fmt: skip
CHEAP = levels(("0.40", 100), ("0.45", 100), ("0.495", 100))
"""Asks below a fair value of one half: 10, 5 and half a cent of edge."""


def want(config: BtcParityConfig = CONFIG, **changes: Any) -> Desired:
    changes = {"bids": levels(("0.30", 300)), "asks": CHEAP, "equity": 100_000} | changes
    fees = {name: changes.pop(name) for name in ("open_taker_fee", "close_taker_fee", "settle_fee") if name in changes}
    return BtcParity(config).decide(msgspec.structs.replace(view(**changes), **fees))


def test_at_the_strike_half_is_fair_and_cheap_yes_is_bought_as_far_as_it_is_worth_it() -> None:
    take = want().take
    assert take is not None
    assert (take.direction, take.px, take.qty) == (+1, px("0.45"), lots(200))
    assert "edge 0.09" in take.reason or "edge 0.10" in take.reason


def test_rich_yes_is_sold() -> None:
    take = want(bids=levels(("0.60", 80), ("0.51", 80)), asks=levels(("0.70", 80))).take
    assert take is not None
    assert (take.direction, take.px, take.qty) == (-1, px("0.60"), lots(80))


def test_a_fair_book_is_left_alone_and_says_so() -> None:
    desired = want(bids=levels(("0.49", 300)), asks=levels(("0.51", 300)))
    assert desired.take is None
    assert desired.bid_reason == desired.ask_reason == "parity: nothing is worth its cost"
    assert desired.sensitivity is not None
    assert desired.sensitivity.delta > 0


@pytest.mark.parametrize(
    "cost",
    [
        {"open_taker_fee": 25_000_000}, {"settle_fee": 20_000_000},
        {"config": attrs.evolve(CONFIG, hedge_cost=0.02)}, {"config": attrs.evolve(CONFIG, doubt=2.0)},
        {"config": attrs.evolve(CONFIG, min_edge=0.2)}, {"tau_s": 30.0}, {"age_s": 20.0}, {"spot": None},
    ],
)  # fmt: skip
def test_every_cost_and_doubt_counts(cost: dict[str, Any]) -> None:
    assert want(**cost).take is None


def test_what_is_held_is_closed_at_a_fair_price_and_no_more_than_that() -> None:
    take = want(net=150, bids=levels(("0.60", 400)), asks=levels(("0.70", 80))).take
    assert take is not None
    assert (take.direction, take.qty) == (-1, lots(150))


def test_size_is_kellys_within_its_caps_and_shrinks_with_what_is_held() -> None:
    small = want(attrs.evolve(CONFIG, kelly_fraction=0.002)).take
    assert small is not None
    assert small.qty < lots(200)
    assert "size by kelly" in small.reason
    full = want(attrs.evolve(CONFIG, max_size=150.0), net=140).take
    assert full is not None
    assert full.qty == lots(10)
    assert want(attrs.evolve(CONFIG, max_size=150.0), net=150).take is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"tau_s": 30.0}, "tau: 30 s to the settlement < 60"), ({"net": 500}, "max_size: 500 are held, edge 0.09"),
        ({"config": attrs.evolve(CONFIG, kelly_fraction=1e-5)}, "size: floor, edge 0.09"),
    ],
)  # fmt: skip
def test_what_is_worth_it_and_is_not_traded_is_not_said_to_be_worth_nothing(changes: dict[str, Any], why: str) -> None:
    desired = want(**changes)
    assert desired.take is None
    assert desired.bid_reason == desired.ask_reason
    assert desired.bid_reason.startswith(why)


def test_it_wants_what_it_can_hedge() -> None:
    strategy = BtcParity(CONFIG)
    assert strategy.wants(outcome())
    assert strategy.wants(outcome(strike=None, floor=px(80_000)))
    assert not strategy.wants(outcome(strike=None)), "nothing to price"
    assert not strategy.wants(outcome(underlying="ETH"))
    assert strategy.unmatched([outcome()]) == {}


@pytest.mark.parametrize("spot", ["1", "1000000"])
def test_certainty_is_left_alone(spot: str) -> None:
    assert want(spot=spot, asks=levels(("0.99", 10)), bids=levels(("0.01", 10))).take is None
