"""What an order gives and takes, in millionths: the venue's grids and its limits on decimals (venue sheet section 5.5).

A resting order carries its price as the quotient of two amounts, so they must be exact: sizes have two decimals,
prices at most four, and their product fits six. An order that must fill at once may show at most two decimals of pUSD
and four of shares, whatever the tick. So it is cut to a size that is exact under that rule, if that costs less than one
share; otherwise its pUSD are rounded down to the cent, which moves the limit by less than one tick (checked), so that
it crosses no price that the engine did not allow.
"""

from __future__ import annotations

from math import gcd
from typing import Final

from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Px, Qty, floor_to, to_text

TICKS: Final = frozenset(Px(px) for px in (10_000_000, 1_000_000, 500_000, 250_000, 100_000, 10_000))
"""0.1, 0.01, 0.005, 0.0025, 0.001 and 0.0001."""
SIZE_STEP: Final = Qty(SCALE // 100)
WHOLE: Final = Qty(SCALE)
MARKETABLE_MIN: Final = 1_000_000
"""A purchase that fills at once is worth at least one pUSD."""

_MILLIONTH: Final = SCALE // 1_000_000
_CENT: Final = 10_000
"""In millionths."""
_SHARE_STEP: Final = 100
"""Four decimals, in millionths."""


class Unfit(Exception):  # noqa: N818 - a statement about an order
    """No amounts express the order as the venue wants them: it is not sent."""


def resting_amounts(side: Side, px: Px, qty: Qty, tick: Px) -> tuple[int, int]:
    """Maker and taker amount of an order that may rest. Sizes are cut to two decimals. Unfit off the grid."""
    _on_grid(px, tick)
    shares = floor_to(qty, SIZE_STEP)
    if shares <= 0:
        raise Unfit(f"{to_text(qty)} shares are less than {to_text(SIZE_STEP)}")
    cash = px * shares // SCALE
    assert cash * SCALE == px * shares, "four decimals times two fit eight"
    return _sided(side, cash // _MILLIONTH, shares // _MILLIONTH)


def taking_amounts(side: Side, px: Px, qty: Qty, tick: Px) -> tuple[int, int]:
    """Maker and taker amount of an order that must fill at once (FOK, FAK); `px` is its worst price."""
    _on_grid(px, tick)
    shares = floor_to(qty, SIZE_STEP)
    exact = floor_to(shares, exact_step(px))
    if exact > 0 and shares - exact < WHOLE:
        cash = px * exact // SCALE // _MILLIONTH
        return _checked(side, cash, exact // _MILLIONTH)
    cash = floor_to(px * shares // SCALE // _MILLIONTH, _CENT)
    taken = shares // _MILLIONTH
    if side is Side.BUY:
        taken = floor_to(cash * SCALE // px, _SHARE_STEP) if cash else 0
    if taken <= 0 or not _within_a_tick(cash, taken, px, tick):
        raise Unfit(f"{to_text(shares)} at {to_text(px)} cannot be said in cents and four decimals of a share")
    return _checked(side, cash, taken)


def exact_step(px: Px) -> Qty:
    """Smallest size whose worth at that price is a whole number of cents, a multiple of 0.01."""
    # size = k / 100 and worth = k * px / 100 is whole cents when k * px is a whole number: k is a multiple of
    # SCALE / gcd(SCALE, px).
    return Qty(SIZE_STEP * (SCALE // gcd(SCALE, px)))


def _on_grid(px: Px, tick: Px) -> None:
    if tick not in TICKS:
        raise Unfit(f"no such tick: {to_text(tick)}")
    if px % tick or not tick <= px <= SCALE - tick:
        raise Unfit(f"{to_text(px)} is not on the grid of {to_text(tick)}")


def _within_a_tick(cash: int, shares: int, px: Px, tick: Px) -> bool:
    """Whether the price that two amounts imply lies less than one tick from the one that was meant."""
    return abs(cash * SCALE - px * shares) < tick * shares


def _checked(side: Side, cash: int, shares: int) -> tuple[int, int]:
    if side is Side.BUY and cash < MARKETABLE_MIN:
        raise Unfit(f"a purchase that fills at once is worth at least 1, this one {cash / 1e6:.2f}")
    return _sided(side, cash, shares)


def _sided(side: Side, cash: int, shares: int) -> tuple[int, int]:
    return (cash, shares) if side is Side.BUY else (shares, cash)
