"""Parts of the market screen."""

from __future__ import annotations

from collections.abc import Sequence

from hlomm.domain.report import FillRow
from tui.views import activity, market, market_payoff, tape, why
from tui.views.line import Line, Span, Tone, line
from tui.widgets.lists import Fills
from tui.widgets.panel import Panel


class MarketHead(Panel):
    FITTED = True

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return market.head(self.store, self.sight.now_s, width)


class Band(Panel):
    FITTED = True

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return market.band(self.store, self.sight.now_s, width)


class Trades(Panel):
    def lines(self, width: int, height: int) -> Sequence[Line]:
        return tape.lines(self.store, self.sight.now_s, width, height)


class Payoff(Panel):
    FITTED = True

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return market_payoff.lines(self.store, width)


class WhyFull(Panel):
    """As much of the reasons as leaves room for the rest; ENTER shows what does not fit."""

    FITTED = True
    LOW, HIGH = 5, 10
    """Lines in low terminals, and in higher ones."""

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        low = not self.is_attached or self.screen.has_class("-low")
        most = self.LOW if low else self.HIGH
        whole = why.full(self.store, self.sight.now_s, width)
        if len(whole) <= most:
            return whole
        left = len(whole) - most + 1
        return [*whole[: most - 1], line(Span(f"     … {left} more lines: enter shows all of it", Tone.LABEL))]


class MarketFills(Fills):
    """Of this market alone."""

    def items(self) -> Sequence[FillRow]:
        row = self.store.market()
        return [] if row is None else [one for one in activity.fills(self.store) if one.market == row.id]

    def head(self, width: int) -> Line:
        return market.fills_head(self.items(), width)

    def empty(self) -> str:
        return "no fill of ours here yet, as far back as the daemon remembers"
