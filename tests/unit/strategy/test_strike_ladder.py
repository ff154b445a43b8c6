"""The strategy of strikes out of order: when it buys, how many, at which limits, and what it says otherwise."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import pytest
from msgspec.structs import replace

from hlomm.domain.basket_rows import ArbitrageKind
from hlomm.domain.event import terms_of
from hlomm.domain.inputs import Level
from hlomm.domain.markets import FeeCurve, Leg, Market
from hlomm.domain.units import SCALE, Cash, Px, Qty
from hlomm.domain.view import Basket, BookShape, MarketView, PairView
from hlomm.settings.load import load
from hlomm.strategy.outlooks import RealisedKind
from hlomm.strategy.strike_ladder import StrikeLadder, StrikeLadderConfig
from tests.support.ladders import HIGH, LOW
from tests.support.values import START, levels, lots, px, usd
from tests.support.venues import hyperliquid

CHEAP = levels(("0.48", 300), ("0.47", 300)), levels(("0.50", 300), ("0.51", 300))
DEAR = levels(("0.58", 300), ("0.57", 300)), levels(("0.59", 300), ("0.60", 300))
EVEN = levels(("0.48", 300)), levels(("0.50", 300))


def settings(**changes: Any) -> StrikeLadderConfig:
    values = msgspec.structs.asdict(load("sim", (), (), environ={}).settings.strategy.strike_ladder)
    values.pop("enabled")
    return StrikeLadderConfig(**(values | {"realised": RealisedKind.EWMA} | changes))


def view(market: Market, book: tuple[tuple[Level, ...], tuple[Level, ...]], **changes: Any) -> MarketView:
    bids, asks = book
    values: dict[str, Any] = {
        "market": market, "mono_ns": START.mono_ns, "wall_ns": START.wall_ns, "tau_ns": market.tau_ns(START.wall_ns),
        "shape": BookShape.TWO_SIDED, "bids": bids, "asks": asks, "book_age_ns": 0, "book_count": 1,
        "underlying_px": px(93_000), "underlying_age_ns": 0, "underlying_mid2": 2 * px(93_000), "yes": Qty(0),
        "no": Qty(0), "equity": usd(10_000), "close_maker_fee": 0, "curve": market.fee,
    }  # fmt: skip
    return MarketView(**(values | changes))


def pair(left: MarketView, right: MarketView, **changes: Any) -> PairView:
    first, second = terms_of(left.market), terms_of(right.market)
    assert first is not None
    assert second is not None
    seen = PairView(
        left=left, right=right, terms=(first, second), max_mismatch=0, held=0, staked=0, kind=ArbitrageKind.LADDER
    )  # fmt: skip
    return attrs.evolve(seen, **changes)


def asked(
    low: Any = CHEAP, high: Any = DEAR, *, how: StrikeLadderConfig | None = None, markets: Any = (LOW, HIGH),
    told: dict[str, Any] | None = None, **changes: Any,
) -> Basket | str:  # fmt: skip
    strategy, told = StrikeLadder(how or settings()), told or {}
    return strategy.climb(pair(view(markets[0], low, **told), view(markets[1], high, **told), **changes))


def taken(*args: Any, **kwargs: Any) -> Basket:
    found = asked(*args, **kwargs)
    assert isinstance(found, Basket), found
    return found


def test_yes_of_the_lower_strike_and_no_of_the_higher_one() -> None:
    basket = taken()
    assert [(leg.market, leg.leg) for leg in basket.legs] == [(LOW.id, Leg.YES), (HIGH.id, Leg.NO)]
    assert (basket.worth, basket.deadline_ns) == (SCALE, 10 * 10**9)
    assert basket.edge >= px("0.005")
    assert basket.reason.startswith("YES of 90999.99 at kalshi and NO of 91249.99 at kalshi: ")
    assert "basis 0.0000 (0.0000 to part)" in basket.reason, "one venue, one number"


def test_strikes_in_order_are_left_alone() -> None:
    assert asked(EVEN, EVEN) == "no_edge: the strikes are in order, YES and NO leave -0.0200 at the touch"
    assert str(asked(DEAR, CHEAP)).startswith("no_edge: the strikes are in order")


def test_an_empty_book_is_said() -> None:
    assert asked(((), ()), DEAR) == asked(CHEAP, ((), ())) == "no_book: nobody sells one of the legs"


def test_what_the_fees_take_is_no_edge() -> None:
    """Two cents out of order at the middle: Kalshi takes 3.5 for both legs."""
    near = levels(("0.52", 300)), levels(("0.53", 300))
    found = asked(CHEAP, near)
    assert isinstance(found, str)
    assert found.startswith("no_edge: the first contract leaves -")
    free = FeeCurve(taker=0, step=Cash(100))
    markets = replace(LOW, fee=free), replace(HIGH, fee=free)
    assert isinstance(asked(CHEAP, near, markets=markets, how=settings(min_edge_bps=10)), Basket)


def test_the_last_contract_still_leaves_the_least_edge() -> None:
    thin = levels(("0.48", 300)), levels(("0.50", 40), ("0.52", 40), ("0.54", 40), ("0.57", 300))
    basket = taken(thin, how=settings(max_notional_usd=1_000))
    assert 0 < basket.qty < lots(120), "the dear levels are left alone"
    assert basket.legs[0].px < px("0.57")


@pytest.mark.parametrize(("changes", "most"), [({"max_size": 30}, 30), ({"max_notional_usd": 40}, 44)])
def test_every_limit_on_size_holds(changes: dict[str, float], most: float) -> None:
    assert taken(how=settings(min_size=1, **changes)).qty <= lots(most)


def test_what_is_held_counts_against_the_size() -> None:
    assert taken(held=lots(150)).qty <= lots(50)
    assert str(asked(held=lots(200))).startswith("no_room")


def test_less_than_the_least_size_is_nothing() -> None:
    assert str(asked(how=settings(min_size=190))).startswith("min_size: ")


def test_no_pair_close_to_the_window_of_the_average() -> None:
    soon = START.wall_ns + 100 * 10**9
    markets = replace(LOW, expiry_ns=soon), replace(HIGH, expiry_ns=soon)
    assert str(asked(markets=markets)).startswith("tau: 40 s to the settlement")


def test_at_one_venue_it_needs_no_price_of_the_underlying() -> None:
    assert isinstance(asked(told={"underlying_age_ns": 10**12, "underlying_mid2": None}), Basket)


# -- across venues

FAR = hyperliquid(expiry_ns=LOW.expiry_ns, strike=px(91_000), min_notional=usd(1))
ACROSS = {"markets": (FAR, HIGH), "max_mismatch": SCALE // 10}


def test_strikes_of_two_venues_only_where_that_is_wanted() -> None:
    assert str(asked(**ACROSS)).startswith("across_venues: false")
    basket = taken(**ACROSS, how=settings(across_venues=True))
    assert [leg.market for leg in basket.legs] == [FAR.id, HIGH.id]


def near_the_money(**changes: Any) -> Basket | str:
    told = {"underlying_px": px(91_125), "underlying_mid2": 2 * px(91_125)}
    return asked(**(ACROSS | {"told": told} | changes), how=settings(across_venues=True, source_noise_bps=20))


def test_across_venues_the_chance_that_both_lose_is_charged_and_bounded() -> None:
    far = taken(**ACROSS, how=settings(across_venues=True, source_noise_bps=20))
    near = near_the_money()
    assert isinstance(near, str) or near.edge < far.edge
    assert str(near_the_money(max_mismatch=1)).startswith("mismatch: both legs lose with 0.0")


def test_across_venues_no_pair_on_an_old_price() -> None:
    found = asked(**ACROSS, how=settings(across_venues=True), told={"underlying_age_ns": 60 * 10**9})
    assert found == "underlying: no fresh price to weigh the basis with"


def test_across_venues_kelly_bounds_the_stake() -> None:
    how = settings(across_venues=True, source_noise_bps=5, min_size=1, kelly_fraction=0.008)
    assert taken(**ACROSS, how=how).qty < taken(**ACROSS, how=settings(across_venues=True, source_noise_bps=5)).qty


def test_across_venues_what_is_held_is_part_of_kellys_bet() -> None:
    how = settings(across_venues=True, source_noise_bps=5, min_size=1, kelly_fraction=0.008)
    whole = taken(**ACROSS, how=how).qty
    assert str(asked(**ACROSS, how=how, staked=whole + SCALE)).startswith("no_room")


def test_it_quotes_nothing_and_owns_no_market() -> None:
    strategy = StrikeLadder(settings())
    assert not strategy.wants(LOW)
    assert strategy.combine([view(LOW, CHEAP)]) is None
    assert strategy.decide(view(LOW, CHEAP)).bid is None
    assert strategy.unmatched([LOW, HIGH]) == {}


def test_limits_are_legal_prices() -> None:
    tapered = replace(
        HIGH,
        ticks=((Px(0), px("0.1"), px("0.001")), (px("0.1"), px("0.9"), px("0.01")), (px("0.9"), px(1), px("0.001"))),
    )
    assert taken(markets=(LOW, tapered)).legs[1].px % px("0.01") == 0
