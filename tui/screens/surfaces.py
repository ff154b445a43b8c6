"""Screen 7: the quote over vol and inventory, the odds over vol and price, the venues over time; the present marked."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tui.looked import Drawn
from tui.screens.live import Live
from tui.widgets.blocks import Keys, Nobody
from tui.widgets.surfaces import ApartMap, BandMap, OddsMap, SurfaceHead


class Surfaces(Live[None]):
    """Follows the selection as screen 2 does. Higher terminals see bid and ask as well, wider ones more figures."""

    AUTO_FOCUS = ""

    def compose(self) -> ComposeResult:
        sight = self.sight
        yield from self.top()
        with Vertical(id="body"):
            yield SurfaceHead(sight)
            with Horizontal(id="maps"):
                yield BandMap(sight)
                yield OddsMap(sight)
            with Horizontal(id="more-maps"):
                yield BandMap(sight, Drawn.BID)
                yield BandMap(sight, Drawn.ASK)
            yield ApartMap(sight)
        with Vertical(id="nobody"):
            yield Nobody(sight)
        yield Keys(sight, "drawn", "next_market")
