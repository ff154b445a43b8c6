"""What single contracts can lose, by how they end: held, pending, or about to be ordered (QUANT 7). Exact.

Pending orders may fill in any combination; at one ending the worst combination is that of all orders that lose there,
so adding those up covers every interleaving.

Losses of an outcome are those of its whole life: what was paid for it, less what it has brought in and will pay. So a
fill changes them by exactly what was reckoned with before it. A perp's are counted from the price of closing it now,
and it is followed as far as the stress move and no farther. Fees are not counted.
"""

from __future__ import annotations

from typing import Final

import attrs
import msgspec

from hlomm.domain.ids import MarketId
from hlomm.domain.markets import Comparator, Market
from hlomm.domain.orders import Side
from hlomm.domain.units import SCALE, Px, notional_ceil
from hlomm.engine.state import MarketState, State
from hlomm.pricing.scenario import Claim

STRESS: Final = SCALE // 5
"""Largest move of an underlying reckoned with: a fifth, for a day."""
Ending = tuple[int, bool]
"""(settlement price, whether the question pays its fallback)."""
EITHER: Final[tuple[Ending, ...]] = ((0, False), (1, False))
"""Endings of an outcome by itself: NO and YES."""


Losses = tuple[int, int]
"""What an outcome loses if NO is paid, and if YES is."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Losses by ending, with the worst combination of pending orders filled; negative is a gain."""

    at: tuple[Ending, ...]
    losses: tuple[int, ...]
    paid: tuple[int, ...] | None = None
    """By ending whether the outcome that was asked about pays YES, 0 or 1."""

    @property
    def worst(self) -> int:
        return max(self.losses, default=0)


# -- outcomes


def priced(market: Market) -> bool:
    """Whether it is decided by a price, or by that none decided its question."""
    return market.fallback or market.strike is not None or market.floor is not None or market.ceiling is not None


def bounds(market: Market) -> list[Px]:
    """Prices at which the payoff jumps."""
    return [bound for bound in (market.strike, market.floor, market.ceiling) if bound is not None]


def pays_yes(market: Market, ending: Ending) -> bool:
    """Whether YES is paid. Without a question there is no fallback, whatever the ending says."""
    at, other = ending
    if market.question is not None and (other or market.fallback):
        return other and market.fallback
    if market.strike is not None:
        return at > market.strike if market.comparator is Comparator.ABOVE else at >= market.strike
    if market.floor is None and market.ceiling is None:
        return at == 1
    return (market.floor is None or at >= market.floor) and (market.ceiling is None or at < market.ceiling)


def claim(market: Market, yes: int, no: int) -> Claim:
    """Tokens as the scenarios of `pricing` take them; one that no price decides hangs on nothing."""
    if not bounds(market):
        return Claim(yes=yes, no=no)
    floor = market.floor if market.strike is None else market.strike
    above = market.strike is not None and market.comparator is Comparator.ABOVE
    return Claim(yes=yes, no=no, floor=floor, ceiling=market.ceiling, above=above)


def losses(state: State, market: MarketId) -> Losses:
    """Of one outcome by itself."""
    position, pending = state.portfolio.position(market), state.orders.pending(market)
    spent = position.cost_yes + position.cost_no - position.realised
    return spent - position.no + pending.if_no, spent - position.yes + pending.if_yes


def event(state: State, market: MarketState) -> Profile:
    """The same as a profile."""
    return Profile(at=EITHER, losses=losses(state, market.market.id), paid=(0, 1))


# -- perps


def stress(value: int) -> int:
    """What the stress move loses on a perp position of that (signed) value, rounded up."""
    return -(-abs(value) * STRESS // SCALE)


@attrs.frozen(kw_only=True)
class PerpStake:
    """A perp position of signed quantity, and orders that may change it.

    It is not there to be closed at the very price that settles its outcomes: a jump may take the margin from the
    largest position that its orders can make of it.
    """

    qty: int
    long_px: int
    """Where a long position could be closed now."""
    short_px: int
    pending: tuple[tuple[Side, int, int], ...] = ()
    """(side, limit price, quantity)."""
    jump_margin: int = 0
    """Share of its value, in 1e-8."""

    bounds: tuple[int, int, int, int] = attrs.field(init=False, eq=False)
    """Prices between which it loses the most at one of them: it is followed from the first to the last."""
    largest: int = attrs.field(init=False, eq=False)
    """Position after the worst combination of its orders, either way."""

    @bounds.default
    def _bounds(self) -> tuple[int, int, int, int]:
        low, high = self.long_px - self.long_px * STRESS // SCALE, self.short_px + self.short_px * STRESS // SCALE
        return low, self.long_px, self.short_px, high

    @largest.default
    def _largest(self) -> int:
        bought = sum(qty for side, _, qty in self.pending if side is Side.BUY)
        sold = sum(qty for side, _, qty in self.pending if side is Side.SELL)
        return max(abs(self.qty + bought), abs(self.qty - sold))

    @property
    def idle(self) -> bool:
        return not self.qty and not self.pending

    def jump(self, at: int) -> int:
        """What a jump may take from one coin that is closed there; rounded up."""
        return -(-self._closed(at) * self.jump_margin // SCALE)

    def unit_loss(self, side: Side, px: int, at: int) -> int:
        """What one coin of an order loses if it is closed there, in 1e-8; negative if it gains.

        It may have filled long ago, and what it has gained since may be lost again: so it counts from the worse of its
        price and that of closing now.
        """
        paid = max(px, self.short_px) if side is Side.BUY else min(px, self.long_px)
        return side * (paid - self._closed(at))

    def loss(self, at: int) -> int:
        """With all orders filled that lose there; rounded up."""
        total = -(self.qty * (self._closed(at) - (self.long_px if self.qty > 0 else self.short_px)) // SCALE)
        total += notional_ceil(Px(self.jump(at)), self.largest)
        for side, px, qty in self.pending:
            total += notional_ceil(Px(max(self.unit_loss(side, px, at), 0)), qty)
        return total

    def _closed(self, at: int) -> int:
        low, _, _, high = self.bounds
        return min(max(at, low), high)


def perp_stake(state: State, perp: MarketId) -> PerpStake | None:
    """None without a market or a price. A position whose price has not been heard of yet stands at its entry price."""
    market, held = state.markets.get(perp), state.portfolio.perps.position(perp)
    if market is None:
        return None
    entry = held.cost * SCALE // held.qty if held.qty else None
    long_px, short_px = market.closing_px(1) or entry, market.closing_px(-1) or entry
    if long_px is None or short_px is None:
        return None
    orders = state.orders.pending(perp).orders
    pending = tuple((order.side, int(order.px), order.exposed) for order in orders if order.exposed)
    return PerpStake(
        qty=held.qty, long_px=long_px, short_px=short_px, pending=pending, jump_margin=state.config.hedge.jump_margin
    )
