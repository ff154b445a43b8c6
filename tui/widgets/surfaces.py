"""Parts of the screen of surfaces."""

from __future__ import annotations

from collections.abc import Sequence

from tui.looked import Drawn
from tui.views import apart, surfaces
from tui.views.line import Line
from tui.widgets.panel import Panel, Sight


class SurfaceHead(Panel):
    FITTED = True

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return surfaces.head(self.store, self.sight.now_s, width)


class BandMap(Panel):
    def __init__(self, sight: Sight, drawn: Drawn | None = None) -> None:
        """`drawn`: a figure for good, where it is not the one that was chosen."""
        super().__init__(sight)
        self._figure = drawn

    def lines(self, width: int, height: int) -> Sequence[Line]:
        return surfaces.band(self.store, self.sight.now_s, width, height, self._figure)


class OddsMap(Panel):
    def lines(self, width: int, height: int) -> Sequence[Line]:
        return surfaces.odds(self.store, self.sight.now_s, width, height)


class ApartMap(Panel):
    FITTED = True

    def lines(self, width: int, height: int) -> Sequence[Line]:
        del height
        return apart.of_market(self.store, self.sight.now_s, width)
