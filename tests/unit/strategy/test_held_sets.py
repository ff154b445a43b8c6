"""Sets over the contracts of an event that are held: fee curves, the money's time, and where NO may be bought."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import pytest

from hlomm.domain.markets import FeeCurve, Leg
from hlomm.domain.units import SCALE, Cash
from hlomm.domain.view import Basket, MarketView
from hlomm.strategy.complete_set import CompleteSet
from tests.support.ranges import neg_risk, ranges
from tests.support.values import levels, lots, px
from tests.unit.strategy.test_complete_set import CONFIG
from tests.unit.strategy.views import view

FREE = FeeCurve(taker=0, step=Cash(1_000))
STRATEGY = CompleteSet(attrs.evolve(CONFIG, classes=("KXBTC", "range")))
BUCKETS = [neg_risk(1, None, 90_000), neg_risk(2, 90_000, 92_000), neg_risk(3, 92_000, None)]


def piece(place: int, bid: str, ask: str, *, markets: Any = None, size: float = 300, **changes: Any) -> MarketView:
    market = (ranges() if markets is None else markets)[place]
    seen = view(market=market, bids=levels((bid, size)), asks=levels((ask, size)), **changes)
    return msgspec.structs.replace(seen, curve=market.fee)


def offered(ask: str, **changes: Any) -> Basket | None:
    return STRATEGY.combine([piece(place, "0.20", ask, **changes) for place in range(3)])


def bid_for(bid: str, **changes: Any) -> Basket | None:
    return STRATEGY.combine([piece(place, bid, "0.60", **changes) for place in range(3)])


def test_contracts_of_an_exclusive_event_are_wanted() -> None:
    assert all(STRATEGY.wants(market) for market in [*ranges(), *BUCKETS])
    assert not any(STRATEGY.wants(market) for market in ranges(exclusive=""))
    assert not any(CompleteSet(CONFIG).wants(market) for market in ranges()), "another class"


def test_yes_of_all_ranges_is_bought_if_the_fees_leave_enough() -> None:
    basket = offered("0.30")
    assert basket is not None
    assert [(leg.market, leg.leg, leg.px) for leg in basket.legs] == [
        (market.id, Leg.YES, px("0.30")) for market in ranges()
    ]
    assert (basket.worth, basket.deadline_ns, basket.qty) == (SCALE, 10 * 10**9, lots(200))
    assert basket.edge < px("0.06"), "0.10 less three times 0.0147, rounding and time"
    assert basket.reason.startswith("YES of 3 of 3 contracts: 200 sets lock 20.0000, less fees 8.8")
    assert offered("0.32") is None, "four cents less four and a half of fees"
    assert offered("0.32", markets=ranges(fee=FREE)) is not None


def test_no_of_several_is_bought_where_nothing_is_netted() -> None:
    basket = bid_for("0.40", markets=BUCKETS)
    assert basket is not None
    assert {(leg.leg, leg.px) for leg in basket.legs} == {(Leg.NO, px("0.60"))}
    assert basket.worth == 2 * SCALE
    assert bid_for("0.40") is None, "Kalshi may give the collateral back before the end"


def test_only_those_that_add_are_taken() -> None:
    views = [piece(place, "0.55", "0.60", markets=BUCKETS) for place in range(2)]
    basket = STRATEGY.combine([*views, piece(2, "0.0001", "0.60", markets=[*BUCKETS[:2], neg_risk(3, 92_000, None)])])
    assert basket is not None
    assert basket.worth == (len(basket.legs) - 1) * SCALE
    dear = piece(2, "0.01", "0.60", markets=[*BUCKETS[:2], neg_risk(3, 92_000, None, fee=FeeCurve(taker=10**9))])
    few = STRATEGY.combine([*views, dear])
    assert few is not None
    assert ([leg.market for leg in few.legs], few.worth) == ([market.id for market in BUCKETS[:2]], SCALE)


@pytest.mark.parametrize("change", [{"size": 9}, {"equity": 5}, {"tau_s": 59.0}])
def test_bounds_hold_for_sets_that_are_held(change: dict[str, Any]) -> None:
    assert offered("0.30", **change) is None


def test_money_that_waits_costs() -> None:
    """Five months at ten percent a year take four cents of a set."""
    assert offered("0.32", markets=ranges(fee=FREE)) is not None
    assert offered("0.32", markets=ranges(fee=FREE), tau_s=152 * 86_400.0) is None
