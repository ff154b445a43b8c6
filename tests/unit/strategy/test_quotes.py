"""Avellaneda's quotes: where they stand, how they lean, how they widen and when they are pulled, by every model."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlomm.domain.units import SCALE
from hlomm.domain.view import BookShape, Desired, MarketView
from hlomm.pricing import quoter
from hlomm.pricing.horizon import p_vol
from hlomm.pricing.quoter import QuoteModel
from tests.support.values import levels, lots, outcome, px
from tests.unit.strategy.views import CONFIG, any_view, decide, facts, maker, number, view, width

MODELS = list(QuoteModel)
models = pytest.mark.parametrize("model", MODELS)


def check(desired: Desired, shown: MarketView) -> None:
    """What must hold of any quote for any view."""
    tick, lot = shown.market.tick, shown.market.lot
    for wish, reason in ((desired.bid, desired.bid_reason), (desired.ask, desired.ask_reason)):
        assert (wish is None) == bool(reason), "a missing side has a reason, a present one has none"
        if wish is not None:
            assert tick <= wish.px <= SCALE - tick
            assert wish.px % tick == 0
            assert wish.qty > 0
            assert wish.qty % lot == 0
            assert wish.qty <= CONFIG.stretch * CONFIG.max_size * SCALE
    if desired.bid is not None and desired.ask is not None:
        assert desired.bid.px < desired.ask.px
    if desired.fair is not None:
        assert 0 <= desired.fair <= SCALE
    assert desired.tolerance >= 0
    assert desired.tolerance % tick == 0
    for name, value in desired.facts:
        assert not isinstance(value, float) or math.isfinite(value), f"{name} is {value}"


# -- any view at all


@models
@given(shown=any_view())
@settings(max_examples=150)
def test_whatever_it_sees_its_quotes_are_legal_and_its_numbers_are_numbers(
    model: QuoteModel, shown: MarketView
) -> None:
    check(maker(model=model).decide(shown), shown)


@models
@given(seen=st.lists(any_view(), max_size=6), shown=any_view())
@settings(max_examples=40)
def test_whatever_it_saw_before_does_not_unsettle_it(
    model: QuoteModel, seen: list[MarketView], shown: MarketView
) -> None:
    strategy = maker(model=model)
    for earlier in seen:
        strategy.decide(earlier)
    check(strategy.decide(shown), shown)


@given(st.lists(any_view(), max_size=5))
@settings(max_examples=40)
def test_it_is_a_function_of_what_it_saw(seen: list[MarketView]) -> None:
    first, second = maker(), maker()
    assert [first.decide(shown) for shown in seen] == [second.decide(shown) for shown in seen]


@given(
    any_view(),
    st.fixed_dictionaries(
        {
            "model": st.sampled_from(MODELS),
            "gamma": st.floats(0.0, 1.0),
            "fill_rate": st.floats(0.001, 100.0),
            "fill_decay": st.floats(1.0, 10_000.0),
            "lot": st.floats(0.1, 1_000.0),
            "holding_s": st.floats(0.1, 1e6),
            "min_half_spread": st.floats(0.0, 0.2),
            "max_half_spread": st.floats(0.001, 0.5),
            "pull_ratio": st.floats(0.01, 5.0),
            "reaction_s": st.floats(0.001, 60.0),
            "vol_annual": st.floats(0.001, 20.0),
            "vol_error": st.floats(0.0, 5.0),
            "basis_bps": st.floats(0.0, 1_000.0),
            "requote_share": st.floats(0.0, 1.0),
        }
    ),
)
def test_no_configuration_makes_it_quote_what_is_not_legal(shown: MarketView, changes: dict[str, float]) -> None:
    check(maker(**changes).decide(shown), shown)


# -- a healthy market


@models
def test_a_healthy_market_is_quoted_on_both_sides_around_fair(model: QuoteModel) -> None:
    desired = decide(maker(model=model))
    assert desired.bid is not None
    assert desired.ask is not None
    assert desired.fair is not None
    assert desired.bid.px < desired.fair < desired.ask.px
    assert desired.bid.qty == desired.ask.qty
    assert abs((desired.bid.px + desired.ask.px) - 2 * desired.fair) <= 2 * view().market.tick
    assert desired.fair_source == "blend"


@models
def test_the_quote_is_the_models_quote_rounded_away_from_fair(model: QuoteModel) -> None:
    """The strategy adds estimates, rounding and size to `pricing.quoter`, and no price of its own."""
    tick = px("0.001")
    desired = decide(maker(model=model), net=80, market=outcome(tick=tick))
    p = number(desired, "fair")
    sigma_p = number(desired, "nu") * p_vol(p, 3_600.0)
    latency = sigma_p * math.sqrt(CONFIG.reaction_s) / CONFIG.pull_ratio
    expected = quoter.quote(
        model, p=p, q=80.0, tau_s=3_600.0, sigma_p=sigma_p, gamma=CONFIG.gamma, a=CONFIG.fill_rate,
        k=CONFIG.fill_decay, lot=CONFIG.lot, horizon_s=CONFIG.holding_s, max_half=CONFIG.max_half_spread,
        floor_half=max(latency, CONFIG.min_half_spread),
    )  # fmt: skip
    assert expected.bid is not None
    assert expected.ask is not None
    assert desired.bid is not None
    assert desired.ask is not None
    assert 0 <= expected.bid * SCALE - desired.bid.px < tick
    assert 0 <= desired.ask.px - expected.ask * SCALE < tick
    assert number(desired, "half") == pytest.approx(expected.half)
    assert number(desired, "reservation") == pytest.approx(expected.reservation)


def test_the_models_differ_as_their_papers_do() -> None:
    """The seed's half-spread carries the risk term twice; its centre is that of the paper."""
    tight = {"min_half_spread": 0.0, "reaction_s": 1e-6, "gamma": 0.05}
    paper, seed, glft = (
        decide(maker(model=model, **tight), net=2)
        for model in (QuoteModel.AS_PAPER, QuoteModel.AS_SEED0, QuoteModel.GLFT)
    )
    assert width(seed) > width(paper)
    assert number(seed, "reservation") == number(paper, "reservation")
    assert number(glft, "reservation") != number(paper, "reservation")


