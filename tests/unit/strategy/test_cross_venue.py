"""The strategy of pairs: which way round, how many, at which limits, and what it says when it does nothing."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import pytest
from msgspec.structs import replace

from hlomm.domain.event import terms_of
from hlomm.domain.inputs import Level
from hlomm.domain.markets import FeeCurve, Leg, Market
from hlomm.domain.units import SCALE, Cash, Px, Qty, to_float
from hlomm.domain.view import Appraisal, Basket, BookShape, MarketView, PairView
from hlomm.settings.load import load
from hlomm.strategy.cross_venue import CrossVenue, CrossVenueConfig
from hlomm.strategy.outlooks import RealisedKind
from tests.support.values import START, levels, lots, px, seconds, usd
from tests.support.venues import hyperliquid, kalshi, polymarket

EXPIRY_NS = START.wall_ns + seconds(3600)
HL = hyperliquid(expiry_ns=EXPIRY_NS)
KS = kalshi(expiry_ns=EXPIRY_NS, min_notional=usd(1), fee=FeeCurve(taker=7_000_000, step=Cash(100)))
CHEAP = levels(("0.48", 300), ("0.47", 300)), levels(("0.50", 300), ("0.51", 300))
DEAR = levels(("0.56", 300), ("0.55", 300)), levels(("0.57", 300), ("0.58", 300))
EVEN = levels(("0.50", 300)), levels(("0.51", 300))


def settings(**changes: Any) -> CrossVenueConfig:
    values = msgspec.structs.asdict(load("sim", (), (), environ={}).settings.strategy.cross_venue)
    values.pop("enabled")
    values |= {"source_noise_bps": 0.5, "realised": RealisedKind.EWMA} | changes
    return CrossVenueConfig(**values)


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
    return attrs.evolve(
        PairView(left=left, right=right, terms=(first, second), max_mismatch=SCALE // 10, held=0, staked=0),
        **changes,
    )


def asked(left: Any = CHEAP, right: Any = DEAR, *, how: CrossVenueConfig | None = None, **changes: Any) -> Basket | str:
    strategy = CrossVenue(settings() if how is None else how)
    return strategy.cross(pair(view(HL, left), view(KS, right), **changes))


def taken(*args: Any, **kwargs: Any) -> Basket:
    found = asked(*args, **kwargs)
    assert isinstance(found, Basket), found
    return found


def test_yes_where_it_is_cheap_and_no_where_that_is() -> None:
    basket = taken()
    assert [(leg.market, leg.leg) for leg in basket.legs] == [(HL.id, Leg.YES), (KS.id, Leg.NO)]
    assert basket.legs[0].px >= px("0.50")
    assert basket.legs[1].px >= px("0.44")
    assert basket.worth == SCALE
    assert basket.deadline_ns == 10 * 10**9


def test_the_other_way_round_when_the_books_are() -> None:
    basket = taken(DEAR, CHEAP)
    assert [(leg.market, leg.leg) for leg in basket.legs] == [(HL.id, Leg.NO), (KS.id, Leg.YES)]


def test_equal_contracts_in_lots_of_both_venues() -> None:
    assert taken().qty % lots(1) == 0


def test_every_deduction_is_named() -> None:
    words = ("lock", "fees", "rounding", "bridge", "time", "basis", "legging", "expected")
    assert all(word in taken().reason for word in words)


def test_books_that_agree_leave_nothing() -> None:
    found = asked(EVEN, EVEN)
    assert isinstance(found, str)
    assert found.startswith("no_edge: the best way round leaves -")


def test_an_empty_book_is_said() -> None:
    assert asked(((), ()), ((), ())) == "no_book: nobody sells one of the legs"


def test_fees_of_the_far_venue_decide() -> None:
    near_even = levels(("0.515", 300)), levels(("0.52", 300))
    free = replace(KS, fee=FeeCurve(taker=0, step=Cash(100)))
    strategy = CrossVenue(settings(min_edge_bps=10, capital_rate=0))
    assert isinstance(strategy.cross(pair(view(HL, CHEAP), view(free, near_even))), Basket)
    assert isinstance(strategy.cross(pair(view(HL, CHEAP), view(KS, near_even))), str)


def test_the_last_contract_still_leaves_the_least_edge() -> None:
    thin = levels(("0.48", 300)), levels(("0.50", 40), ("0.52", 40), ("0.54", 40), ("0.56", 300))
    basket = taken(thin, DEAR, how=settings(max_notional_usd=1_000))
    assert 0 < basket.qty < lots(120), "the dear levels are left alone"
    assert basket.legs[0].px < px("0.54")


@pytest.mark.parametrize(
    ("changes", "most"), [({"max_size": 30}, 30), ({"max_notional_usd": 40}, 43), ({"kelly_fraction": 0.005}, 53)]
)
def test_every_limit_on_size_holds(changes: dict[str, float], most: float) -> None:
    assert taken(how=settings(min_size=1, **changes)).qty <= lots(most)


def test_what_is_held_counts_against_the_size() -> None:
    assert taken(held=lots(150)).qty <= lots(50)
    assert asked(held=lots(200)) == asked(held=lots(500))


def test_what_is_held_is_part_of_kellys_bet() -> None:
    """Once it is all bet nothing is added, however often the books are looked at."""
    how = settings(min_size=1, kelly_fraction=0.005)
    whole = taken(how=how).qty
    assert taken(how=how, staked=whole // 2 // SCALE * SCALE).qty == pytest.approx(whole / 2, abs=2 * SCALE)
    assert str(asked(how=how, staked=whole + SCALE)).startswith("no_room")


def test_less_than_the_least_size_is_nothing() -> None:
    found = asked(how=settings(min_size=190, max_notional_usd=100))
    assert isinstance(found, str)
    assert found.startswith("min_size")


def test_money_that_has_to_be_bridged_costs() -> None:
    pm = polymarket(expiry_ns=EXPIRY_NS, settles_ns=None, min_notional=usd(1), fee=None)
    free, dear = (
        CrossVenue(settings(bridging_bps_polygon=bps)).cross(pair(view(HL, CHEAP), view(pm, DEAR))) for bps in (0, 100)
    )
    assert isinstance(free, Basket)
    assert isinstance(dear, Basket)
    assert dear.edge < free.edge


# -- the settlement basis


def test_no_pair_on_an_old_price_of_the_underlying() -> None:
    left = view(HL, CHEAP, underlying_age_ns=60 * 10**9)
    assert CrossVenue(settings()).cross(pair(left, view(KS, DEAR))) == (
        "underlying: no fresh price to weigh the basis with"
    )


def test_no_pair_close_to_the_window_of_the_average() -> None:
    soon = START.wall_ns + seconds(150)
    hl, ks = replace(HL, expiry_ns=soon), replace(KS, expiry_ns=soon)
    found = CrossVenue(settings(min_tau_s=120)).cross(pair(view(hl, CHEAP), view(ks, DEAR)))
    assert isinstance(found, str)
    assert found.startswith("tau: 90 s")


def test_at_the_money_the_basis_eats_the_edge() -> None:
    """A cent ten minutes before the end is no arbitrage when both venues look at other prices (QUANT 6.4)."""
    soon = START.wall_ns + seconds(600)
    hl, ks = replace(HL, expiry_ns=soon), replace(KS, expiry_ns=soon)
    cheap, dear = (levels(("0.48", 300)), levels(("0.50", 300))), (levels(("0.53", 300)), levels(("0.54", 300)))
    how = settings(source_noise_bps=3, min_edge_bps=0.1, capital_rate=0, fill_probability=1)
    free = replace(ks, fee=FeeCurve(taker=0, step=Cash(1)))

    def at(spot: float) -> Basket | str:
        told = {"underlying_px": px(spot), "underlying_mid2": 2 * px(spot)}
        return CrossVenue(how).cross(pair(view(hl, cheap, **told), view(free, dear, **told)))

    assert isinstance(at(91_000), str)
    assert isinstance(at(95_000), Basket)


def test_a_review_that_allows_less_is_kept_to() -> None:
    found = asked(max_mismatch=0)
    assert isinstance(found, str)
    assert found.startswith("mismatch: legs settle opposite ways")


def test_it_quotes_nothing_and_owns_no_market() -> None:
    strategy = CrossVenue(settings())
    assert not strategy.wants(HL)
    assert strategy.combine([view(HL, CHEAP)]) is None
    assert strategy.decide(view(HL, CHEAP)).bid is None
    assert strategy.unmatched([HL, KS]) == {}


def test_limits_are_legal_prices() -> None:
    tapered = replace(
        KS, ticks=((Px(0), px("0.1"), px("0.001")), (px("0.1"), px("0.9"), px("0.01")), (px("0.9"), px(1), px("0.001")))
    )
    found = CrossVenue(settings()).cross(pair(view(HL, CHEAP), view(tapered, DEAR)))
    assert isinstance(found, Basket)
    assert found.legs[1].px % px("0.01") == 0
    assert to_float(found.legs[1].px) <= 0.45


# -- for people


def appraised(left: Any = CHEAP, right: Any = DEAR, **changes: Any) -> Appraisal:
    found = CrossVenue(settings(min_size=20)).appraise(pair(view(HL, left), view(KS, right), **changes))
    assert isinstance(found, Appraisal), found
    return found


def test_an_appraisal_names_what_it_takes_off_and_for_which_size() -> None:
    found = appraised()
    assert (found.legs, found.qty, found.gross) == ((Leg.YES, Leg.NO), lots(20), usd("1.2"))
    taken_off = sum(found.fees) + found.rounding + found.bridge + found.capital + found.basis + found.legging
    assert found.leaves == found.gross - taken_off
    assert found.leaves >= found.needs == usd("0.1"), "50 bps of 20"
    assert found.fees[0] == 0 < found.fees[1], "Kalshi's curve alone"
    assert 0 < found.apart < px("0.01")


def test_it_is_told_of_pairs_that_are_not_worth_it_as_well() -> None:
    even = appraised(EVEN, EVEN)
    assert even.gross == usd("-0.2")
    assert even.leaves < even.gross
    assert isinstance(asked(EVEN, EVEN), str)


def test_the_size_that_is_held_already_is_no_matter() -> None:
    assert appraised(held=lots(200)) == appraised(), "what one more would bring, whether or not there is room"


def test_why_an_appraisal_cannot_be_made() -> None:
    thin = levels(("0.48", 5)), levels(("0.50", 5))
    strategy = CrossVenue(settings(min_size=20))
    assert strategy.appraise(pair(view(HL, thin), view(KS, DEAR))) == (
        "depth: no way round has 20 contracts on both legs"
    )
    old = strategy.appraise(pair(view(HL, CHEAP, underlying_age_ns=60 * 10**9), view(KS, DEAR)))
    assert isinstance(old, str)
    assert old.startswith("underlying: ")
