"""What can be traded: outcome contracts and perps."""

from __future__ import annotations

from enum import IntEnum, StrEnum

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


class Comparator(StrEnum):
    """How a settlement price is compared with a strike. The two differ at one price: the strike itself."""

    AT_LEAST = ">="
    ABOVE = ">"


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
    # Fields are encoded by place: new ones come last and have a default, so that older journals can be read.
    question: int | None = None
    """Number of the question this outcome belongs to; exactly one outcome of a question pays YES."""
    floor: Px | None = None
    """Leg of a bucket: YES pays from this price of the underlying on; None: from zero on."""
    ceiling: Px | None = None
    """Leg of a bucket: YES pays below this price; None: however high."""
    comparator: Comparator = Comparator.AT_LEAST
    """How the settlement price is held against `strike`."""
    averaging_s: int = 0
    """Seconds before expiry over which the settlement price is averaged; 0: the price of the instant."""
    fallback: bool = False
    """Pays YES if no named outcome of its question does."""
    fee_scale: int = 0
    """The deployer's factor in the fee rule, in 1e-8; 0 for what the protocol lists."""
    question_size: int = 0
    """Outcomes that its question had when it was listed, the fallback among them; 0 without a question."""

    def tau_ns(self, wall_ns: int) -> int:
        """Nanoseconds to settlement, never negative; 0 for perps."""
        if self.expiry_ns is None:
            return 0
        return max(self.expiry_ns - wall_ns, 0)
