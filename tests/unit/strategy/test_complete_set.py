"""Baskets of a question: found after every cost, in tokens and limits, and said in words."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import pytest

from hlomm.domain.markets import Leg
from hlomm.domain.units import SCALE
from hlomm.domain.view import Basket, MarketView
from hlomm.strategy.complete_set import CompleteSet, CompleteSetConfig
from tests.support.values import levels, lots, outcome, perp, px, usd
from tests.unit.strategy.views import view

CONFIG = CompleteSetConfig(
    classes=("priceBucket",), underlyings=("BTC",), periods=(), deployers=(), min_edge=0.01, max_size=200.0,
    min_size=10.0, max_stake=1.0, max_unwind_loss=5.0, min_tau_s=60.0, capital_rate=0.1, payout_delay_s=0.0,
    deadline_s=10.0,
)  # fmt: skip


def leg(number: int, bid: str, ask: str, size: float = 100, **changes: Any) -> MarketView:
    fees = {name: changes.pop(name) for name in ("open_taker_fee", "merge_fee") if name in changes}
    market = outcome(
        number, klass="priceBucket", question=7, question_size=3, strike=None, fallback=number == 17,
        **changes.pop("market", {}),
    )  # fmt: skip
    seen = view(market=market, bids=levels((bid, size)), asks=levels((ask, size)), **changes)
    return msgspec.structs.replace(seen, **fees)


def question(bids: tuple[str, str, str], asks: tuple[str, str, str], **changes: Any) -> list[MarketView]:
    return [leg(15 + place, bid, ask, **dict(changes)) for place, (bid, ask) in enumerate(zip(bids, asks, strict=True))]


def cheap(**changes: Any) -> list[MarketView]:
    """YES of all for 0.95."""
    return question(("0.30", "0.30", "0.30"), ("0.31", "0.32", "0.32"), **changes)


def rich(**changes: Any) -> list[MarketView]:
    """NO of all for 1.92, which pay 2."""
    return question(("0.36", "0.36", "0.36"), ("0.38", "0.38", "0.38"), **changes)


def combined(views: list[MarketView], **changes: Any) -> Basket | None:
    return CompleteSet(attrs.evolve(CONFIG, **changes)).combine(views)


def test_yes_of_all_below_one_is_bought() -> None:
    basket = combined(cheap())
    assert basket is not None
    assert [(one.leg, one.px) for one in basket.legs] == [
        (Leg.YES, px("0.31")), (Leg.YES, px("0.32")), (Leg.YES, px("0.32")),
    ]  # fmt: skip
    assert (basket.qty, basket.worth, basket.edge) == (lots(100), SCALE, px("0.05"))
    assert (basket.least, basket.max_unwind_loss) == (lots(10), usd(5))
    assert basket.reason == "YES of 3 of 3 outcomes: 100 sets at 0.9500 pay 1.0000 each and leave 0.0500 after fees"


def test_no_of_all_below_what_they_pay_is_bought() -> None:
    basket = combined(rich())
    assert basket is not None
    assert {one.leg for one in basket.legs} == {Leg.NO}
    assert (basket.legs[0].px, basket.worth, basket.edge) == (px("0.64"), 2 * SCALE, px("0.08"))
    assert combined(rich(size=20)) is not None, "20 at a mid of 0.63 are worth more than the minimum of 10"
    assert combined(rich(size=15)) is None


@pytest.mark.parametrize("views", [cheap, rich])
@pytest.mark.parametrize(
    "cost",
    [
        {"open_taker_fee": 10_000_000}, {"merge_fee": 6_000_000}, {"tau_s": 59.0}, {"size": 9},
        {"equity": 5}, {"equity": -5_000}, {"market": {"min_notional": usd(1_000)}},
    ],
)  # fmt: skip
def test_every_cost_and_bound_counts(views: Any, cost: dict[str, Any]) -> None:
    assert combined(views(**cost)) is None


@pytest.mark.parametrize("views", [cheap, rich])
@pytest.mark.parametrize(
    "rule", [{"min_edge": 0.09}, {"min_size": 101.0}, {"max_stake": 0.0005}, {"min_tau_s": 7_200.0}]
)
def test_every_setting_counts(views: Any, rule: dict[str, float]) -> None:
    assert combined(views(), **rule) is None


def test_sizes_and_stakes_are_caps() -> None:
    small = combined(cheap(), max_size=45.5)
    assert small is not None
    assert small.qty == lots(45)
    poor = combined(cheap(equity=200), max_stake=0.2)
    assert poor is not None
    assert poor.qty == lots(42)


def test_a_set_with_a_missing_side_is_not_bought() -> None:
    assert combined([*cheap()[:2], msgspec.structs.replace(cheap()[2], asks=())]) is None


def test_only_whole_contracts_convert_whatever_the_lot() -> None:
    basket = combined(cheap(market={"lot": lots(0.1)}, size=40.7))
    assert basket is not None
    assert basket.qty == lots(40)


def test_it_says_what_a_set_costs_now() -> None:
    strategy = CompleteSet(CONFIG)
    views = cheap()
    assert strategy.decide(views[0]).bid_reason == "complete_set: its question is not complete yet"
    strategy.combine(views)
    said = strategy.decide(views[1])
    assert (said.bid, said.ask, said.take) == (None, None, None)
    assert said.bid_reason == said.ask_reason == "complete_set: YES 0.9500, NO 1.1000 per set"
    strategy.combine(rich())
    assert strategy.decide(views[1]).bid_reason == "complete_set: YES 1.1400, NO 0.9200 per set"
    strategy.combine([*views[:2], msgspec.structs.replace(views[2], asks=())])
    assert strategy.decide(views[1]).bid_reason == "complete_set: YES -, NO 1.1000 per set"
    strategy.combine([*views[:2], msgspec.structs.replace(views[2], bids=())])
    assert strategy.decide(views[1]).bid_reason == "complete_set: YES 0.9500, NO 1.4000 per set"
    strategy.combine([views[0], *(msgspec.structs.replace(one, bids=()) for one in views[1:])])
    assert strategy.decide(views[1]).bid_reason == "complete_set: YES 0.9500, NO - per set"
    strategy.forget(views[1].market.id)
    assert strategy.decide(views[1]).bid_reason == "complete_set: its question is not complete yet"


def test_it_wants_whole_questions_fallback_included() -> None:
    strategy = CompleteSet(CONFIG)
    assert strategy.wants(outcome(klass="priceBucket", question=7))
    assert strategy.wants(outcome(klass="priceBucket", question=7, fallback=True))
    assert not strategy.wants(outcome(klass="priceBucket"))
    assert not strategy.wants(outcome(klass="priceBinary", question=7))
    assert not strategy.wants(outcome(klass="priceBucket", question=7, underlying="ETH"))
    assert not strategy.wants(outcome(klass="priceBucket", question=7, deployer="out"))
    assert not strategy.wants(perp())
    assert strategy.unmatched([outcome(klass="priceBucket")]) == {}
    assert "classes priceBucket" in strategy.unmatched([outcome()])
