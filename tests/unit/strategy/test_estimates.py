"""What Avellaneda believes: fair value from book and model, volatilities, its memory, and what it tells people."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from hlomm.domain.view import BookShape, Desired
from hlomm.pricing import fair, terminal
from hlomm.strategy.avellaneda import Avellaneda
from hlomm.strategy.outlooks import RealisedKind
from hlomm.strategy.signals import SECONDS_PER_YEAR
from tests.support.values import M, levels, lots, outcome, px
from tests.unit.strategy.views import ASKS, BIDS, CONFIG, decide, facts, maker, number, view

FACTS = (
    "fair", "model", "book", "weight_model", "vol", "implied", "expected", "premium", "nu", "reservation", "half",
    "size", "size_bound",
)  # fmt: skip


# -- book and model


def test_with_both_fair_value_lies_between_them() -> None:
    desired = decide(spot="80010")
    model, book = number(desired, "model"), number(desired, "book")
    assert min(model, book) < number(desired, "fair") < max(model, book)
    assert 0 < number(desired, "weight_model") < 1
    assert desired.fair_source == "blend"
    assert desired.fair == round(number(desired, "fair") * 10**8)


def test_the_model_is_the_digital_on_the_underlying() -> None:
    """At a cold start: the prior vol (which is also the long-run one) and the settlement's own noise, no premium."""
    desired = decide(spot="80100", bids=(), asks=())
    v = math.hypot(CONFIG.vol_annual * math.sqrt(3_600.0 / SECONDS_PER_YEAR), CONFIG.basis_bps * 1e-4)
    expected = terminal.odds(80_100.0, 80_000.0, v).p_yes
    assert number(desired, "model") == pytest.approx(expected, rel=1e-12)
    assert number(desired, "fair") == pytest.approx(expected, rel=1e-12)
    assert number(desired, "vol") == pytest.approx(CONFIG.vol_annual)
    assert number(desired, "expected") == pytest.approx(v / math.sqrt(3_600.0 / SECONDS_PER_YEAR))
    assert number(desired, "premium") == 1.0
    assert facts(desired)["implied"] == "-"


def quiet_hour(strategy: Avellaneda, *, dear: bool) -> Desired:
    """The underlying stands 50 bp above the strike and hardly moves; the book pays for more vol, or does not."""
    low, high = ("0.975", "0.977") if dear else ("0.9990", "0.9994")
    desired = None
    for step in range(900):
        desired = decide(
            strategy, spot=80_400 + step % 2, tau_s=7_200.0 - 4.0 * step, at_s=4.0 * step, count=step,
            bids=levels((low, 300)), asks=levels((high, 300)),
        )  # fmt: skip
    assert desired is not None
    return desired


def test_realised_and_implied_are_both_shown_and_the_market_is_believed() -> None:
    dear, cheap = quiet_hour(maker(), dear=True), quiet_hour(maker(), dear=False)
    assert number(dear, "vol") == number(cheap, "vol") < 0.1
    assert number(dear, "implied") > number(cheap, "implied") > number(cheap, "vol")
    assert number(dear, "premium") > 1.0 > number(cheap, "premium")
    assert number(dear, "expected") > number(cheap, "expected")


def test_when_the_last_offers_are_gone_the_value_does_not_jump_to_certainty() -> None:
    """What a vol that is only realised would do: a favourite that nobody offers would be bought without end."""
    strategy = maker()
    before = number(quiet_hour(strategy, dear=True), "fair")
    after = decide(
        strategy, spot="80400", tau_s=3_590.0, at_s=3_610.0, count=1_000, bids=levels(("0.975", 300)), asks=()
    )
    assert after.fair_source == "model"
    assert number(after, "fair") == pytest.approx(before, abs=0.01)
    realised = number(after, "vol") * math.sqrt(3_590.0 / SECONDS_PER_YEAR)
    assert terminal.odds(80_400.0, 80_000.0, realised, kernel=terminal.NORMAL).p_yes > 0.999