@given(st.sampled_from(MODELS), st.floats(0.05, 0.95), st.integers(-150, 150))
def test_yes_and_no_are_treated_alike(model: QuoteModel, mid: float, net: int) -> None:
    """The mirror image of a market (1 - p, -q) gets the mirror image of the quote."""
    low, high = px(f"{mid - 0.02:.4f}"), px(f"{mid + 0.02:.4f}")
    here = decide(maker(model=model), spot=None, net=net, bids=((low, lots(300)),), asks=((high, lots(300)),))
    there = decide(
        maker(model=model), spot=None, net=-net, bids=((SCALE - high, lots(300)),), asks=((SCALE - low, lots(300)),)
    )
    for ours, theirs in ((here.bid, there.ask), (here.ask, there.bid)):
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            assert abs(ours.px + theirs.px - SCALE) <= view().market.tick
            assert ours.qty == theirs.qty


# -- inventory


@models
@given(nets=st.lists(st.integers(-400, 400), min_size=2, max_size=6).map(sorted))
@settings(max_examples=30)
def test_the_more_it_holds_the_lower_it_quotes(model: QuoteModel, nets: list[int]) -> None:
    made = [decide(maker(model=model), net=net) for net in nets]
    for less, more in itertools.pairwise(made):
        for before, after in ((less.bid, more.bid), (less.ask, more.ask)):
            if before is not None and after is not None:
                assert after.px <= before.px


@models
@pytest.mark.parametrize(("net", "sign"), [(150, -1), (-150, 1)])
def test_it_leans_against_what_it_holds(model: QuoteModel, net: int, sign: int) -> None:
    flat, held = decide(maker(model=model)), decide(maker(model=model), net=net)
    assert flat.bid is not None
    assert flat.ask is not None
    assert held.bid is not None
    assert held.ask is not None
    assert (held.bid.px - flat.bid.px) * sign > 0
    assert (held.ask.px - flat.ask.px) * sign > 0
    assert held.fair == flat.fair, "what we hold does not change what it is worth"
    assert (number(held, "reservation") - number(held, "fair")) * sign > 0


@models
def test_without_risk_aversion_it_does_not_lean(model: QuoteModel) -> None:
    strategy = maker(model=model, gamma=0.0)
    assert decide(strategy, net=300).bid == decide(strategy, net=-300).bid


@models
def test_pairs_of_yes_and_no_are_no_inventory(model: QuoteModel) -> None:
    shown = view()
    paired = type(shown)(
        **{name: getattr(shown, name) for name in shown.__struct_fields__} | {"yes": lots(90), "no": lots(90)}
    )
    assert maker(model=model).decide(paired) == maker(model=model).decide(shown)


# -- towards the end


@models
def test_the_quote_widens_towards_the_end_and_is_pulled(model: QuoteModel) -> None:
    """At the money: latency risk is phi(0)/sqrt(tau) sqrt(reaction), and the half-spread at least twice that."""
    last = 0
    for tau_s in (3_600, 600, 120, 60, 40, 30, 25, 21):
        desired = decide(maker(model=model), tau_s=float(tau_s), spot=None)
        assert width(desired) >= last, f"narrower at {tau_s} s"
        last = width(desired)
    for tau_s in (18.0, 10.0, 3.0, 0.5, 0.001):
        desired = decide(maker(model=model), tau_s=tau_s, spot=None)
        assert desired.bid is None
        assert desired.ask is None
        assert desired.bid_reason == desired.ask_reason
        assert desired.fair is not None, "what it is worth is still said"


def test_it_is_pulled_where_the_rule_says() -> None:
    p = 0.55
    pulled_s = (math.sqrt(CONFIG.reaction_s) / CONFIG.pull_ratio / CONFIG.max_half_spread * p_vol(p, 1.0)) ** 2
    assert 15 < pulled_s < 25
    assert decide(tau_s=pulled_s * 1.01, spot=None).bid is not None
    pulled = decide(tau_s=pulled_s * 0.99, spot=None)
    assert pulled.bid is None
    assert quoter.PULLED in pulled.bid_reason


