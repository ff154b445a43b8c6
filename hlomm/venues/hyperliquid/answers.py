"""What became of a batch, as inputs (venue sheet section 4.2). Pure apart from the amend watch it keeps informed.

Three kinds of end: the venue answered; it certainly never saw the batch (`unsent`); nobody knows (`lost`). A lost
answer is never read as a refusal.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from hlomm.domain.ids import ClientId
from hlomm.domain.inputs import (
    AmendFailed,
    CancelFailed,
    ConversionFailed,
    Input,
    OrderClosed,
    OrderOpened,
    OrderRejected,
    SendLost,
    SendRefused,
    SentAction,
)
from hlomm.domain.orders import AmendRequest, OrderRequest, Tif
from hlomm.domain.outputs import ConvertSet
from hlomm.venues.counters import Counters
from hlomm.venues.hyperliquid.account_feed import AmendWatch
from hlomm.venues.hyperliquid.batches import Batch, BatchKind
from hlomm.venues.hyperliquid.wire.errors import EXPIRED, error_code
from hlomm.venues.hyperliquid.wire.replies import (
    ActionRefused,
    Done,
    ExchangeReply,
    Filled,
    Refused,
    Rested,
    Status,
    Waiting,
    expand,
)
from hlomm.venues.hyperliquid.wire.statuses import CANCELED, FILLED


@attrs.frozen
class Answers:
    """Turns ends of batches into inputs."""

    amends: AmendWatch
    counters: Counters
    on_expired: Callable[[], None] = attrs.field(default=lambda: None)
    """Called when an action came too late by the venue's clock: ours may be wrong."""

    def started(self, batch: Batch) -> None:
        """The batch is on its way: the old ids of its amends are watched from now on."""
        for request in batch.requests:
            if isinstance(request, AmendRequest):
                self.amends.sent(request.venue_order_id)

    def answered(self, batch: Batch, reply: ExchangeReply) -> list[Input]:
        """The venue's answer, one result per request of the batch."""
        if isinstance(reply, ActionRefused):
            code = error_code(reply.text)
            self.counters.add(f"refused.{code}")
            if code == EXPIRED:
                self.on_expired()
            return self._each(batch, (Refused(reply.text),) * len(batch.requests))
        if batch.kind is BatchKind.CONVERT:
            return []
        statuses = expand(reply.statuses, len(batch.requests))
        if statuses is None:
            self.counters.add("answer_of_wrong_length")
            return self.lost(batch, f"{len(reply.statuses)} results for {len(batch.requests)} requests")
        return self._each(batch, statuses)

    def turned_away(self, batch: Batch, text: str) -> list[Input]:
        """The gateway refused the request before the exchange saw it (HTTP 4xx, too many posts)."""
        self.counters.add("turned_away")
        return self._each(batch, (Refused(text),) * len(batch.requests))

    def unsent(self, batch: Batch, reason: str) -> list[Input]:
        """No byte of the batch left, or none that could be understood."""
        self.counters.add("sends_refused", len(batch.requests))
        action = batch.sent_action()
        if action is None:
            return _unconverted(batch, reason)
        held = self._amends_refused(batch)
        return [SendRefused(batch.client_ids(), action, reason), *held]

    def lost(self, batch: Batch, reason: str) -> list[Input]:
        """The batch may or may not have been carried out."""
        self.counters.add("sends_lost", len(batch.requests))
        for request in batch.requests:
            if isinstance(request, AmendRequest):
                self.amends.lost(request.venue_order_id)
        action = batch.sent_action()
        if action is None:
            return _unconverted(batch, f"unknown whether done: {reason}", lost=True)
        return [SendLost(batch.client_ids(), action, reason)]

    def _amends_refused(self, batch: Batch) -> list[Input]:
        held = [self.amends.refused(one.venue_order_id) for one in batch.requests if isinstance(one, AmendRequest)]
        return [closed for closed in held if closed is not None]

    def _each(self, batch: Batch, statuses: tuple[Status, ...]) -> list[Input]:
        events: list[Input] = []
        for request, status in zip(batch.requests, statuses, strict=True):
            if isinstance(request, OrderRequest):
                events += self._placed(request, status)
            elif isinstance(request, AmendRequest):
                events += self._amended(request, status)
            elif isinstance(request, ConvertSet):
                events += _unconverted(batch, status.text) if isinstance(status, Refused) else []
            else:
                events += self._canceled(request.client_id, status)
        return events

    def _placed(self, order: OrderRequest, status: Status) -> list[Input]:
        match status:
            case Rested():
                return [_opened(order.client_id, status)]
            case Filled() if status.filled < order.qty and order.tif is Tif.GTC:
                # The word is not documented for a GTC that filled in part (sheet 4.2 [?]): believe it rests until
                # the order stream says otherwise, because the opposite error would leave an order unattended.
                return [_opened(order.client_id, status)]
            case Filled():
                return [_filled(order.client_id, status)]
            case Refused():
                return [OrderRejected(client_id=order.client_id, code=error_code(status.text), text=status.text)]
            case Done() | Waiting():
                return self._senseless(order.client_id, SentAction.PLACE)

    def _amended(self, amend: AmendRequest, status: Status) -> list[Input]:
        match status:
            case Rested():
                self.amends.replaced(amend.venue_order_id)
                return [_opened(amend.client_id, status)]
            case Filled():
                self.amends.replaced(amend.venue_order_id)
                return [_filled(amend.client_id, status)]
            case Refused():
                held = self.amends.refused(amend.venue_order_id)
                failed = AmendFailed(client_id=amend.client_id, code=error_code(status.text), text=status.text)
                return [failed] if held is None else [failed, held]
            case Done() | Waiting():
                self.amends.lost(amend.venue_order_id)
                return self._senseless(amend.client_id, SentAction.AMEND)

    def _canceled(self, client_id: ClientId, status: Status) -> list[Input]:
        match status:
            case Done():
                return [OrderClosed(client_id=client_id, venue_order_id=None, status=CANCELED, filled=None, venue_ms=0)]
            case Refused():
                return [CancelFailed(client_id=client_id, code=error_code(status.text), text=status.text)]
            case Rested() | Filled() | Waiting():
                return self._senseless(client_id, SentAction.CANCEL)

    def _senseless(self, client_id: ClientId, action: SentAction) -> list[Input]:
        """A word that does not answer the question: as good as no answer."""
        self.counters.add("senseless_status")
        return [SendLost((client_id,), action, "the venue's answer does not fit the question")]


def _opened(client_id: ClientId, status: Rested | Filled) -> OrderOpened:
    return OrderOpened(client_id=client_id, venue_order_id=status.venue_order_id, leaves=None, venue_ms=0)


def _filled(client_id: ClientId, status: Filled) -> OrderClosed:
    return OrderClosed(
        client_id=client_id,
        venue_order_id=status.venue_order_id,
        status=FILLED,
        filled=status.filled,
        venue_ms=0,
    )


def _unconverted(batch: Batch, text: str, *, lost: bool = False) -> list[Input]:
    return [
        ConversionFailed(action=one.action, market=one.market, text=text, lost=lost)
        for one in batch.requests
        if isinstance(one, ConvertSet)
    ]
