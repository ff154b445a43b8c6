"""How a contract moves with its underlying, for whoever hedges it."""

from __future__ import annotations

import math

from hlomm.domain.view import Sensitivity
from hlomm.pricing.expected import Outlook


def sensitivity(outlook: Outlook) -> Sensitivity | None:
    """Delta and gamma of one YES contract by the outlook's own odds; None where they say nothing."""
    delta, gamma = outlook.odds.delta, outlook.odds.gamma
    if not (math.isfinite(delta) and math.isfinite(gamma)):
        return None
    return Sensitivity(round(delta * 1e8), round(gamma * 1e16))