@pytest.mark.parametrize(
    ("slow", "quick"), [({"reaction_s": 4.0}, {"reaction_s": 0.1}), ({"pull_ratio": 0.2}, {"pull_ratio": 1.0})]
)
def test_who_reacts_faster_may_stay_longer(slow: dict[str, float], quick: dict[str, float]) -> None:
    assert decide(maker(**slow), tau_s=40.0, spot=None).bid is None
    assert decide(maker(**quick), tau_s=40.0, spot=None).bid is not None


def test_far_from_the_money_it_may_stay_longer_too() -> None:
    """The price of a nearly decided contract hardly moves."""
    sure = {"bids": levels(("0.96", 300)), "asks": levels(("0.98", 300)), "spot": None}
    assert decide(tau_s=12.0, spot=None).bid is None
    assert decide(tau_s=12.0, **sure).bid is not None


@pytest.mark.parametrize("tau_s", [0.0])
def test_after_the_end_it_waits_for_settlement(tau_s: float) -> None:
    desired = decide(tau_s=tau_s)
    assert (desired.bid, desired.ask, desired.fair) == (None, None, None)
    assert desired.bid_reason == desired.ask_reason == "expired: waiting for settlement"


@models
def test_a_model_that_wants_too_wide_a_quote_makes_none(model: QuoteModel) -> None:
    desired = decide(maker(model=model, fill_decay=5.0))
    assert desired.bid is None
    assert quoter.TOO_WIDE in desired.bid_reason
    assert number(desired, "half") > CONFIG.max_half_spread


@models
def test_the_half_spread_is_never_below_the_least(model: QuoteModel) -> None:
    desired = decide(maker(model=model, fill_decay=1e6, min_half_spread=0.02))
    assert number(desired, "half") == 0.02
    assert width(desired) >= px("0.04")


# -- near 0 and 1


def test_the_side_that_would_leave_the_unit_interval_is_dropped_with_its_reason() -> None:
    low = decide(bids=levels(("0.002", 300)), asks=levels(("0.004", 300)), spot=None, tau_s=86_400.0)
    assert low.bid is None
    assert low.ask is not None
    assert low.bid_reason == f"model: {quoter.BID_OUT}"
    assert low.ask_reason == ""
    high = decide(bids=levels(("0.996", 300)), asks=levels(("0.998", 300)), spot=None, tau_s=86_400.0)
    assert high.ask is None
    assert high.bid is not None
    assert high.ask_reason == f"model: {quoter.ASK_OUT}"


def test_a_bid_that_rounds_to_nothing_is_dropped_with_its_reason() -> None:
    coarse = outcome(tick=px("0.01"))
    low = decide(bids=levels(("0.01", 300)), asks=levels(("0.02", 300)), spot=None, market=coarse, tau_s=86_400.0)
    assert low.bid is None
    assert low.bid_reason == "model: bid below the lowest tick"
    high = decide(bids=levels(("0.98", 300)), asks=levels(("0.99", 300)), spot=None, market=coarse, tau_s=86_400.0)
    assert high.ask is None
    assert high.ask_reason == "model: ask above the highest tick"


@pytest.mark.parametrize("spot", ["60000", "100000"])
def test_the_real_reason_is_given_when_the_outcome_is_certain(spot: str) -> None:
    """Price 0 or 1 to the last digit: nothing is quoted because of that, not for want of a size."""
    desired = decide(bids=(), asks=(), spot=spot, tau_s=60.0)
    assert desired.bid is None
    assert desired.fair in (0, SCALE)
    assert desired.bid_reason.startswith("model: ")


# -- how good a resting quote has to be


@given(st.floats(0.0, 1.0), st.floats(30.0, 86_400.0))
def test_the_tolerance_is_a_share_of_the_half_spread_on_the_tick(share: float, tau_s: float) -> None:
    desired = decide(maker(requote_share=share), tau_s=tau_s)
    wanted = share * number(desired, "half") * SCALE
    assert wanted - view().market.tick < desired.tolerance <= wanted + 1


def test_without_a_quote_there_is_no_tolerance() -> None:
    assert decide(bids=(), asks=(), spot=None).tolerance == 0


# -- shapes that contradict their levels


def test_a_book_never_seen_is_no_book() -> None:
    desired = decide(shape=BookShape.UNKNOWN)
    assert desired.fair_source == "model"
    assert facts(desired)["book"] == "-"


def test_one_object_quotes_many_markets_with_memories_of_their_own() -> None:
    strategy, alone = maker(), maker()
    for step in range(20):
        mid = px("0.30") + (step % 2) * px("0.05")
        other = {"market": outcome(16), "bids": ((mid, lots(300)),), "asks": ((mid + px("0.01"), lots(300)),)}
        decide(strategy, count=step, at_s=3.0 * step, spot=None, **other)
    quiet = {"at_s": 60.0, "count": 1, "spot": None}
    assert decide(strategy, **quiet) == decide(alone, **quiet)
