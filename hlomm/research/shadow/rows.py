"""What is written down of a shadow: every decision that comes to something, every fill that a model made up."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hlomm.domain.inputs import FillReceived, Input
from hlomm.domain.outputs import AmendOrders, CancelOrders, Output, PlaceOrders
from hlomm.domain.times import Now
from hlomm.engine.core import Engine

Row = tuple[object, ...]


@attrs.define(eq=False)
class Rows:
    """An onlooker that gathers rows until they are taken; `n` counts each kind from the beginning."""

    decisions: list[Row] = attrs.field(factory=list)
    """(n, wall ms, kind, market, client id, leg, side, px, qty)."""
    fills: list[Row] = attrs.field(factory=list)
    """(n, wall ms, venue ms, market, leg, side, px, qty, fee, kind, maker, client id)."""
    decided: int = 0
    filled: int = 0

    def fed(self, engine: Engine, item: Input, now: Now) -> None:
        del engine
        if isinstance(item, FillReceived):
            for fill in item.fills:
                self.filled += 1
                self.fills.append(
                    (
                        self.filled, now.wall_ms, fill.venue_ms, fill.market, fill.leg.name, fill.side.name, fill.px,
                        fill.qty, fill.fee, fill.kind.value, int(fill.maker), fill.client_id,
                    )
                )  # fmt: skip

    def turned(self, engine: Engine, outputs: Sequence[Output], now: Now) -> None:
        del engine
        for output in outputs:
            match output:
                case PlaceOrders(orders=orders):
                    for one in orders:
                        what = one.market, one.client_id, one.leg.name, one.side.name, one.px, one.qty
                        self._decision(now, "place", *what)
                case AmendOrders(amends=amends):
                    for to in amends:
                        what = to.market, to.client_id, to.leg.name, to.side.name, to.px, to.qty
                        self._decision(now, "amend", *what)
                case CancelOrders(cancels=cancels):
                    for gone in cancels:
                        self._decision(now, "cancel", gone.market, gone.client_id, gone.leg.name, None, None, None)

    def _decision(self, now: Now, kind: str, *rest: object) -> None:
        self.decided += 1
        self.decisions.append((self.decided, now.wall_ms, kind, *rest))

    def take(self) -> tuple[list[Row], list[Row]]:
        """What was gathered since the last time."""
        decisions, self.decisions = self.decisions, []
        fills, self.fills = self.fills, []
        return decisions, fills
