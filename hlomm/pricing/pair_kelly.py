"""How much of a pair to buy, when it is no arbitrage but four states (QUANT 5.8, 6.4): log-optimal, one unknown.

A pair costs c and pays 1 while its legs settle alike; 2 if both legs win, with probability p10; nothing if both lose,
with p01. The variance of the usual formula is tiny for such a bet, and its fraction explodes; the state in which all
is lost is what bounds it.
"""

from __future__ import annotations

from typing import Final

_HALVINGS: Final = 80


def pair_contracts(cost: float, p10: float, p01: float) -> float:
    """Pairs per unit of equity at full Kelly, at most all of it (1/cost); 0 without an edge.

    The growth p10 ln(1 + x(2-c)) + (1-p10-p01) ln(1 + x(1-c)) + p01 ln(1 - xc) is concave: its slope is bisected.
    """
    same = 1.0 - p10 - p01
    if not (0.0 < cost < 2.0 and p10 >= 0.0 and p01 >= 0.0 and same >= 0.0):
        return 0.0
    states = ((p10, 2.0 - cost), (same, 1.0 - cost), (p01, -cost))

    def slope(x: float) -> float:
        return sum(p * gain / (1.0 + x * gain) for p, gain in states if p > 0.0)

    if slope(0.0) <= 0.0:
        return 0.0
    low, high = 0.0, 1.0 / cost
    if p01 == 0.0 and slope(high) >= 0.0:
        return high
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if slope(middle) > 0.0:
            low = middle
        else:
            high = middle
    return low
