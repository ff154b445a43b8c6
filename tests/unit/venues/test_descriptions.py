"""The description grammars, both ways; what makes no sense is refused by kind."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Px, parse
from hlomm.venues.anomalies import guarded
from hlomm.venues.hyperliquid.wire.descriptions import (
    BinaryPrice,
    BucketLeg,
    Description,
    Fallback,
    PriceBinary,
    PriceBucket,
    Template,
    Unknown,
    expiry_ns,
    name_of,
    print_description,
    print_expiry,
    read_description,
)

BINARY = "class:priceBinary|underlying:BTC|expiry:20260731-0600|targetPrice:118250|period:1d"
BUCKET = "class:priceBucket|underlying:BTC|expiry:20260511-0600|priceThresholds:79043,82270|period:1d"
AVERAGE = "perp:BTC|priceDescription:BTC-USDC perp mark|seconds:60|threshold:77177|time:20260912-0630"
RECURRING, TEMPLATE = "Recurring", "template:binaryPrice"


def px(text: str) -> Px:
    return Px(parse(text))


CANONICAL = [
    (
        RECURRING,
        BINARY,
        PriceBinary(underlying="BTC", expiry_ns=expiry_ns("20260731-0600"), target=px("118250"), period="1d"),
    ),
    (
        RECURRING,
        "class:priceBinary|underlying:xyz:NVDA|expiry:20260310-1100|targetPrice:34.5|period:3m",
        PriceBinary(underlying="xyz:NVDA", expiry_ns=expiry_ns("20260310-1100"), target=px("34.5"), period="3m"),
    ),
    (
        RECURRING,
        BUCKET,
        PriceBucket(
            underlying="BTC",
            expiry_ns=expiry_ns("20260511-0600"),
            thresholds=(px("79043"), px("82270")),
            period="1d",
        ),
    ),
    ("Recurring Named Outcome", "index:2", BucketLeg(2)),
    ("Recurring Fallback", "other", Fallback()),
    (
        TEMPLATE,
        AVERAGE,
        BinaryPrice(
            perp="BTC",
            price_description="BTC-USDC perp mark",
            seconds=60,
            threshold=px("77177"),
            time_ns=expiry_ns("20260912-0630"),
        ),
    ),
    (
        "template:priceTouch",
        "perp:xyz:GOLD|threshold:4000",
        Template("priceTouch", (("perp", "xyz:GOLD"), ("threshold", "4000"))),
    ),
    ("template:empty", "", Template("empty", ())),
    ("priceTernary", "class:priceTernary|a:b", Unknown("priceTernary", "class:priceTernary|a:b")),
    ("Eurovision", "who wins?", Unknown("Eurovision", "who wins?")),
]


@pytest.mark.parametrize(("name", "text", "terms"), CANONICAL)
def test_a_canonical_description_is_read_and_printed_byte_for_byte(name: str, text: str, terms: Description) -> None:
    assert read_description(name, text) == terms
    assert print_description(terms) == text
    assert name_of(terms) == name


def test_the_fallback_of_a_template_question_is_one_too() -> None:
    assert read_description("template fallback", "other") == Fallback()


# -- any terms survive the way there and back

UNDERLYINGS = st.from_regex(r"[A-Za-z0-9:._]{1,40}", fullmatch=True)
PRICES = st.integers(1, 10**18).map(Px)
MINUTES = st.integers(0, 120_000_000).map(lambda minute: minute * 60 * NS_PER_S)
PERIODS = st.from_regex(r"[A-Za-z0-9]{0,16}", fullmatch=True)
WORDS = st.text(st.characters(exclude_characters="|", exclude_categories=("Cs",)), max_size=20)
KEYS = st.text(st.characters(exclude_characters="|:", exclude_categories=("Cs",)), min_size=1, max_size=12)
TERMS: st.SearchStrategy[Description] = st.one_of(
    st.builds(PriceBinary, underlying=UNDERLYINGS, expiry_ns=MINUTES, target=PRICES, period=PERIODS),
    st.builds(
        PriceBucket,
        underlying=UNDERLYINGS,
        expiry_ns=MINUTES,
        thresholds=st.lists(PRICES, min_size=1, max_size=20, unique=True).map(lambda prices: tuple(sorted(prices))),
        period=PERIODS,
    ),
    st.builds(BucketLeg, st.integers(0, 999_999)),
    st.just(Fallback()),
    st.builds(
        BinaryPrice,
        perp=UNDERLYINGS,
        price_description=WORDS,
        seconds=st.integers(1, 86_400),
        threshold=PRICES,
        time_ns=MINUTES,
    ),
    st.builds(
        Template,
        KEYS.filter(lambda id_: id_ != "binaryPrice"),
        st.dictionaries(KEYS, WORDS, max_size=6).map(lambda pairs: tuple(sorted(pairs.items()))),
    ),
)


@given(TERMS)
def test_whatever_is_printed_reads_back_and_prints_the_same(terms: Description) -> None:
    text = print_description(terms)
    assert read_description(name_of(terms), text) == terms
    assert print_description(read_description(name_of(terms), text)) == text


@given(st.one_of(st.text(max_size=30), st.sampled_from([one[0] for one in CANONICAL])), st.text(max_size=200))
def test_no_text_does_anything_but_read_or_be_refused_by_kind(name: str, text: str) -> None:
    terms, wrong = guarded("raised", read_description, name, text)
    if terms is None:
        assert wrong[0].kind.startswith("outcome.")
    else:
        assert read_description(name_of(terms), print_description(terms)) == terms or isinstance(terms, Unknown)


@given(st.permutations(BINARY.split("|")))
def test_keys_may_come_in_any_order_and_are_printed_in_the_venues(parts: list[str]) -> None:
    assert print_description(read_description(RECURRING, "|".join(parts))) == BINARY


def test_what_is_not_canonical_reads_all_the_same() -> None:
    loose = "period:1d|class:priceBinary|news:x|underlying:BTC|targetPrice:118250.00|expiry:20260731-0600"
    assert print_description(read_description(RECURRING, loose)) == BINARY
    bare = BINARY.removesuffix("|period:1d")
    assert print_description(read_description(RECURRING, bare)) == bare


@given(MINUTES)
def test_expiries_print_as_they_are_written(at_ns: int) -> None:
    assert expiry_ns(print_expiry(at_ns)) == at_ns


def test_an_expiry_in_the_past_is_an_expiry() -> None:
    """Nothing here has a clock; whether it is over is for whoever has one."""
    past = read_description(RECURRING, BINARY.replace("20260731", "20010911"))
    assert isinstance(past, PriceBinary)
    assert past.expiry_ns == expiry_ns("20010911-0600")


# -- what makes no sense


def changed(text: str, **keys: str) -> str:
    """The description with some values replaced; a value of `-` leaves the pair out."""
    pairs = dict(part.split(":", 1) for part in text.split("|")) | keys
    return "|".join(f"{key}:{value}" for key, value in pairs.items() if value != "-")


STRIKES = ["", "0", "-1", "0.0", "1e5", "NaN", "inf", "0x10", "1" * 40, "10000000001", "0.000000001", "١٢٣", "5 ", "-"]


@pytest.mark.parametrize("strike", STRIKES)
def test_strikes_that_are_no_price_are_refused(strike: str) -> None:
    refuses(RECURRING, changed(BINARY, targetPrice=strike), "outcome.target")
    refuses(RECURRING, changed(BUCKET, priceThresholds=strike), "outcome.thresholds")
    refuses(RECURRING, changed(BUCKET, priceThresholds=f"{strike},90000"), "outcome.thresholds")
    refuses(TEMPLATE, changed(AVERAGE, threshold=strike), "outcome.target")


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        (RECURRING, changed(BUCKET, priceThresholds="82270,79043"), "outcome.thresholds"),
        (RECURRING, changed(BUCKET, priceThresholds="79043,79043"), "outcome.thresholds"),
        (RECURRING, changed(BUCKET, priceThresholds="79043,79043.0"), "outcome.thresholds"),
        (RECURRING, changed(BUCKET, priceThresholds="79043;82270"), "outcome.thresholds"),
        (RECURRING, changed(BUCKET, priceThresholds="79043,"), "outcome.thresholds"),
        (RECURRING, changed(BUCKET, priceThresholds=",".join(map(str, range(1, 101)))), "outcome.thresholds"),
        (RECURRING, changed(BUCKET, expiry="20260431-0600"), "outcome.expiry"),
        (RECURRING, changed(BUCKET, expiry="22000101-0000"), "outcome.expiry"),
        (RECURRING, changed(BUCKET, underlying="B TC"), "outcome.underlying"),
        (RECURRING, changed(BUCKET, underlying="ВТС"), "outcome.underlying"),
        (RECURRING, changed(BINARY, underlying="₿"), "outcome.underlying"),
        (RECURRING, changed(BINARY, period="1 day"), "outcome.period"),
        (RECURRING, changed(BINARY, period="d" * 17), "outcome.period"),
        (RECURRING, f"{BINARY}|targetPrice:1", "outcome.repeated_key"),
        (RECURRING, f"{BUCKET}|underlying:ETH", "outcome.repeated_key"),
        (TEMPLATE, f"{AVERAGE}|seconds:1", "outcome.repeated_key"),
        (TEMPLATE, "", "outcome.seconds"),
        (TEMPLATE, changed(AVERAGE, seconds="0"), "outcome.seconds"),
        (TEMPLATE, changed(AVERAGE, seconds="-60"), "outcome.seconds"),
        (TEMPLATE, changed(AVERAGE, seconds="060"), "outcome.seconds"),
        (TEMPLATE, changed(AVERAGE, seconds="86401"), "outcome.seconds"),
        (TEMPLATE, changed(AVERAGE, seconds="9" * 400), "outcome.seconds"),
        (TEMPLATE, changed(AVERAGE, time="noon"), "outcome.expiry"),
        (TEMPLATE, changed(AVERAGE, perp="-"), "outcome.underlying"),
        ("template:x", "no keyword", "outcome.keyword"),
        ("template:x", "a:1|a:2", "outcome.repeated_key"),
        ("Recurring Named Outcome", "", "outcome.index"),
        ("Recurring Named Outcome", "index:-1", "outcome.index"),
        ("Recurring Named Outcome", "index:1.0", "outcome.index"),
        ("Recurring Named Outcome", "index:01", "outcome.index"),
        ("Recurring Named Outcome", "index:٣", "outcome.index"),
        ("Recurring Named Outcome", "index:1000000", "outcome.index"),
        ("Recurring Named Outcome", "index:" + "9" * 1_900, "outcome.index"),
        ("Recurring Fallback", "", "outcome.fallback"),
        ("Recurring Fallback", "index:3", "outcome.fallback"),
    ],
)
def test_terms_that_make_no_sense_are_refused_by_kind(name: str, text: str, kind: str) -> None:
    refuses(name, text, kind)


def refuses(name: str, text: str, kind: str) -> None:
    with pytest.raises(ProtocolViolation) as refused:
        read_description(name, text)
    assert refused.value.kind == kind
    assert len(str(refused.value)) < 200, "a venue's text is cut before it is logged"


@pytest.mark.parametrize(
    ("name", "text", "klass"),
    [
        (RECURRING, "class:Recurring Named Outcome|index:0", "Recurring Named Outcome"),
        (RECURRING, "class:priceBINARY|underlying:BTC", "priceBINARY"),
        (RECURRING, "class:", RECURRING),
        ("", "", "unnamed"),
        ("Recurring  Fallback", "other", "Recurring  Fallback"),
        ("🂡", "♠:♥", "🂡"),
    ],
)
def test_a_class_nobody_knows_is_kept_as_it_is(name: str, text: str, klass: str) -> None:
    assert read_description(name, text) == Unknown(klass, text)


@pytest.mark.parametrize(
    ("index", "bounds"), [(0, (None, "79043")), (1, ("79043", "82270")), (2, ("82270", None)), (3, None), (-1, None)]
)
def test_a_leg_has_the_bounds_of_its_place(index: int, bounds: Any) -> None:
    terms = read_description(RECURRING, BUCKET)
    assert isinstance(terms, PriceBucket)
    if bounds is None:
        with pytest.raises(ProtocolViolation, match=r"expected 0\.\.2") as refused:
            terms.bounds(index)
        assert refused.value.kind == "outcome.index"
        return
    assert terms.bounds(index) == tuple(None if edge is None else parse(edge) for edge in bounds)


@given(st.lists(PRICES, min_size=1, max_size=99, unique=True), PRICES)
def test_exactly_one_leg_pays_at_any_price(prices: list[Px], at: Px) -> None:
    terms = PriceBucket(underlying="BTC", expiry_ns=0, thresholds=tuple(sorted(prices)), period="")
    legs = [terms.bounds(index) for index in range(len(prices) + 1)]
    assert sum((low is None or low <= at) and (high is None or at < high) for low, high in legs) == 1
