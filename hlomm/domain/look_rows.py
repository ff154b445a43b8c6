"""One market in full: public trades, the queue before our orders, what its quote and its odds would be elsewhere.

Made only while somebody looks; `at_ms` says when, so that ages can be carried on from there.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hlomm.domain.ids import MarketId
from hlomm.domain.orders import Side
from hlomm.domain.units import Px, Qty

SIGMAS: Final = 11
"""Columns of a surface; odd, so that the live one is in the middle."""
ROWS: Final = 17


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base: encoded as a map, so that fields can be added."""


class PrintRow(Row, frozen=True):
    """One public trade in YES space."""

    wall_ms: int
    px: Px
    qty: Qty
    aggressor: Side
    """BUY if the taker gained from YES."""


class QueueRow(Row, frozen=True):
    """What stands before one resting order of ours at its price, as far as can be told from outside."""

    direction: int
    """+1 the bid, -1 the ask, in YES space."""
    px: Px
    ahead: Qty | None
    """Contracts of others; None where the venue shows no such level."""
    watched_s: float = 0
    """For so long trades at that price have been taken off it; before, all that stood there counted as ahead."""


class BandRow(Row, frozen=True):
    """The quote over the vol of the contract's price and the inventory, all else as it was decided on.

    Cells by inventory, then by vol: `ROWS` times `SIGMAS`. Prices in YES space; None is no quote on that side.
    """

    sigmas: tuple[int, ...]
    """Standard deviation of the price in one root second, in 1e-8, ascending."""
    nets: tuple[int, ...]
    """YES minus NO contracts, in 1e-8, descending."""
    at: tuple[int, int]
    """(row, column) that is the present: exactly what was decided on."""
    bids: tuple[Px | None, ...]
    asks: tuple[Px | None, ...]
    reservations: tuple[Px | None, ...]
    halves: tuple[Px | None, ...]
    """Half-spreads; one stays for display where the width decides that nothing is quoted."""
    why: str = ""
    """What keeps a side from being quoted at the present."""
    max_half: Px = Px(0)


class OddsRow(Row, frozen=True):
    """P(YES) of the model over the expected vol and the price of the underlying; cells as in `BandRow`."""

    sigmas: tuple[int, ...]
    """Of the underlying to the settlement, per root year, in 1e-8, ascending."""
    spots: tuple[Px, ...]
    """Descending."""
    at: tuple[int, int]
    cells: tuple[Px, ...]
    spot_age_s: float | None = None
    """Of the underlying's price when it was decided on."""


class SurfaceRow(Row, frozen=True):
    """Both surfaces of one market, around its last decision."""

    source: str = ""
    """Whose quote it is."""
    decided_ms: int = 0
    tau_s: float = 0
    p: Px | None = None
    """Fair value that was decided on."""
    band: BandRow | None = None
    odds: OddsRow | None = None
    note: str = ""
    """Why there is none, or only one."""


class FigureRow(Row, frozen=True):
    """What a strategy says of its last decision beside its facts."""

    pulled_below_s: float
    """Time to settlement below which its quote would be pulled at the present fair value; 0 where it never would."""
    book_now: Px | None = None
    """The book's price, moved by what the underlying did since: what the fair value was blended with."""


class LookRow(Row, frozen=True):
    market: MarketId
    at_ms: int
    trades: tuple[PrintRow, ...] = ()
    """Oldest first."""
    queues: tuple[QueueRow, ...] = ()
    figures: FigureRow | None = None
    """None where no strategy says."""
    drain_s: float | None = None
    """In the last so many seconds only reductions are quoted."""
    surface: SurfaceRow | None = None
    """None unless it was asked for."""
    note: str = ""
    """Why there is nothing to tell."""
