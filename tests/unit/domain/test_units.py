"""Scaled integers: exact both ways, deaf to everything that is not a plain decimal, honest about rounding."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain import units
from hlomm.domain.faults import UnitError
from hlomm.domain.units import (
    ONE,
    SCALE,
    ceil_from_float,
    ceil_to,
    complement,
    floor_from_float,
    floor_to,
    notional_ceil,
    notional_exact,
    notional_floor,
    parse,
    parse_unsigned,
    to_fixed,
    to_float,
    to_text,
)

SCALED = st.integers(-(10**17), 10**17)
STEPS = st.sampled_from([1, 7, 1_000, 50_000, SCALE, 10 * SCALE])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("-0.0", 0),
        ("1", SCALE),
        ("0.00000001", 1),
        ("-0.00000001", -1),
        ("-0.5", -50_000_000),
        ("0.33333333", 33_333_333),
        ("118250.5", 11_825_050_000_000),
        ("00012.50", 1_250_000_000),
        ("1.000000000000", SCALE),
        ("0.123456780000", 12_345_678),
        ("999999999999999.99999999", 99_999_999_999_999_999_999_999),
    ],
)
def test_plain_decimals_are_exact(text: str, value: int) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "-", "+1", "--1", "1.", ".5", "1..2", "1.2.3", " 1", "1 ", "1\n", "\t1", "1e3", "1E-3", "0x10",
        "1_000",
        "nan", "NaN", "inf", "-inf", "Infinity", "1,5", "1'000", "½", "٣", "１", "1.٣", "1.123456789", "0.000000001",
        "1000000000000000", "1.0000000000000001", "0b1", "None", "1/2", "−1", "1\x00", "\x001", "0" * 16,
    ],
)  # fmt: skip
def test_hostile_texts_are_refused(text: str) -> None:
    with pytest.raises(UnitError):
        parse(text)


@given(st.text(max_size=30))
def test_whatever_is_accepted_means_what_the_decimal_module_says(text: str) -> None:
    try:
        value = parse(text)
    except UnitError:
        return
    assert Decimal(value) == Decimal(text) * SCALE


@given(st.text(alphabet="0123456789.-+e ٣", max_size=30))
def test_the_short_way_accepts_and_refuses_as_the_whole_grammar_does(text: str) -> None:
    def read(way: Callable[[str], int]) -> int | str:
        try:
            return way(text)
        except UnitError as refusal:
            return str(refusal)

    assert read(parse) == read(units._parse_any)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**14), max_value=10**14))
def test_every_eight_decimal_number_is_read_exactly(number: Decimal) -> None:
    assert parse(format(number, "f")) == int(number.scaleb(8))


@given(SCALED)
def test_text_and_value_are_one_to_one(value: int) -> None:
    text = to_text(value)
    assert parse(text) == value
    assert "e" not in text
    assert text != "-0"
    assert not ("." in text and text.endswith(("0", "."))), "the text is the shortest"


@pytest.mark.parametrize("text", ["-1", "-0.00000001", "-999"])
def test_negative_is_refused_where_a_size_is_expected(text: str) -> None:
    with pytest.raises(UnitError):
        parse_unsigned(text)
    assert parse(text) < 0


def test_minus_zero_is_no_negative() -> None:
    assert parse_unsigned("-0") == 0


@given(SCALED, st.integers(1, 8))
def test_fixed_decimals_truncate_toward_zero(value: int, decimals: int) -> None:
    cut = Decimal(value).scaleb(-8).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_DOWN)
    assert Decimal(to_fixed(value, decimals)) == cut
    assert len(to_fixed(value, decimals).partition(".")[2]) == decimals


@pytest.mark.parametrize(("value", "text"), [(150_000_000, "1"), (-250_000_000, "-2"), (0, "0")])
def test_no_decimals_leaves_the_whole_part(value: int, text: str) -> None:
    assert to_fixed(value, 0) == text


@given(SCALED, STEPS)
def test_floor_and_ceil_bracket_the_value_on_the_grid(value: int, step: int) -> None:
    low, high = floor_to(value, step), ceil_to(value, step)
    assert low % step == high % step == 0
    assert low <= value <= high
    assert high - low in (0, step)
    assert (high == low) == (value % step == 0)


_NOISE = Fraction(1, 2) + Fraction(1, 128)


@given(st.floats(-1e6, 1e6), STEPS)
def test_floats_round_in_the_named_direction(value: float, step: int) -> None:
    """A float carries noise below 1e-8; half a unit may be forgiven (and the product's own last bit), not more."""
    exact = Fraction(value) * SCALE
    low, high = floor_from_float(value, step), ceil_from_float(value, step)
    assert low % step == high % step == 0
    assert low <= exact + _NOISE
    assert high >= exact - _NOISE
    assert low > exact - step - 1
    assert high < exact + step + 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("rounding", [floor_from_float, ceil_from_float])
def test_no_number_becomes_a_price(rounding: object, value: float) -> None:
    with pytest.raises(UnitError):
        rounding(value, 1)  # type: ignore[operator]


@given(st.integers(0, SCALE), st.integers(0, 10**6))
def test_complement_is_its_own_inverse_and_a_pair_pays_one(px: int, number: int) -> None:
    other = complement(px)
    assert complement(other) == px
    qty = number * SCALE
    assert notional_exact(px, qty) + notional_exact(other, qty) == notional_exact(ONE, qty)


@given(st.integers(0, 10**12), st.integers(0, 10**14))
def test_notional_rounds_against_us_by_less_than_a_unit(px: int, qty: int) -> None:
    exact = Decimal(px) * Decimal(qty) / SCALE
    assert notional_floor(px, qty) == exact.to_integral_value(ROUND_FLOOR)
    assert notional_ceil(px, qty) == exact.to_integral_value(ROUND_CEILING)


def test_an_inexact_notional_is_refused_where_exactness_is_promised() -> None:
    assert notional_exact(33_333_333, 3 * SCALE) == 99_999_999
    with pytest.raises(UnitError, match="finer than"):
        notional_exact(33_333_333, SCALE // 3)


@given(SCALED)
def test_floats_leave_the_house_only_through_one_door(value: int) -> None:
    assert to_float(value) == pytest.approx(float(Fraction(value, SCALE)), rel=1e-15, abs=0)


def test_the_unit_is_what_the_venue_prints() -> None:
    assert units.SCALE == 10**units.DECIMALS == 100_000_000
    assert parse("1") == ONE
