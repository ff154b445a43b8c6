"""Names of outcome markets, both ways, over decades of dates; the calendar is checked against the standard library."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.markets import Leg
from hlomm.domain.ticker import civil_from_days, days_from_civil, outcome_ticker, parse_ticker, perp_ticker, wall_ns_of
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


def test_seconds_are_dropped_not_rounded() -> None:
    at = dt.datetime(2026, 5, 10, 6, 0, 59, tzinfo=UTC)
    assert outcome_ticker("BTC", Px(parse("80354")), int(at.timestamp()) * NS_PER_S).endswith("T0600")


def test_perps_have_names_of_their_own() -> None:
    assert perp_ticker("BTC") == "PERP:BTC"
