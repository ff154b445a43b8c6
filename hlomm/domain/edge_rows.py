"""What linked events would bring now, and how far the venues stand apart; see `hlomm.domain.report`.

Made only when somebody looks, and seldom: `at_ms` says when, so that ages can be carried on from there.
"""

from __future__ import annotations

import msgspec

from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.markets import Leg
from hlomm.domain.units import Cash, Px, Qty


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base: encoded as a map, so that fields can be added."""


class ExecutableRow(Row, frozen=True):
    """One venue's contract, in YES space: what that many contracts would be traded at now, our own orders left out."""

    market: MarketId
    bid: Px | None = None
    """Average that YES is sold at (or NO bought at one minus it), rounded down; None if the book has not that many."""
    ask: Px | None = None
    """Average that YES is bought at, rounded up."""
    age_s: float | None = None
    """Of the book; None if it was never seen."""


class EdgeRow(Row, frozen=True):
    """One link: what a pair would leave, whether or not that is enough. Amounts are for `qty` pairs."""

    group: str
    left: ExecutableRow
    right: ExecutableRow
    qty: Qty
    buys: tuple[Leg, Leg] | None = None
    """Tokens of the better way round; None if no way has both legs."""
    gross: Cash | None = None
    """What the tokens pay, less their prices, before anything is taken off."""
    fees: tuple[Cash, Cash] = (Cash(0), Cash(0))
    rounding: Cash = Cash(0)
    bridge: Cash = Cash(0)
    capital: Cash = Cash(0)
    """Price of the time until both legs have paid."""
    basis: Cash = Cash(0)
    """Charge for legs that may settle opposite ways."""
    legging: Cash = Cash(0)
    """Expected cost of being left with one leg."""
    leaves: Cash | None = None
    """Gross less all of these; None if nobody can tell, see `note`."""
    needs: Cash | None = None
    """Least that it would have to leave to be traded."""
    apart: int | None = None
    """Probability that both legs lose, in 1e-8."""
    note: str = ""
    """Why what it leaves cannot be told."""
    why_not: str = ""
    """What keeps it from being traded: `guard: detail` with numbers."""
    held: Qty = Qty(0)
    """Pairs of it that are held."""


class StandingRow(Row, frozen=True):
    """One venue's price of an event against what all the others say, over the lookback. In price, YES space."""

    market: MarketId
    deviation: Px | None = None
    """Now, signed: positive where it is dearer than the others; None without two fresh two-sided books."""
    threshold: Px | None = None
    """What trading on it costs."""
    mean: Px = Px(0)
    """Of |deviation|."""
    peak: Px = Px(0)
    beyond: int = 0
    """Share, in 1e-8, of the time it was known that it was beyond the threshold."""
    known_s: float = 0
    heat: tuple[int, ...] = ()
    """|deviation| in percent of the threshold, in equal stretches of the lookback, oldest first; -1 where not known."""


class EventRow(Row, frozen=True):
    """Contracts of several venues that links hold together."""

    key: str
    lookback_s: float
    standings: tuple[StandingRow, ...] = ()


class DeviationRow(Row, frozen=True):
    """A venue's price began to stand farther apart than trading on it costs."""

    wall_ms: int
    market: MarketId
    ticker: str
    deviation: Px
    threshold: Px


class IncomeRow(Row, frozen=True):
    """What a venue pays for quoting, estimated; no part of any result until it is paid."""

    venue: VenueId
    rebates: Cash = Cash(0)
    """Shares of the fees that takers paid on our resting orders' fills in this run."""
    scoring: int = 0
    """Contracts in which what rests now earns liquidity rewards."""
    quoted: int = 0
    """Contracts with such a programme in which anything of ours rests."""
    share: int = 0
    """Mean over those that score of our share of it, in 1e-8, the visible book taken for a single competitor."""
    per_day: Cash = Cash(0)
    """What that share of the pools pays a day, where the venue tells the pool."""


class EdgeReport(Row, frozen=True):
    at_ms: int = 0
    edges: tuple[EdgeRow, ...] = ()
    left_out: int = 0
    """Links that would have a row and have none because there are too many."""
    events: tuple[EventRow, ...] = ()
    deviations: tuple[DeviationRow, ...] = ()
    """Oldest first."""
    income: tuple[IncomeRow, ...] = ()
