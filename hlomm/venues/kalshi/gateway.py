"""The way out: one signed request per order, cancel or amend, and what became of it as inputs.

Theory of operation. `submit` runs inside the engine's turn, so it never waits and never calls the sink: each request is
a task of its own, and what can be said at once goes the same way. Requests about one order follow one another; a cancel
therefore waits for the answer to its order, whose id it needs. Every request ends as exactly one of: answered,
certainly unsent, lost. A lost request is never repeated here: the engine asks, and the venue's answer decides.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import attrs
import structlog
import trio

from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.inputs import (
    AmendFailed,
    ConversionFailed,
    Input,
    OrderAnswer,
    OrderOpened,
    OrderRejected,
    SendLost,
    SendRefused,
    SentAction,
)
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest, Tif, goes_home
from hlomm.domain.outputs import AmendOrders, CancelOrders, ConvertSet, PlaceOrders
from hlomm.domain.times import NS_PER_MS
from hlomm.domain.units import Qty
from hlomm.venues.counters import Counters
from hlomm.venues.fuse import Fuse
from hlomm.venues.http_client import NotSent
from hlomm.venues.kalshi.account_feed import AccountFeed
from hlomm.venues.kalshi.burst import Burst
from hlomm.venues.kalshi.cancels import Cancels
from hlomm.venues.kalshi.config import KalshiConfig
from hlomm.venues.kalshi.lookup import Lookup
from hlomm.venues.kalshi.registry import Registry
from hlomm.venues.kalshi.rest import KalshiRest
from hlomm.venues.kalshi.streams import ticker_of
from hlomm.venues.kalshi.tracks import RESTING, Track, Tracks, wire_id
from hlomm.venues.kalshi.wire.account import RESTING as RESTS
from hlomm.venues.kalshi.wire.errors import GROUP_LIMIT, Fate, Refusal
from hlomm.venues.kalshi.wire.orders import FOK, GTC, IOC, Amend, Answer, Create
from hlomm.venues.kalshi.wire.schemas import sayable
from hlomm.venues.kalshi.wire.sides import to_wire
from hlomm.venues.venue_time import VenueTime

Emit = Callable[[Sequence[Input]], None]
R = TypeVar("R", OrderRequest, AmendRequest, CancelRequest)

CANCEL_RESERVE: Final = 64
"""Cancels may be under way beyond what other requests may."""
ACKS_KEPT: Final = 256
_TIFS: Final = {Tif.ALO: GTC, Tif.GTC: GTC, Tif.IOC: IOC, Tif.FOK: FOK}

_UNSAYABLE: Final = "finer than the venue can be told, or nothing at all"

_log = structlog.get_logger("hlomm.venues.kalshi")


@attrs.define(eq=False)
class Gateway:
    """Sends orders and tells what became of them through `emit`."""

    _config: KalshiConfig
    _time: VenueTime
    _counters: Counters
    _rest: KalshiRest
    _registry: Registry
    _tracks: Tracks
    _feed: AccountFeed
    _lookup: Lookup
    _cancels: Cancels
    _burst: Burst
    _emit: Emit
    fuse: Fuse | None = None
    """None: nothing but the engine's own limits holds orders back."""
    under_way: int = 0
    _acks_ns: deque[int] = attrs.field(factory=lambda: deque(maxlen=ACKS_KEPT))
    _nursery: trio.Nursery | None = None

    def attach(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    def detach(self) -> None:
        self._nursery = None
        self.under_way = 0

    def ack_p50_ms(self) -> float | None:
        """Median time from a new order to its answer, in host milliseconds."""
        return sorted(self._acks_ns)[len(self._acks_ns) // 2] / NS_PER_MS if self._acks_ns else None

    # -- out

    def submit(self, output: PlaceOrders | AmendOrders | CancelOrders | ConvertSet) -> None:
        """Start what was asked for. Never waits, never raises for the venue's sake, never calls the sink."""
        if self._nursery is None:
            self._counters.add("outputs_without_session")
            return
        match output:
            case ConvertSet():
                text = "the venue nets by itself: there is nothing to convert"
                self._later([ConversionFailed(action=output.action, market=output.market, text=text)])
            case CancelOrders():
                for cancel in output.cancels:
                    self._begin(self._cancels.cancel, cancel, SentAction.CANCEL, reserve=CANCEL_RESERVE)
            case PlaceOrders() | AmendOrders():
                passed = self._screen(output)
                if isinstance(passed, PlaceOrders):
                    for order in passed.orders:
                        self._begin(self._place, order, SentAction.PLACE)
                elif passed is not None:
                    for amend in passed.amends:
                        self._begin(self._amend, amend, SentAction.AMEND)

    def _screen(self, output: PlaceOrders | AmendOrders) -> PlaceOrders | AmendOrders | None:
        """What the fuse lets pass; the rest is told to the engine."""
        fuse = self.fuse
        if fuse is None:
            return output
        was, refused_before = fuse.tripped, fuse.refused
        passed, news = fuse.screen(output, self._time.clock.now().mono_ns)
        if fuse.tripped != was:
            _log.critical("the fuse has tripped", reason=fuse.tripped, next="cancel-only until the daemon restarts")
        if news:
            self._counters.add("fuse_refusals", fuse.refused - refused_before)
            self._later(news)
            if fuse.tripped is not None:
                fuse.told = True
        return passed

    def _begin(
        self, work: Callable[[R], Awaitable[list[Input]]], request: R, action: SentAction, *, reserve: int = 0
    ) -> None:
        """Run a request as a task of its own, unless too many are under way."""
        assert self._nursery is not None
        if self.under_way >= self._config.writes_max + reserve:
            self._counters.add("sends_refused")
            self._later([SendRefused((request.client_id,), action, f"{self.under_way} requests under way")])
            return
        self.under_way += 1
        self._nursery.start_soon(self._run, work, request)

    async def _run(self, work: Callable[[R], Awaitable[list[Input]]], request: R) -> None:
        try:
            self._emit(await work(request))
        finally:
            self.under_way -= 1

    def _later(self, events: list[Input]) -> None:
        """Tell the engine after its turn."""
        assert self._nursery is not None
        self._nursery.start_soon(self._tell, events)

    async def _tell(self, events: list[Input]) -> None:
        await trio.lowlevel.checkpoint()
        self._emit(events)

    # -- places

    async def _place(self, order: OrderRequest) -> list[Input]:
        await trio.lowlevel.checkpoint()
        market = self._registry.markets.get(order.market)
        if market is None:
            return [OrderRejected(client_id=order.client_id, code="no_such_market", text=f"{order.market} not listed")]
        if not sayable(order.px, order.qty):
            return [OrderRejected(client_id=order.client_id, code="invalid_order", text=_UNSAYABLE)]
        track, wish = self.prepare(order)
        bucket = self._rest.budgets.write(wish.shard)
        if bucket.level(self._time.clock.now().mono_ns) < self._rest.budgets.costs.default:
            self._tracks.end(track)
            self._counters.add("sends_refused")
            return [SendRefused((order.client_id,), SentAction.PLACE, "the write budget of the shard is spent")]
        async with track.busy:
            sent_ns, life = self._time.clock.read().mono_ns, self._burst.life
            try:
                answer = await self._rest.create(wish)
            except NotSent as error:
                self._tracks.end(track)
                return [SendRefused((order.client_id,), SentAction.PLACE, str(error))]
            except VenueUnavailable as error:
                self._counters.add("sends_lost")
                return [SendLost((order.client_id,), SentAction.PLACE, str(error))]
            self._acks_ns.append(self._time.clock.read().mono_ns - sent_ns)
            if isinstance(answer, Refusal) and answer.code == GROUP_LIMIT:
                self._burst.refused(life)
            return await self._placed(track, answer)

    def prepare(self, order: OrderRequest) -> tuple[Track, Create]:
        """The order as the venue wants it, and the memory of it. Whatever may rest has an end of its own."""
        ticker = ticker_of(order.market)
        side, px = to_wire(order.leg, order.side, order.px)
        now_ms = self._time.wall_ms()
        expires_s = self.expiry_s() if order.tif in RESTING else None
        track = self._tracks.place(order, ticker, self._registry.shard_of(ticker), expires_s, now_ms)
        self._feed.active(now_ms)
        wish = Create(
            ticker=ticker,
            shard=track.shard,
            client_id=order.client_id,
            side=side,
            px=px,
            qty=order.qty,
            tif=_TIFS[order.tif],
            post_only=order.tif is Tif.ALO,
            reduce_only=order.reduce_only and order.tif not in RESTING,
            expires_s=expires_s,
            # A group that has tripped takes nothing: what only brings back what is held stays outside of it.
            group=None if goes_home(order.purpose, order.side) else self._burst.group,
        )
        return track, wish

    def expiry_s(self) -> int:
        """Unix seconds of the end of what is sent now, rounded up: seconds are all the venue knows."""
        return -(-(self._time.wall_ms() + int(self._config.expires_after_s * 1_000)) // 1_000)

    async def _placed(self, track: Track, answer: Answer | Refusal) -> list[Input]:
        if isinstance(answer, Refusal):
            fate = answer.fate(places=True)
            if fate is Fate.ALREADY:
                return await self._arrived_before(track)
            if fate is Fate.AMBIGUOUS:
                self._counters.add("sends_lost")
                return [SendLost((track.client_id,), SentAction.PLACE, answer.text)]
            self._tracks.end(track)
            return [OrderRejected(client_id=track.client_id, code=answer.code, text=answer.text)]
        return self.accepted(track, answer)

    def accepted(self, track: Track, answer: Answer) -> list[Input]:
        """The answer to a new order."""
        if answer.order_id is None:
            return [SendLost((track.client_id,), SentAction.PLACE, "the answer names no order")]
        if track.order_id is None:
            self._tracks.name(track, answer.order_id)
        self._feed.active(answer.venue_ms)
        if answer.leaves is None or answer.leaves or (track.tif in RESTING and not answer.filled):
            return self._feed.opened(track, answer.venue_ms)
        filled = answer.filled or Qty(0)
        return self._feed.closed(track, filled, answer.venue_ms, executed=filled >= track.total)

    async def _arrived_before(self, track: Track) -> list[Input]:
        """The venue knows the id already: the order is there, whatever we heard of it."""
        self._counters.add("duplicate_ids")
        row, why = None, "the venue has the id but does not list the order"
        try:
            row = await self._lookup.find(track.client_id)
        except VenueUnavailable as error:
            why = str(error)
        if row is None:
            return [SendLost((track.client_id,), SentAction.PLACE, why)]
        return self._feed.on_row(track, row)

    # -- amends

    async def _amend(self, amend: AmendRequest) -> list[Input]:
        await trio.lowlevel.checkpoint()
        track = self._tracks.of(amend.client_id)
        if track is None:
            return [AmendFailed(client_id=amend.client_id, code="unknown_order", text="no such order of this run")]
        if not sayable(amend.px, amend.qty):
            return [AmendFailed(client_id=amend.client_id, code="invalid_order", text=_UNSAYABLE)]
        async with track.busy:
            if track.done or track.order_id != wire_id(amend.venue_order_id):
                return [AmendFailed(client_id=amend.client_id, code="not_resting", text="it rests no more")]
            side, px = to_wire(amend.leg, amend.side, amend.px)
            told, total = track.told, Qty(track.told + amend.qty)
            expires_s = self.expiry_s()
            self._feed.active(self._time.wall_ms())
            try:
                answer = await self._rest.amend(
                    Amend(
                        ticker=track.ticker, shard=track.shard, order_id=track.order_id, side=side, px=px, total=total,
                        client_id=track.client_id, expires_s=expires_s,
                    )
                )  # fmt: skip
            except NotSent as error:
                return [SendRefused((amend.client_id,), SentAction.AMEND, str(error))]
            except VenueUnavailable as error:
                self._counters.add("sends_lost")
                track.expires_s = max(track.expires_s or 0, expires_s)
                return [SendLost((amend.client_id,), SentAction.AMEND, str(error))]
            if isinstance(answer, Refusal):
                return [AmendFailed(client_id=amend.client_id, code=answer.code, text=answer.text)]
            track.px, track.total, track.expires_s = amend.px, total, expires_s
            track.base, track.version, track.opened = track.told, track.version + 1, True
            return self._amended(track, told, answer)

    def _amended(self, track: Track, told_before: int, answer: Answer) -> list[Input]:
        """The order as amended, under its new number."""
        venue_id = track.venue_id
        assert venue_id is not None
        self._feed.active(answer.venue_ms)
        if track.told != told_before:
            # A fill was told while the amend was under way. What is left is less than was asked for, and nothing else.
            return [
                OrderAnswer(
                    client_id=track.client_id, found=True, open=True, status=RESTS, venue_order_id=venue_id,
                    leaves=track.leaves(), filled=Qty(0), px=track.px,
                )
            ]  # fmt: skip
        opened = OrderOpened(client_id=track.client_id, venue_order_id=venue_id, leaves=None, venue_ms=answer.venue_ms)
        if answer.leaves == 0 and answer.filled is not None and answer.filled >= track.total:
            return [opened, *self._feed.closed(track, track.total, answer.venue_ms, executed=True)]
        return [opened]
