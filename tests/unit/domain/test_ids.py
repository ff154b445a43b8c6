"""Client ids: the venue's shape, one per mint, the same in every replay, recognisable as ours and nobody else's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.ids import HYPERLIQUID, ClientIds, MarketId, is_ours, outcome_market, perp_market, venue_of

CLOID = re.compile(r"0x[0-9a-f]{32}")


@given(st.integers(0, (1 << 48) - 1), st.integers(1, 50))
def test_minted_ids_are_cloids_of_ours_in_rising_order(epoch_ms: int, number: int) -> None:
    ids = ClientIds(epoch_ms)
    minted = [ids.mint() for _ in range(number)]
    assert all(CLOID.fullmatch(one) for one in minted)
    assert all(is_ours(one) for one in minted)
    assert minted == sorted(set(minted))


def test_two_boots_never_mint_the_same_id_and_one_boot_always_does() -> None:
    first, again, other = ClientIds(1_000), ClientIds(1_000), ClientIds(1_001)
    mine = {first.mint() for _ in range(100)}
    assert {again.mint() for _ in range(100)} == mine
    assert mine.isdisjoint({other.mint() for _ in range(100)})


@pytest.mark.parametrize("epoch_ms", [-1, 1 << 48])
def test_an_epoch_that_does_not_fit_is_refused(epoch_ms: int) -> None:
    with pytest.raises(ValueError, match="epoch"):
        ClientIds(epoch_ms)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0x",
        "0x686c",
        "0x686c" + "0" * 27,
        "0x686c" + "0" * 29,
        "0x686d" + "0" * 28,
        "0X686c" + "0" * 28,
        "0x686c" + "z" * 28,
        "0x686c" + "0" * 27 + "\n",
        "0x686c" + "A" * 28,
        "0x686c" + " " * 28,
        "0x686c" + "-" + "1" * 27,
        "0x686c" + "٣" * 28,
    ],
)
def test_what_only_looks_like_ours_is_foreign(text: str | None) -> None:
    """A mark followed by anything but hex would be taken for ours and break the first place that counts with it."""
    assert not is_ours(text)


def test_market_names_carry_their_venue() -> None:
    assert outcome_market(HYPERLIQUID, 15) == "hyperliquid:o15"
    assert perp_market(HYPERLIQUID, "xyz:NVDA") == "hyperliquid:xyz:NVDA"
    for market in (outcome_market(HYPERLIQUID, 15), perp_market(HYPERLIQUID, "xyz:NVDA")):
        assert venue_of(market) == HYPERLIQUID
    assert venue_of(MarketId("kalshi:X")) == "kalshi"
