"""Names of outcome markets, both ways, over decades of dates; the calendar is checked against the standard library."""

from __future__ import annotations

import datetime as dt
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.markets import Comparator, Leg
from hlomm.domain.ticker import (
    Terms,
    civil_from_days,
    days_from_civil,
    outcome_ticker,
    parse_ticker,
    perp_ticker,
    utc_day,
    wall_ns_of,
)
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Px, parse

UTC = dt.UTC
EPOCH = dt.date(1970, 1, 1)
MINUTES = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2169, 12, 31), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda at: at.replace(second=0, microsecond=0)
)
UNDERLYINGS = st.from_regex(r"[A-Za-z0-9:._]{1,12}", fullmatch=True)
STRIKES = st.integers(1, 10**16).map(Px)


def test_every_day_of_two_centuries_agrees_with_the_standard_calendar() -> None:
    for days in range(-25_000, 55_000):
        date = EPOCH + dt.timedelta(days)
        assert civil_from_days(days) == (date.year, date.month, date.day)
        assert utc_day((days + 1) * 86_400 * NS_PER_S - 1) == date.isoformat()
        assert days_from_civil(date.year, date.month, date.day) == days


@given(UNDERLYINGS, STRIKES, MINUTES)
def test_a_name_says_all_that_it_was_made_of(underlying: str, strike: Px, at: dt.datetime) -> None:
    expiry_ns = int(at.timestamp()) * NS_PER_S
    name = outcome_ticker(underlying, strike, expiry_ns)
    ticker = parse_ticker(name)
    assert ticker is not None
    assert (ticker.underlying, ticker.strike) == (underlying, strike)
    assert (ticker.year, ticker.month, ticker.day) == (at.year, at.month, at.day)
    assert ticker.minute_of_day == at.hour * 60 + at.minute
    assert ticker.side is None
    assert wall_ns_of(ticker.year, ticker.month, ticker.day, ticker.minute_of_day) == expiry_ns
    assert outcome_ticker(ticker.underlying, ticker.strike, expiry_ns) == name


@given(UNDERLYINGS, STRIKES, MINUTES, st.sampled_from(list(Leg)))
def test_a_side_may_follow(underlying: str, strike: Px, at: dt.datetime, leg: Leg) -> None:
    name = outcome_ticker(underlying, strike, int(at.timestamp()) * NS_PER_S)
    ticker = parse_ticker(f"{name}-{leg.name}")
    assert ticker is not None
    assert ticker.side is leg


@pytest.mark.parametrize(
    ("name", "strike", "minute", "side"),
    [
        ("OUT:BTC-80354-2026-05-10T0600-YES", "80354", 360, Leg.YES),
        ("OUT:BTC-80354-2026-05-10-NO", "80354", None, Leg.NO),
        ("OUT:xyz:NVDA-0.125-2026-02-28T2359", "0.125", 1439, None),
        ("OUT:BTC-1-2024-02-29", "1", None, None),
    ],
)
def test_written_names(name: str, strike: str, minute: int | None, side: Leg | None) -> None:
    ticker = parse_ticker(name)
    assert ticker is not None
    assert (ticker.strike, ticker.minute_of_day, ticker.side) == (parse(strike), minute, side)


@pytest.mark.parametrize(
    "text",
    [
        "", "OUT:", "BTC-1-2026-01-01", "OUT:BTC-1-2026-01-01-MAYBE", "OUT:BTC-1-2026-01-01T0600-yes",
        "OUT:BTC--1-2026-01-01",
        "OUT:BTC-1-2026-13-01", "OUT:BTC-1-2026-00-10", "OUT:BTC-1-2026-01-00", "OUT:BTC-1-2026-01-32",
        "OUT:BTC-1-2026-02-29", "OUT:BTC-1-2026-02-30", "OUT:BTC-1-2026-04-31", "OUT:BTC-1-2100-02-29",
        "OUT:BTC-1-2026-01-01T2400", "OUT:BTC-1-2026-01-01T0660", "OUT:BTC-1-2026-1-1", "OUT:BTC-1-26-01-01",
        "OUT:BTC-1.-2026-01-01", "OUT:BTC-1e5-2026-01-01", "OUT:B TC-1-2026-01-01", "OUT:BTC-1-2026-01-01 ",
        "OUT:BTC-1-2026-01-01\n", "OUT:BTC-٣-2026-01-01",
        "OUT:BTC-9999999999999999-2026-01-01", "OUT:BTC-0.123456789-2026-01-01", "PERP:BTC",
    ],
)  # fmt: skip
def test_anything_else_is_no_name_and_no_error(text: str) -> None:
    """Operators type these; a date that is none or a strike too fine must not end in a traceback."""
    assert parse_ticker(text) is None


