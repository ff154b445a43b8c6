"""Orders and trades as the operator keeps them, and the life of a trade as a table."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.sim.pm.units import WHOLE
from hlomm.sim.pm.wallets import Wallet


class Kind(StrEnum):
    """Order types, spelt as on the wire."""

    GTC = "GTC"
    GTD = "GTD"
    FOK = "FOK"
    FAK = "FAK"

    @property
    def rests(self) -> bool:
        return self in {Kind.GTC, Kind.GTD}


class TradeStatus(StrEnum):
    MATCHED = "MATCHED"
    RETRYING = "RETRYING"
    MINED = "MINED"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"


TRADE_STEPS: Final[dict[TradeStatus, frozenset[TradeStatus]]] = {
    TradeStatus.MATCHED: frozenset({TradeStatus.MINED, TradeStatus.RETRYING}),
    TradeStatus.RETRYING: frozenset({TradeStatus.MINED, TradeStatus.FAILED}),
    TradeStatus.MINED: frozenset({TradeStatus.CONFIRMED}),
    TradeStatus.CONFIRMED: frozenset(),
    TradeStatus.FAILED: frozenset(),
}
"""What may follow what."""


@attrs.frozen(kw_only=True)
class NewOrder:
    """A request to trade one token. `ticks` is its limit in the token's own price, `lots` the size.

    `spend` bounds what a buy may cost before the fee, in cash. With `by_cash` a FOK or FAK buy goes on until that is
    spent and `lots` is no bound.
    """

    id: str
    number: int
    leg: Leg
    side: Side
    ticks: int
    lots: int
    kind: Kind
    post_only: bool = False
    expiration_s: int = 0
    owner: str = ""
    """API key."""
    spend: int | None = None
    by_cash: bool = False


@attrs.define(eq=False, kw_only=True)
class Order:
    """An accepted order. `lots` is what is left; book side and book price are in YES space."""

    oid: int
    new: NewOrder
    wallet: Wallet
    lots: int
    lots_original: int
    placed_ms: int
    book_side: Side
    book_ticks: int
    rank: int = 0
    """First come, first served within a price."""
    matched: int = 0
    trades: list[str] = attrs.field(factory=list)

    @classmethod
    def accept(cls, new: NewOrder, wallet: Wallet, oid: int, now_ms: int) -> Order:
        flips = new.leg is Leg.NO
        return cls(
            oid=oid,
            new=new,
            wallet=wallet,
            lots=new.lots,
            lots_original=new.lots,
            placed_ms=now_ms,
            book_side=Side(-new.side) if flips else new.side,
            book_ticks=WHOLE - new.ticks if flips else new.ticks,
        )

    def own_ticks(self, book_ticks: int) -> int:
        """A price of the merged book as one of this order's token."""
        return WHOLE - book_ticks if self.new.leg is Leg.NO else book_ticks


@attrs.frozen(kw_only=True)
class MakerFill:
    """One maker's part of a trade; its price is its own limit."""

    order: Order
    lots: int


@attrs.define(eq=False, kw_only=True)
class Trade:
    """One match of a taker with the makers of one price. `ticks` is the price of the taker's token."""

    id: str
    number: int
    taker: Order
    makers: tuple[MakerFill, ...]
    ticks: int
    lots: int
    fee: int
    bucket_index: int
    match_ms: int
    updated_ms: int
    status: TradeStatus = TradeStatus.MATCHED
    hash: str = ""

    @property
    def cash(self) -> int:
        """What the taker's side is worth, before the fee."""
        return self.lots * self.ticks

    def advance(self, status: TradeStatus, now_ms: int) -> None:
        assert status in TRADE_STEPS[self.status], f"a {self.status} trade does not become {status}"
        self.status, self.updated_ms = status, now_ms

    @property
    def private(self) -> bool:
        """Whether only background traders took part."""
        return self.taker.wallet.background and all(fill.order.wallet.background for fill in self.makers)
