"""The way out: signed batches over the websocket while it lives, over REST while it does not.

Theory of operation. `submit` runs inside the engine's turn, so it never waits and never calls the sink: what can be
said at once (refusals) goes to a queue that a task of its own delivers. Whatever a batch ends in is exactly one of:
answered, certainly unsent, lost. A post that is not answered in time, or whose connection ends, is lost unless its
frame demonstrably never began to leave. Cancels are let through where places are held off: they only take risk away.
A socket may be dead for half a minute before that is certain: once a post is overdue on it, what takes risk away goes
over REST until it answers again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs
import structlog
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import ClientId
from hlomm.domain.inputs import Input
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, PlaceOrders
from hlomm.domain.times import seconds_to_ns
from hlomm.venues.bounded import BoundedMap
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.deadman import Resting
from hlomm.venues.fuse import Fuse
from hlomm.venues.http_client import NotSent
from hlomm.venues.hyperliquid.answers import Answers
from hlomm.venues.hyperliquid.batches import Batch, BatchKind, Encoder
from hlomm.venues.hyperliquid.config import HyperliquidConfig
from hlomm.venues.hyperliquid.limits import POSTS_IN_FLIGHT_MAX, WS_MESSAGES_PER_MIN, AddressBudget
from hlomm.venues.hyperliquid.posts import Posts
from hlomm.venues.hyperliquid.rest import HyperliquidRest, TurnedAway
from hlomm.venues.hyperliquid.wire.actions import post_frame
from hlomm.venues.hyperliquid.wire.errors import UNKNOWN, error_code
from hlomm.venues.hyperliquid.wire.frames import ChannelError, PostAnswer
from hlomm.venues.pacing import WindowBudget
from hlomm.venues.venue_time import VenueTime
from hlomm.venues.websocket import WebSocketLink

Emit = Callable[[Sequence[Input]], None]

CANCEL_RESERVE: Final = 10
"""Places in flight stop this far below the venue's limit, cancels use the rest."""
MESSAGE_RESERVE: Final = 200
SENT_MEMORY: Final = 8_192
REFUSALS_MAX: Final = 4_096
_MINUTE_S: Final = 60

_log = structlog.get_logger("hlomm.venues.hyperliquid")


