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


class Source(StrEnum):
    """Whose price settles a contract. Two sources never print quite the same number."""

    HL_MARK = "hl_mark"
    """Hyperliquid's mark of the perp, held against the strike at the minute of expiry."""
    HL_DEPLOYER = "hl_deployer"
    """A deployer's key, by his own rule."""
    BINANCE_1M = "binance_1m"
    """Close of Binance's one-minute candle."""
    BINANCE_1H = "binance_1h"
    CHAINLINK = "chainlink"
    """A single print of the Chainlink stream."""
    CHAINLINK_TWAP = "chainlink_twap"
    """Chainlink's time-weighted average over `averaging_s`."""
    BRTI = "brti"
    """CF Benchmarks' real-time index, averaged over `averaging_s`."""


class FeeCurve(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Fee of a fill: coefficient x quantity x (price x (1 - price)) ** exponent, by role; coefficients in 1e-8."""

    taker: int
    maker: int = 0
    exponent: int = 1
    step: Cash = Cash(1)
    """Fees are whole multiples of this."""
    up: bool = True
    """Rounded up to the step; else to the nearest."""
    rebate: int = 0
    """Share of a taker's fee that its maker is paid later, in 1e-8: income, never part of a fill."""


class RewardTerms(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What a venue asks of resting orders before it pays for them."""

    min_qty: Qty
    """Smaller orders earn nothing."""
    max_spread: Px
    """Farther from the mid nothing is earned."""
    per_day: Cash = Cash(0)
    """Paid a day, over all who earn; 0 where the venue does not say."""


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
    source: Source = Source.HL_MARK
    settles_ns: int | None = None
    """End of the instant or window whose price decides; None: `expiry_ns`, the end of trading."""
    averaging_from_ns: int | None = None
    """Strike that is itself an average (up or down since the window began): when that window ended."""
    rules: str = ""
    """Digest of the venue's rules text: a link is reviewed for one text and no other."""
    void: str = ""
    """What becomes of it if the source is silent, in the venue's words shortened; empty where nobody says."""
    min_qty: Qty = Qty(0)
    """Fewest contracts an order may have."""
    ticks: tuple[tuple[Px, Px, Px], ...] = ()
    """(from, to, step) where the grid changes with the price, from the lowest up; empty: `tick` everywhere."""
    fee: FeeCurve | None = None
    """None where fees are a share of the notional (`FeeRates`)."""
    rewards: RewardTerms | None = None
    """None where resting orders earn nothing."""
    exclusive: str = ""
    """Event of the venue of whose contracts at most one pays, by the venue's own word; empty where it gives none."""
    template: str = ""
    """Digest of the rules text without its dates, times and numbers: alike for all contracts of a series."""

    def tau_ns(self, wall_ns: int) -> int:
        """Nanoseconds to settlement, never negative; 0 for perps."""
        if self.expiry_ns is None:
            return 0
        return max(self.expiry_ns - wall_ns, 0)
