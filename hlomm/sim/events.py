"""What happened inside one block, in order: the only thing that feeds and histories are made from."""

from __future__ import annotations

from enum import StrEnum

import attrs

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side
from hlomm.sim.accounts import Account
from hlomm.sim.coins import WHOLE
from hlomm.sim.orders import OrderRow, Target


class FillDir(StrEnum):
    """The venue's word for what a fill was."""

    BUY = "Buy"
    SELL = "Sell"
    SETTLEMENT = "Settlement"
    SPLIT = "Split Outcome"
    MERGE = "Merge Outcome"
    OPEN_LONG = "Open Long"
    OPEN_SHORT = "Open Short"
    CLOSE_LONG = "Close Long"
    CLOSE_SHORT = "Close Short"
    LONG_TO_SHORT = "Long > Short"
    SHORT_TO_LONG = "Short > Long"


@attrs.frozen(kw_only=True)
class FillRow:
    """One account's part of a trade (or of a split, merge, settlement). `px` in 1e-8 of the own coin."""

    target: Target
    px: int
    lots: int
    side: Side
    time_ms: int
    start_lots: int
    """Position in the own coin before the fill, signed for perps."""
    dir: FillDir
    closed_pnl: int
    hash: str
    oid: int
    crossed: bool
    fee: int
    tid: int
    cloid: str | None


@attrs.frozen(kw_only=True)
class Trade:
    """One public trade. `ticks` and `aggressor` are in YES space; the other coin shows the mirror image."""

    outcome: int | None
    ticks: int
    lots: int
    aggressor: Side
    bid_user: str
    ask_user: str
    time_ms: int
    hash: str
    tids: tuple[int, int]
    """Trade id on the YES coin (or the perp) and on the NO coin."""


@attrs.frozen
class OrderChanged:
    account: Account
    row: OrderRow


@attrs.frozen
class Fill:
    account: Account
    row: FillRow


@attrs.frozen
class Traded:
    trade: Trade


@attrs.frozen
class VenueCancel:
    """An order cancelled by the venue and not by its owner."""

    account: Account
    coin: str
    oid: int


@attrs.frozen
class BalanceChanged:
    account: Account


@attrs.frozen
class OutcomeCreated:
    outcome: int


@attrs.frozen
class OutcomeSettled:
    outcome: int


Event = OrderChanged | Fill | Traded | VenueCancel | BalanceChanged | OutcomeCreated | OutcomeSettled


def mirrored(trade: Trade, leg: Leg) -> tuple[int, Side, str, str, int]:
    """(ticks, aggressor, buyer, seller, tid) of a trade as printed on one leg's coin."""
    if leg is Leg.YES:
        return trade.ticks, trade.aggressor, trade.bid_user, trade.ask_user, trade.tids[0]
    return WHOLE - trade.ticks, Side(-trade.aggressor), trade.ask_user, trade.bid_user, trade.tids[1]
