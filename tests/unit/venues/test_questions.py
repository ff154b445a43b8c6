"""Questions and their legs: in any order, renamed, late, vanished, settled."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest
import trio
import trio.testing

from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import MarketDelisted, MarketListed, MarketSettled
from hlomm.domain.units import parse
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.registry import MetaDelta, Registry
from hlomm.venues.hyperliquid.wire import info
from tests.unit.venues.fake_hyperliquid import FakeHyperliquid, binary, bucket, fallback, leg, template
from tests.unit.venues.harness import OUTCOME, running

Clock = trio.testing.MockClock

QUESTION = bucket(40, 904, 905, 906, 907)
LEGS = (fallback(904), leg(905, 0), leg(906, 1), leg(907, 2))
LEG = MarketId("hyperliquid:o906")
ALL = [f"hyperliquid:o{outcome}" for outcome in (904, 905, 906, 907)]


def meta(*specs: dict[str, Any], questions: tuple[dict[str, Any], ...] = ()) -> info.OutcomeMeta:
    value, anomalies = info.decode_outcome_meta(json.dumps({"outcomes": specs, "questions": questions}).encode())
    assert anomalies == ()
    assert value is not None
    return value


def registry(**fields: Any) -> Registry:
    return Registry(("BTC",), Counters(), **{"quote_token": "USDC", **fields})


def listed(*deltas: MetaDelta) -> list[str]:
    return sorted(market.id for delta in deltas for market in delta.listed)


def test_a_list_with_a_question_lists_its_legs_and_its_fallback() -> None:
    markets = registry()
    assert listed(markets.apply_outcomes(meta(binary(900), *LEGS, questions=(QUESTION,)))) == sorted([OUTCOME, *ALL])
    assert [one.id for one in markets.markets.values() if one.fallback] == ["hyperliquid:o904"]
    assert markets.counters.counts == {}
    assert markets.apply_outcomes(meta(binary(900), *LEGS, questions=(QUESTION,))) == MetaDelta((), ())


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_rows_may_come_in_any_order(order: tuple[int, ...]) -> None:
    markets = registry()
    specs = meta(leg(905, 0), leg(906, 1)).specs
    (question,) = meta(questions=(QUESTION,)).questions
    found: list[str] = []
    for step in order:
        if step == 2:
            found += listed(markets.apply_question(question))
        elif (market := markets.apply_created(specs[step])) is not None:
            found.append(market.id)
    assert sorted(found) == ["hyperliquid:o905", "hyperliquid:o906"]


def test_a_leg_whose_question_is_unknown_waits_and_is_counted_once() -> None:
    markets = registry()
    for _ in range(3):
        assert markets.apply_outcomes(meta(*LEGS)) == MetaDelta((), ())
    assert markets.counters.counts == {"not_traded.no_question": 4}
    assert listed(markets.apply_outcomes(meta(*LEGS, questions=(QUESTION,)))) == ALL


def test_a_leg_that_ended_while_it_waited_is_not_listed() -> None:
    markets = registry()
    markets.apply_outcomes(meta(*LEGS))
    markets.end(906)
    (question,) = meta(questions=(QUESTION,)).questions
    assert LEG not in listed(markets.apply_question(question))
    assert markets.apply_outcomes(meta(*LEGS, questions=(QUESTION,))).listed == ()


def test_a_leg_may_join_its_question_later() -> None:
    markets = registry()
    markets.apply_outcomes(meta(*LEGS, questions=(bucket(40, 904, 905, 906),)))
    assert "hyperliquid:o907" not in markets.markets
    (question,) = meta(questions=(QUESTION,)).questions
    assert listed(markets.apply_question(question)) == ["hyperliquid:o907"]


def test_a_question_without_its_fallback_is_one_all_the_same() -> None:
    markets = registry()
    question = {key: value for key, value in QUESTION.items() if key != "fallbackOutcome"}
    assert listed(markets.apply_outcomes(meta(*LEGS[1:], questions=(question,)))) == ALL[1:]


@pytest.mark.parametrize(
    ("question", "counted"),
    [
        (bucket(40, 904, 906, thresholds="2,1"), "malformed.outcome.thresholds"),
        (bucket(40, 904, 906, description="class:priceBucket"), "malformed.outcome.thresholds"),
        (bucket(40, 904, 906, thresholds="118250"), "listed"),
        (bucket(40, 906), "malformed.outcome.question"),
        (bucket(40, 904, 906, description="who wins?", name="Eurovision"), "not_traded.class"),
        (bucket(40, 904, 906, description=QUESTION["description"].replace("BTC", "DOGE")), "not_traded.underlying"),
    ],
)
def test_a_bad_question_costs_its_legs_and_nothing_else(question: dict[str, Any], counted: str) -> None:
    markets = registry()
    for _ in range(2):
        markets.apply_outcomes(meta(binary(900), leg(906, 1), questions=(question,)))
    assert sorted(markets.markets) == (["hyperliquid:o900", LEG] if counted == "listed" else ["hyperliquid:o900"])
    assert markets.counters.counts == ({} if counted == "listed" else {counted: 1})


def test_an_index_beyond_the_legs_is_malformed() -> None:
    markets = registry()
    markets.apply_outcomes(meta(leg(906, 3), questions=(QUESTION,)))
    assert markets.counters.counts == {"malformed.outcome.index": 1}


def test_a_mended_description_gets_another_hearing() -> None:
    markets = registry()
    markets.apply_outcomes(meta(leg(906, 3), binary(900, target="0"), questions=(QUESTION,)))
    assert markets.markets == {}
    assert listed(markets.apply_outcomes(meta(leg(906, 1), binary(900), questions=(QUESTION,)))) == [OUTCOME, LEG]
    markets.apply_outcomes(meta(template(950, deployerFeeScale="11")))
    assert listed(markets.apply_outcomes(meta(template(950, deployerFeeScale="10")))) == ["hyperliquid:o950"]


def test_an_expiry_in_the_past_is_listed_and_not_followed() -> None:
    """It may be held, and waits for its settlement; no stream is asked for."""
    markets = registry()
    markets.apply_outcomes(meta(binary(900, expiry="20200101-0000")))
    assert OUTCOME in markets.markets
    assert not markets.live_at(OUTCOME, 1_785_000_000 * 10**9)


@pytest.mark.parametrize("token", ["USDH", "usdc", "USDС", "💵", "X" * 64])
def test_a_collateral_we_do_not_have_is_passed_over(token: str) -> None:
    markets = registry()
    markets.apply_outcomes(meta(*(dict(one, quoteToken=token) for one in (binary(900), *LEGS)), questions=(QUESTION,)))
    assert markets.markets == {}
    assert markets.counters.counts == {"not_traded.quote_token": 5}


# -- what changes


@pytest.mark.parametrize(
    ("spec", "difference"),
    [
        (binary(900, target="118000"), "strike 118250 -> 118000"),
        (binary(900, expiry="20260731-0700"), "expiry_ns 1785477600000000000 -> 1785481200000000000"),
        (binary(900, quoteToken="USDH"), "now passed over: quote_token"),
        (binary(900, venue="out"), "deployer None -> out"),
        (binary(900, description="class:priceTouch"), "now passed over: class"),
    ],
)
def test_a_market_of_which_the_terms_change_is_told_of_once(spec: dict[str, Any], difference: str) -> None:
    markets = registry()
    (before,) = markets.apply_outcomes(meta(binary(900))).listed
    delta = markets.apply_outcomes(meta(spec))
    assert (delta.listed, delta.changed) == ((), ((before, difference),))
    assert markets.apply_outcomes(meta(spec)) == markets.apply_outcomes(meta(binary(900))) == MetaDelta((), ())
    assert markets.markets[OUTCOME] == before, "its settlement is still to be found"
    assert markets.counters.get("terms_changed") == 1


@pytest.mark.parametrize(
    "spec",
    [
        binary(900, name="Recurring, renamed"),
        binary(900, description=binary(900)["description"].replace("1d", "24h")),
        binary(900, sideSpecs=[{"name": "Si"}, {"name": "No"}]),
        binary(900, quoteToken=""),
        binary(900, description="class:priceBinary|underlying:BTC|expiry:soon"),
    ],
)
def test_a_new_name_or_a_row_that_cannot_be_read_changes_no_terms(spec: dict[str, Any]) -> None:
    markets = registry()
    (before,) = markets.apply_outcomes(meta(binary(900))).listed
    assert markets.apply_outcomes(meta(spec)) == MetaDelta((), ())
    assert markets.markets == {OUTCOME: before}


def test_a_question_of_which_the_thresholds_change_changes_its_legs() -> None:
    markets = registry()
    markets.apply_outcomes(meta(*LEGS, questions=(QUESTION,)))
    (question,) = meta(questions=(bucket(40, 904, 905, 906, 907, thresholds="115885,121000"),)).questions
    delta = markets.apply_question(question)
    assert [(market.id, said) for market, said in delta.changed] == [
        (LEG, "ceiling 120615 -> 121000"),
        ("hyperliquid:o907", "floor 120615 -> 121000"),
    ]
    assert markets.apply_question(question) == MetaDelta((), ())


# -- what ends


def test_named_outcomes_that_are_settled_have_ended() -> None:
    markets = registry()
    markets.apply_outcomes(meta(*LEGS, questions=(QUESTION,)))
    over = bucket(40, 904, 905, 907, settledNamedOutcomes=[906])
    assert markets.apply_outcomes(meta(*LEGS, questions=(over,))).vanished == (906,)
    markets.end(906)
    assert markets.apply_outcomes(meta(*LEGS, questions=(over,))) == MetaDelta((), ())


def test_a_named_outcome_that_was_settled_before_we_came_is_never_listed() -> None:
    markets = registry()
    over = bucket(40, 904, 905, 906, 907, settledNamedOutcomes=[906])
    delta = markets.apply_outcomes(meta(*LEGS, questions=(over,)))
    assert (listed(delta), delta.vanished) == ([one for one in ALL if one != LEG], ())
    assert markets.counters.counts == {"not_traded.settled": 1}


def test_legs_that_vanish_with_their_question_are_told_one_by_one() -> None:
    markets = registry()
    markets.apply_outcomes(meta(*LEGS, questions=(QUESTION,)))
    assert markets.apply_outcomes(meta()).vanished == (904, 905, 906, 907)
    assert markets.outcomes_of(40) == (905, 906, 907, 904)
    assert markets.outcomes_of(41) == ()


# -- deployers


def test_templates_of_our_underlyings_are_listed_as_their_deployers() -> None:
    markets = registry()
    other = template(951, description=template(951)["description"].replace("perp:BTC", "perp:HYPE"))
    markets.apply_outcomes(meta(template(950), other, template(952, name="template:priceTouch")))
    assert {one.id: one.deployer for one in markets.markets.values()} == {"hyperliquid:o950": "out"}
    assert markets.counters.counts == {"not_traded.underlying": 1, "not_traded.class": 1}


def test_deployers_do_not_choose_our_collateral() -> None:
    markets = registry(quote_token=None)
    deployed = [template(950 + n, quoteToken="USDH") for n in range(5)]
    assert markets.apply_outcomes(meta(*deployed)).listed == ()
    assert markets.quote_token is None
    assert listed(markets.apply_outcomes(meta(*deployed, binary(900)))) == [OUTCOME]
    assert markets.quote_token == "USDC"


# -- through a session


@pytest.fixture
def venue() -> FakeHyperliquid:
    return FakeHyperliquid()


async def test_a_question_told_over_the_stream_lists_its_legs(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    async with running(venue) as live:
        live.seen.clear()
        await venue.push("outcomeMetaUpdates", [{"outcomeCreated": one} for one in LEGS])
        assert live.seen.of(MarketListed) == []
        await venue.push("outcomeMetaUpdates", [{"questionUpdated": QUESTION}])
        assert sorted(item.market.id for item in live.seen.of(MarketListed)) == ALL


async def test_a_question_that_settles_settles_its_legs(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.outcomes, venue.questions = [binary(900), *LEGS], [QUESTION]
    for outcome, fraction in ((904, "0.0"), (905, "0.0"), (906, "1.0"), (907, "0.0")):
        venue.settled[outcome] = {"spec": leg(outcome, 0), "settleFraction": fraction, "details": "price:118000"}
    async with running(venue) as live:
        venue.outcomes, venue.questions = [binary(900)], []
        await venue.push("outcomeMetaUpdates", [{"questionSettled": 40}])
        told = await live.until(MarketSettled, 4)
        assert {item.market: item.yes_px for item in told} == {one: parse("1") if one == LEG else 0 for one in ALL}


async def test_a_leg_settled_early_is_asked_for(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.outcomes, venue.questions = [binary(900), *LEGS], [QUESTION]
    venue.settled[905] = {"spec": leg(905, 0), "settleFraction": "0.0"}
    async with running(venue) as live:
        over = bucket(40, 904, 906, 907, settledNamedOutcomes=[905])
        await venue.push("outcomeMetaUpdates", [{"questionUpdated": over}])
        (told,) = await live.until(MarketSettled)
        assert (told.market, told.yes_px) == ("hyperliquid:o905", 0)


async def test_changed_terms_take_a_market_from_the_engine(venue: FakeHyperliquid, autojump_clock: Clock) -> None:
    venue.settled[900] = {"spec": binary(900), "settleFraction": "1.0"}
    async with running(venue) as live:
        await venue.push("outcomeMetaUpdates", [{"outcomeCreated": binary(900, target="118000")}])
        (told,) = live.seen.of(MarketDelisted)
        assert told == MarketDelisted(OUTCOME, "its terms changed: strike 118250 -> 118000")
        live.seen.clear()
        live.session._parts.roll.tell_all()
        assert OUTCOME in [item.market.id for item in live.seen.of(MarketListed)]
        assert live.seen.of(MarketDelisted) == [told], "another engine must not quote it either"
        venue.outcomes = []
        await live.until(MarketSettled)
