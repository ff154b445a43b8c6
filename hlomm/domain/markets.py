"""What can be traded: outcome contracts and perps."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from hlomm.domain.ids import MarketId, VenueId
from hlomm.domain.units import Cash, Px, Qty


class MarketKind(IntEnum):
    OUTCOME = 0
    """A binary contract with a YES and a NO token that share one book."""
    PERP = 1


class Leg(IntEnum):
    """Which token of a market. A perp has only `YES`, the contract itself."""

    YES = 0
    NO = 1


class Market(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One book. Prices of an outcome are kept in YES space."""

    id: MarketId
    venue: VenueId
    kind: MarketKind
    ticker: str
    """Human name without side, see `hlomm.domain.ticker`."""
    underlying: str
    """Coin whose mark settles the outcome, or the perp's own coin."""
    tick: Px
    """Smallest price step; perps on Hyperliquid quote five significant figures, `tick` is then the finest."""
    lot: Qty
    min_notional: Cash
    """Smallest order value, in the order's own coin."""
    quote_token: str
    klass: str = "perp"
    """`priceBinary`, `template:<id>`, ... as the venue names it."""
    strike: Px | None = None
    expiry_ns: int | None = None
    """Wall time of settlement; None for perps."""
    period: str = ""
    """`1d`, `15m`, ... for recurring series."""
    deployer: str | None = None
    """Set on markets settled by a deployer's key instead of the protocol: a risk class of its own."""

    def tau_ns(self, wall_ns: int) -> int:
        """Nanoseconds to settlement, never negative; 0 for perps."""
        if self.expiry_ns is None:
            return 0
        return max(self.expiry_ns - wall_ns, 0)
