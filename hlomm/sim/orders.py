"""Orders as the exchange keeps them: own coin, own side, and where they stand in the merged book."""

from __future__ import annotations

import attrs

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.sim.accounts import Account
from hlomm.sim.coins import OUTCOME_GRID, PERP_ASSET, PERP_COIN, PERP_GRID, WHOLE, Grid, outcome_asset, outcome_coin
from hlomm.sim.refusals import Refusal, Status


@attrs.frozen
class Target:
    """What an order trades: one leg of an outcome, or the perp (`outcome` None)."""

    outcome: int | None
    leg: Leg = Leg.YES

    @property
    def coin(self) -> str:
        return PERP_COIN if self.outcome is None else outcome_coin(self.outcome, self.leg)

    @property
    def asset(self) -> int:
        return PERP_ASSET if self.outcome is None else outcome_asset(self.outcome, self.leg)

    @property
    def grid(self) -> Grid:
        return PERP_GRID if self.outcome is None else OUTCOME_GRID


PERP: Target = Target(None)


@attrs.frozen(kw_only=True)
class NewOrder:
    """A request to trade. `ticks` is the price of the target's own coin, `lots` the size, both in the grid's units."""

    target: Target
    side: Side
    ticks: int
    lots: int
    tif: Tif
    reduce_only: bool = False
    cloid: str | None = None


@attrs.define(eq=False, kw_only=True)
class Order:
    """A live order. `lots` is what is left; book side and book price are in YES space."""

    oid: int
    account: Account
    target: Target
    side: Side
    ticks: int
    lots: int
    lots_original: int
    tif: Tif
    reduce_only: bool
    cloid: str | None
    placed_ms: int
    book_side: Side
    book_ticks: int
    rank: int
    """0 for sells of held tokens, 1 for dual buys: at one merged price the former go first."""

    @classmethod
    def accept(cls, new: NewOrder, account: Account, oid: int, now_ms: int) -> Order:
        """The order as it enters the merged book: buying NO is selling YES at the complement."""
        flips = new.target.leg is Leg.NO
        perp = new.target.outcome is None
        return cls(
            oid=oid,
            account=account,
            target=new.target,
            side=new.side,
            ticks=new.ticks,
            lots=new.lots,
            lots_original=new.lots,
            tif=new.tif,
            reduce_only=new.reduce_only,
            cloid=new.cloid,
            placed_ms=now_ms,
            book_side=Side(-new.side) if flips else new.side,
            book_ticks=WHOLE - new.ticks if flips else new.ticks,
            rank=0 if perp or new.side is Side.SELL else 1,
        )

    def own_ticks(self, book_ticks: int) -> int:
        """A price of the merged book in the view of this order's coin."""
        return WHOLE - book_ticks if self.target.leg is Leg.NO else book_ticks

    @property
    def cost(self) -> int:
        """Cash that the remaining size needs at the limit price, in 1e-8."""
        return self.ticks * self.lots * self.target.grid.cash


@attrs.frozen(kw_only=True)
class OrderRow:
    """What is remembered and reported of an order at one change of its status."""

    oid: int
    target: Target
    side: Side
    ticks: int
    lots: int
    lots_original: int
    tif: Tif
    reduce_only: bool
    cloid: str | None
    placed_ms: int
    status: Status
    status_ms: int

    @classmethod
    def of(cls, order: Order, status: Status, now_ms: int) -> OrderRow:
        return cls(
            oid=order.oid,
            target=order.target,
            side=order.side,
            ticks=order.ticks,
            lots=order.lots,
            lots_original=order.lots_original,
            tif=order.tif,
            reduce_only=order.reduce_only,
            cloid=order.cloid,
            placed_ms=order.placed_ms,
            status=status,
            status_ms=now_ms,
        )


@attrs.frozen
class Resting:
    """The order rests (possibly after filling in part)."""

    oid: int
    cloid: str | None


@attrs.frozen
class Filled:
    """The order filled: `lots` in all for `cash_ticks` ticks times lots, in the view of its own coin."""

    oid: int
    cloid: str | None
    lots: int
    tick_lots: int
    grid: Grid


@attrs.frozen
class Refused:
    refusal: Refusal


Placed = Resting | Filled | Refused