def test_a_bucket_is_priced_between_its_bounds_and_teaches_the_same_premium() -> None:
    bucket = structs.replace(outcome(9, strike=None), floor=px("79900"), ceiling=px("80100"))
    strategy = maker()
    first = decide(strategy, market=bucket, bids=(), asks=())
    v = math.hypot(CONFIG.vol_annual * math.sqrt(3_600.0 / SECONDS_PER_YEAR), CONFIG.basis_bps * 1e-4)
    assert number(first, "model") == pytest.approx(terminal.between(80_000.0, 79_900.0, 80_100.0, v).p_yes, rel=1e-12)
    for step in range(60):
        decide(
            strategy, market=bucket, at_s=2.0 * step, count=step, bids=levels(("0.70", 300)), asks=levels(("0.72", 300))
        )
    assert number(decide(strategy, at_s=121.0), "premium") < 0.9, "dear buckets around the spot say: less vol"


def test_an_averaged_settlement_has_less_variance_and_no_model_once_it_has_begun() -> None:
    averaged = structs.replace(outcome(9), averaging_s=60)
    point = decide(spot="80030", tau_s=60.0, bids=(), asks=())
    mean = decide(spot="80030", tau_s=61.0, market=averaged, bids=(), asks=())
    assert number(mean, "model") > number(point, "model")
    begun = decide(spot="80030", tau_s=59.0, market=averaged)
    assert (begun.bid, begun.ask, begun.fair) == (None, None, None)
    assert begun.bid_reason.startswith("averaging")


def test_before_its_window_an_average_is_a_point_digital_that_ends_two_thirds_of_it_earlier() -> None:
    averaged = structs.replace(outcome(9), averaging_s=60)
    mean, point = decide(spot="80030", tau_s=640.0, market=averaged), decide(spot="80030", tau_s=600.0)
    assert facts(mean) == facts(point)
    assert (mean.bid, mean.ask, mean.sensitivity) == (point.bid, point.ask, point.sensitivity)


# -- buckets

BUCKET = structs.replace(outcome(9, strike=None, klass="priceBucket"), floor=px("79900"), ceiling=px("80100"))


def digital_at(strike: str, spot: str) -> Desired:
    return decide(spot=spot, market=outcome(strike=px(strike)), bids=(), asks=())


@pytest.mark.parametrize("spot", ["79500", "79900", "80000", "80080", "80600"])
def test_a_bucket_is_the_difference_of_two_digitals_in_value_and_in_what_hedges_it(spot: str) -> None:
    bucket = decide(spot=spot, market=BUCKET, bids=(), asks=())
    low, high = digital_at("79900", spot), digital_at("80100", spot)
    assert number(bucket, "model") == pytest.approx(number(low, "model") - number(high, "model"), rel=1e-9)
    assert bucket.sensitivity is not None
    assert low.sensitivity is not None
    assert high.sensitivity is not None
    assert bucket.sensitivity.delta == pytest.approx(low.sensitivity.delta - high.sensitivity.delta, abs=2)
    assert bucket.sensitivity.gamma == pytest.approx(low.sensitivity.gamma - high.sensitivity.gamma, abs=2)


def test_the_delta_of_a_bucket_changes_its_sign_inside_it() -> None:
    deltas = []
    for spot in ("79850", "79950", "80050", "80150"):
        moves = decide(spot=spot, market=BUCKET, bids=(), asks=()).sensitivity
        assert moves is not None
        deltas.append(moves.delta)
    assert deltas[0] > deltas[1] > 0 > deltas[2] > deltas[3]


def test_a_bucket_without_a_bound_is_a_digital() -> None:
    top = structs.replace(BUCKET, floor=px("80000"), ceiling=None)
    bottom = structs.replace(BUCKET, floor=None, ceiling=px("80000"))
    above, below = (decide(spot="80030", market=one, bids=(), asks=()) for one in (top, bottom))
    assert number(above, "model") == pytest.approx(number(digital_at("80000", "80030"), "model"), rel=1e-9)
    assert number(above, "model") + number(below, "model") == pytest.approx(1.0, rel=1e-9)
    assert above.sensitivity is not None
    assert below.sensitivity is not None
    assert above.sensitivity.delta == -below.sensitivity.delta


def test_the_noise_robust_estimator_does_not_take_bounce_for_volatility() -> None:
    vols = {}
    for kind in RealisedKind:
        strategy, desired = maker(realised=kind), None
        for step in range(900):
            desired = decide(strategy, spot=80_000 + 8 * (step % 2), at_s=2.0 * step)
        assert desired is not None
        vols[kind] = number(desired, "vol")
    assert vols[RealisedKind.TWO_SCALE] < 0.5 * vols[RealisedKind.EWMA]


