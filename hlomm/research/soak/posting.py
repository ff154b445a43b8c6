"""Actions of one process on their way to the venue and back: posted over the line, over requests without one.

What becomes of a batch is told in the product's own words (`Answers`); the races around its arrival happen here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from hlomm.assembly.venues import fuse_limits
from hlomm.domain.ids import HYPERLIQUID, ClientId
from hlomm.domain.inputs import Input
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, PlaceOrders
from hlomm.research.soak.inside import Inside
from hlomm.research.soak.network import POST_DEADLINE_S, Failure, Line
from hlomm.research.soak.timeline import S
from hlomm.research.soak.weather import Fault
from hlomm.settings.schema import Settings
from hlomm.venues.counters import Counters
from hlomm.venues.fuse import Fuse
from hlomm.venues.hyperliquid.account_feed import AmendWatch
from hlomm.venues.hyperliquid.answers import Answers
from hlomm.venues.hyperliquid.batches import Batch, BatchKind
from hlomm.venues.hyperliquid.wire.replies import ExchangeReply, Rested


@attrs.frozen
class PostReply:
    post_id: int
    reply: ExchangeReply


class Posting:
    """The way out of one process."""

    def __init__(
        self, inside: Inside, settings: Settings, amends: AmendWatch, counters: Counters, expired: Callable[[], None]
    ) -> None:
        self._in = inside
        self._expires_ms = round(settings.venue.hyperliquid.expires_after_s * 1000)
        self._answers = Answers(amends, counters, expired)
        self.fuse = Fuse(HYPERLIQUID, fuse_limits(settings.limits))
        self.line: Line | None = None
        self.placed: dict[ClientId, int] = {}
        """Venue time up to which each order of ours may still arrive."""
        self._waiting: dict[int, Batch] = {}
        self._post_id = 0

    def submit(self, output: PlaceOrders | AmendOrders | CancelOrders | ConvertSet) -> None:
        match output:
            case PlaceOrders() | AmendOrders():
                passed, news = self.fuse.screen(output, self._in.timeline.now_ns)
                self._in.say(news)
                if news and self.fuse.tripped is not None:
                    self.fuse.told = True
                if isinstance(passed, PlaceOrders):
                    self._send(BatchKind.PLACE, passed.orders)
                elif passed is not None:
                    self._send(BatchKind.AMEND, passed.amends)
            case CancelOrders():
                self._send(BatchKind.CANCEL, output.cancels)
            case ConvertSet():
                self._send(BatchKind.CONVERT, (output,))

    def lost(self, reason: str) -> list[Input]:
        """The line is gone: what became of everything posted over it."""
        self.line = None
        events: list[Input] = []
        for batch in self._waiting.values():
            events += self._answers.lost(batch, f"connection lost: {reason}")
        self._waiting.clear()
        return events

    def answered(self, item: PostReply) -> list[Input]:
        batch = self._waiting.pop(item.post_id, None)
        return [] if batch is None else self._answers.answered(batch, item.reply)

    def _send(
        self, kind: BatchKind, requests: Sequence[OrderRequest | AmendRequest | CancelRequest | ConvertSet]
    ) -> None:
        batch = Batch(kind=kind, requests=tuple(requests), body=b"", expires_ms=self._in.venue_ms() + self._expires_ms)
        if kind is BatchKind.PLACE:
            self.placed.update(dict.fromkeys(batch.client_ids(), batch.expires_ms))
        if self.line is not None:
            self._post(self.line, batch)
        elif self._in.rest_ok is False and kind is not BatchKind.CANCEL:
            self._in.say(self._answers.unsent(batch, "not connected, and requests are not answered"))
        else:
            self._answers.started(batch)
            self._in.request(lambda: self._in.front.act(batch), lambda reply: self._by_rest(batch, reply))

    def _by_rest(self, batch: Batch, reply: ExchangeReply | Failure) -> None:
        if reply is Failure.NOT_SENT:
            self._in.emit(self._answers.unsent(batch, reply.value))
        elif reply is Failure.TURNED_AWAY:
            self._in.emit(self._answers.turned_away(batch, reply.value))
        elif isinstance(reply, Failure):
            self._in.emit(self._answers.lost(batch, reply.value))
        else:
            self._in.emit(self._answers.answered(batch, reply))

    def _post(self, line: Line, batch: Batch) -> None:
        self._post_id += 1
        post_id = self._post_id
        self._waiting[post_id] = batch
        self._answers.started(batch)
        line.up(lambda: self._arrive(line, post_id, batch))
        self._in.after(POST_DEADLINE_S, lambda: self._expire(post_id))

    def _expire(self, post_id: int) -> None:
        batch = self._waiting.pop(post_id, None)
        if batch is not None:
            self._in.emit(self._answers.lost(batch, f"no answer in {POST_DEADLINE_S:g} s"))

    # -- at the venue

    def _arrive(self, line: Line, post_id: int, batch: Batch) -> None:
        """A post reaches the exchange, now or much later; its answer comes back, late, or never."""
        if batch.kind is BatchKind.PLACE and self._in.weather.take(Fault.TIMEOUT_ACCEPTED) is not None:
            self._in.network.later(
                round(self._in.rng.uniform(5.5, 9.0) * S), lambda: _ignore(self._in.front.act(batch))
            )
            return
        reply = self._in.front.act(batch)
        if self._in.weather.take(Fault.ACK_LOST) is not None:
            return
        resting = self._came_to_rest(batch, reply)
        if resting is not None and self._in.weather.strength(Fault.UNKNOWN_OID_AFTER_FILL) is not None:
            self._hit(resting)  # and neither the answer nor the lookup will know of it for a while
            return
        if resting is not None and self._in.weather.strength(Fault.FILL_BEFORE_ACK) is not None and self._hit(resting):
            self._in.weather.take(Fault.FILL_BEFORE_ACK)
            self._in.network.later(round(self._in.rng.uniform(1, 3) * S), lambda: line.down(PostReply(post_id, reply)))
            return
        line.down(PostReply(post_id, reply))

    def _came_to_rest(self, batch: Batch, reply: ExchangeReply) -> ClientId | None:
        statuses = getattr(reply, "statuses", ())
        for request, status in zip(batch.requests, statuses, strict=False):
            if isinstance(request, OrderRequest) and isinstance(status, Rested):
                return request.client_id
        return None

    def _hit(self, client_id: ClientId) -> bool:
        order = self._in.front.resting(client_id)
        done = order is not None and self._in.front.hit(order, order.lots)
        self._in.front.flush()
        return done


def _ignore(_result: object) -> None:
    """Carried out; nobody waits for the answer."""
