"""What a fill was worth a little later.

s = +1 when the aggressor bought. Maker markout s (px - m_h); effective spread 2s (px - m_0) = realised spread
2s (px - m_h) + price impact 2s (m_h - m_0). m_0 is the last mid strictly before the print, m_h the last one at or
before t + h. Near expiry pass model prices instead of mids; count a print once even if it shows on both tokens.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from enum import IntEnum

import attrs


class Aggressor(IntEnum):
    """Sign of a print: the side that crossed the spread."""

    BUY = 1
    SELL = -1


@attrs.frozen
class Print:
    t_s: float
    side: Aggressor
    px: float


@attrs.frozen
class Markout:
    maker: float
    """Per contract, positive when the maker gained."""
    realized_spread: float
    price_impact: float | None
    """None without a mid before the print."""


@attrs.frozen
class PrintQuality:
    effective_spread: float | None
    markouts: tuple[Markout | None, ...]
    """By horizon; None while t + h lies after the last mid."""


def markouts(
    prints: Sequence[Print], mid_t_s: Sequence[float], mid: Sequence[float], horizons_s: Sequence[float]
) -> tuple[PrintQuality, ...]:
    """Quality of each print at each horizon; `mid_t_s` ascending, one mid per time, at least one."""
    assert len(mid_t_s) == len(mid) > 0
    rows = []
    for trade in prints:
        before = bisect_left(mid_t_s, trade.t_s) - 1
        m_0 = mid[before] if before >= 0 else None
        by_horizon = tuple(_markout(trade, m_0, _mid_at(mid_t_s, mid, trade.t_s + h)) for h in horizons_s)
        rows.append(PrintQuality(None if m_0 is None else 2.0 * trade.side * (trade.px - m_0), by_horizon))
    return tuple(rows)


def _mid_at(mid_t_s: Sequence[float], mid: Sequence[float], t_s: float) -> float | None:
    at = bisect_right(mid_t_s, t_s) - 1
    return mid[at] if at >= 0 and t_s <= mid_t_s[-1] else None


def _markout(trade: Print, m_0: float | None, m_h: float | None) -> Markout | None:
    if m_h is None:
        return None
    maker = trade.side * (trade.px - m_h)
    return Markout(maker, 2.0 * maker, None if m_0 is None else 2.0 * trade.side * (m_h - m_0))
