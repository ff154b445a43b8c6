"""One Kalshi account: connect, stay connected, carry out outputs, turn what happens into inputs.

Theory of operation. `run` owns one nursery for the life of the session (requests, expiries, the exchange's state, the
poll while the stream is down); each connection has one of its own (`connection.py`). Orders go out as requests, so they
outlive a connection: what was under way when the stream was lost is still answered. Whatever ends a connection, the
sequence is the same: SessionDown, requests poll what matters, and a new connection is tried after a pause.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

import structlog
import trio

from hlomm.domain.faults import VenueRefused, VenueUnavailable
from hlomm.domain.ids import KALSHI, MarketId, VenueId, is_ours
from hlomm.domain.inputs import AccountState, BookSnapshot, RestingOrder, SessionDown, SessionUp
from hlomm.domain.orders import OrderRequest
from hlomm.domain.outputs import (
    AmendOrders,
    CancelOrders,
    ConvertSet,
    Output,
    PlaceOrders,
    QueryAccount,
    QueryOrder,
    ResetBreaker,
    Subscribe,
    Unsubscribe,
)
from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.venues.clock import Clock
from hlomm.venues.kalshi.config import KalshiConfig
from hlomm.venues.kalshi.connection import ROUND, Connection, attempt_round, pause
from hlomm.venues.kalshi.parts import assemble
from hlomm.venues.kalshi.streams import ticker_of
from hlomm.venues.pacing import backoff_s
from hlomm.venues.protocol import SaleRules, SessionStatistics, Sink
from hlomm.venues.transport import Transport

CONNECTING: Final = "connecting"
LIVE: Final = "live"
REST_ONLY: Final = "rest_only"
DOWN: Final = "down"

_log = structlog.get_logger("hlomm.venues.kalshi")


class KalshiSession:
    """See `hlomm.venues.protocol.VenueSession`. One object is one API key."""

    def __init__(self, config: KalshiConfig, *, transport: Transport | None = None, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = Clock() if clock is None else clock
        self._parts = assemble(config, Transport() if transport is None else transport, self._clock)
        self._jitter = random.Random(config.jitter_seed)  # noqa: S311 - spreads reconnects, guards nothing
        self._state = DOWN
        self._introduced = False
        self._told_rest: bool | None = None
        """What the last SessionDown said of REST; None while up or before anything was said."""
        self._connections = 0
        self._on_first_up: Callable[[], None] = lambda: None

    @property
    def venue(self) -> VenueId:
        return KALSHI

    # -- life

    async def run(self, sink: Sink, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Connect and stay connected until cancelled; `started()` after the first SessionUp.

        VenueRefused if the venue does not take the key.
        """
        parts = self._parts
        assert parts.outlet.sink is None, "a session runs once at a time"
        parts.outlet.sink = sink
        self._state, self._introduced, self._told_rest, self._connections = CONNECTING, False, None, 0

        def first_up() -> None:
            task_status.started()

        self._on_first_up = first_up
        refused: VenueRefused | None = None
        try:
            async with parts.rest.opened(), trio.open_nursery() as nursery:
                parts.gateway.attach(nursery)
                parts.upkeep.attach(nursery)
                parts.burst.attach(nursery)
                nursery.start_soon(self._poll_while_down)
                nursery.start_soon(self._keep_status)
                nursery.start_soon(parts.expiries.run, self._is_live)
                # Only a second run knows any yet; its engine may be a new one.
                parts.roll.tell_all()
                try:
                    await self._stay_connected()
                except VenueRefused as error:
                    # Kept until the nursery is closed, which would wrap it in a group.
                    refused = error
                nursery.cancel_scope.cancel(reason="the venue refuses us")
        finally:
            parts.gateway.detach()
            parts.upkeep.detach()
            parts.burst.detach()
            parts.outlet.sink = None
            self._state = DOWN
        if refused is not None:
            raise refused

    def _is_live(self) -> bool:
        return self._state == LIVE

    async def _stay_connected(self) -> None:
        failures = 0
        while True:
            connection = Connection(self._parts, self._up)
            try:
                await self._prepare()
                link = await connection.run()
                self._down(f"{link.lost_because}")
            except VenueUnavailable as error:
                self._down(str(error))
            stable = connection.lived_ns >= seconds_to_ns(self._clock.host_seconds(self._config.stable_after_s))
            failures = 0 if stable else failures + 1
            await pause(
                self._parts,
                backoff_s(
                    max(failures - 1, 0),
                    base_s=self._config.reconnect_base_s,
                    cap_s=self._config.reconnect_cap_s,
                    jitter=self._jitter.random(),
                ),
            )

    async def _prepare(self) -> None:
        """What must be known before a connection: everything the first time, later which markets still live."""
        parts = self._parts
        if self._introduced:
            await parts.roll.read_lists()
            return
        refusal = await parts.direct.check_access()
        if refusal is not None:
            raise VenueRefused(f"{self._config.rest_url} refuses the API key {self._config.key_id}: {refusal}")
        await parts.upkeep.read_limits()
        await parts.upkeep.read_status()
        parts.upkeep.tell_skew()
        await parts.upkeep.check_netting()
        await self._sweep()
        await parts.burst.open()
        await parts.upkeep.open_books()
        await parts.roll.read_lists()
        await parts.upkeep.reconcile()
        self._introduced = True

    async def _sweep(self) -> None:
        """Cancel what an earlier run left, on whichever shard: it would expire, but not before it could fill."""
        left = await self.fetch_resting()
        ours = [order for order in left if is_ours(order.client_id)]
        if ours:
            _log.warning("orders of an earlier run rest: cancelling them", orders=len(ours), of=len(left))
            self._parts.counters.add("swept_orders", await self._parts.direct.cancel(ours))
            self._parts.feed.active(self._parts.time.wall_ms())

    # -- up and down

    def _up(self) -> None:
        self._connections += 1
        self._state = LIVE
        self._told_rest = None
        _log.info("session up", markets=len(self._parts.registry.markets), connection=self._connections)
        self._parts.outlet.emit([SessionUp(KALSHI)])
        self._parts.expiries.tell()
        if self._connections == 1:
            self._on_first_up()

    def _down(self, reason: str) -> None:
        """Tell that the session is down if that is news."""
        rest = self._parts.rest.ok is not False
        was_up = self._state == LIVE
        self._state = REST_ONLY if rest else DOWN
        if was_up or self._told_rest != rest:
            _log.warning("session down", reason=reason, rest=rest)
            self._told_rest = rest
            self._parts.outlet.emit([SessionDown(KALSHI, reason, rest)])

    async def _poll_while_down(self) -> None:
        """While the stream is down, what matters is asked for: the account, and books where something is at stake."""
        parts = self._parts
        while True:
            await pause(parts, self._config.rest_poll_s)
            if self._introduced and self._state in (REST_ONLY, DOWN):
                await attempt_round(parts, self._poll, ROUND)
                if self._state in (REST_ONLY, DOWN):
                    self._down("requests are answered again" if parts.rest.ok else "requests are not answered")

    async def _poll(self) -> None:
        parts = self._parts
        await parts.upkeep.reconcile()
        held = {ticker for ticker, qty in parts.purse.positions.items() if qty}
        held |= {track.ticker for track in parts.tracks.live()}
        for ticker in [one for one in parts.streams.wanted if one in held]:
            book = await parts.direct.book(MarketId(f"{KALSHI}:{ticker}"))
            if book is not None:
                parts.outlet.emit([parts.streams.stamped(book)])

    async def _keep_status(self) -> None:
        """Watch for pauses of the exchange, connected or not."""
        parts = self._parts
        while True:
            await pause(parts, self._config.status_every_s)
            if self._introduced and await attempt_round(parts, parts.upkeep.read_status, 1):
                parts.upkeep.tell_skew()

    # -- outputs

    def submit(self, output: Output) -> None:
        """Carry out one output; returns at once, results come as inputs."""
        parts = self._parts
        match output:
            case PlaceOrders() | AmendOrders() | CancelOrders() | ConvertSet():
                parts.gateway.submit(output)
            case ResetBreaker():
                parts.burst.reset()
            case QueryOrder():
                parts.upkeep.ask(output.client_id)
            case QueryAccount():
                parts.upkeep.ask_account()
            case Subscribe():
                if output.market in parts.registry.markets:
                    parts.streams.want(ticker_of(output.market), parts.inbox.send)
                else:
                    parts.counters.add("subscribe_dead")
            case Unsubscribe():
                parts.streams.unwant(ticker_of(output.market), parts.inbox.send)
            case _:
                parts.counters.add("outputs_not_for_venues")

    def statistics(self) -> SessionStatistics:
        parts = self._parts
        age_s = None
        if parts.inbox.liveness is not None:
            elapsed_ns = self._clock.read().mono_ns - parts.inbox.liveness.last_data
            age_s = self._clock.map.venue_elapsed_ns(elapsed_ns) / NS_PER_S
        return SessionStatistics(
            state=self._state,
            data_age_s=age_s,
            ack_p50_ms=parts.gateway.ack_p50_ms(),
            posts_in_flight=parts.gateway.under_way,
            reconnects=max(self._connections - 1, 0),
            skew_ms=parts.time.ahead_ms,
            counters={**parts.counters.counts, "orders_tracked": len(parts.tracks)},
            fuse="none" if parts.gateway.fuse is None else parts.gateway.fuse.word,
            deadman_until_ms=parts.expiries.until_ms,
        )

    # -- requests only

    async def check_access(self) -> str | None:
        return await self._parts.direct.check_access()

    async def fetch_resting(self) -> list[RestingOrder]:
        rows = await self._parts.account.resting()
        self._parts.direct.saw(rows)
        return [self._parts.account.order(row) for row in rows]

    async def fetch_account(self) -> AccountState:
        await self._parts.account.catch_up()
        return self._parts.account.state(await self._parts.account.read())

    async def fetch_book(self, market: MarketId) -> BookSnapshot | None:
        return await self._parts.direct.book(market)

    def sale_rules(self, market: MarketId) -> SaleRules | None:
        return self._parts.direct.sale_rules(market)

    async def cancel_now(self, orders: Sequence[RestingOrder]) -> int:
        return await self._parts.direct.cancel(orders)

    async def place_now(self, orders: Sequence[OrderRequest]) -> list[str]:
        return await self._parts.direct.place(orders)
