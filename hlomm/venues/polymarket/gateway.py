"""The way out: signed orders and cancels over HTTP, and what became of them (venue sheet sections 5 and 7).

Theory of operation. `submit` runs inside the engine's turn, so it never waits and never calls the sink: what can be
said at once goes to a queue that a task of its own delivers; requests live in the session's nursery. Every order ends
in exactly one of: refused, opened, closed, certainly unsent, lost. Its id is known before it leaves, so a lost one is
found by it and nothing is ever sent twice. A cancel waits for the request that places its order: overtaking it would be
refused as unknown and leave the order resting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import ClientId
from hlomm.domain.inputs import (
    AmendFailed,
    CancelFailed,
    ConversionFailed,
    Input,
    SendLost,
    SendRefused,
    SentAction,
)
from hlomm.domain.orders import CancelRequest, OrderRequest
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, PlaceOrders
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.fuse import Fuse
from hlomm.venues.http_client import NotSent
from hlomm.venues.polymarket.answers import RATE_LIMITED, RESTING_TIFS, Answers
from hlomm.venues.polymarket.config import PolymarketConfig
from hlomm.venues.polymarket.orders import OrderMap, Placed
from hlomm.venues.polymarket.registry import Registry
from hlomm.venues.polymarket.rest import PolymarketRest
from hlomm.venues.polymarket.signing import OrderSigner, salt_of
from hlomm.venues.polymarket.wire import replies, requests
from hlomm.venues.polymarket.wire.amounts import Unfit, resting_amounts, taking_amounts
from hlomm.venues.polymarket.wire.errors import Failure
from hlomm.venues.venue_time import VenueTime

Emit = Callable[[Sequence[Input]], None]

SAID_MAX: Final = 4_096
ACKS_REMEMBERED: Final = 101
NO_AMEND: Final = "no_amend"
NO_CONVERSION: Final = (
    "splitting and merging need a transaction of the wallet that holds the money: do it in the venue's own interface"
)
CANCELS_PER_REQUEST: Final = 100
"""Well below the venue's own limit and below the bucket of the lowest tier."""
GTD_MARGIN_S: Final = 60
"""The venue drops an order that long before its expiry."""


