"""Rung: pure functions. What an operator reads must never be more precise, wider or of another sign than it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.units import ONE, SCALE, parse
from tests.tui.examples import WALL_MS
from tui.formats import (
    age,
    age_if_old,
    ask_price,
    bid_price,
    cents,
    clock,
    coin_price,
    coins,
    coins_in,
    decimals_of,
    elapsed,
    fit,
    fitted,
    number,
    price,
    quantity,
    remaining,
    short_ticker,
)


@pytest.mark.parametrize(
    ("text", "decimals", "signed", "shown"),
    [
        ("1234567.891", 2, False, "1,234,567.89"),
        ("-9.319", 2, True, "−9.31"),
        ("9.319", 2, True, "+9.31"),
        ("0.004", 2, True, "0.00"),
        ("-0.004", 2, True, "0.00"),
        ("-1180", 0, False, "−1,180"),
        ("0", 0, True, "0"),
    ],
)
def test_numbers(text: str, decimals: int, signed: bool, shown: str) -> None:
    assert number(parse(text), decimals, signed=signed) == shown


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("10214.37", 9, "10,214.37"),
        ("10214.37", 8, "10,214.3"),
        ("10214.37", 6, "10,214"),
        ("123456789", 9, "123.45M"),
        ("-123456789", 5, "−123M"),
        ("123456789", 2, "##"),
    ],
)
def test_a_number_that_does_not_fit_loses_decimals_never_digits(text: str, width: int, shown: str) -> None:
    assert fitted(parse(text), width) == shown


@given(st.integers(-(10**18), 10**18), st.integers(1, 20))
def test_fitted_never_exceeds_its_width(value: int, width: int) -> None:
    assert len(fitted(value, width, signed=True)) <= width


@pytest.mark.parametrize(("text", "shown"), [("150", "150"), ("1204", "1,204"), ("27.21423", "27.214"), ("0.5", "0.5")])
def test_quantities(text: str, shown: str) -> None:
    assert quantity(parse(text)) == shown


def test_a_quantity_too_small_for_three_decimals_is_shown_in_full() -> None:
    assert quantity(1) == "0.00000001"


def test_prices_of_outcomes_have_no_leading_zero_and_one_width() -> None:
    assert [price(px, 4) for px in (0, parse("0.57128"), ONE)] == [".0000", ".5712", "1.000"]


@given(st.integers(0, SCALE))
def test_a_spread_never_looks_tighter_than_it_is(px: int) -> None:
    """Bids are rounded down, asks up; both stay within one step of the truth."""
    bid, ask = (int(parse(text if text[0] == "1" else f"0{text}")) for text in (bid_price(px, 4), ask_price(px, 4)))
    assert bid <= px <= ask
    assert ask - bid in (0, 10**4)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("91875", "91875"), ("2310.5", "2310"), ("23.105", "23.10"), ("0.51", "0.510"), ("103456", "103K")],
)
def test_coin_prices_use_the_width_they_have(text: str, shown: str) -> None:
    assert coin_price(parse(text), 5) == shown


def test_an_edge_is_in_cents_with_its_sign() -> None:
    assert [cents(parse(text)) for text in ("0.0029", "-0.003", "0")] == ["+0.29c", "−0.30c", "0.00c"]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.04, "0.0s"), (2.34, "2.3s"), (41.2, "41s"), (300, "5m"), (7201, "2h")]
)
def test_ages(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


def test_an_age_appears_only_when_it_matters() -> None:
    assert [age_if_old(value) for value in (None, 0.9, 1.0, 1.1)] == ["", "", "", "1.1s"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "—"), (0, "0:00"), (43.9, "0:43"), (723, "12:03"), (27_480, "7h38"), (187_200, "2d04h"), (9e6, "104d")],
)
def test_time_to_expiry_fits_five_characters(seconds: float | None, shown: str) -> None:
    assert remaining(seconds) == shown
    assert len(shown) <= 5


def test_elapsed_counts_seconds_first() -> None:
    assert [elapsed(value) for value in (3.9, 61, 3754)] == ["3s", "1:01", "1h02"]


def test_the_clock_is_utc() -> None:
    assert clock(WALL_MS) == "00:57:07"


@pytest.mark.parametrize(
    ("ticker", "width", "shown"),
    [
        ("OUT:BTC-91905-2026-11-21T0100", 19, "BTC≥91905 01:00Z"),
        ("OUT:BTC-91905-2026-11-22T0600", 24, "BTC≥91905 22Nov 06:00Z"),
        ("OUT:BTC-91905-2026-11-22T0600", 19, "BTC≥91905 22T0600Z"),
        ("OUT:BTC-91905-2026-11-22", 19, "BTC≥91905 22Nov"),
        ("OUT:BTC-91905-2026-11-21T0100", 10, "BTC≥91905…"),
        ("OUT:BTC-~79043-2026-11-21T0100", 19, "BTC<79043 01:00Z"),
        ("OUT:BTC-79043~82270-2026-11-21T0100", 22, "BTC 79043~82270 01:00Z"),
        ("OUT:BTC-82270~-2026-11-21T0100", 19, "BTC≥82270 01:00Z"),
        ("OUT:BTC-above77177-2026-11-21T0100", 19, "BTC>77177 01:00Z"),
        ("OUT:BTC-other-2026-11-21T0100", 19, "BTC other 01:00Z"),
        ("OUT:BTC-up5m-2026-11-21T0100", 19, "BTC up 5m 01:00Z"),
        ("PERP:BTC", 19, "BTC perp"),
        ("something else entirely", 10, "something…"),
    ],
)
def test_tickers_shorten_to_fit_and_name_the_day_unless_it_is_today(ticker: str, width: int, shown: str) -> None:
    assert short_ticker(ticker, width, WALL_MS) == shown


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("0.00012", 6, ".00012"), ("1.23456", 6, "1.2345"), ("123.5", 6, "123.50"), ("-0.00166", 5, "−.001"),
        ("0.5", 5, "+.500"), ("-12.345", 5, "−12.3"), ("-123456", 5, "#####"), ("0", 5, ".0000"),
    ],
)  # fmt: skip
def test_coins_fit_with_as_many_decimals_as_there_is_room_for(text: str, width: int, shown: str) -> None:
    assert coins_in(parse(text), width, signed=width == 5) == shown


def test_coins_are_signed_and_have_the_decimals_they_need() -> None:
    assert [decimals_of(parse(text)) for text in ("1", "1.50", "-0.01774", "0")] == [0, 1, 5, 0]
    assert [coins(parse(text), 3) for text in ("1", "-0.0177", "0")] == ["+1.000", "−0.017", "0.000"]


def test_a_cut_is_visible() -> None:
    assert [fit("hello", width) for width in (5, 4, 1, 0)] == ["hello", "hel…", "…", ""]
    assert [fit("比特币", width) for width in (6, 5, 4, 1)] == ["比特币", "比特…", "比 …", "…"], "two cells each"