@given(st.lists(st.floats(79_000.0, 81_000.0), min_size=2, max_size=5).map(sorted))
def test_the_higher_the_underlying_the_higher_the_models_value(spots: list[float]) -> None:
    """Of the model alone: beside a book it also loses weight with the distance from the strike."""
    values = [number(decide(spot=f"{spot:.2f}"), "model") for spot in spots]
    assert values == sorted(values)
    assert values == [number(decide(spot=f"{spot:.2f}", bids=(), asks=()), "fair") for spot in spots]


def test_the_mid_of_the_perp_goes_before_its_mark() -> None:
    assert decide(spot="80050", mark="79000") == decide(spot="80050", mark="81000")
    assert decide(spot=None, mark="80050") == decide(spot="80050", mark=None)


@pytest.mark.parametrize("spot", [{"spot": None}, {"spot": None, "mark": 0}, {"spot": 0}])
def test_without_a_price_of_the_underlying_the_book_decides_alone(spot: dict[str, object]) -> None:
    desired = decide(**spot)
    assert desired.fair_source == "book"
    assert facts(desired)["model"] == "-"
    assert number(desired, "weight_model") == 0.0
    assert number(desired, "fair") == pytest.approx(0.55)


def test_a_stale_underlying_is_no_opinion() -> None:
    fresh, stale = decide(age_s=CONFIG.max_underlying_age_s), decide(age_s=CONFIG.max_underlying_age_s + 0.001)
    assert fresh.fair_source == "blend"
    assert stale.fair_source == "book"
    assert stale.fair == px("0.55")


@pytest.mark.parametrize(
    "book",
    [
        {"bids": BIDS, "asks": ()},
        {"bids": (), "asks": ASKS},
        {"bids": (), "asks": ()},
        {"bids": ASKS, "asks": BIDS},
        {"shape": BookShape.UNKNOWN},
        {"bids": levels(("0.54", 4)), "asks": ASKS},
        {"bids": BIDS, "asks": levels(("0.56", 4), ("0.57", 4.9))},
    ],
    ids=["no asks", "no bids", "empty", "crossed", "unknown", "thin bids", "thin asks"],
)
def test_where_the_book_says_nothing_the_model_decides_alone(book: dict[str, object]) -> None:
    desired = decide(spot="80010", **book)
    assert desired.fair_source == "model"
    assert facts(desired)["book"] == "-"
    assert number(desired, "weight_model") == 1.0
    assert desired.bid is not None
    assert desired.ask is not None, "a market without a book is where a maker is needed"
    assert decide(spot=None, **book).bid_reason == f"no_fair_value: {fair.NOTHING}"


def test_with_neither_nothing_is_quoted_and_the_reason_is_the_same_on_both_sides() -> None:
    desired = decide(bids=(), asks=(), age_s=60.0)
    assert (desired.bid, desired.ask, desired.fair, desired.facts) == (None, None, None, ())
    assert desired.bid_reason == desired.ask_reason == f"no_fair_value: {fair.NOTHING}"


def test_thin_levels_that_improve_the_book_do_not_move_fair_value() -> None:
    """Four contracts a tick better are an invitation to be led around."""
    plain = decide(spot=None)
    dusted = decide(
        spot=None, bids=(*levels(("0.5499", 4), ("0.545", 1)), *BIDS), asks=(*levels(("0.5501", 4.5)), *ASKS)
    )
    assert dusted.fair == plain.fair


def test_within_a_narrow_spread_the_sizes_speak() -> None:
    heavy = decide(spot=None, bids=levels(("0.54", 900)), asks=levels(("0.56", 100)))
    assert number(heavy, "fair") == pytest.approx(0.558)
    wide = decide(spot=None, bids=levels(("0.53", 900)), asks=levels(("0.57", 100)))
    assert number(wide, "fair") == pytest.approx(0.55)


def test_the_wider_the_book_the_less_it_weighs() -> None:
    weights = [
        number(decide(spot="80010", bids=levels((low, 300)), asks=levels((high, 300))), "weight_model")
        for low, high in (("0.549", "0.551"), ("0.54", "0.56"), ("0.50", "0.60"), ("0.35", "0.75"))
    ]
    assert weights == sorted(weights)
    assert weights[0] < 0.1 < weights[-1]


