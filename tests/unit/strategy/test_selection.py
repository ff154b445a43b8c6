"""Markets by pattern, and patterns that fit nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hlomm.domain.view import Desired, Take
from hlomm.strategy.selection import Selection
from tests.support.puppet import desire
from tests.support.values import levels, lots, outcome, perp, px
from tests.unit.strategy.views import maker, view


def selection(**changes: Any) -> Selection:
    return Selection(**{"classes": ("priceBinary",), "underlyings": ("BTC",), "periods": (), **changes})


@pytest.mark.parametrize(
    ("patterns", "market", "taken"),
    [
        ({}, {}, True),
        ({}, {"klass": "priceBucket"}, False),
        ({"classes": ("price*",)}, {"klass": "priceBucket"}, True),
        ({"classes": ("template:*",)}, {"klass": "template:binaryPrice"}, True),
        ({"classes": ()}, {}, False),
        ({"underlyings": ()}, {}, False),
        ({"underlyings": ("?TC",)}, {}, True),
        ({"underlyings": ("btc",)}, {}, False),
        ({"underlyings": ("xyz:*",)}, {"underlying": "xyz:NVDA"}, True),
        ({"underlyings": ("[BE]T[CH]",)}, {"underlying": "ETH"}, True),
        ({"periods": ("*m",)}, {"period": "15m"}, True),
        ({"periods": ("*m",)}, {}, False),
        ({"periods": ("1d", "15m")}, {}, True),
        ({"periods": ("*",)}, {"period": ""}, True),
        ({}, {"deployer": "out"}, False),
        ({"deployers": ("out",)}, {"deployer": "out"}, True),
        ({"deployers": ("out",)}, {}, True),
        ({"deployers": ("*",)}, {"deployer": "0xd0"}, True),
        ({"deployers": ("skew",)}, {"deployer": "out"}, False),
        ({"classes": ("*",)}, {"klass": "priceBucket", "fallback": True}, False),
    ],
)
def test_a_market_is_taken_by_what_it_is(patterns: dict[str, Any], market: dict[str, Any], *, taken: bool) -> None:
    assert selection(**patterns).takes(outcome(**market)) is taken


def test_no_pattern_takes_a_perp() -> None:
    assert not selection(classes=("*",), underlyings=("*",)).takes(perp())


LISTED = [
    outcome(),
    outcome(16, underlying="ETH", period="15m"),
    outcome(17, klass="priceBucket", deployer="out"),
    perp(),
]


@pytest.mark.parametrize(
    ("patterns", "said"),
    [
        ({}, {}),
        (
            {"underlyings": ("BTC", "BTX")},
            {"underlyings BTX": "underlyings: 'BTX' fits nothing that is listed; there are: BTC, ETH"},
        ),
        (
            {"classes": ("template:*",)},
            {
                "classes template:*": "classes: 'template:*' fits nothing that is listed; "
                "there are: priceBinary, priceBucket"
            },
        ),
        ({"periods": ("3m",)}, {"periods 3m": "periods: '3m' fits nothing that is listed; there are: 15m, 1d"}),
        (
            {"deployers": ("skew", "o*")},
            {"deployers skew": "deployers: 'skew' fits nothing that is listed; there are: out"},
        ),
    ],
)
def test_a_pattern_that_fits_nothing_is_told_with_what_there_is(patterns: dict[str, Any], said: dict[str, str]) -> None:
    assert selection(**patterns).unmatched(LISTED) == said


def test_long_lists_and_empty_names_stay_readable() -> None:
    many = [outcome(number, underlying=f"C{number:02}", period="") for number in range(15)]
    told = selection(periods=("1d",), deployers=("out",)).unmatched(many)
    assert told["underlyings BTC"].endswith("C10, C11 and 3 more")
    assert told["periods 1d"].endswith("there are: -")
    assert told["deployers out"].endswith("there are: none")


def test_before_anything_is_listed_nothing_is_missing() -> None:
    assert selection().unmatched([perp()]) == {}


@given(st.sampled_from(["BTC", "ETH", "*", "B*", "X"]), st.sampled_from(["priceBinary", "price*", "x"]))
def test_what_takes_a_market_is_not_told_of(underlying: str, klass: str) -> None:
    one = selection(underlyings=(underlying,), classes=(klass,))
    if any(one.takes(market) for market in LISTED):
        assert one.unmatched(LISTED) == {}


def test_the_market_maker_takes_what_has_terms_to_price_and_is_selected() -> None:
    bucket = outcome(klass="priceBucket", strike=None, ceiling=px(80_000), question=7)
    fallback = outcome(klass="priceBucket", strike=None, question=7, fallback=True)
    wide = maker(classes=("*",), deployers=("*",))
    assert wide.wants(outcome(deployer="out"))
    assert wide.wants(outcome(averaging_s=60))
    assert wide.wants(bucket)
    assert not wide.wants(fallback)
    assert not wide.wants(outcome(klass="priceBucket", strike=None)), "of which nobody said when it pays"
    assert not maker().wants(bucket), "only what the operator names"


# -- liquidity

THIN: dict[str, Any] = {"bids": levels(("0.50", 40)), "asks": levels(("0.60", 50))}
"""Others offer 20 for YES and 20 for NO."""


def wanted(least: float, net: float = 0, **changes: Any) -> Desired:
    both = desire(("0.52", 30), ("0.58", 30), fair="0.55")
    return selection(min_liquidity=least).liquid_only(view(net=net, **THIN), replace(both, **changes))


@pytest.mark.parametrize("least", [0.0, 39.99, 40.0])
def test_a_book_that_holds_enough_changes_nothing(least: float) -> None:
    assert wanted(least) == desire(("0.52", 30), ("0.58", 30), fair="0.55")


def test_in_a_thin_book_nothing_is_added_to_a_position() -> None:
    flat = wanted(40.01)
    assert flat.bid is flat.ask is None
    assert flat.bid_reason == flat.ask_reason == "liquidity: others offer 40.00 < 40.01, only reductions"
    long = wanted(50, net=20)
    assert long.bid is None
    assert long.ask is not None
    assert long.ask.qty == lots(20), "no farther than flat"
    short = wanted(50, net=-200)
    assert short.ask is None
    assert short.bid is not None
    assert short.bid.qty == lots(30)


@pytest.mark.parametrize(("net", "kept"), [(0, False), (50, False), (-50, True)])
def test_nor_is_anything_taken_that_adds(net: float, kept: bool) -> None:
    take = Take(direction=+1, px=px("0.6"), qty=lots(10), reason="edge")
    assert (wanted(50, net=net, take=take).take is take) is kept
