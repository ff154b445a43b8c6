"""Where one leg may rest: its price, its size, and every guard with its numbers."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from msgspec.structs import replace

from hlomm.domain.ids import HYPERLIQUID, KALSHI
from hlomm.domain.markets import FeeCurve, Leg
from hlomm.domain.units import SCALE, Cash, Px, to_float
from hlomm.domain.view import Basket, PairView
from hlomm.pricing.leg_costs import left_of_one
from hlomm.strategy.cross_venue import CrossVenue
from hlomm.strategy.held_legs import offer_of
from tests.support.values import levels, lots, px, seconds, usd
from tests.unit.strategy.test_cross_venue import HL, KS, pair, settings, view

WIDE = levels(("0.45", 300), ("0.44", 300)), levels(("0.60", 300), ("0.61", 300))
"""Where it rests: room from 0.46 to 0.59."""
NEAR = levels(("0.53", 300), ("0.52", 100)), levels(("0.54", 300), ("0.55", 100))
"""Where it is hedged: NO for 0.47, YES for 0.54."""
PLAIN: dict[str, Any] = {
    "maker": "hyperliquid", "min_edge_bps": 50, "capital_rate": 0, "basis_weight": 0, "fill_probability": 1,
    "max_notional_usd": 1_000, "maker_reach": 0.05, "kelly_fraction": 1,
}  # fmt: skip
FREE = replace(KS, fee=FeeCurve(taker=0, step=Cash(1)))


def seen(left: Any = WIDE, right: Any = NEAR, **how: Any) -> PairView:
    return pair(view(HL, left), view(FREE, right), **how)


def asked(pair_seen: PairView | None = None, leg: Leg = Leg.YES, **how: Any) -> Basket | str:
    return CrossVenue(settings(**(PLAIN | how))).rest(seen() if pair_seen is None else pair_seen, leg)


def found(*args: Any, **how: Any) -> Basket:
    basket = asked(*args, **how)
    assert isinstance(basket, Basket), basket
    return basket


def said(*args: Any, **how: Any) -> str:
    why = asked(*args, **how)
    assert isinstance(why, str), why
    return why


def test_off_by_default() -> None:
    assert CrossVenue(settings()).maker is None
    assert CrossVenue(settings(maker="kalshi")).maker == KALSHI


def test_the_leg_that_rests_comes_first() -> None:
    yes, no = found(leg=Leg.YES).legs, found(leg=Leg.NO).legs
    assert [(leg.market, leg.leg) for leg in yes] == [(HL.id, Leg.YES), (KS.id, Leg.NO)]
    assert [(leg.market, leg.leg) for leg in no] == [(HL.id, Leg.NO), (KS.id, Leg.YES)]


def test_it_rests_at_the_other_venue_when_that_is_the_maker() -> None:
    basket = found(pair(view(HL, NEAR), view(FREE, WIDE)), maker="kalshi")
    assert [(leg.market, leg.leg) for leg in basket.legs] == [(KS.id, Leg.YES), (HL.id, Leg.NO)]


# -- price


def test_it_is_first_and_no_better_than_that() -> None:
    basket = found()
    assert basket.legs[0].px == px("0.45001"), "a tick above the best bid"
    assert basket.edge > px("0.07")


def test_it_never_pays_more_than_leaves_the_edge() -> None:
    """NO costs 0.47: at 0.525 half a cent is left."""
    close = levels(("0.5249", 300)), levels(("0.60", 300))
    assert found(seen(close)).legs[0].px == px("0.52491")
    full = levels(("0.5260", 300)), levels(("0.60", 300))
    basket = found(seen(full))
    assert px("0.5249") < basket.legs[0].px <= px("0.525"), "behind the best bid"
    assert px("0.005") <= basket.edge < px("0.00501")


def test_it_never_trades_at_once() -> None:
    """The best ask is below what it could pay: that is for those who take."""
    tight = levels(("0.50", 300)), levels(("0.51", 300))
    assert found(seen(tight)).legs[0].px == px("0.50001")
    empty = (), levels(("0.51", 300))
    assert found(seen(empty)).legs[0].px == px("0.50999")


def test_the_worst_level_that_its_size_needs_prices_the_hedge() -> None:
    thin = levels(("0.53", 25), ("0.52", 1_000)), levels(("0.54", 300))
    assert found(seen(right=thin), max_size=400).legs[1].px == px("0.48")
    assert found(seen(right=thin), max_size=25).legs[1].px == px("0.47")


def test_fees_of_a_maker_and_of_a_taker_are_taken_off() -> None:
    charged = pair(view(HL, WIDE, open_maker_fee=1_000_000), view(KS, NEAR))
    basket = found(charged)
    strategy = CrossVenue(settings(**PLAIN))
    terms = strategy._terms(charged, 0.0)
    maker, hedge = offer_of(charged.left, Leg.YES, maker=True), offer_of(charged.right, Leg.NO)
    left = left_of_one(terms, (hedge, maker), (basket.legs[1].px, basket.legs[0].px))
    assert maker.fee.rate == 1_000_000
    assert left - px("0.0001") < basket.edge <= left
    assert basket.edge < found().edge - px("0.02"), "a cent for the maker, 1.75 for the taker"


@pytest.mark.parametrize("change", [{"basis_weight": 0.2}, {"capital_rate": 5}, {"fill_probability": 0.5}])
def test_every_deduction_lowers_what_it_leaves(change: dict[str, float]) -> None:
    soon = found(pair(view(HL, WIDE, **NEARBY), view(FREE, NEAR, **NEARBY)), max_notional_usd=10_000)
    less = found(pair(view(HL, WIDE, **NEARBY), view(FREE, NEAR, **NEARBY)), max_notional_usd=10_000, **change)
    assert less.edge < soon.edge


NEARBY: dict[str, Any] = {"underlying_px": px(91_500), "underlying_mid2": 2 * px(91_500)}
"""Close enough to the strike for the basis to count."""


# -- size


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({"maker_share": 0.1}, 40), ({"max_size": 30}, 30), ({"max_notional_usd": 46}, 50),
        ({"kelly_fraction": 0.005}, 60), ({"maker_reach": 0.005, "maker_share": 0.2}, 60),
    ],
)  # fmt: skip
def test_every_limit_on_size_holds(changes: dict[str, float], most: float) -> None:
    basket = found(min_size=1, **changes)
    assert 0 < basket.qty <= lots(most)
    assert basket.qty % lots(1) == 0


def test_what_is_held_counts_against_the_size() -> None:
    assert found(seen(held=lots(150)), max_size=200, maker_share=1).qty == lots(50)


def test_what_is_held_is_part_of_kellys_bet() -> None:
    whole = found(min_size=1, kelly_fraction=0.005).qty
    assert said(seen(staked=whole), min_size=1, kelly_fraction=0.005).startswith("kelly: 0.")


# -- guards


def test_too_little_to_hedge_with_is_said() -> None:
    assert said(seen(right=((), ()))) == "hedge_depth: nobody sells the other leg"
    few = levels(("0.53", 40)), levels(("0.54", 300))
    assert said(seen(right=few)) == "min_size: 10 < 20: 25 % of 40 on offer, or less is left"


def test_a_hedge_below_its_venues_minimum_is_said() -> None:
    large = pair(view(HL, WIDE), view(replace(FREE, min_qty=lots(150)), NEAR))
    assert said(large).startswith("hedge_minimum: 100 at 0.4")
    assert said(large).endswith("are less than the smallest order (150 contracts, 1)")
    dear = pair(view(replace(HL, min_notional=usd(60)), WIDE), view(FREE, NEAR))
    assert said(dear).startswith("minimum: 100 at 0.45001 are less than the smallest order (")


def test_no_price_that_leaves_enough_is_said() -> None:
    far = levels(("0.003", 300)), levels(("0.004", 300))
    assert said(seen(right=far)).startswith("no_edge: 75 hedged from 0.997 on leave no price to rest at")


def test_a_price_that_only_a_crash_would_meet_is_not_quoted() -> None:
    high = levels(("0.58", 300)), levels(("0.60", 300))
    assert said(seen(high)) == "behind: 0.525 is more than 0.05 below the best bid 0.58"


def test_a_bet_that_kelly_refuses_is_said() -> None:
    """At the money the legs part too often for what a pair brings."""
    told = {"underlying_px": px(91_000), "underlying_mid2": 2 * px(91_000)}
    even = pair(view(HL, NEAR, **told), view(FREE, NEAR, **told))
    assert said(even, source_noise_bps=10, min_edge_bps=1).startswith("kelly: 0.00 for pairs that cost 0.9")


def test_the_guards_of_every_pair_hold() -> None:
    assert said(seen(max_mismatch=0)).startswith("mismatch: ")
    old = pair(view(HL, WIDE, underlying_age_ns=60 * 10**9), view(FREE, NEAR))
    assert said(old).startswith("underlying: ")
    soon = view(HL, WIDE).wall_ns + seconds(150)
    late = pair(view(replace(HL, expiry_ns=soon), WIDE), view(replace(FREE, expiry_ns=soon), NEAR))
    assert said(late, min_tau_s=120).startswith("tau: 90 s")


def test_legal_prices_of_both_venues() -> None:
    cents = replace(HL, tick=px("0.01"))
    basket = found(pair(view(cents, WIDE), view(FREE, NEAR)))
    assert basket.legs[0].px == px("0.46")
    assert basket.legs[1].px % FREE.tick == 0


def test_a_pair_is_worth_one_and_its_loss_is_bounded() -> None:
    basket = found(max_unwind_loss=3, deadline_s=4)
    assert (basket.worth, basket.max_unwind_loss, basket.deadline_ns) == (SCALE, usd(3), 4 * 10**9)
    words = ("YES rests at hyperliquid", "NO at kalshi", "to part")
    assert all(word in basket.reason for word in words)
    assert to_float(Px(basket.legs[0].px + basket.legs[1].px)) < 1


def test_the_review_knows_which_side_wins_when_they_part() -> None:
    """YES here and NO there lose together when only the other venue pays YES: that chance is charged, no other one."""
    told = pair(view(HL, WIDE, **NEARBY), view(FREE, NEAR, **NEARBY))
    strategy = CrossVenue(settings(**(PLAIN | {"basis_weight": 1})))
    parted = strategy._tradable(told)
    assert not isinstance(parted, str)
    assert parted.p01 != parted.p10
    yes, no = (strategy.rest(attrs.evolve(told), leg) for leg in (Leg.YES, Leg.NO))
    assert isinstance(yes, Basket)
    assert isinstance(no, Basket)
    assert f"{parted.p01:.4f} to part" in yes.reason
    assert f"{parted.p10:.4f} to part" in no.reason
    assert HYPERLIQUID in yes.reason
