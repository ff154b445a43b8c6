"""What became of orders and cancels, as inputs (venue sheet section 7): what is not certain is lost, not refused."""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.ids import POLYMARKET, ClientId
from hlomm.domain.inputs import (
    CancelFailed,
    Input,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    SendLost,
    SentAction,
    VenuePaused,
)
from hlomm.domain.orders import Tif
from hlomm.domain.units import Qty
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.http_client import HttpAnswer
from hlomm.venues.polymarket.account_feed import CANCELED, FILLED
from hlomm.venues.polymarket.limits import SignerBudget
from hlomm.venues.polymarket.orders import Placed
from hlomm.venues.polymarket.wire import errors, replies
from hlomm.venues.polymarket.wire.errors import Failure

RESTING_TIFS: Final = frozenset({Tif.ALO, Tif.GTC})
RATE_LIMITED: Final = "RateLimitAddress"

_PAUSES: Final = frozenset({errors.RESTARTING, errors.PAUSED, errors.CANCEL_ONLY, errors.POST_ONLY_MODE})


@attrs.frozen
class Answers:
    """Turns the venue's words into inputs."""

    _clock: Clock
    _counters: Counters
    _budget: SignerBudget
    _pause_s: float

    def answered(self, batch: list[Placed], answer: HttpAnswer) -> list[Input]:
        rows, anomalies = replies.decode_placed(answer.body, tuple(placed.signed for placed in batch))
        self._counters.note(anomalies, "placed")
        if rows is None:
            ids = tuple(placed.request.client_id for placed in batch)
            return [SendLost(ids, SentAction.PLACE, f"unreadable answer ({anomalies[0].kind})")]
        events: list[Input] = []
        for placed, row in zip(batch, rows, strict=True):
            if isinstance(row, Failure):
                events += [*self.paused(row), *self.failed(placed, row)]
            else:
                events += self._placed(placed, row)
        return events

    def _placed(self, placed: Placed, row: replies.Placed) -> list[Input]:
        request = placed.request
        if row.status == replies.DELAYED or (row.filled is None and row.status != replies.LIVE):
            # Held back by the taker delay, or an answer that does not say what it did: ask for it.
            return [SendLost((request.client_id,), SentAction.PLACE, f"the venue says {row.status!r}")]
        filled = Qty(row.filled or 0)
        whole = placed_qty(placed)
        if filled >= whole or request.tif not in RESTING_TIFS:
            return [
                OrderClosed(
                    client_id=request.client_id,
                    venue_order_id=placed.order_id,
                    status=FILLED if filled >= request.qty else CANCELED,
                    filled=filled,
                    venue_ms=0,
                )
            ]
        if row.status == replies.UNMATCHED:
            return [SendLost((request.client_id,), SentAction.PLACE, "unmatched: it may rest or not")]
        leaves = None if row.filled is None else Qty(whole - filled)
        return [OrderOpened(client_id=request.client_id, venue_order_id=placed.order_id, leaves=leaves, venue_ms=0)]

    def failed(self, placed: Placed, failed: Failure) -> list[Input]:
        client_id = placed.request.client_id
        self._counters.add(f"refused.{failed.code}")
        if failed.code == RATE_LIMITED:
            self._budget.exhausted(self._clock.now().mono_ns, orders=True)
        if failed.ambiguous:
            return [SendLost((client_id,), SentAction.PLACE, failed.text)]
        return [OrderRejected(client_id=client_id, code=failed.code, text=failed.text)]

    def paused(self, failed: Failure) -> list[Input]:
        """A venue that restarts or is paused takes no orders from anybody for a while."""
        if failed.code not in _PAUSES:
            return []
        wait_s = self._pause_s if failed.retry_after_s is None else failed.retry_after_s
        return [VenuePaused(POLYMARKET, self._clock.wall_ms() + round(wait_s * 1_000), failed.text[:200])]

    def canceled(self, client_id: ClientId, order_id: str, told: replies.Cancels) -> Input:
        if order_id in told.canceled:
            return OrderClosed(client_id=client_id, venue_order_id=None, status=CANCELED, filled=None, venue_ms=0)
        text = told.refused.get(order_id)
        if text is None:
            return SendLost((client_id,), SentAction.CANCEL, "the answer does not name the order")
        return CancelFailed(client_id=client_id, code=errors.error_code(text), text=text)


def placed_qty(placed: Placed) -> Qty:
    """Shares that the signed order asks for: never more than were wanted."""
    order = placed.signed.order
    return Qty((order.taker_amount if order.side > 0 else order.maker_amount) * 100)
