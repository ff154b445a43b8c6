"""A quote and its odds where they are not: the same functions over a grid around the present, for people.

The functions come in as arguments: those that the live strategy calls, with its settings already in them. So the cell
of the present holds exactly what was decided on, and a change of a formula changes the picture with it. Vols stand in
ratios around the present one; inventories in equal steps over twice the cap, the nearest of them moved to the present;
prices of the underlying in equal steps of its total standard deviation. Nothing is learnt.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import msgspec

from hlomm.domain.look_rows import ROWS, SIGMAS, BandRow, OddsRow
from hlomm.domain.units import SCALE, Px
from hlomm.pricing.quoter import Quote

_RATIO: Final = math.sqrt(math.sqrt(2.0))
"""From one column to the next: five of them are a factor of 2.4."""
_REACH_SD: Final = 3.0
"""Prices of the underlying reach that many total standard deviations either way."""


class Live(msgspec.Struct, frozen=True, gc=False):
    """Where the present is: a vol and what it goes with."""

    sigma: float
    other: float


def ratios() -> tuple[float, ...]:
    """Of the columns to the present one, ascending; 1 in the middle, exactly."""
    middle = SIGMAS // 2
    return tuple(_RATIO ** (column - middle) for column in range(SIGMAS))


def inventories(net: float, cap: float) -> tuple[tuple[float, ...], int]:
    """From the largest long to the largest short position, and the row of the present one."""
    reach = max(cap, abs(net))
    steps = [reach * (1.0 - 2.0 * row / (ROWS - 1)) for row in range(ROWS)]
    at = min(range(ROWS), key=lambda row: abs(steps[row] - net))
    steps[at] = net
    return tuple(steps), at


def band(quote_at: Callable[[float, float], Quote], live: Live, *, cap: float, max_half: float) -> BandRow:
    """`quote_at(sigma_p, q)` over both; `live`: sigma_p per root second and net contracts, `cap` in contracts."""
    sigmas = tuple(live.sigma * ratio for ratio in ratios())
    nets, row = inventories(live.other, cap)
    quotes = [quote_at(sigma, net) for net in nets for sigma in sigmas]
    now = quotes[row * SIGMAS + SIGMAS // 2]
    return BandRow(
        sigmas=tuple(round(sigma * SCALE) for sigma in sigmas), nets=tuple(round(net * SCALE) for net in nets),
        at=(row, SIGMAS // 2), bids=tuple(_px(one.bid) for one in quotes), asks=tuple(_px(one.ask) for one in quotes),
        reservations=tuple(_px(one.reservation) for one in quotes), halves=tuple(_px(one.half) for one in quotes),
        why=now.bid_reason or now.ask_reason, max_half=Px(round(max_half * SCALE)),
    )  # fmt: skip


def odds(
    p_at: Callable[[float, float], float], live: Live, *, annual: float, spot_age_s: float | None = None
) -> OddsRow:
    """`p_at(v, spot)` over both; `live`: total standard deviation v of ln S and the spot, `annual`: v per root year."""
    middle, step = ROWS // 2, _REACH_SD * live.sigma / (ROWS // 2)
    spots = tuple(live.other * math.exp((middle - row) * step) for row in range(ROWS))
    return OddsRow(
        sigmas=tuple(round(annual * ratio * SCALE) for ratio in ratios()),
        spots=tuple(Px(round(spot * SCALE)) for spot in spots), at=(middle, SIGMAS // 2),
        cells=tuple(Px(round(p_at(live.sigma * ratio, spot) * SCALE)) for spot in spots for ratio in ratios()),
        spot_age_s=spot_age_s,
    )  # fmt: skip


def _px(value: float | None) -> Px | None:
    return None if value is None else Px(round(value * SCALE))
