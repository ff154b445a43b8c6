"""What decides a contract, and every term in which two may differ: each is caught and named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.event import TERMS, Difference, Grade, OutcomeKey, Tolerances, grade, same_terms, terms_of, within
from hlomm.domain.ids import KALSHI, POLYMARKET
from hlomm.domain.markets import Comparator, Leg, Market, Source
from hlomm.domain.ticker import wall_ns_of
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE
from tests.support.values import perp, px
from tests.support.venues import MINUTE, NOON, TOLERANCES, hyperliquid, kalshi, polymarket, up_or_down


def compared(left: Market, right: Market) -> tuple[Grade, dict[str, Difference]]:
    mine, theirs = terms_of(left), terms_of(right)
    assert mine is not None
    assert theirs is not None
    graded, differences = grade(mine, theirs, TOLERANCES)
    assert [one.term for one in differences] == list(dict.fromkeys(one.term for one in differences))
    assert all(one.term in TERMS for one in differences)
    return graded, {one.term: one for one in differences}


def twin(**changes: Any) -> Market:
    """The Hyperliquid contract again, at another venue, but for these changes."""
    return msgspec.structs.replace(hyperliquid(16), **changes)


def test_the_key_is_what_people_call_the_event() -> None:
    terms = terms_of(kalshi())
    assert terms is not None
    assert terms.key == OutcomeKey(underlying="BTC", strike=9_099_999, expiry=NOON, comparator=Comparator.ABOVE)
    assert str(terms.key) == "BTC > 90999.99 @ 2026-11-20T1700:00"
    assert str(terms) == (
        "BTC > 90999.99 @ 2026-11-20T1700:00; YES pays for YES; brti; mean of 60 s; strike fixed in advance; "
        "void fair market price; USD"
    )


def test_nothing_that_differs_is_the_same() -> None:
    assert compared(hyperliquid(), twin()) == (Grade.SAME, {})


def test_hyperliquid_against_kalshi_is_near_and_says_why() -> None:
    graded, found = compared(hyperliquid(), kalshi())
    assert graded is Grade.NEAR
    assert set(found) == {"comparator", "strike", "averaging", "source", "void", "quote_token"}
    assert found["comparator"] == Difference("comparator", ">=", ">", Grade.NEAR)
    assert found["strike"] == Difference("strike", "91000", "90999.99", Grade.NEAR)
    assert found["averaging"] == Difference("averaging", "single print", "mean of 60 s", Grade.NEAR)
    assert found["source"] == Difference("source", "hl_mark", "brti", Grade.NEAR)


def test_noon_close_against_the_minute_before_noon_is_near() -> None:
    graded, found = compared(polymarket(), kalshi())
    assert graded is Grade.NEAR
    assert found["instant"] == Difference("instant", "2026-11-20T1701:00", "2026-11-20T1700:00", Grade.NEAR)


CASES: dict[str, tuple[Market, Market, str, Grade]] = {
    "another year": (
        hyperliquid(), twin(expiry_ns=wall_ns_of(2027, 11, 20, 17 * 60)), "year", Grade.DIFFERENT,
    ),
    "12:00 ET against 06:00 UTC": (
        hyperliquid(expiry_ns=wall_ns_of(2026, 11, 20, 6 * 60)), polymarket(), "instant", Grade.DIFFERENT,
    ),
    "an hour of daylight saving": (hyperliquid(), twin(expiry_ns=NOON - 60 * MINUTE), "instant", Grade.DIFFERENT),
    "YES for below": (hyperliquid(), twin(strike=None, ceiling=px(91_000)), "polarity", Grade.DIFFERENT),
    "strict against not": (hyperliquid(), twin(comparator=Comparator.ABOVE), "comparator", Grade.NEAR),
    "a mean against a print": (hyperliquid(), twin(averaging_s=60), "averaging", Grade.NEAR),
    "a mean of a day": (hyperliquid(), twin(averaging_s=86_400), "averaging", Grade.DIFFERENT),
    "another source": (hyperliquid(), twin(source=Source.BINANCE_1M), "source", Grade.NEAR),
    "another word on silence": (hyperliquid(), twin(void="50-50"), "void", Grade.NEAR),
    "another coin": (hyperliquid(), twin(quote_token="USDH"), "quote_token", Grade.NEAR),
    "a person's key": (hyperliquid(), twin(deployer="0xabc"), "deployer", Grade.NEAR),
    "a strike that is an average": (hyperliquid(), twin(averaging_from_ns=NOON - 900), "strike_set", Grade.NEAR),
    "another strike": (hyperliquid(), twin(strike=px(92_000)), "strike", Grade.DIFFERENT),
    "a strike a little off": (hyperliquid(), twin(strike=px(91_050)), "strike", Grade.NEAR),
    "another coin to bet on": (hyperliquid(), twin(underlying="ETH"), "underlying", Grade.DIFFERENT),
    "a range": (hyperliquid(), twin(strike=None, floor=px(91_000), ceiling=px(92_000)), "upper", Grade.DIFFERENT),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_trap_is_caught_and_named(name: str) -> None:
    left, right, term, makes = CASES[name]
    graded, found = compared(left, right)
    assert found[term].makes is makes
    assert found[term].left != found[term].right
    assert not within(graded, Grade.SAME)
    assert within(graded, makes)
    assert within(makes, graded)


def test_equal_to_the_cent_but_a_year_apart_is_different() -> None:
    graded, found = compared(hyperliquid(), twin(expiry_ns=wall_ns_of(2025, 11, 20, 17 * 60)))
    assert graded is Grade.DIFFERENT
    assert "strike" not in found
    assert (found["year"].left, found["year"].right) == ("2026", "2025")
    assert found["instant"].makes is Grade.DIFFERENT


def test_midnight_of_new_year_is_no_year_apart() -> None:
    midnight = wall_ns_of(2027, 1, 1, 0)
    graded, found = compared(hyperliquid(expiry_ns=midnight), twin(expiry_ns=midnight - 30 * NS_PER_S))
    assert graded is Grade.NEAR
    assert set(found) == {"instant"}


def test_prices_below_a_cent_are_not_rounded_together() -> None:
    low, high = (
        msgspec.structs.replace(hyperliquid(number), underlying="XRP", strike=px(text))
        for number, text in ((1, "2.1234"), (2, "2.1289"))
    )
    graded, found = compared(low, high)
    mine, theirs = terms_of(low), terms_of(high)
    assert mine is not None
    assert theirs is not None
    assert mine.key == theirs.key
    assert (graded, found["strike"].right) == (Grade.DIFFERENT, "2.1289")


# -- strikes that are averages


def test_two_series_over_one_window_are_near_before_either_strike_is_known() -> None:
    start = NOON
    unknown = up_or_down(POLYMARKET, start), up_or_down(KALSHI, start)
    graded, found = compared(*unknown)
    assert graded is Grade.NEAR
    assert not {"strike", "strike_set"} & set(found)
    graded, found = compared(unknown[0], up_or_down(KALSHI, start, "91003.11"))
    assert (graded, found["strike"].left) == (Grade.NEAR, "not known yet")
    graded, found = compared(up_or_down(POLYMARKET, start, "91400"), up_or_down(KALSHI, start, "91003.11"))
    assert graded is Grade.DIFFERENT


def test_a_fixed_strike_against_one_to_come_is_different_until_it_is_known() -> None:
    graded, found = compared(hyperliquid(expiry_ns=NOON + 15 * MINUTE), up_or_down(KALSHI, NOON))
    assert graded is Grade.DIFFERENT
    assert found["strike"] == Difference("strike", "91000", "not known yet", Grade.DIFFERENT)
    graded, found = compared(hyperliquid(expiry_ns=NOON + 15 * MINUTE), up_or_down(KALSHI, NOON, "91002"))
    assert graded is Grade.NEAR
    assert found["strike_set"].makes is Grade.NEAR


def test_windows_that_began_at_other_times_are_different() -> None:
    early = msgspec.structs.replace(up_or_down(POLYMARKET, NOON), averaging_from_ns=NOON - 15 * MINUTE)
    graded, found = compared(early, up_or_down(KALSHI, NOON))
    assert (graded, found["strike_set"].makes) == (Grade.DIFFERENT, Grade.DIFFERENT)


# -- what no price decides


@pytest.mark.parametrize(
    "market",
    [
        perp(), hyperliquid(fallback=True, strike=None), hyperliquid(strike=None), hyperliquid(expiry_ns=None),
    ],
    ids=["a perp", "a fallback", "no strike", "no end"],
)  # fmt: skip
def test_there_is_no_event_without_a_price_and_a_time(market: Market) -> None:
    assert terms_of(market) is None


def test_the_last_leg_of_a_bucket_is_a_digital_and_the_first_one_its_no() -> None:
    high, low = terms_of(twin(strike=None, floor=px(91_000))), terms_of(twin(strike=None, ceiling=px(91_000)))
    assert high is not None
    assert low is not None
    assert (high.polarity, low.polarity) == (Leg.YES, Leg.NO)
    assert high.key == low.key


# -- change


def test_a_strike_that_becomes_known_is_no_change_and_anything_else_is() -> None:
    before, after = terms_of(up_or_down(KALSHI, NOON)), terms_of(up_or_down(KALSHI, NOON, "91003.11"))
    again = terms_of(up_or_down(KALSHI, NOON, "91004"))
    text = terms_of(up_or_down(KALSHI, NOON, rules="another text"))
    assert before is not None
    assert after is not None
    assert again is not None
    assert text is not None
    assert same_terms(before, after)
    assert not same_terms(after, before)
    assert not same_terms(after, again)
    assert not same_terms(before, text)


@given(st.integers(1, 10**14), st.integers(-(10**10), 10**10), st.integers(0, SCALE // 100))
def test_tolerance_of_strikes_is_exact_and_symmetric(strike: int, shift: int, tolerance: int) -> None:
    if strike + shift <= 0:
        return
    rules = Tolerances(instant_ns=0, strike=tolerance, averaging_s=0)
    one, other = terms_of(hyperliquid(strike=strike)), terms_of(hyperliquid(16, strike=strike + shift))
    assert one is not None
    assert other is not None
    there, back = grade(one, other, rules)[0], grade(other, one, rules)[0]
    close = abs(shift) * SCALE <= tolerance * min(strike, strike + shift)
    assert there is back is (Grade.SAME if shift == 0 else Grade.NEAR if close else Grade.DIFFERENT)
