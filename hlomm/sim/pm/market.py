"""One binary market: what it says of itself, its merged book, and where it stands in its life."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.domain.units import Px
from hlomm.sim.book import Ladder
from hlomm.sim.pm.orders import Order
from hlomm.sim.pm.units import WHOLE

_NARROW_BEYOND: Final = 9_600
_NARROWED: Final = 10


class Family(StrEnum):
    ABOVE = "above"
    """Yes if the close of the candle that opens at the end is above the strike."""
    UPDOWN = "updown"
    """Up if the average before the end is at least the average before the start."""


@attrs.frozen(kw_only=True)
class Spec:
    """What Gamma says of a market; times are venue time. `strike` is None until an up/down market has started."""

    number: int
    family: Family
    period: str
    condition: str
    question_id: str
    tokens: tuple[str, str]
    outcomes: tuple[str, str]
    slug: str
    event_slug: str
    series_slug: str
    question: str
    event_title: str
    description: str
    source: str
    group_title: str
    start_ns: int
    end_ns: int
    listed_ns: int
    strike: Px | None

    def leg(self, token: str) -> Leg:
        return Leg(self.tokens.index(token))


@attrs.define(eq=False)
class Market:
    """State of one market. Prices of the book are those of the first outcome."""

    spec: Spec
    tick: int
    min_lots: int
    fee_rate: int
    fee_exponent: int = 1
    rebate_rate: float = 0.0
    delayed: bool = True
    """Whether marketable orders are held."""
    accepting: bool = True
    yes_ticks: int | None = None
    """What the first outcome pays, once resolved."""
    resolved_ms: int | None = None
    redeemed: bool = False
    beat: int | None = None
    """Price to beat and final price of an up/down market in 1e-8, once known."""
    final: int | None = None
    last_ticks: int | None = None
    last_side: Side = Side.BUY
    volume_cash: int = 0
    pending: int = 0
    """Trades on their way to the chain."""
    book: Ladder[Order] = attrs.field(factory=Ladder[Order])
    touched: dict[tuple[Side, int], str] = attrs.field(factory=dict)
    """Levels of the book that changed since they were last told, with the order that did it."""
    traded: bool = False

    @property
    def number(self) -> int:
        return self.spec.number

    @property
    def open(self) -> bool:
        return self.yes_ticks is None

    def touch(self, order: Order) -> None:
        self.touched[(order.book_side, order.book_ticks)] = order.new.id

    def best(self, leg: Leg, side: Side) -> int | None:
        """Best price of one side of one token's book."""
        if leg is Leg.YES:
            return self.book.best_ticks(side)
        ticks = self.book.best_ticks(Side(-side))
        return None if ticks is None else WHOLE - ticks

    def depth(self, leg: Leg, side: Side, count: int = WHOLE) -> list[tuple[int, int]]:
        """(price, lots) of one side of one token's book, best first."""
        if leg is Leg.YES:
            return [(ticks, lots) for ticks, lots, _ in self.book.depth(side, count)]
        return [(WHOLE - ticks, lots) for ticks, lots, _ in self.book.depth(Side(-side), count)]

    def narrower_tick(self) -> int | None:
        """The finer tick that the book asks for now, None if the tick may stay."""
        if self.tick <= _NARROWED:
            return None
        bid, ask = self.book.best_ticks(Side.BUY), self.book.best_ticks(Side.SELL)
        high = bid is not None and bid > _NARROW_BEYOND
        low = ask is not None and ask < WHOLE - _NARROW_BEYOND
        return _NARROWED if high or low else None
