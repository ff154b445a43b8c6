"""Names, ids and number formats of the wire (venue sheet sections 2, 6 and 7.1), written apart from the client's."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import attrs

from hlomm.domain.markets import Leg
from hlomm.domain.units import SCALE, to_text

PERP_COIN: Final = "BTC"
PERP_ASSET: Final = 0
OUTCOME_ASSET_BASE: Final = 100_000_000
_OUTCOME_COIN: Final = re.compile(r"#([0-9]{2,12})", re.ASCII)
_ADDRESS: Final = re.compile(r"0x[0-9a-f]{40}", re.ASCII)
_CLOID: Final = re.compile(r"0x[0-9a-f]{32}", re.ASCII)


@attrs.frozen
class Grid:
    """Price tick and size lot of a book, both in units of 1e-8. `cash` is one tick times one lot, an exact integer."""

    tick: int
    lot: int
    cash: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        cash, rest = divmod(self.tick * self.lot, SCALE)
        assert rest == 0, "a trade must be a whole number of cash units"
        object.__setattr__(self, "cash", cash)


OUTCOME_GRID: Final = Grid(1_000, SCALE)
"""Tick 0.00001, whole contracts."""
WHOLE: Final = 100_000
"""Ticks in 1.0: the two sides of an outcome add up to this."""
PERP_GRID: Final = Grid(10_000_000, 1_000)
"""One decimal and five size decimals; five significant figures make the effective tick 1 USD below 100,000."""
SET_CASH: Final = WHOLE * OUTCOME_GRID.cash
"""Collateral of one YES and one NO."""


def outcome_coin(outcome: int, leg: Leg) -> str:
    return f"#{10 * outcome + leg}"


def outcome_token(outcome: int, leg: Leg) -> str:
    return f"+{10 * outcome + leg}"


def outcome_asset(outcome: int, leg: Leg) -> int:
    return OUTCOME_ASSET_BASE + 10 * outcome + leg


def split_asset(asset: int) -> tuple[int, Leg] | None:
    """Outcome and leg behind an asset id, None if it is not an outcome's."""
    return _split(asset - OUTCOME_ASSET_BASE) if asset >= OUTCOME_ASSET_BASE else None


def split_coin(coin: str) -> tuple[int, Leg] | None:
    """Outcome and leg behind a coin name, None if it is not an outcome's."""
    match = _OUTCOME_COIN.fullmatch(coin)
    return None if match is None else _split(int(match[1]))


def _split(encoded: int) -> tuple[int, Leg] | None:
    outcome, side = divmod(encoded, 10)
    return (outcome, Leg(side)) if side <= 1 else None


def is_address(text: str) -> bool:
    """Whether the text is a lower-case address."""
    return _ADDRESS.fullmatch(text) is not None


def is_cloid(text: str) -> bool:
    return _CLOID.fullmatch(text) is not None


@lru_cache(maxsize=65_536)
def wire(value: int) -> str:
    """A scaled value as the venue prints it: shortest decimal with at least one digit after the point."""
    text = to_text(value)
    return text if "." in text else f"{text}.0"


def perp_px_valid(ticks: int) -> bool:
    """Five significant figures, or an integer number of USD."""
    if ticks % 10 == 0:
        return True
    return len(str(ticks)) <= 5


def round_significant(value: int, figures: int) -> int:
    """A positive integer rounded half up to that many significant figures."""
    excess = len(str(value)) - figures
    if excess <= 0:
        return value
    unit: int = 10**excess
    return (value + unit // 2) // unit * unit
