"""One side of a book, read in one go: what comes out, and what is refused, is what reading it row by row gives."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlomm.domain.faults import ProtocolViolation
from hlomm.domain.inputs import Level
from hlomm.venues.fields import SCALED_LIMIT
from hlomm.venues.hyperliquid.wire import public
from hlomm.venues.hyperliquid.wire.coins import read_coin
from hlomm.venues.hyperliquid.wire.public import LevelRow

COINS = ("#1180", "#1181", "BTC")
ODD = ("0", "-0.5", "1", "1.0", "0.99999999", "1e3", "", "nan", "9999999999.00000001", "10000000000", "10000000001")
NUMBER = st.one_of(
    st.integers(1, 99_999).map(lambda ticks: f"0.{ticks:05d}"), st.integers(1, 10**6).map(str), st.sampled_from(ODD)
)


@st.composite
def sides(draw: st.DrawFn) -> tuple[str, list[LevelRow], int]:
    direction = draw(st.sampled_from([1, -1]))
    rows = draw(st.lists(st.builds(LevelRow, NUMBER, NUMBER), max_size=8))
    if draw(st.booleans()):  # mostly as a venue sends them
        rows = sorted({row.px: row for row in rows}.values(), key=lambda row: _rank(row.px) * direction)
    return draw(st.sampled_from(COINS)), rows, direction


def _rank(text: str) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


@given(sides())
def test_both_ways_agree(case: tuple[str, list[LevelRow], int]) -> None:
    name, rows, direction = case
    coin = read_coin(name)
    assert coin is not None

    def read(way: object) -> list[Level] | tuple[str, str]:
        assert callable(way)
        try:
            return list(way(coin, rows, direction))
        except ProtocolViolation as refusal:
            return refusal.kind, str(refusal)

    found = read(public._side)
    assert found == read(public._row_by_row)
    if isinstance(found, list):
        assert all(px > 0 and 0 < qty <= SCALED_LIMIT for px, qty in found)
        assert all((after[0] - before[0]) * direction > 0 for before, after in pairwise(found))


@pytest.mark.parametrize(
    ("px", "sz", "kind"),
    [
        ("1", "5", "l2Book.price"), ("0", "5", "l2Book.price"), ("x", "5", "l2Book.price"), ("0.5", "0", "l2Book.size"),
        ("0.5", "1e2", "l2Book.size"), ("0.5", "10000000001", "l2Book.size"), ("0.4", "5", "l2Book.order"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(px: str, sz: str, kind: str) -> None:
    coin = read_coin("#1180")
    assert coin is not None
    with pytest.raises(ProtocolViolation) as caught:
        public._side(coin, [LevelRow("0.45", "1"), LevelRow(px, sz)], 1)
    assert caught.value.kind == kind