@given(st.text(max_size=40))
def test_no_text_raises(text: str) -> None:
    parse_ticker(text)
    parse_ticker(f"OUT:BTC-{text}-2026-05-10")
    assert parse_ticker(f"OUT:BTC-80000-2026-05-{text}") is None or text.isascii()


BOUNDS = st.lists(STRIKES, min_size=2, max_size=2, unique=True).map(sorted)
TERMS = st.one_of(
    st.builds(Terms, strike=STRIKES, comparator=st.sampled_from(list(Comparator))),
    BOUNDS.map(lambda both: Terms(floor=both[0], ceiling=both[1])),
    st.builds(Terms, floor=STRIKES),
    st.builds(Terms, ceiling=STRIKES),
    st.just(Terms(other=True)),
    st.builds(Terms, window=st.from_regex(r"[1-9][0-9]{0,3}[mhd]", fullmatch=True)),
)


@given(UNDERLYINGS, TERMS, MINUTES, st.sampled_from([None, *Leg]))
def test_a_name_says_when_it_pays(underlying: str, terms: Terms, at: dt.datetime, leg: Leg | None) -> None:
    expiry_ns = int(at.timestamp()) * NS_PER_S
    name = outcome_ticker(underlying, terms, expiry_ns)
    ticker = parse_ticker(name if leg is None else f"{name}-{leg.name}")
    assert ticker is not None
    assert (ticker.underlying, ticker.terms, ticker.strike, ticker.side) == (underlying, terms, terms.strike, leg)
    assert outcome_ticker(ticker.underlying, ticker.terms, expiry_ns) == name


@given(TERMS, TERMS)
def test_no_two_terms_read_alike(one: Terms, other: Terms) -> None:
    assert (one == other) is (str(one) == str(other))


@given(UNDERLYINGS, TERMS)
def test_a_name_needs_no_quotes_in_a_shell(underlying: str, terms: Terms) -> None:
    name = outcome_ticker(underlying, terms, 0)
    assert shlex.quote(name.replace("~", "")) == name.replace("~", "")
    assert "~" not in (name[0], name[name.index(":") + 1]), "a tilde is expanded at the beginning of a word only"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("<79043", "~79043"),
        (">=82270", "82270~"),
        (">77177", "above77177"),
        ("79043.0~82270.50", "79043~82270.5"),
        ("other", "other"),
    ],
)
def test_terms_may_be_typed_in_other_ways(typed: str, said: str) -> None:
    ticker = parse_ticker(f"OUT:BTC-{typed}-2026-05-11T0600")
    assert ticker is not None
    assert str(ticker.terms) == said


@pytest.mark.parametrize(
    "terms",
    [
        "~", "1~1", "2~1", "1~2~3", "~~1", "<", ">", ">=", "<=5", "=5", "<>5", "above", "above~5", "above-5", "Other",
        "others", "5~other", "<5~6", "~1e5", "~٣", "~9999999999999999", "above0.123456789",
        "up", "up5", "up0m", "up5s", "up12345m", "upm", "up-5m", "5m", "down5m",
    ],
)  # fmt: skip
def test_terms_that_make_no_sense_are_no_name(terms: str) -> None:
    assert parse_ticker(f"OUT:BTC-{terms}-2026-05-11") is None


def test_seconds_are_dropped_not_rounded() -> None:
    at = dt.datetime(2026, 5, 10, 6, 0, 59, tzinfo=UTC)
    assert outcome_ticker("BTC", Px(parse("80354")), int(at.timestamp()) * NS_PER_S).endswith("T0600")


def test_perps_have_names_of_their_own() -> None:
    assert perp_ticker("BTC") == "PERP:BTC"
