"""What recorded data must be like to be run over, and what becomes of those that are not.

- A print is news up to `MAX_PRINT_AGE_NS` after its stamp; later it is history that a reconnect tells again.
- Rows that lie out of the order of the venue's stamps are put in it; a row that is there twice is taken once.
- What was received before something that the venue stamped earlier stays so, up to `STEP_BACK_MAX_NS`. Beyond that a
  clock was set back, nobody knows what was known when, and nothing runs.
- Crossed books and touches are dropped. Levels in disorder and numbers that make no sense mean that a row is not what
  it seems, and so may the others be: nothing runs.
- `GAP_MAX_NS` is the longest time without news of a thing that never pauses; beyond it nothing runs. During a shorter
  one the last book stands, and ages.
- Without a settlement on record there must be a mark at most `MARK_REACH_NS` before the expiry, or after it.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any, Final, TypeVar

from hlomm.domain.ids import MarketId, is_outcome
from hlomm.domain.inputs import BboUpdate, BookSnapshot, Input, Level, MarkPrice, TradePrint
from hlomm.domain.markets import Market
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import SCALE

MAX_PRINT_AGE_NS: Final = 5 * NS_PER_S
STEP_BACK_MAX_NS: Final = NS_PER_S
GAP_MAX_NS: Final = 60 * NS_PER_S
MARK_REACH_NS: Final = 5 * NS_PER_S
AROUND_NS: Final = 60 * NS_PER_S
"""Of the perp before a market's first row and after its last."""
MOST: Final = 2**63 - 1
"""No recorded number is larger."""
FIRST_NS: Final = 10**18
END_NS: Final = 41 * 10**17
"""2001 to 2099: no recorded time lies outside, and in no other unit of s, ms and us does one lie within."""

_Item = TypeVar("_Item", bound=Input)


def nonsense(item: Input) -> str | None:
    """What is wrong with a row taken for itself; crossed ones are another matter."""
    match item:
        case BookSnapshot(market=market, bids=bids, asks=asks):
            return _disorder(market, bids, -1) or _disorder(market, asks, 1)
        case TradePrint(market=market, px=px, qty=qty) if not (_price(market, px) and qty > 0):
            return f"a trade of {qty / SCALE:g} at {px / SCALE:g}"
        case BboUpdate(bid=bid, ask=ask) if any(
            side is not None and (side[0] <= 0 or side[1] < 0) for side in (bid, ask)
        ):
            return f"a touch of {bid} and {ask}"
        case MarkPrice(px=px) if px <= 0:
            return f"a mark of {px / SCALE:g}"
    return None


def _price(market: MarketId, px: int) -> bool:
    """Whether it can be one: an outcome pays 1, a perp knows no bound."""
    return 0 < px < SCALE if is_outcome(market) else px > 0


def _disorder(market: MarketId, levels: tuple[Level, ...], away: int) -> str | None:
    if any(not _price(market, px) or qty <= 0 for px, qty in levels):
        return "a level without price or size"
    if any((worse[0] - better[0]) * away <= 0 for better, worse in pairwise(levels)):
        return "levels in disorder"
    return None


def sensible(item: _Item) -> _Item:
    """The row, or ValueError."""
    if (wrong := nonsense(item)) is not None:
        raise ValueError(wrong)
    return item


def put_in_order(what: str, events: list[Any], mended: Counter[str], *, steady: bool) -> str | None:
    """Rows of one kind by the venue's stamps, each once; or why not. Kinds that are `steady` never pause."""
    mended["unsorted_rows"] += sum(after.exchange_ns < before.exchange_ns for before, after in pairwise(events))
    events.sort(key=lambda event: event.exchange_ns)
    kept = [after for before, after in pairwise(events) if after != before]
    mended["repeated_rows"] += max(len(events) - 1, 0) - len(kept)
    events[1:] = kept
    latest = worst = 0
    for event in events:
        back_ns = latest - event.received_ns
        if back_ns > 0:
            mended["late_rows"] += 1
            worst = max(worst, back_ns)
        latest = max(latest, event.received_ns)
    if worst > STEP_BACK_MAX_NS:
        return f"the clock went back by {worst / NS_PER_S:.1f} s among its {what}"
    received = sorted(event.received_ns for event in events) if steady else []
    gap_ns = max((after - before for before, after in pairwise(received)), default=0)
    return f"a gap of {gap_ns / NS_PER_S:.0f} s in its {what}" if gap_ns > GAP_MAX_NS else None


def unsettled(outcome: Market, last_mark_ns: int) -> str | None:
    """Why nobody can say how a market without a recorded settlement ended."""
    assert outcome.expiry_ns is not None
    if last_mark_ns < outcome.expiry_ns - MARK_REACH_NS:
        return f"no settlement, and no mark within {MARK_REACH_NS / NS_PER_S:g} s of its expiry"
    return None
