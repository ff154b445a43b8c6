"""The exchange's pen: hands out ids, knows the block's time, writes events and remembers orders and fills."""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from hlomm.sim.accounts import Account
from hlomm.sim.events import (
    BalanceChanged,
    Event,
    Fill,
    FillRow,
    FundingPaid,
    FundingRow,
    Liquidated,
    OrderChanged,
    Trade,
    Traded,
    VenueCancel,
)
from hlomm.sim.orders import Order, OrderRow
from hlomm.sim.refusals import Status

HISTORY_ORDERS: Final = 2000
HISTORY_FILLS: Final = 10_000
HISTORY_FUNDINGS: Final = 5_000
_FIRST_OID: Final = 57_000_000_000
_TID_BITS: Final = 50
_TID_STEP: Final = 0x2545F4914F6CD  # odd, so that multiples modulo 2**50 do not repeat


@attrs.define(eq=False)
class Blotter:
    """What is remembered about one account's trading."""

    open: dict[int, Order] = attrs.field(factory=dict)
    rows: dict[int, OrderRow] = attrs.field(factory=dict)
    """Latest state of each remembered order, oldest first."""
    cloids: dict[str, int] = attrs.field(factory=dict)
    """Latest owner of each client id: ids may be used again once the order is done."""
    fills: deque[FillRow] = attrs.field(factory=lambda: deque(maxlen=HISTORY_FILLS))
    fundings: deque[FundingRow] = attrs.field(factory=lambda: deque(maxlen=HISTORY_FUNDINGS))
    fill_ms: dict[int, int] = attrs.field(factory=dict)
    """Time of the latest fill per order."""

    def by_cloid(self, cloid: str) -> Order | None:
        """The open order that carries a client id."""
        oid = self.cloids.get(cloid)
        return None if oid is None else self.open.get(oid)


class Tape:
    """One per exchange. `now_ns` is the block being executed."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.events: list[Event] = []
        self.dirty: dict[int | None, None] = {}
        """Books touched in this block, in order; None is the perp."""
        self._blotters: dict[str, Blotter] = {}
        self._oid = _FIRST_OID
        self._tids = 0
        self._action = 0

    @property
    def now_ms(self) -> int:
        return self.now_ns // 1_000_000

    def next_oid(self) -> int:
        self._oid += 1
        return self._oid

    def next_tid(self) -> int:
        self._tids += 1
        return self._tids * _TID_STEP % (1 << _TID_BITS)

    def next_action(self) -> None:
        """A new transaction starts: what it does shares one hash."""
        self._action += 1

    @property
    def hash(self) -> str:
        """Hash of the transaction being executed: not a digest, but unique and of the right shape."""
        return f"0x{self._action:016x}{self.now_ns:016x}{self._action * 0x9E3779B97F4A7C15 % (1 << 128):032x}"

    def blotter_of(self, account: Account) -> Blotter:
        blotter = self._blotters.get(account.address)
        if blotter is None:
            blotter = self._blotters[account.address] = Blotter()
        return blotter

    def drain(self) -> tuple[list[Event], list[int | None]]:
        """Events and touched books since the last call."""
        events, dirty = self.events, list(self.dirty)
        self.events, self.dirty = [], {}
        return events, dirty

    # -- writing

    def touch(self, outcome: int | None) -> None:
        self.dirty[outcome] = None

    def trade(self, trade: Trade) -> None:
        self.events.append(Traded(trade))

    def order(self, order: Order, status: Status) -> None:
        """Record a change of an order's status. Background accounts keep only what is open."""
        blotter = self.blotter_of(order.account)
        if status is Status.OPEN:
            blotter.open[order.oid] = order
        else:
            blotter.open.pop(order.oid, None)
        if order.account.background:
            return
        row = OrderRow.of(order, status, self.now_ms)
        blotter.rows[order.oid] = row
        if order.cloid is not None:
            blotter.cloids[order.cloid] = order.oid
        self._trim(blotter)
        self.events.append(OrderChanged(order.account, row))

    def venue_cancel(self, order: Order) -> None:
        if not order.account.background:
            self.events.append(VenueCancel(order.account, order.target.coin, order.oid))

    def fill(self, account: Account, row: FillRow) -> None:
        if account.background:
            return
        blotter = self.blotter_of(account)
        blotter.fills.append(row)
        blotter.fill_ms[row.oid] = row.time_ms
        if len(blotter.fill_ms) > HISTORY_ORDERS:
            del blotter.fill_ms[next(iter(blotter.fill_ms))]
        self.events.append(Fill(account, row))

    def funding(self, account: Account, row: FundingRow) -> None:
        if not account.background:
            self.blotter_of(account).fundings.append(row)
            self.events.append(FundingPaid(account, row))

    def liquidated(self, event: Liquidated) -> None:
        self.events.append(event)

    def balance(self, account: Account) -> None:
        if not account.background:
            self.events.append(BalanceChanged(account))

    def _trim(self, blotter: Blotter) -> None:
        if len(blotter.rows) <= HISTORY_ORDERS:
            return
        oid = next(iter(blotter.rows))
        row = blotter.rows.pop(oid)
        if oid in blotter.open:
            blotter.rows[oid] = row  # still open: goes to the young end instead
        elif row.cloid is not None and blotter.cloids.get(row.cloid) == oid:
            del blotter.cloids[row.cloid]
