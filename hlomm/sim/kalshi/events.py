"""What happened at the venue, in order: the only thing that feeds, and the portfolio's read side, are made from."""

from __future__ import annotations

from enum import StrEnum

import attrs

from hlomm.domain.orders import Side
from hlomm.sim.kalshi.accounts import Account, Order
from hlomm.sim.kalshi.orders import Reason, Status


@attrs.frozen(kw_only=True)
class BookChanged:
    """A level of one ladder grew or shrank. `ticks` is the price of YES for both sides."""

    ticker: str
    side: Side
    ticks: int
    lots: int
    """Signed change."""
    owner: Account | None = None
    """Whose order it was, for a client's."""
    client_id: str | None = None


@attrs.frozen
class BookWiped:
    """All levels are gone at once, some time after the close."""

    ticker: str


@attrs.frozen(kw_only=True)
class Traded:
    trade_id: str
    ticker: str
    ticks: int
    lots: int
    taker: Side


@attrs.frozen(kw_only=True)
class Filled:
    """One client's part of a trade, with the position after it."""

    account: Account
    order: Order
    trade_id: str
    ticks: int
    lots: int
    fee: int
    is_taker: bool
    position: int


@attrs.frozen(kw_only=True)
class OrderChanged:
    """A client's order as it is at this moment (the order itself moves on)."""

    account: Account
    order: Order
    status: Status
    reason: Reason | None
    filled: int
    lots: int


@attrs.frozen
class PositionChanged:
    account: Account
    ticker: str


@attrs.frozen
class CashChanged:
    account: Account


@attrs.frozen(kw_only=True)
class Settled:
    """A client's position was paid out."""

    account: Account
    ticker: str
    lots: int
    cost: int
    fees: int
    payout: int


class LifecycleKind(StrEnum):
    """`event_type` of the lifecycle channel."""

    CREATED = "created"
    ACTIVATED = "activated"
    DEACTIVATED = "deactivated"
    DETERMINED = "determined"
    SETTLED = "settled"
    LEVELS = "price_level_structure_updated"
    METADATA = "metadata_updated"


@attrs.frozen
class Lifecycle:
    """A frame of the lifecycle channel; `aspect` names which part of the metadata changed."""

    kind: LifecycleKind
    ticker: str
    aspect: str = ""


class GroupKind(StrEnum):
    CREATED = "created"
    TRIGGERED = "triggered"
    RESET = "reset"
    DELETED = "deleted"
    LIMIT = "limit_updated"


@attrs.frozen
class GroupChanged:
    account: Account
    kind: GroupKind
    group_id: str
    limit: int


@attrs.frozen
class FeesChanged:
    """An event's fees were overridden."""

    event_ticker: str
    kind: str
    multiplier: int


@attrs.frozen
class IndexPrinted:
    """One second of the index: value in cents."""

    time_ns: int
    cents: int


Event = (
    BookChanged
    | BookWiped
    | Traded
    | Filled
    | OrderChanged
    | PositionChanged
    | CashChanged
    | Settled
    | Lifecycle
    | GroupChanged
    | FeesChanged
    | IndexPrinted
)
