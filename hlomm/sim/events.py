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
    NEGATE = "Negate Outcome"
    MERGE_QUESTION = "Merge Question"
    OPEN_LONG = "Open Long"
    OPEN_SHORT = "Open Short"
    CLOSE_LONG = "Close Long"
    CLOSE_SHORT = "Close Short"
    LONG_TO_SHORT = "Long > Short"
    SHORT_TO_LONG = "Short > Long"


@attrs.frozen
class Liquidation:
    """Why a fill happened: whose account was closed, at which mark (ticks), and by `market` or `backstop`."""

    user: str
    mark_ticks: int
    method: str


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
    liquidation: Liquidation | None = None

    def liquidated(self, how: Liquidation) -> FillRow:
        """The same fill as part of a liquidation."""
        return attrs.evolve(self, liquidation=how)


@attrs.frozen(kw_only=True)
class FundingRow:
    """One funding payment: `usdc` received (negative: paid) on `lots` at an hourly `rate`, money and rate in 1e-8."""

    usdc: int
    lots: int
    rate: int
    time_ms: int
    hash: str


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


@attrs.frozen
class QuestionUpdated:
    """A question was listed, or one of its named outcomes was settled before the rest."""

    question: int


@attrs.frozen
class QuestionSettled:
    question: int


@attrs.frozen
class FundingPaid:
    account: Account
    row: FundingRow


@attrs.frozen(kw_only=True)
class Liquidated:
    """An account was closed by force; notional and equity are cash just before."""

    account: Account
    number: int
    backstop: str
    notional: int
    equity: int


Event = (
    OrderChanged
    | Fill
    | Traded
    | VenueCancel
    | BalanceChanged
    | OutcomeCreated
    | OutcomeSettled
    | QuestionUpdated
    | QuestionSettled
    | FundingPaid
    | Liquidated
)


def mirrored(trade: Trade, leg: Leg) -> tuple[int, Side, str, str, int]:
    """(ticks, aggressor, buyer, seller, tid) of a trade as printed on one leg's coin."""
    if leg is Leg.YES:
        return trade.ticks, trade.aggressor, trade.bid_user, trade.ask_user, trade.tids[0]
    return WHOLE - trade.ticks, Side(-trade.aggressor), trade.ask_user, trade.bid_user, trade.tids[1]
