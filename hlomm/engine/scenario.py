"""Worst cases of outcomes and a perp that settle on one underlying (QUANT 7.1). Pure, exact, in cash.

All payoffs are linear in the settlement price with jumps at strikes, so the worst lies at a strike (just below or at
it) or at an end of the range. A perp has no worst case of its own: the range is `STRESS` to either side of its mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from hlomm.domain.units import SCALE

STRESS: Final = SCALE // 5
"""Largest move of an underlying reckoned with: a fifth, for a day."""


@attrs.frozen
class Holding:
    """Tokens of one outcome. Without a strike the outcome is taken to be independent of the underlying."""

    strike: int | None
    yes: int
    no: int


def stress(value: int) -> int:
    """What the stress move loses on a perp position of that (signed) value, rounded up."""
    return -(-abs(value) * STRESS // SCALE)


def worst_payoff(holdings: Sequence[Holding], perp_qty: int, px: int) -> int:
    """Least that the tokens pay and the perp gains together, from a price of `px` on; rounded down."""
    independent = sum(min(held.yes, held.no) for held in holdings if held.strike is None)
    dated = [(held.strike, held) for held in holdings if held.strike is not None]
    low, high = px - px * STRESS // SCALE, px + px * STRESS // SCALE
    points = [low, high]
    for strike, _ in dated:
        points += [at for at in (strike - 1, strike) if low < at < high]
    return independent + min(
        sum(held.yes if at >= strike else held.no for strike, held in dated) + perp_qty * (at - px) // SCALE
        for at in points
    )