@attrs.define(eq=False)
class Gateway:
    """Sends orders and cancels and tells what became of them through `emit`."""

    _config: PolymarketConfig
    _clock: Clock
    _time: VenueTime
    _counters: Counters
    _rest: PolymarketRest
    _registry: Registry
    _orders: OrderMap
    _signer: OrderSigner
    _answers: Answers
    _emit: Emit
    fuse: Fuse | None = None
    in_flight: int = 0
    _acks_ms: list[float] = attrs.field(factory=list)
    _nursery: trio.Nursery | None = None
    _said: tuple[trio.MemorySendChannel[list[Input]], trio.MemoryReceiveChannel[list[Input]]] = attrs.field(
        factory=lambda: trio.open_memory_channel[list[Input]](SAID_MAX)
    )

    # -- life

    def attach(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        nursery.start_soon(self._deliver)

    def detach(self) -> None:
        self._nursery = None
        self.in_flight = 0

    async def _deliver(self) -> None:
        async for events in self._said[1]:
            self._emit(events)

    def _say(self, events: list[Input]) -> bool:
        """Tell the engine after its turn. A full queue can only drop what the engine's own timers will notice."""
        if not events:
            return True
        try:
            self._said[0].send_nowait(events)
        except trio.WouldBlock:
            self._counters.add("refusals_dropped", len(events))
            return False
        return True

    def p50_ms(self) -> float | None:
        return sorted(self._acks_ms)[len(self._acks_ms) // 2] if self._acks_ms else None

    # -- out

    def submit(self, output: PlaceOrders | AmendOrders | CancelOrders | ConvertSet) -> None:
        match output:
            case PlaceOrders():
                self._place(output)
            case AmendOrders():
                text = "the venue amends no orders: cancel and place"
                self._say([AmendFailed(client_id=one.client_id, code=NO_AMEND, text=text) for one in output.amends])
            case CancelOrders():
                self._cancel(output.cancels)
            case ConvertSet():
                self._say([ConversionFailed(action=output.action, market=output.market, text=NO_CONVERSION)])

    def _place(self, output: PlaceOrders) -> None:
        now_ns = self._clock.now().mono_ns
        if self.fuse is not None:
            passed, news = self.fuse.screen(output, now_ns)
            if news:
                self.fuse.told |= self._say(news) and self.fuse.tripped is not None
            if not isinstance(passed, PlaceOrders):
                return
            output = passed
        signed: list[Placed] = []
        for request in output.orders:
            try:
                signed.append(self.sign(request))
            except Unfit as unfit:
                self._unsent([request.client_id], SentAction.PLACE, str(unfit))
        for start in range(0, len(signed), requests.POST_ORDERS_MAX):
            self._start_batch(signed[start : start + requests.POST_ORDERS_MAX], now_ns)

    def sign(self, request: OrderRequest) -> Placed:
        """A signed order, entered under its client id. Unfit if the venue could not take it."""
        known = self._registry.known(request.market)
        if known is None or known.tick is None or known.paid is not None:
            raise Unfit(f"{request.market} is not listed")
        amounts = resting_amounts if request.tif in RESTING_TIFS else taking_amounts
        now_ms = self._time.wall_ms()
        signed = self._signer.sign(
            token=int(known.token(request.leg)),
            side=request.side,
            amounts=amounts(request.side, request.px, request.qty, known.tick),
            salt=salt_of(request.client_id),
            timestamp_ms=now_ms,
            neg_risk=known.neg_risk,
        )
        placed = Placed(request, signed, now_ms)
        self._orders.enter(placed)
        return placed

    def _start_batch(self, batch: list[Placed], now_ns: int) -> None:
        refusal = None
        if self._nursery is None:
            refusal = "not connected"
        elif self.in_flight >= self._config.rest_tasks_max:
            refusal = f"{self.in_flight} requests under way"
        elif not self._rest.budget.orders.try_take(len(batch), now_ns):
            refusal = f"more orders than tier {self._rest.budget.tier.name} takes"
        if refusal is not None:
            for placed in batch:
                placed.answered.set()
            self._unsent([placed.request.client_id for placed in batch], SentAction.PLACE, refusal)
            return
        assert self._nursery is not None
        self.in_flight += 1
        self._nursery.start_soon(self._post, batch)

    async def _post(self, batch: list[Placed]) -> None:
        await trio.lowlevel.checkpoint()
        started_ns = self._clock.now().mono_ns
        try:
            events = await self.exchange(batch)
            self._acks_ms.append((self._clock.now().mono_ns - started_ns) / 1e6)
            del self._acks_ms[:-ACKS_REMEMBERED]
        finally:
            self.in_flight -= 1
            for placed in batch:
                placed.answered.set()
        self._emit(events)

    async def exchange(self, batch: list[Placed]) -> list[Input]:
        """Post signed orders; exactly one end for each."""
        ids = tuple(placed.request.client_id for placed in batch)
        try:
            signer = await self._rest.ensure_key()
            documents = [self._document(placed, signer.api_key.key) for placed in batch]
            body = requests.orders_body(documents)
            answer = await self._rest.act("POST", requests.orders_path(len(batch)), body)
        except NotSent as error:
            return [SendRefused(ids, SentAction.PLACE, str(error))]
        except VenueUnavailable as error:
            self._counters.add("sends_lost", len(ids))
            return [SendLost(ids, SentAction.PLACE, str(error))]
        if isinstance(answer, Failure):
            return [
                *self._answers.paused(answer),
                *(one for placed in batch for one in self._answers.failed(placed, answer)),
            ]
        return self._answers.answered(batch, answer)

    def _document(self, placed: Placed, owner: str) -> dict[str, object]:
        expires_s = 0
        if self._config.order_life_s and placed.request.tif in RESTING_TIFS:
            expires_s = placed.sent_ms // 1_000 + GTD_MARGIN_S + round(self._config.order_life_s)
        return requests.order_document(placed.signed, owner, placed.request.tif, expires_s)

    # -- cancels

    def _cancel(self, cancels: Sequence[CancelRequest]) -> None:
        known: list[tuple[ClientId, str]] = []
        for one in cancels:
            order_id = self._orders.order_id(one.client_id)
            if order_id is None:
                self._say([CancelFailed(client_id=one.client_id, code="MissingOrder", text="never sent by this run")])
            else:
                known.append((one.client_id, order_id))
        for start in range(0, len(known), CANCELS_PER_REQUEST):
            part = known[start : start + CANCELS_PER_REQUEST]
            if self._nursery is None:
                self._unsent([client_id for client_id, _ in part], SentAction.CANCEL, "not connected")
            elif self.in_flight >= 2 * self._config.rest_tasks_max:
                reason = f"{self.in_flight} requests under way"
                self._unsent([client_id for client_id, _ in part], SentAction.CANCEL, reason)
            else:
                self.in_flight += 1
                self._nursery.start_soon(self._delete, part)

    async def _delete(self, part: list[tuple[ClientId, str]]) -> None:
        await trio.lowlevel.checkpoint()
        try:
            await self._until_answered([client_id for client_id, _ in part])
            events = await self._delete_now(part)
        finally:
            self.in_flight -= 1
        self._emit(events)

    async def _until_answered(self, client_ids: Sequence[ClientId]) -> None:
        await trio.lowlevel.checkpoint()
        for client_id in client_ids:
            placed = self._orders.placed(client_id)
            if placed is not None:
                await placed.answered.wait()

    async def _delete_now(self, part: list[tuple[ClientId, str]]) -> list[Input]:
        ids = tuple(client_id for client_id, _ in part)
        try:
            told = await self.delete([order_id for _, order_id in part])
        except NotSent as error:
            return [SendRefused(ids, SentAction.CANCEL, str(error))]
        except VenueUnavailable as error:
            return [SendLost(ids, SentAction.CANCEL, str(error))]
        if isinstance(told, Failure):
            if told.ambiguous:
                return [SendLost(ids, SentAction.CANCEL, told.text)]
            return [CancelFailed(client_id=one, code=told.code, text=told.text) for one in ids]
        return [self._answers.canceled(client_id, order_id, told) for client_id, order_id in part]

    async def delete(self, order_ids: Sequence[str]) -> replies.Cancels | Failure:
        """Ask for orders to be cancelled. VenueUnavailable if nobody knows; NotSent if it was not asked."""
        self._rest.budget.cancels.take(len(order_ids), self._clock.now().mono_ns)
        path = "/order" if len(order_ids) == 1 else "/orders"
        answer = await self._rest.act("DELETE", path, requests.cancel_body(order_ids))
        if isinstance(answer, Failure):
            if answer.code == RATE_LIMITED:
                self._rest.budget.exhausted(self._clock.now().mono_ns, orders=False)
            return answer
        told, anomalies = replies.decode_cancels(answer.body)
        self._counters.note(anomalies, "canceled")
        if told is None:
            raise VenueUnavailable(f"cancel: unreadable answer ({anomalies[0].kind})")
        return told

    def _unsent(self, ids: Sequence[ClientId], action: SentAction, reason: str) -> None:
        self._counters.add("sends_refused", len(ids))
        self._say([SendRefused(tuple(ids), action, reason)])
