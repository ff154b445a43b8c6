"""Every frame that is read gives the values that `json` and Decimal give, to the last unit."""

from __future__ import annotations

import json
import random
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import Final

import pytest

from hlomm.bench import naive
from hlomm.domain.faults import UnitError
from hlomm.domain.units import parse, to_text
from hlomm.venues.hyperliquid.wire.frames import Decoded, decode_frame
from hlomm.venues.hyperliquid.wire.ladder import BookMemory
from tests.twins.hearing import Frames
from tests.twins.reading import value_of
from tests.twins.test_actions import MANY, SEED
from tests.wire.hyperliquid.conftest import Shared

FEW: Final = 500
DIGITS: Final = "0123456789"


def compare(count: int) -> Counter[str]:
    """How many frames of each channel were compared. AssertionError with the first that differs."""
    frames, seen, books = Frames(SEED), Counter[str](), BookMemory()
    for number in range(count):
        text = frames.frame(number)
        ours, theirs = decode_frame(text, books), Decoded(value_of(text))
        assert ours == theirs, f"frame {number} of seed {SEED} differs\n{text}\nprogram:   {ours}\nslow twin: {theirs}"
        seen[text[12 : text.index('"', 12)]] += 1
    return seen


def compare_numbers(count: int) -> None:
    """Text to units and units to text, and which texts are refused."""
    rng = random.Random(SEED)
    for _ in range(count):
        units = rng.choice((1, -1)) * rng.randrange(10 ** rng.randint(1, 23))
        value = Decimal(units).scaleb(-8)
        assert to_text(units) == naive.plain(value), units
        text = f"{value:f}" + "0" * rng.randrange(3)
        assert parse(text) == units, text
        odd = list(text)
        odd[rng.randrange(len(odd))] = rng.choice((*DIGITS, *".-+eE_ \u0663x"))
        changed = "".join(odd)
        assert read(changed) == plain_units(changed), changed


def read(text: str) -> int | None:
    try:
        return parse(text)
    except UnitError:
        return None


def plain_units(text: str) -> int | None:
    """In Decimal, of what is written as a plain number: digits, at most one point with digits around it, a minus."""
    whole, point, part = text.removeprefix("-").partition(".")
    if not 0 < len(whole) <= 15 or set(whole + part) - set(DIGITS) or (point and not part):
        return None
    try:
        scaled = Decimal(text).scaleb(8)
    except InvalidOperation:
        return None
    return int(scaled) if scaled == scaled.to_integral_value() else None


def test_frames_are_read_alike() -> None:
    seen = compare(FEW)
    assert sum(seen.values()) == FEW
    assert set(seen) == set(Frames(SEED)._kinds)


def test_numbers_are_read_and_written_alike() -> None:
    compare_numbers(10 * FEW)


@pytest.mark.trial
def test_a_hundred_thousand_frames_and_numbers_are_read_alike() -> None:
    seen = compare(MANY)
    compare_numbers(MANY)
    print(f"\n{MANY:,} frames of seed {SEED}, no difference: {dict(seen.most_common())}")  # noqa: T201 - the report


def test_a_figure_read_wrong_is_told_with_its_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hlomm.venues.fields.parse", lambda text: parse(text) + 1)
    with pytest.raises(AssertionError, match=r'(?s)frame \d+ of seed .*"channel".*program: .*slow twin: '):
        compare(FEW)


def test_recorded_frames_are_read_alike(shared: Shared) -> None:
    read_ones, books = Counter[str](), BookMemory()
    for _, text in shared.frames():
        channel = json.loads(text)["channel"]
        if channel in ("l2Book", "trades", "bbo"):
            assert decode_frame(text, books) == Decoded(value_of(text)), text
            read_ones[channel] += 1
    assert read_ones["l2Book"] > 10
    assert read_ones["trades"] > 3
