"""Conversions as the account's fills tell them: priced so that cash is exact, and put together again. Pure.

The venue reports a split, merge, negation or merged question as one fill per token, at prices of its own: one half,
one, an equal share with the rest cut off (sheet section 7.6). Their sum misses the cash that moved by some units, so
the prices are replaced: a pair is one half and one half; a negation moves no cash, so all its parts are at 0; a merged
question pays with its fallback, of which there is exactly one, and its other parts are at 0. The prices do not depend
on which other parts have been seen, so a part that comes late or twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Final

import msgspec

from hlomm.domain.fills import Fill, FillKind
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import FillReceived
from hlomm.domain.sets import CONVERSIONS
from hlomm.domain.units import ONE, Px
from hlomm.venues.counters import Counters

_HALF: Final = Px(ONE // 2)
_NOTHING: Final = Px(0)


def priced(fill: Fill, is_fallback: Callable[[MarketId], bool | None], counters: Counters) -> Fill:
    """The fill at the price that makes its conversion exact; as it is if it is none, or of an unknown question."""
    match fill.kind:
        case FillKind.SPLIT | FillKind.MERGE:
            px = _HALF
        case FillKind.NEGATE:
            px = _NOTHING
        case FillKind.MERGE_QUESTION:
            fallback = is_fallback(fill.market)
            if fallback is None:
                counters.add("conversion_of_unknown_question")
                return fill
            px = ONE if fallback else _NOTHING
        case _:
            return fill
    return msgspec.structs.replace(fill, px=px)


def grouped(fills: Iterable[Fill]) -> Iterator[FillReceived]:
    """Parts of one conversion as one input, everything else one by one; in the order given."""
    for _, parts in groupby(enumerate(fills), _conversion):
        first, *rest = (fill for _, fill in parts)
        yield FillReceived(first, tuple(rest))


def _conversion(numbered: tuple[int, Fill]) -> tuple[object, ...]:
    """What the parts of one conversion share; a place of its own for every other fill."""
    place, fill = numbered
    return (fill.kind, fill.venue_order_id, fill.venue_ms) if fill.kind in CONVERSIONS else (place,)
