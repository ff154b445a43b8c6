"""Whether something grows: the slope of a straight line through samples, and a rule that makes a verdict of it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Final

Json = dict[str, Any]

MINUTE_S: Final = 60.0
WARM_S: Final = 120.0
"""Left out: what is read once, and what bounded memories take until they are full. The largest are the prints of a
venue (8,192), which at 5,000 events a second are full after 100 s, at fewer later."""
LEAST_S: Final = 180.0
"""Beyond that, or there is nothing to compare."""
SLOPE_MAX: Final = 1.0
"""MB a minute."""
RISE_MAX: Final = 1.03
"""Mean of the last minute as a multiple of that of the first after the warm-up."""
RULE: Final = (
    f"after {WARM_S:g} s: below {SLOPE_MAX:g} MB a minute by least squares, and the last minute's mean at most "
    f"{RISE_MAX:g} times the first's; over at least {LEAST_S:g} s"
)
FLAT, NOT_FLAT, TOO_SHORT = "flat", "not flat", "too short"


def slope(times_s: Sequence[float], values: Sequence[float]) -> float:
    """Units a minute, by least squares; 0 where all samples are of one moment."""
    middle_s, middle = statistics.fmean(times_s), statistics.fmean(values)
    spread = sum((at - middle_s) ** 2 for at in times_s)
    together = sum((at - middle_s) * (value - middle) for at, value in zip(times_s, values, strict=True))
    return together / spread * MINUTE_S if spread else 0.0


def judged(times_s: Sequence[float], memory_mb: Sequence[float]) -> Json:
    """`verdict` by `RULE`, and the figures it was made of. Times count from the beginning of the stretch."""
    warm = [(at, value) for at, value in zip(times_s, memory_mb, strict=True) if at >= WARM_S]
    if not warm or warm[-1][0] - WARM_S < LEAST_S:
        return {"verdict": TOO_SHORT, "rule": RULE}
    begun_s, ended_s = warm[0][0], warm[-1][0]
    per_min = slope([at for at, _ in warm], [value for _, value in warm])
    first = statistics.fmean(value for at, value in warm if at < begun_s + MINUTE_S)
    last = statistics.fmean(value for at, value in warm if at > ended_s - MINUTE_S)
    flat = per_min < SLOPE_MAX and last <= RISE_MAX * first
    return {
        "verdict": FLAT if flat else NOT_FLAT, "rule": RULE, "mb_per_min": round(per_min, 3),
        "first_minute_mb": round(first, 1), "last_minute_mb": round(last, 1),
    }  # fmt: skip
