"""Outcome metadata: the description grammar, classes, domain markets, settlements."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.ticker import parse_ticker
from hlomm.domain.units import parse
from hlomm.venues.hyperliquid.wire import info
from hlomm.venues.hyperliquid.wire.descriptions import PriceBinary, description_fields, expiry_ns, price_binary
from hlomm.venues.hyperliquid.wire.outcomes import (
    NotTraded,
    OutcomeSpec,
    PerpRow,
    QuestionSpec,
    outcome_class,
    outcome_listing,
    perp_listing,
)
from tests.unit.venues.fake_hyperliquid import binary, bucket, fallback, leg, template


def spec(**fields: Any) -> OutcomeSpec:
    body = {"outcomes": [{**binary(900), **fields}]}
    meta, anomalies = info.decode_outcome_meta(json.dumps(body).encode())
    assert anomalies == ()
    assert meta is not None
    return meta.specs[0]


@pytest.mark.parametrize(
    ("description", "fields"),
    [
        ("a:b|c:d", {"a": "b", "c": "d"}),
        ("underlying:xyz:NVDA|x:1", {"underlying": "xyz:NVDA", "x": "1"}),
        ("other", {"other": ""}),
        ("index:0", {"index": "0"}),
        ("", {"": ""}),
        ("a:|:b|::", {"a": "", "": ":"}),
        ("a:1|a:2", {"a": "2"}),
    ],
)
def test_descriptions_split_at_the_first_colon_only(description: str, fields: dict[str, str]) -> None:
    assert description_fields(description) == fields


def test_terms_of_a_binary_on_a_builder_perp_keep_the_colon() -> None:
    terms = price_binary("class:priceBinary|underlying:xyz:NVDA|expiry:20260310-1100|targetPrice:34.5|period:3m")
    assert terms == PriceBinary(
        underlying="xyz:NVDA",
        expiry_ns=1_773_140_400_000_000_000,
        target=parse("34.5"),  # type: ignore[arg-type]
        period="3m",
    )


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("19700101-0000", 0),
        ("20260503-0600", 1_777_788_000_000_000_000),
        ("20240229-2359", 1_709_251_140_000_000_000),
        ("20261231-2359", 1_798_761_540_000_000_000),
    ],
)
def test_expiries_are_utc_minutes(text: str, ns: int) -> None:
    assert expiry_ns(text) == ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20260503",
        "20260503-600",
        "20260503-06000",
        "2026-05-03-0600",
        "20261301-0600",
        "20260001-0600",
        "20260532-0600",
        "20260500-0600",
        "20260431-0600",
        "20250229-0600",
        "20260503-2400",
        "20260503-0660",
        "19691231-2359",
        "٢٠٢٦٠٥٠٣-٠٦٠٠",
        " 20260503-0600",
    ],
)
def test_instants_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(ProtocolViolation) as refused:
        expiry_ns(text)
    assert refused.value.kind == "outcome.expiry"


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        ("class:priceBinary|expiry:20260503-0600|targetPrice:1", "outcome.underlying"),
        ("class:priceBinary|underlying:B TC|expiry:20260503-0600|targetPrice:1", "outcome.underlying"),
        ("class:priceBinary|underlying:" + "B" * 41 + "|expiry:20260503-0600|targetPrice:1", "outcome.underlying"),
        ("class:priceBinary|underlying:BTC|targetPrice:1", "outcome.expiry"),
        ("class:priceBinary|underlying:BTC|expiry:20260503-0600", "outcome.target"),
        ("class:priceBinary|underlying:BTC|expiry:20260503-0600|targetPrice:0", "outcome.target"),
        ("class:priceBinary|underlying:BTC|expiry:20260503-0600|targetPrice:-5", "outcome.target"),
        ("class:priceBinary|underlying:BTC|expiry:20260503-0600|targetPrice:1e5", "outcome.target"),
        ("class:priceBinary|underlying:BTC|expiry:20260503-0600|targetPrice:NaN", "outcome.target"),
    ],
)
def test_terms_that_make_no_sense_are_refused(description: str, kind: str) -> None:
    with pytest.raises(ProtocolViolation) as refused:
        price_binary(description)
    assert refused.value.kind == kind


@pytest.mark.parametrize(
    ("fields", "klass"),
    [
        ({}, "priceBinary"),
        ({"name": "Recurring Named Outcome", "description": "index:1"}, "Recurring Named Outcome"),
        ({"name": "Recurring Fallback", "description": "other"}, "Recurring Fallback"),
        ({"name": "template fallback", "description": "other"}, "template fallback"),
        ({"name": "template:priceTouch", "description": "perp:BTC|threshold:1"}, "template:priceTouch"),
        # A template may carry a key named class: its name decides all the same.
        ({"name": "template:x", "description": "class:priceBinary"}, "template:x"),
        ({"name": "Recurring", "description": "class:priceTernary|underlying:BTC"}, "priceTernary"),
        ({"name": "", "description": ""}, "unnamed"),
    ],
)
def test_classes_are_recognised_by_name(fields: dict[str, str], klass: str) -> None:
    assert outcome_class(spec(**fields)) == klass
    listing = outcome_listing(spec(**fields))
    if klass == "priceBinary":
        assert isinstance(listing, Market)
    else:
        waits = klass in {"Recurring Named Outcome", "Recurring Fallback", "template fallback"}
        assert listing == NotTraded(900, klass, "no_question" if waits else "class")


def test_an_outcome_becomes_a_market_with_a_name_that_reads_back() -> None:
    market = outcome_listing(spec())
    assert isinstance(market, Market)
    assert (market.id, market.kind, market.klass) == ("hyperliquid:o900", MarketKind.OUTCOME, "priceBinary")
    assert (market.tick, market.lot, market.min_notional) == (parse("0.00001"), parse("1"), parse("10"))
    ticker = parse_ticker(market.ticker)
    assert ticker is not None
    assert (ticker.underlying, ticker.strike, ticker.minute_of_day) == ("BTC", market.strike, 360)


@pytest.mark.parametrize(
    ("fields", "deployer"),
    [
        ({}, None),
        ({"venue": "out"}, "out"),
        ({"deployer": "0xd0"}, "0xd0"),
        ({"venue": "out", "deployer": "0xd0", "deployerFeeScale": "1.0"}, "0xd0"),
    ],
)
def test_deployer_markets_carry_their_flag(fields: dict[str, str], deployer: str | None) -> None:
    market = outcome_listing(spec(**fields))
    assert isinstance(market, Market)
    assert market.deployer == deployer


# -- legs of questions, templates


def question(**fields: Any) -> QuestionSpec:
    body = {"outcomes": [], "questions": [bucket(40, 904, 900, 901, 902, **fields)]}
    meta, anomalies = info.decode_outcome_meta(json.dumps(body).encode())
    assert anomalies == ()
    assert meta is not None
    return meta.questions[0]


@pytest.mark.parametrize(
    ("index", "floor", "ceiling", "ticker"),
    [
        (0, None, "115885", "OUT:BTC-~115885-2026-07-31T0600"),
        (1, "115885", "120615", "OUT:BTC-115885~120615-2026-07-31T0600"),
        (2, "120615", None, "OUT:BTC-120615~-2026-07-31T0600"),
    ],
)
def test_a_leg_becomes_a_market_by_its_question(
    index: int, floor: str | None, ceiling: str | None, ticker: str
) -> None:
    market = outcome_listing(spec(**leg(900, index)), question())
    assert isinstance(market, Market)
    assert (market.klass, market.underlying, market.period, market.question) == ("priceBucket", "BTC", "1d", 40)
    assert market.floor == (None if floor is None else parse(floor))
    assert market.ceiling == (None if ceiling is None else parse(ceiling))
    assert market.expiry_ns == expiry_ns("20260731-0600")
    assert (market.ticker, market.strike, market.fallback, market.deployer) == (ticker, None, False, None)


def test_a_fallback_becomes_a_market_that_says_what_it_is() -> None:
    market = outcome_listing(spec(outcome=904, name="Recurring Fallback", description="other"), question())
    assert isinstance(market, Market)
    assert (market.fallback, market.floor, market.ceiling, market.strike) == (True, None, None, None)
    assert market.ticker == "OUT:BTC-other-2026-07-31T0600"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (leg(900, 3), "outcome.index"),
        (leg(999, 1), "outcome.question"),
        (leg(904, 1), "outcome.question"),
        (fallback(900), "outcome.question"),
    ],
)
def test_a_leg_and_its_question_must_agree(fields: dict[str, Any], kind: str) -> None:
    with pytest.raises(ProtocolViolation) as refused:
        outcome_listing(spec(**fields), question())
    assert refused.value.kind == kind


def test_legs_of_a_question_of_another_class_are_passed_over_by_its_name() -> None:
    other = question(description="class:priceRange|underlying:BTC")
    assert outcome_listing(spec(**leg(900, 1)), other) == NotTraded(900, "priceRange", "class")
    binary_as_question = question(description=binary(1)["description"])
    assert outcome_listing(spec(**leg(900, 1)), binary_as_question) == NotTraded(900, "priceBinary", "class")


def test_a_bucket_is_no_outcome() -> None:
    one = spec(description=bucket(40, 904)["description"])
    assert outcome_listing(one) == NotTraded(900, "priceBucket", "class")


def test_a_template_pays_above_the_average_and_is_a_deployers() -> None:
    market = outcome_listing(spec(**template(2649)))
    assert isinstance(market, Market)
    assert (market.klass, market.underlying, market.strike) == ("template:binaryPrice", "BTC", parse("77177"))
    assert (market.comparator, market.averaging_s, market.expiry_ns) == (">", 60, expiry_ns("20260912-0630"))
    assert (market.deployer, market.fee_scale) == ("out", parse("1"))
    assert market.ticker == "OUT:BTC-above77177-2026-09-12T0630"


def test_what_only_deployers_make_is_never_taken_for_the_protocols() -> None:
    for fields in (template(900, venue=None), binary(900, deployerFeeScale="0.0")):
        market = outcome_listing(spec(**fields))
        assert isinstance(market, Market)
        assert market.deployer == "nameless"


@pytest.mark.parametrize("scale", ["-1", "10.1", "NaN", "", "1e3"])
def test_a_fee_factor_that_is_none_is_refused(scale: str) -> None:
    with pytest.raises(ProtocolViolation) as refused:
        outcome_listing(spec(deployerFeeScale=scale))
    assert refused.value.kind == "outcome.fee_scale"


def test_a_list_loses_only_the_questions_it_cannot_read() -> None:
    body = {"outcomes": [], "questions": [bucket(40, 904), {"question": 41}, 5, bucket(42, 905)]}
    meta, anomalies = info.decode_outcome_meta(json.dumps(body).encode())
    assert meta is not None
    assert [one.question for one in meta.questions] == [40, 42]
    assert [one.kind for one in anomalies] == ["question.schema", "question.schema"]


def test_collateral_is_read_per_outcome() -> None:
    market = outcome_listing(spec(quoteToken="USDH"))
    assert isinstance(market, Market)
    assert market.quote_token == "USDH"
    assert outcome_listing(spec(quoteToken="")) == NotTraded(900, "priceBinary", "no_quote_token")


def test_a_list_keeps_the_numbers_of_outcomes_it_cannot_read() -> None:
    """An outcome that cannot be read must not look as if it had vanished, which would settle it."""
    body = {"outcomes": [binary(900), {"outcome": 901, "name": 5}, {"name": "x"}, binary(902)]}
    meta, anomalies = info.decode_outcome_meta(json.dumps(body).encode())
    assert meta is not None
    assert [one.outcome for one in meta.specs] == [900, 902]
    assert meta.listed == {900, 901, 902}
    assert [one.kind for one in anomalies] == ["outcome.schema", "outcome.schema"]


@pytest.mark.parametrize("body", [b"null", b"[]", b"{}", b'{"outcomes":5}', b"", b"<html>"])
def test_a_list_that_is_none_is_refused(body: bytes) -> None:
    meta, anomalies = info.decode_outcome_meta(body)
    assert meta is None
    assert [one.kind for one in anomalies] == ["outcomeMeta.schema"]


@pytest.mark.parametrize(
    ("decimals", "tick", "lot"),
    [(5, "0.1", "0.00001"), (4, "0.01", "0.0001"), (0, "0.000001", "1"), (6, "1", "0.000001")],
)
def test_perps_have_the_steps_of_their_size_decimals(decimals: int, tick: str, lot: str) -> None:
    market = perp_listing(PerpRow("BTC", decimals))
    assert (market.id, market.ticker, market.kind) == ("hyperliquid:BTC", "PERP:BTC", MarketKind.PERP)
    assert (market.tick, market.lot) == (parse(tick), parse(lot))
    assert (market.expiry_ns, market.strike, market.deployer) == (None, None, None)


@pytest.mark.parametrize("row", [{"name": "BTC", "szDecimals": 7}, {"name": "BTC", "szDecimals": -1}, {"name": "BTC"}])
def test_perps_of_impossible_decimals_are_refused(row: dict[str, Any]) -> None:
    universe, anomalies = info.decode_perp_meta(json.dumps({"universe": [row]}).encode())
    assert universe is None
    assert [one.kind for one in anomalies] == ["meta.schema"]


def settled(**fields: Any) -> tuple[Any, list[str]]:
    body = {"spec": binary(900), "settleFraction": "1.0", "details": "price:118300.0", **fields}
    value, anomalies = info.decode_settled_outcome(json.dumps(body).encode())
    return value, [one.kind for one in anomalies]


@pytest.mark.parametrize(("fraction", "px"), [("0.0", "0"), ("1.0", "1"), ("0.5", "0.5"), ("0.33333333", "0.33333333")])
def test_settlements_pay_any_fraction(fraction: str, px: str) -> None:
    value, wrong = settled(settleFraction=fraction)
    assert wrong == []
    assert (value.outcome, value.yes_px, value.details) == (900, parse(px), "price:118300.0")


@pytest.mark.parametrize("fraction", ["-0.1", "1.00000001", "NaN", "", "2"])
def test_settlements_outside_the_range_are_refused(fraction: str) -> None:
    assert settled(settleFraction=fraction) == (None, ["settlement.fraction"])


@pytest.mark.parametrize("fields", [{"spec": None}, {"spec": {"outcome": 900}}, {"settleFraction": 1}, {"details": 5}])
def test_settlements_of_another_shape_are_refused(fields: dict[str, Any]) -> None:
    assert settled(**fields) == (None, ["settledOutcome.schema"])
