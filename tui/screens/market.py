"""Screen 2: one market in full. Ladder, fair value, quote, trades, payoff, and why it is quoted or not."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tui.screens.live import Live
from tui.widgets.blocks import Facts, Keys, Ladder, Nobody, Positions
from tui.widgets.market import Band, MarketFills, MarketHead, Payoff, Trades, WhyFull


class Market(Live[None]):
    """Follows the selection: arrow keys walk through the markets. Wider terminals see every number of the strategy."""

    AUTO_FOCUS = ""

    def compose(self) -> ComposeResult:
        sight = self.sight
        yield from self.top()
        with Vertical(id="body"):
            yield MarketHead(sight)
            with Horizontal(id="market"):
                with Vertical(id="market-left"):
                    yield Ladder(sight)
                    yield Payoff(sight)
                with Vertical(id="market-middle"):
                    yield Band(sight)
                    yield Trades(sight)
                with Vertical(id="market-right"):
                    yield Facts(sight)
                    yield Positions(sight)
            yield WhyFull(sight)
            yield MarketFills(sight, id="fills")
        with Vertical(id="nobody"):
            yield Nobody(sight)
        yield Keys(sight, "view", "next_market")
