"""Legal prices of a market: the tick of an outcome, five significant figures for a perp (venue sheet section 6)."""

from __future__ import annotations

from typing import Final

from hlomm.domain.markets import Market, MarketKind
from hlomm.domain.units import SCALE, Px, ceil_to, floor_to

SIGNIFICANT_FIGURES: Final = 5


def perp_px_step(px: Px, tick: Px) -> Px:
    """Step of legal prices around `px`: the finest tick or, for large prices, five significant figures.

    Whole numbers are always legal, so the step never exceeds one quote unit.
    """
    digits = len(str(px))
    by_figures = 10 ** max(digits - SIGNIFICANT_FIGURES, 0)
    return Px(max(tick, min(by_figures, SCALE)))


def perp_px_ok(px: Px, tick: Px) -> bool:
    return px > 0 and px % perp_px_step(px, tick) == 0


def floor_px(market: Market, px: Px) -> Px:
    """Largest legal price not above `px`; 0 if there is none."""
    return Px(floor_to(px, _step(market, px)))


def ceil_px(market: Market, px: Px) -> Px:
    """Smallest legal price not below `px`."""
    return Px(ceil_to(px, _step(market, px)))


def px_ok(market: Market, px: Px) -> bool:
    """Whether an order may have that own-coin price; an outcome's lies inside (0, 1)."""
    if market.kind is MarketKind.PERP:
        return perp_px_ok(px, market.tick)
    return 0 < px < SCALE and px % outcome_px_step(market, px) == 0


def outcome_px_step(market: Market, px: Px) -> Px:
    """Step of the grid around a price. It is the same for both legs: every venue's grids mirror at one half."""
    return step_at(market.tick, market.ticks, px)


def step_at(tick: Px, ticks: tuple[tuple[Px, Px, Px], ...], px: int) -> Px:
    """The same from the grid itself."""
    for low, high, step in ticks:
        if low <= px <= high:
            return step
    return tick


def _step(market: Market, px: Px) -> Px:
    return outcome_px_step(market, px) if market.kind is MarketKind.OUTCOME else perp_px_step(px, market.tick)


def closing_limit(touch: int, slippage: int, direction: int, tick: Px) -> Px:
    """Limit of an order that gives up at most the fraction `slippage` (1e-8) of the touch, rounded towards the touch.

    `direction` +1 buys at an ask, -1 sells at a bid. The touch itself is legal, so it bounds the rounding.
    """
    if direction > 0:
        bound = touch * (SCALE + slippage) // SCALE
        return Px(max(floor_to(bound, perp_px_step(Px(bound), tick)), touch))
    bound = -(-touch * (SCALE - slippage) // SCALE)
    return Px(min(ceil_to(bound, perp_px_step(Px(bound), tick)), touch))


def tick_shown(prices: list[int]) -> Px:
    """Finest decimal that the venue's own prices show: prices no finer than that are legal where no tick is known."""
    step = SCALE
    while step > 1 and any(px % step for px in prices):
        step //= 10
    return Px(step)
