"""What our fills were worth a little later, per contract and in our favour.

A fill of an outcome is held against the market's reference price (`hlomm.engine.attribution`: the mid that others make,
or fair value where a side is missing) as it stood 1, 5, 30 and 60 s after we heard of it: the last one at or before
that moment, as in `hlomm.pricing.markout`. No timer is needed: a reference moves only with an input or a turn, so
whatever falls due before one of them is settled first. A market that has settled has no price of its own any more, and
what falls due then has no figure. Nothing here is read by any decision.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs
import msgspec

from hlomm.domain.desk_rows import MARKOUT_S, MarkoutRow
from hlomm.domain.fills import FillKind
from hlomm.domain.ids import MarketId, is_outcome
from hlomm.domain.orders import direction, yes_px
from hlomm.domain.report import FillRow
from hlomm.domain.times import NS_PER_S
from hlomm.domain.units import Px
from hlomm.engine.attribution import Attribution

WAITING_MAX: Final = 4096
"""Fills that wait for one horizon; beyond it the oldest goes without a figure. 60 s at 68 fills a second."""
_NEVER: Final = 1 << 62


@attrs.frozen
class _Waiting:
    due_ns: int
    number: int
    market: MarketId
    sign: int
    px2: int
    qty: int
    maker: bool


@attrs.define
class Total:
    """Over fills in which we were the maker. `sum2`: twice the markout times the quantity."""

    sum2: int = 0
    qty: int = 0
    fills: int = 0


class Markouts:
    """Keeps the rows it is given up to date where they are: `recent`, newest last."""

    def __init__(self, recent: deque[FillRow]) -> None:
        self._recent = recent
        self._noted = 0
        self._waiting: tuple[deque[_Waiting], ...] = tuple(deque() for _ in MARKOUT_S)
        self.due_ns = _NEVER
        """When the next figure is due: before that `settle` has nothing to do."""
        self.totals = tuple(Total() for _ in MARKOUT_S)
        self.dropped = 0
        """Figures never made because too many were waiting."""

    @property
    def noted(self) -> int:
        """Rows ever noted: the last of them are in the memory that was given."""
        return self._noted

    def note(self, row: FillRow, mono_ns: int) -> None:
        """A fill, or anything else that is shown among them."""
        if row.kind != FillKind.TRADE.value or not is_outcome(row.market):
            self._recent.append(row)
            self._noted += 1
            return
        self._recent.append(msgspec.structs.replace(row, markouts=(None,) * len(MARKOUT_S)))
        sign, px2 = direction(row.leg, row.side), 2 * yes_px(row.leg, row.px)
        for queue, horizon_s in zip(self._waiting, MARKOUT_S, strict=True):
            if len(queue) >= WAITING_MAX:
                queue.popleft()
                self.dropped += 1
            due_ns = mono_ns + horizon_s * NS_PER_S
            queue.append(_Waiting(due_ns, self._noted, row.market, sign, px2, row.qty, row.maker))
            self.due_ns = min(self.due_ns, due_ns)
        self._noted += 1

    def settle(self, attribution: Attribution, until_ns: int) -> None:
        """Give a figure to everything that is due by then; the references must be those of that moment."""
        for place, queue in enumerate(self._waiting):
            while queue and queue[0].due_ns <= until_ns:
                self._figure(place, queue.popleft(), attribution)
        self.due_ns = min((queue[0].due_ns for queue in self._waiting if queue), default=_NEVER)

    def _figure(self, place: int, fill: _Waiting, attribution: Attribution) -> None:
        ref2 = attribution.quoted2(fill.market)
        if ref2 is None:
            return
        made2 = fill.sign * (ref2 - fill.px2)
        if fill.maker:
            total = self.totals[place]
            total.sum2 += made2 * fill.qty
            total.qty += fill.qty
            total.fills += 1
        at = len(self._recent) - (self._noted - fill.number)
        if at >= 0:
            row = self._recent[at]
            known = (*row.markouts[:place], Px(made2 // 2), *row.markouts[place + 1 :])
            self._recent[at] = msgspec.structs.replace(row, markouts=known)

    def rows(self) -> tuple[MarkoutRow, ...]:
        return tuple(
            MarkoutRow(
                horizon_s=horizon_s, mean=Px(total.sum2 // (2 * total.qty)) if total.qty else None, fills=total.fills
            )
            for horizon_s, total in zip(MARKOUT_S, self.totals, strict=True)
        )
