"""From what a person types to a market, and what is said when it is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.faults import UsageError
from hlomm.domain.ids import HYPERLIQUID, MarketId, outcome_market, perp_market
from hlomm.domain.markets import Leg
from hlomm.domain.naming import Found, coin_name, find_market, read_coin_name

BINARY, LOW, MIDDLE, HIGH, OTHER, ABOVE, LATER, NVDA = (outcome_market(HYPERLIQUID, 900 + n) for n in range(8))
PERP = perp_market(HYPERLIQUID, "BTC")
LISTED = {
    BINARY: "OUT:BTC-118250-2026-07-31T0600",
    LOW: "OUT:BTC-~115885-2026-07-31T0600",
    MIDDLE: "OUT:BTC-115885~120615-2026-07-31T0600",
    HIGH: "OUT:BTC-120615~-2026-07-31T0600",
    OTHER: "OUT:BTC-other-2026-07-31T0600",
    ABOVE: "OUT:BTC-above118250-2026-07-31T0600",
    LATER: "OUT:BTC-118250-2026-07-31T0615",
    NVDA: "OUT:xyz:NVDA-34.5-2026-07-31T0600",
    PERP: "PERP:BTC",
}


@pytest.mark.parametrize(
    ("text", "market", "leg"),
    [
        ("OUT:BTC-118250-2026-07-31T0600", BINARY, None),
        ("OUT:BTC-118250-2026-07-31T0600-YES", BINARY, Leg.YES),
        ("out:btc-118250-2026-07-31t0600-no", BINARY, Leg.NO),
        ("BTC-118250-2026-07-31T0600", BINARY, None),
        ("BTC-118250.00-2026-07-31T0600", BINARY, None),
        ("hyperliquid:o900", BINARY, None),
        ("o900", BINARY, None),
        ("hyperliquid:o900-NO", BINARY, Leg.NO),
        ("#9000", BINARY, Leg.YES),
        ("#9001", BINARY, Leg.NO),
        ("+9021", MIDDLE, Leg.NO),
        ("BTC-115885~120615-2026-07-31", MIDDLE, None),
        ("BTC-<115885-2026-07-31T0600", LOW, None),
        ("OUT:BTC->=120615-2026-07-31T0600-YES", HIGH, Leg.YES),
        ("BTC->118250-2026-07-31", ABOVE, None),
        ("BTC-other", OTHER, None),
        ("OUT:BTC-115", MIDDLE, None),
        ("xyz:n", NVDA, None),
        ("OUT:xyz:NVDA-34.5-2026-07-31-NO", NVDA, Leg.NO),
        ("PERP:BTC", PERP, None),
        ("BTC", PERP, None),
        ("hyperliquid:BTC", PERP, None),
    ],
)
def test_a_market_has_many_names(text: str, market: MarketId, leg: Leg | None) -> None:
    assert find_market(text, LISTED) == Found((market,), leg)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("BTC-118250-2026-07-31", "fits 2 markets: OUT:BTC-118250-2026-07-31T0600, OUT:BTC-118250-2026-07-31T0615"),
        ("OUT:BTC-1182", "fits 2 markets"),
        ("OUT:", "fits 8 markets"),
        ("OUT:BTC", "fits 7 markets"),
        ("", "fits 9 markets"),
    ],
)
def test_what_fits_several_is_refused_with_their_names(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        find_market(text, LISTED)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("OUT:BTC-118251-2026-07-31T0600", "OUT:BTC-118250-2026-07-31T0600"),
        ("OUT:BTC-118250-2026-08-31T0600", "OUT:BTC-118250-2026-07-31T0600"),
        ("#9002", "no market '#9002'; nearest of 9: "),
        ("#99990", "nearest of 9"),
        ("hyperliquid:o999", "nearest of 9"),
        ("PERP:ETH", "PERP:BTC"),
        ("🂡", "nearest of 9"),
        ("-YES", "nearest of 9"),
    ],
)
def test_what_fits_none_is_refused_with_what_comes_nearest(text: str, near: str) -> None:
    with pytest.raises(UsageError) as refused:
        find_market(text, LISTED)
    assert near in str(refused.value)
    assert len(str(refused.value)) < 400


def test_what_begins_alike_is_nearer_than_what_looks_alike() -> None:
    with pytest.raises(UsageError, match=r"nearest of 9: OUT:xyz:NVDA-34.5-2026-07-31T0600, OUT:BTC"):
        find_market("OUT:xyz:TSLA-300-2026-07-31", LISTED)


def test_where_nothing_is_listed_that_is_said() -> None:
    with pytest.raises(UsageError, match="none is listed"):
        find_market("#9000", {})


def test_two_series_may_have_one_name_and_both_are_meant() -> None:
    twin = outcome_market(HYPERLIQUID, 950)
    listed = {**LISTED, twin: LISTED[BINARY]}
    assert find_market(LISTED[BINARY], listed).markets == (BINARY, twin)
    assert find_market("#9500", listed).markets == (twin,)


@given(st.integers(0, 10**9), st.sampled_from(list(Leg)))
def test_coins_go_both_ways(outcome: int, leg: Leg) -> None:
    name = coin_name(outcome_market(HYPERLIQUID, outcome), leg)
    assert name is not None
    assert read_coin_name(name) == (outcome, leg)
    assert read_coin_name(f"+{name[1:]}") == (outcome, leg)


def test_perps_have_no_coin_of_a_side() -> None:
    assert coin_name(PERP, Leg.YES) is None


@pytest.mark.parametrize(
    "text", ["", "#", "#-1", "#12", "#9009", "#010", "#1e1", "#١٠", "#" + "1" * 12, "9000", "##90"]
)
def test_what_is_no_coin_is_none(text: str) -> None:
    assert read_coin_name(text) is None


@given(
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(sorted(LISTED.values())).flatmap(
            lambda name: st.integers(0, len(name)).map(lambda n: name[:n])
        ),
    )
)
def test_nothing_typed_raises_anything_else(text: str) -> None:
    try:
        found: Any = find_market(text, LISTED)
    except UsageError:
        return
    assert set(found.markets) <= set(LISTED)


@pytest.mark.parametrize("market", ["kalshi:KXBTCD-26NOV2017-T90999.99", "polymarket:0xabc:o1", "hyperliquid:BTC"])
def test_what_is_not_an_outcome_of_hyperliquid_has_no_number(market: str) -> None:
    assert [coin_name(MarketId(market), leg) for leg in Leg] == [None, None]