@attrs.define(eq=False)
class Gateway:
    """Posts batches and tells what became of them through `emit`."""

    _config: HyperliquidConfig
    _clock: Clock
    _counters: Counters
    _rest: HyperliquidRest
    _encoder: Encoder
    _answers: Answers
    _time: VenueTime
    _emit: Emit
    fuse: Fuse | None = None
    """None: nothing but the engine's own limits holds orders back."""
    resting: Resting | None = None
    """Told of every order that may come to rest, if anybody wants to know."""
    budget: AddressBudget = attrs.field(factory=AddressBudget)
    posts: Posts = attrs.field(factory=Posts)
    _link: WebSocketLink | None = None
    _mute: bool = False
    """A post over this connection is overdue, and nothing that we sent over it was answered since."""
    _nursery: trio.Nursery | None = None
    _rest_tasks: int = 0
    _queue_peak: int = 0
    _messages: WindowBudget = attrs.field(factory=lambda: WindowBudget(WS_MESSAGES_PER_MIN, _MINUTE_S))
    # Client ids placed by this session, with the venue time up to which the order may still arrive.
    _placed: BoundedMap[ClientId, int] = attrs.field(factory=lambda: BoundedMap(SENT_MEMORY))
    _said: tuple[trio.MemorySendChannel[list[Input]], trio.MemoryReceiveChannel[list[Input]]] = attrs.field(
        factory=lambda: trio.open_memory_channel[list[Input]](REFUSALS_MAX)
    )

    # -- life

    def attach(self, nursery: trio.Nursery) -> None:
        """Let REST fallbacks live in `nursery` from now on, and deliver what was refused so far."""
        self._nursery = nursery
        nursery.start_soon(self._deliver)

    def detach(self) -> None:
        self._nursery = None

    async def _deliver(self) -> None:
        async for events in self._said[1]:
            self._emit(events)

    def link_up(self, link: WebSocketLink) -> None:
        self._link, self._mute = link, False

    def queue_peak(self) -> int:
        """Most frames that ever waited for a writer."""
        return max(self._queue_peak, 0 if self._link is None else self._link.queue_peak)

    def link_lost(self, link: WebSocketLink) -> list[Input]:
        """The connection is gone: what became of everything posted over it."""
        self._queue_peak = self.queue_peak()
        self._link = None
        never_left = frozenset(link.unsent())
        reason = f"connection lost: {link.lost_because}"
        events: list[Input] = []
        for post_id, batch in self.posts.drain():
            if post_id in never_left:
                events += self._answers.unsent(batch, reason)
            else:
                events += self._answers.lost(batch, reason)
        return events

    # -- questions

    def was_placed(self, client_id: str | None) -> bool:
        return client_id is not None and ClientId(client_id) in self._placed

    def may_arrive_until_ms(self, client_id: ClientId) -> int:
        """Venue time up to which an order of ours may still reach the book; 0 if we never sent it."""
        return self._placed.get(client_id) or 0

    # -- out

    def submit(self, output: PlaceOrders | AmendOrders | CancelOrders | ConvertSet) -> None:
        """Sign and send. Never waits, never raises for the venue's sake, never calls the sink."""
        if self.fuse is not None and isinstance(output, PlaceOrders | AmendOrders):
            passed = self._screen(self.fuse, output)
            if passed is None:
                return
            output = passed
        batches, refusals = self._encoder.encode(output, self._time.wall_ms())
        self._say(refusals)
        for batch in batches:
            self._dispatch(batch)

    def _screen(self, fuse: Fuse, output: PlaceOrders | AmendOrders) -> PlaceOrders | AmendOrders | None:
        """What the fuse lets pass; the rest is told to the engine."""
        was, refused_before = fuse.tripped, fuse.refused
        passed, news = fuse.screen(output, self._clock.now().mono_ns)
        if fuse.tripped != was:
            _log.critical("the fuse has tripped", reason=fuse.tripped, next="cancel-only until the daemon restarts")
        if news:
            self._counters.add("fuse_refusals", fuse.refused - refused_before)
            if self._say(news) and fuse.tripped is not None:
                fuse.told = True  # otherwise it comes with the next refusal
        return passed

    def send_text(self, text: str) -> bool:
        """Queue a frame that expects no answer by id (ping, subscription). Whether it was queued."""
        if self._link is None:
            return False
        try:
            self._link.send_nowait(text)
        except (trio.WouldBlock, trio.BrokenResourceError):
            self._counters.add("frames_not_queued")
            return False
        self._messages.take(1, self._clock.now().mono_ns)
        return True

    def _dispatch(self, batch: Batch) -> None:
        if batch.kind is BatchKind.PLACE:
            for client_id in batch.client_ids():
                self._placed.put(client_id, batch.expires_ms)
            if self.resting is not None and batch.may_rest():
                self.resting.sent(batch.client_ids(), seconds_to_ns(self._config.expires_after_s))
        pressing = batch.kind is BatchKind.CANCEL or (batch.kind is BatchKind.PLACE and not batch.may_rest())
        if self._link is not None and not (self._mute and pressing):
            self._post(self._link, batch)
        else:
            self._fall_back(batch)
        if batch.kind is BatchKind.PLACE:
            self._encoder.prepare_cancels(batch)

    def _post(self, link: WebSocketLink, batch: Batch) -> None:
        refusal = self._pacing_refusal(batch)
        if refusal is not None:
            self._say(self._answers.unsent(batch, refusal))
            return
        post_id = self.posts.next_id()
        try:
            link.send_nowait(post_frame(post_id, batch.body), post_id)
        except trio.WouldBlock:
            self._say(self._answers.unsent(batch, "the socket does not take frames as fast as they come"))
            return
        except trio.BrokenResourceError as error:
            self._say(self._answers.unsent(batch, f"connection lost: {error}"))
            return
        now_ns = self._clock.read().mono_ns
        self.posts.enter(post_id, batch, now_ns, now_ns + seconds_to_ns(self._config.post_deadline_s))
        self._started(batch)

    def _pacing_refusal(self, batch: Batch) -> str | None:
        """Why the venue's limits forbid to post now, None if they do not."""
        urgent = batch.kind is BatchKind.CANCEL
        if len(self.posts) >= POSTS_IN_FLIGHT_MAX - (0 if urgent else CANCEL_RESERVE):
            return f"{len(self.posts)} posts in flight"
        if not self._messages.try_take(1, self._clock.now().mono_ns, keep=0 if urgent else MESSAGE_RESERVE):
            return f"more than {WS_MESSAGES_PER_MIN} messages a minute"
        return None

    def _started(self, batch: Batch) -> None:
        self.budget.spend(len(batch.requests))
        self._answers.started(batch)

    # -- REST fallback

    def _fall_back(self, batch: Batch) -> None:
        urgent = batch.kind is BatchKind.CANCEL
        room = self._config.rest_tasks_max - (0 if urgent else CANCEL_RESERVE)
        if self._nursery is None:
            self._say(self._answers.unsent(batch, "not connected"))
        elif self._rest.ok is False and not urgent:
            self._say(self._answers.unsent(batch, "not connected, and requests are not answered"))
        elif self._rest_tasks >= room:
            self._say(self._answers.unsent(batch, f"not connected, and {self._rest_tasks} requests under way"))
        else:
            self._counters.add("rest_fallbacks")
            self._started(batch)
            self._rest_tasks += 1
            self._nursery.start_soon(self._by_rest, batch)

    async def _by_rest(self, batch: Batch) -> None:
        await trio.lowlevel.checkpoint()
        try:
            reply = await self._rest.exchange(batch.body, len(batch.requests))
        except NotSent as error:
            self._emit(self._answers.unsent(batch, str(error)))
        except VenueUnavailable as error:
            self._emit(self._answers.lost(batch, str(error)))
        else:
            if isinstance(reply, TurnedAway):
                self._emit(self._answers.turned_away(batch, reply.text))
            else:
                self._emit(self._answers.answered(batch, reply))
        finally:
            self._rest_tasks -= 1

    # -- in

    def on_answer(self, answer: PostAnswer) -> list[Input]:
        batch = self.posts.answer(answer.id, self._clock.read().mono_ns)
        if batch is None:
            self._counters.add("answers_to_nothing")
            return []
        self._mute = False
        if answer.reply is not None:
            return self._answers.answered(batch, answer.reply)
        refused = answer.refused
        if refused is not None and (refused.startswith("4") or error_code(refused) != UNKNOWN):
            return self._answers.turned_away(batch, refused)
        # How the venue words its gateway's faults is not documented: what does not say no may have been passed on.
        return self._answers.lost(batch, refused or "unreadable answer")

    def on_pong(self) -> None:
        """The connection carries both ways."""
        self._mute = False

    def on_channel_error(self, error: ChannelError) -> list[Input]:
        """Errors of the `error` channel that speak of a post."""
        if error.code != "TooManyPosts" or error.post_id is None:
            return []
        return self.on_answer(PostAnswer(error.post_id, None, error.text))

    def expire(self) -> list[Input]:
        """What became of posts past their deadline: nobody knows."""
        reason = f"no answer in {self._config.post_deadline_s:g} s"
        events: list[Input] = []
        for batch in self.posts.expire(self._clock.read().mono_ns):
            events += self._answers.lost(batch, reason)
            self._mute = True
        return events

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