def test_who_doubts_the_volatility_trusts_the_book() -> None:
    sure, doubtful = decide(maker(vol_error=0.01), spot="80100"), decide(maker(vol_error=1.0), spot="80100")
    assert number(sure, "weight_model") > number(doubtful, "weight_model")


# -- volatility of the contract (nu)


def wiggle(amplitude: str, steps: int = 100, *, count: bool = True, thin: bool = False) -> float:
    """nu after a book that swings by `amplitude` at every sample."""
    strategy, desired = maker(), None
    for step in range(steps):
        shift = px(amplitude) * (step % 2)
        bids, asks = (
            tuple((level + shift, qty) for level, qty in side)
            for side in (levels(("0.50", 300)), levels(("0.52", 300)))
        )
        if thin:
            bids, asks = levels(("0.50", 300)), levels(("0.52", 300))
            bids = (*(((px("0.50") + shift, lots(1)),) if shift else ()), *bids)
        desired = decide(
            strategy, spot=None, tau_s=7_200.0 - 2.0 * step, at_s=2.0 * step, count=step if count else 0, bids=bids,
            asks=asks,
        )  # fmt: skip
    assert desired is not None
    return number(desired, "nu")


def test_a_livelier_book_has_the_higher_volatility_within_bounds() -> None:
    found = [wiggle(amplitude) for amplitude in ("0", "0.002", "0.006", "0.01", "0.3")]
    assert found == sorted(found)
    assert found[0] == pytest.approx(0.61, abs=0.05), "a still book forgets the prior slowly"
    assert found[-1] == 4.0


def test_a_dead_book_is_not_taken_for_certainty() -> None:
    assert wiggle("0", steps=3_000) == 0.25


def test_a_book_that_did_not_change_is_not_sampled_again() -> None:
    """Decisions come several times a second; the same picture is one observation."""
    assert wiggle("0.01", count=False) == 1.0


def test_dust_on_top_of_the_book_does_not_count_as_volatility() -> None:
    """What the fair value ignores must not widen the quote either: one contract, put in and out, would pull us."""
    assert wiggle("0.018", thin=True) == wiggle("0")


def test_more_volatility_widens_the_quote() -> None:
    def half(amplitude: str) -> float:
        strategy, desired = maker(min_half_spread=0.0), None
        for step in range(60):
            shift = px(amplitude) * (step % 2)
            bids, asks = ((px("0.50") + shift, lots(300)),), ((px("0.52") + shift, lots(300)),)
            desired = decide(
                strategy, spot=None, tau_s=900.0 - 2.0 * step, at_s=2.0 * step, count=step, bids=bids, asks=asks
            )
        assert desired is not None
        return number(desired, "half")

    assert half("0") < half("0.05")


# -- volatility of the underlying


def test_markets_on_one_underlying_share_its_volatility() -> None:
    strategy = maker()
    for step in range(200):
        decide(strategy, market=outcome(15 + step % 2), spot=80_000 + 40 * (step % 5), at_s=1.0 * step)
    seen = decide(strategy, market=outcome(30), at_s=200.0)
    assert number(seen, "vol") > 2 * CONFIG.vol_annual


def test_another_underlying_has_a_volatility_of_its_own() -> None:
    strategy = maker(underlyings=("BTC", "ETH"))
    for step in range(200):
        decide(strategy, spot=80_000 + 40 * (step % 5), at_s=1.0 * step)
    seen = decide(strategy, market=outcome(30, underlying="ETH"), at_s=200.0)
    assert number(seen, "vol") == pytest.approx(CONFIG.vol_annual)


def test_a_stale_price_is_not_an_opinion_yet_the_estimator_goes_on() -> None:
    strategy = maker()
    for step in range(100):
        desired = decide(strategy, spot="80000", at_s=2.0 * step, age_s=60.0)
        assert desired.fair_source == "book"
    assert number(decide(strategy, at_s=300.0), "vol") < CONFIG.vol_annual


# -- which markets


def test_it_wants_dated_binaries_of_its_underlyings() -> None:
    assert maker().wants(outcome())


