"""What a strategy sees of one market, and what it may want.

A view is a value: integers as the engine keeps them, taken at one instant. Own resting orders are already removed
from the book, so that a quote never feeds the fair value it was made from.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import attrs
import msgspec

from hlomm.domain.basket_rows import ArbitrageKind
from hlomm.domain.event import LegTerms
from hlomm.domain.fee import curve_fee, curve_rate
from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import Level
from hlomm.domain.markets import FeeCurve, Leg, Market
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Cash, Px, Qty

_EXACTLY = Px(0)


class BookShape(StrEnum):
    UNKNOWN = "unknown"
    """No snapshot yet."""
    EMPTY = "empty"
    BID_ONLY = "bid_only"
    ASK_ONLY = "ask_only"
    TWO_SIDED = "two_sided"
    CROSSED = "crossed"


class MarketView(msgspec.Struct, frozen=True, kw_only=True):
    """One market at one instant, in YES space."""

    market: Market
    mono_ns: int
    wall_ns: int
    tau_ns: int
    shape: BookShape
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    book_age_ns: int
    book_count: int
    """How many book updates this market has seen: an estimator samples only when it changed."""
    underlying_px: Px | None
    """Mark price of the underlying perp, None before the first."""
    underlying_age_ns: int
    underlying_mid2: int | None
    """Twice the perp's mid (bid + ask, exact), None without a two-sided perp book."""
    yes: Qty
    no: Qty
    equity: Cash
    close_maker_fee: int
    """Fee fraction in 1e-8 on a maker fill that reduces."""
    open_taker_fee: int = 0
    """The same on a taker fill that opens."""
    close_taker_fee: int = 0
    """On a taker fill that reduces."""
    settle_fee: int = 0
    """On what a settlement pays."""
    merge_fee: int = 0
    """On what a merge pays."""
    open_maker_fee: int = 0
    """On a maker fill that opens. Where a curve is charged, these are its dearest shares over all prices."""
    curve: FeeCurve | None = None
    """What trades really cost where that is a curve."""

    def fee(self, side: Side, px: int, qty: int, *, maker: bool = False) -> Cash:
        """Most that a fill costs at an own-coin price, rounded against us: purchases open, sales reduce."""
        if self.curve is not None:
            return curve_fee(self.curve, px, qty, maker=maker)
        opens, closes = (
            (self.open_maker_fee, self.close_maker_fee) if maker else (self.open_taker_fee, self.close_taker_fee)
        )
        return Cash(-(-px * qty * (opens if side is Side.BUY else closes) // (SCALE * SCALE)))

    def taker_share(self, px: int) -> int:
        """Largest fraction (1e-8) of the notional that a purchase costs at that own-coin price or a higher one."""
        return self.open_taker_fee if self.curve is None else curve_rate(self.curve, px, SCALE, maker=False)

    @property
    def net(self) -> int:
        """YES minus NO tokens, signed."""
        return self.yes - self.no


class Wish(msgspec.Struct, frozen=True, gc=False):
    """One side of a quote: price in YES space on the tick grid, quantity in lots."""

    px: Px
    qty: Qty


@attrs.frozen(kw_only=True)
class Take:
    """Something to trade at once, at a limit in YES space or better."""

    direction: int
    """+1 gains from YES (buy YES or sell NO), -1 the opposite."""
    px: Px
    qty: Qty
    reason: str
    """The edge and what it is made of, for people."""


@attrs.frozen
class BasketLeg:
    """One token to buy, at its own coin's limit or better."""

    market: MarketId
    leg: Leg
    px: Px
    sale: bool = False
    """Of a pair that is held the other token is sold, at one minus that limit or better, and this one kept."""


@attrs.frozen(kw_only=True)
class Basket:
    """Tokens that are worth more together than they cost: all of them in equal numbers, or none."""

    legs: tuple[BasketLeg, ...]
    qty: Qty
    """Sets; whole contracts."""
    least: Qty
    """Fewer are not worth the trouble."""
    worth: Cash
    """What one set turns into, the conversion paid; where it is held, what it pays at least."""
    edge: Cash
    """Least that one set leaves: every leg filled at its limit, all fees taken off."""
    max_unwind_loss: Cash
    """Most that mending and unwinding may lose if not every leg fills."""
    reason: str
    """What it is made of, for people."""
    deadline_ns: int = 0
    """Longest time with unequal legs before what is too much is sold; 0: the number of attempts decides alone."""


@attrs.frozen(kw_only=True)
class PairView:
    """Two contracts at one instant: a reviewed link, one event at two venues; or two strikes, the lower one left."""

    left: MarketView
    right: MarketView
    terms: tuple[LegTerms, LegTerms]
    max_mismatch: int
    """Most probability, in 1e-8, of settling opposite ways at which it may trade."""
    held: int
    """Pairs that are held already."""
    staked: int
    """Those, and pairs of one of the two contracts with a third: they may all be lost by the same settlement."""
    kind: ArbitrageKind = ArbitrageKind.CROSS


@attrs.frozen(kw_only=True)
class Appraisal:
    """What a pair would leave now, bought the better way round, enough or not. Amounts for all of it."""

    legs: tuple[Leg, Leg]
    """Token bought of the left contract, and of the right one."""
    qty: Qty
    gross: Cash
    """What the tokens pay, less their prices."""
    fees: tuple[Cash, Cash]
    rounding: Cash
    bridge: Cash
    capital: Cash
    basis: Cash
    legging: Cash
    leaves: Cash
    """Gross less all of these."""
    needs: Cash
    """Least that it would have to leave."""
    apart: int
    """Probability that both legs lose, in 1e-8."""


class Sensitivity(msgspec.Struct, frozen=True, gc=False):
    """How the fair value of a YES contract moves with its underlying."""

    delta: int
    """Per contract, in 1e-8 of the underlying."""
    gamma: int
    """Per contract and unit of money squared, in 1e-16."""


Fact = float | str
Facts = tuple[tuple[str, Fact], ...]


class Reasons(Protocol):
    """The numbers behind a decision, told by name to whoever asks."""

    def __call__(self) -> Facts:
        """All of them."""

    def named(self, name: str) -> Fact | None:
        """One of them, without working out the others; None where there is none of that name."""


class Desired(msgspec.Struct, frozen=True, kw_only=True):
    """The quotes a strategy wants to be resting in one market. A missing side always has a reason."""

    bid: Wish | None
    ask: Wish | None
    bid_reason: str = ""
    ask_reason: str = ""
    fair: Px | None = None
    """Fair YES price; the engine uses it to mark and to check quotes against."""
    fair_source: str = ""
    """`book`, `model`, `blend`: what the fair value came from."""
    tolerance: Px = _EXACTLY
    """Distance from the wished price at which a resting quote is still good enough."""
    take: Take | None = None
    sensitivity: Sensitivity | None = None
    """None where no model says how the underlying matters; then nothing is hedged."""
    told: Reasons | None = None
    """Tells the facts: most decisions are made and nobody asks."""

    @property
    def facts(self) -> Facts:
        """Named numbers behind the decision, for people; worked out for whoever asks."""
        return () if self.told is None else self.told()

    def fact(self, name: str) -> Fact | None:
        """One of them."""
        return None if self.told is None else self.told.named(name)


def no_quote(reason: str) -> Desired:
    return Desired(bid=None, ask=None, bid_reason=reason, ask_reason=reason)
