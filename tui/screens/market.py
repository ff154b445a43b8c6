"""One market in full: ladder, numbers, reasons. What a wide overview shows at its side, for any terminal."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tui.screens.live import Live
from tui.widgets.blocks import Facts, Keys, Ladder, Money, Positions, TruthBar, WhyFull
from tui.widgets.lists import Fills


class Market(Live[None]):
    """Follows the selection: the arrow keys still walk through the markets."""

    AUTO_FOCUS = ""

    def compose(self) -> ComposeResult:
        sight = self.sight
        yield TruthBar(sight)
        yield Money(sight)
        with Horizontal(id="market"):
            yield Ladder(sight)
            with Vertical(id="market-side"):
                yield Facts(sight)
                yield Positions(sight)
        yield WhyFull(sight)
        yield Fills(sight, id="fills")
        yield Keys(sight)
