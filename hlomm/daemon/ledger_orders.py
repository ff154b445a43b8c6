"""Order rows of the ledger: what the records say became of each order.

The states are those of `hlomm.domain.orders`, moved by the same table. The engine knows more (when to believe that an
order never arrived), so an order may stay `unknown` here that the engine has given up; the note says what was heard.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final

import attrs

from hlomm.domain.faults import IllegalTransition
from hlomm.domain.ids import ClientId
from hlomm.domain.inputs import (
    AmendFailed,
    CancelFailed,
    OrderAnswer,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    SendLost,
    SendRefused,
    SentAction,
)
from hlomm.domain.markets import Leg
from hlomm.domain.orders import AmendRequest, OrderEvent, OrderRequest, OrderState, Side, advance
from hlomm.rundir.ledger_schema import exact

_INSERT: Final = """INSERT OR IGNORE INTO orders (client_id, epoch, seq, market, leg, side, px, qty, filled, tif,
    purpose, reduce_only, state, placed_ms, changed_ms, note) VALUES (?,?,?,?,?,?,?,?,0,?,?,?,?,?,?,'')"""
_SELECT: Final = "SELECT px, qty, filled, state, venue_id, was_px, was_qty, note FROM orders WHERE client_id = ?"
_UPDATE: Final = """UPDATE orders SET px = ?, qty = ?, filled = ?, state = ?, venue_id = ?, was_px = ?, was_qty = ?,
    note = ?, changed_ms = ? WHERE client_id = ?"""
_NOTE_LENGTH: Final = 200
_NOT_SENT: Final = {
    SentAction.PLACE: OrderEvent.REFUSED,
    SentAction.AMEND: OrderEvent.AMEND_REFUSED,
    SentAction.CANCEL: OrderEvent.CANCEL_REFUSED,
}


@attrs.define
class _Row:
    """The part of an order that changes."""

    px: int
    qty: int
    filled: int
    state: OrderState
    venue_id: str | None
    was_px: int | None
    """Price and quantity before an amend that is not yet confirmed."""
    was_qty: int | None
    note: str

    def meet(self, event: OrderEvent) -> None:
        """Move by the table; a pair outside it leaves the state alone, for a ledger judges nothing."""
        try:
            self.state = advance(self.state, event)
        except IllegalTransition:
            self.note = f"{event.value} while {self.state.value}"

    def gone(self, filled: int | None, status: str) -> None:
        whole = status == "filled" if filled is None else filled >= self.qty
        self.meet(OrderEvent.ALL_FILLED if whole else OrderEvent.CLOSED)
        self.note = status

    def amend_failed(self, text: str) -> None:
        if self.was_px is not None and self.was_qty is not None:
            self.px, self.qty = self.was_px, self.was_qty
        self.was_px = self.was_qty = None
        self.note = text


class Orders:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.handlers: dict[type, Callable[[Any, int], None]] = {
            OrderOpened: self._opened, OrderClosed: self._closed, OrderRejected: self._rejected,
            AmendFailed: self._amend_failed, CancelFailed: self._cancel_failed, SendLost: self._lost,
            SendRefused: self._not_sent, OrderAnswer: self._answered,
        }  # fmt: skip

    # -- what was decided

    def placed(self, order: OrderRequest, epoch: int, seq: int, wall_ms: int) -> None:
        self._connection.execute(
            _INSERT,
            (
                order.client_id, epoch, seq, order.market, Leg(order.leg).name, Side(order.side).name, exact(order.px),
                exact(order.qty), order.tif.value, order.purpose.value, int(order.reduce_only),
                OrderState.PENDING_NEW.value, wall_ms, wall_ms,
            ),
        )  # fmt: skip

    def amend_sent(self, amend: AmendRequest, wall_ms: int) -> None:
        def change(row: _Row) -> None:
            row.was_px, row.was_qty = row.px, row.qty
            row.px, row.qty = amend.px, row.filled + amend.qty
            row.meet(OrderEvent.AMEND_SENT)

        self._change(amend.client_id, wall_ms, change)

    def cancel_sent(self, client_id: ClientId, wall_ms: int) -> None:
        self._change(client_id, wall_ms, lambda row: row.meet(OrderEvent.CANCEL_SENT))

    # -- what was heard

    def filled(self, client_id: ClientId, qty: int, wall_ms: int) -> None:
        def change(row: _Row) -> None:
            row.filled += qty
            row.meet(OrderEvent.ALL_FILLED if row.filled >= row.qty else OrderEvent.PART_FILLED)

        self._change(client_id, wall_ms, change)

    def _opened(self, item: OrderOpened, wall_ms: int) -> None:
        def change(row: _Row) -> None:
            row.venue_id = item.venue_order_id
            row.was_px = row.was_qty = None
            row.meet(OrderEvent.OPENED)

        self._change(item.client_id, wall_ms, change)

    def _closed(self, item: OrderClosed, wall_ms: int) -> None:
        self._change(item.client_id, wall_ms, lambda row: row.gone(item.filled, item.status))

    def _rejected(self, item: OrderRejected, wall_ms: int) -> None:
        def change(row: _Row) -> None:
            row.meet(OrderEvent.REFUSED)
            row.note = f"{item.code}: {item.text}"

        self._change(item.client_id, wall_ms, change)

    def _amend_failed(self, item: AmendFailed, wall_ms: int) -> None:
        def change(row: _Row) -> None:
            row.meet(OrderEvent.LOST)
            row.amend_failed(f"{item.code}: {item.text}")

        self._change(item.client_id, wall_ms, change)

    def _cancel_failed(self, item: CancelFailed, wall_ms: int) -> None:
        def change(row: _Row) -> None:
            row.meet(OrderEvent.LOST)
            row.note = f"{item.code}: {item.text}"

        self._change(item.client_id, wall_ms, change)

    def _lost(self, item: SendLost, wall_ms: int) -> None:
        def change(row: _Row) -> None:
            row.meet(OrderEvent.LOST)
            row.note = f"{item.action.value} without an answer: {item.reason}"

        for client_id in item.client_ids:
            self._change(client_id, wall_ms, change)

    def _not_sent(self, item: SendRefused, wall_ms: int) -> None:
        def change(row: _Row) -> None:
            row.meet(_NOT_SENT[item.action])
            row.note = f"{item.action.value} not sent: {item.reason}"
            if item.action is SentAction.AMEND:
                row.amend_failed(row.note)

        for client_id in item.client_ids:
            self._change(client_id, wall_ms, change)

    def _answered(self, item: OrderAnswer, wall_ms: int) -> None:
        def change(row: _Row) -> None:
            if not item.found:
                row.note = "the venue knows no such order"
            elif item.open:
                row.venue_id = item.venue_order_id
                row.meet(OrderEvent.OPENED)
            else:
                row.gone(item.filled, item.status)

        self._change(item.client_id, wall_ms, change)

    def _change(self, client_id: ClientId, wall_ms: int, change: Callable[[_Row], None]) -> None:
        """Read, change, write; an order of no run on record has no row and gets none."""
        found = self._connection.execute(_SELECT, (client_id,)).fetchone()
        if found is None:
            return
        px, qty, filled, state, venue_id, was_px, was_qty, note = found
        row = _Row(
            px=int(px), qty=int(qty), filled=int(filled), state=OrderState(state), venue_id=venue_id,
            was_px=None if was_px is None else int(was_px), was_qty=None if was_qty is None else int(was_qty),
            note=note,
        )  # fmt: skip
        change(row)
        self._connection.execute(
            _UPDATE,
            (
                exact(row.px), exact(row.qty), exact(row.filled), row.state.value, row.venue_id, exact(row.was_px),
                exact(row.was_qty), row.note[:_NOTE_LENGTH], wall_ms, client_id,
            ),
        )  # fmt: skip