@pytest.mark.parametrize(
    "change",
    [
        {"klass": "template:7"},
        {"underlying": "ETH"},
        {"deployer": "0x" + "ab" * 20},
        {"strike": None},
        {"expiry_ns": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_it_wants_nothing_else(change: dict[str, object]) -> None:
    assert not maker().wants(outcome(**change))


def test_it_wants_no_perp() -> None:
    from tests.support.values import perp

    assert not maker(classes=("perp",)).wants(perp())


def test_periods_choose_series_and_none_means_all() -> None:
    assert maker(periods=("15m",)).wants(outcome(period="15m"))
    assert not maker(periods=("15m",)).wants(outcome(period="1d"))
    assert maker(periods=()).wants(outcome(period=""))


# -- memory


def test_a_market_that_is_forgotten_starts_afresh_and_the_underlying_does_not() -> None:
    strategy = maker()
    for step in range(60):
        shift = px("0.05") * (step % 2)
        bids, asks = ((px("0.50") + shift, lots(300)),), ((px("0.52") + shift, lots(300)),)
        decide(strategy, at_s=2.0 * step, count=step, spot=80_000 + 40 * (step % 5), bids=bids, asks=asks)
    known = decide(strategy, at_s=121.0, count=60)
    strategy.forget(M)
    fresh = decide(strategy, at_s=121.0, count=60)
    assert number(known, "nu") > 1.5
    assert number(fresh, "nu") == 1.0
    assert number(fresh, "vol") == pytest.approx(number(known, "vol"))


def test_forgetting_what_was_never_known_is_no_error() -> None:
    strategy = maker()
    strategy.forget(M)
    strategy.forget(M)
    assert decide(strategy) == decide()


def test_memory_is_bounded_by_the_markets_not_forgotten() -> None:
    strategy = maker()
    for number_ in range(50):
        decide(strategy, market=outcome(number_))
        strategy.forget(outcome(number_).id)
    assert not strategy._memory


# -- what a person is told


def test_the_facts_are_these_in_this_order() -> None:
    desired = decide()
    assert tuple(name for name, _ in desired.facts) == FACTS
    assert all(isinstance(value, float | str) for _, value in desired.facts)


def test_the_facts_agree_with_the_quote() -> None:
    desired = decide(net=60)
    assert desired.bid is not None
    assert desired.ask is not None
    centre, half = number(desired, "reservation"), number(desired, "half")
    assert desired.bid.px == pytest.approx((centre - half) * 1e8, abs=view().market.tick)
    assert desired.ask.px == pytest.approx((centre + half) * 1e8, abs=view().market.tick)
    assert desired.bid.qty == lots(number(desired, "size"))
    assert facts(desired)["size_bound"] in ("kelly", "cap")


def test_what_is_not_known_is_shown_as_a_dash_not_as_a_number() -> None:
    desired = decide(bids=(), asks=())
    assert facts(desired)["book"] == "-"
    assert facts(decide(spot=None))["model"] == "-"
    assert not any(isinstance(value, float) and math.isnan(value) for _, value in desired.facts)


# -- a book that is older than the underlying


def test_the_book_moves_with_the_underlying_before_its_makers_do() -> None:
    """The same mid a moment after the underlying has risen: taken as it stands it would be sold below its worth."""
    values = {}
    for follow_s in (0.0, 10.0):
        strategy = maker(follow_s=follow_s)
        decide(strategy, spot="80000", tau_s=600.0)
        values[follow_s] = number(decide(strategy, spot="80060", tau_s=599.5, at_s=0.5), "fair")
    expected = terminal.odds(80_060.0, 80_000.0, CONFIG.vol_annual * math.sqrt(600.0 / SECONDS_PER_YEAR)).p_yes - 0.5
    assert values[0.0] < 0.55 + 0.35 * expected
    assert values[10.0] > 0.55 + 0.75 * expected


def test_what_the_book_keeps_saying_is_believed_again() -> None:
    strategy = maker(follow_s=10.0)
    decide(strategy, spot="80000", tau_s=600.0)
    for step in range(1, 121):
        desired = decide(strategy, spot="80060", tau_s=600.0 - 0.5 * step, at_s=0.5 * step, count=step)
    stands = decide(maker(), spot="80060", tau_s=540.0)
    assert number(desired, "fair") == pytest.approx(number(stands, "fair"), abs=0.01)
