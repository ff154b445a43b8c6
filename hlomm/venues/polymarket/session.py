"""One Polymarket account: connect, stay connected, carry out outputs, turn what happens into inputs.

Theory of operation. `run` owns one nursery for the life of the session (requests, questions, resolutions, heartbeat,
the poll while the stream is down); each connection has one of its own (`connection.py`) around two websockets, and the
session is up only while both are. Orders go over HTTP either way. Whatever ends a connection, the sequence is the
same: SessionDown, requests poll what matters, and a new connection is tried after a pause.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

import structlog
import trio

from hlomm.domain.faults import VenueRefused, VenueUnavailable
from hlomm.domain.ids import POLYMARKET, MarketId, VenueId
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
    Subscribe,
    Unsubscribe,
)
from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.venues.clock import Clock
from hlomm.venues.curve import assert_fast_backend
from hlomm.venues.pacing import backoff_s
from hlomm.venues.polymarket.config import PolymarketConfig
from hlomm.venues.polymarket.connection import Connection, attempt, pause
from hlomm.venues.polymarket.parts import assemble
from hlomm.venues.polymarket.rest import VERSION
from hlomm.venues.protocol import SaleRules, SessionStatistics, Sink
from hlomm.venues.transport import Transport

CONNECTING: Final = "connecting"
LIVE: Final = "live"
REST_ONLY: Final = "rest_only"
DOWN: Final = "down"

_CHASE_EVERY_S: Final = 1.0

_log = structlog.get_logger("hlomm.venues.polymarket")


class PolymarketSession:
    """See `hlomm.venues.protocol.VenueSession`. One object is one API key, which nobody else may use."""

    def __init__(
        self, config: PolymarketConfig, *, transport: Transport | None = None, clock: Clock | None = None
    ) -> None:
        assert_fast_backend()
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
        return POLYMARKET

    # -- life

    async def run(self, sink: Sink, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Connect and stay connected until cancelled; `started()` after the first SessionUp.

        VenueRefused if the venue gives our key no API key or speaks another version of orders.
        """
        parts = self._parts
        assert parts.outlet.sink is None, "a session runs once at a time"
        parts.outlet.sink = sink
        self._state = CONNECTING
        self._introduced = False
        self._told_rest = None
        self._connections = 0

        def first_up() -> None:
            task_status.started()

        self._on_first_up = first_up
        refused: VenueRefused | None = None
        try:
            async with parts.rest.opened(), trio.open_nursery() as nursery:
                parts.gateway.attach(nursery)
                parts.upkeep.attach(nursery)
                nursery.start_soon(self._poll_while_down)
                nursery.start_soon(self._chase_ends)
                if parts.heartbeat is not None:
                    nursery.start_soon(parts.heartbeat.run, self._is_live)
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
                if not self._introduced:
                    await self._introduce()
                    self._introduced = True
                self._down(await connection.run())
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

    async def _introduce(self) -> None:
        """Learn markets and account; find out whether the venue takes our key and the orders we sign."""
        parts = self._parts
        now_ms = await parts.upkeep.measure_skew()
        version = await parts.rest.version()
        if version != VERSION:
            raise VenueRefused(f"{self._config.clob_url} takes orders of version {version}, we sign {VERSION}")
        await parts.rest.claim_key()
        await parts.roll.read_markets()
        await self._read_history(now_ms)
        await parts.upkeep.reconcile()

    async def _read_history(self, now_ms: int) -> None:
        """Trades whose tokens may still be held, in markets that are no longer listed.

        What is listed now is inside the balances read next; only fills that the books of an earlier run may lack are
        told.
        """
        parts, config = self._parts, self._config
        told_from_ms = now_ms if config.fills_from_ms is None else config.fills_from_ms
        since_ms = min(told_from_ms, now_ms) - round(config.lookback_s * 1_000)
        trades = await parts.account.look_back(since_ms)
        parts.account_feed.start_ms = since_ms
        parts.account_feed.seed([one for one in trades if one.venue_ms < told_from_ms])
        if config.fills_from_ms is not None:
            parts.outlet.emit(parts.account_feed.on_listed([one for one in trades if one.venue_ms >= told_from_ms]))

    # -- up and down

    def _up(self) -> None:
        self._connections += 1
        self._state = LIVE
        self._told_rest = None
        _log.info("session up", markets=len(self._parts.registry.markets), connection=self._connections)
        self._parts.outlet.emit([SessionUp(POLYMARKET)])
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
            self._parts.outlet.emit([SessionDown(POLYMARKET, reason, rest)])

    async def _poll_while_down(self) -> None:
        """While the stream is down, what matters is asked for: the account, and the followed books."""
        parts = self._parts
        while True:
            await pause(parts, self._config.rest_poll_s)
            if self._introduced and self._state in (REST_ONLY, DOWN):
                await attempt(parts, self._poll)
                if self._state in (REST_ONLY, DOWN):
                    self._down("requests are answered again" if parts.rest.ok else "requests are not answered")

    async def _poll(self) -> None:
        await self._parts.upkeep.reconcile()
        for market in list(self._parts.streams.wanted):
            if self._parts.account.holds(market):
                await self._parts.upkeep.read_book(market)

    async def _chase_ends(self) -> None:
        """What ended markets paid is asked for through any number of connections."""
        while True:
            await pause(self._parts, _CHASE_EVERY_S)
            if self._introduced:
                await attempt(self._parts, self._parts.roll.chase)

    # -- outputs

    def submit(self, output: Output) -> None:
        """Carry out one output; returns at once, results come as inputs."""
        parts = self._parts
        match output:
            case PlaceOrders() | AmendOrders() | CancelOrders() | ConvertSet():
                parts.gateway.submit(output)
            case QueryOrder():
                parts.upkeep.ask(output.client_id)
            case QueryAccount():
                parts.upkeep.ask_account()
            case Subscribe():
                parts.streams.want(output.market, self._clock.now().wall_ns)
            case Unsubscribe():
                parts.streams.unwant(output.market)
            case _:
                parts.counters.add("outputs_not_for_venues")

    def statistics(self) -> SessionStatistics:
        parts = self._parts
        age_s = None
        if parts.inbox.market_liveness is not None:
            elapsed_ns = self._clock.read().mono_ns - parts.inbox.market_liveness.last_data
            age_s = self._clock.map.venue_elapsed_ns(elapsed_ns) / NS_PER_S
        return SessionStatistics(
            state=self._state,
            data_age_s=age_s,
            ack_p50_ms=parts.gateway.p50_ms(),
            posts_in_flight=parts.gateway.in_flight,
            reconnects=max(self._connections - 1, 0),
            skew_ms=parts.time.ahead_ms,
            counters=dict(parts.counters.counts),
            fuse="none" if parts.gateway.fuse is None else parts.gateway.fuse.word,
            deadman_until_ms=0 if parts.heartbeat is None else parts.heartbeat.until_ms,
        )

    # -- requests only

    async def check_access(self) -> str | None:
        return await self._parts.rest.check_key()

    async def fetch_resting(self) -> list[RestingOrder]:
        return list(await self._parts.account.resting())

    async def fetch_account(self) -> AccountState:
        return await self._parts.account.state()

    async def fetch_book(self, market: MarketId) -> BookSnapshot | None:
        return await self._parts.direct.book(market)

    def sale_rules(self, market: MarketId) -> SaleRules | None:
        return self._parts.direct.sale_rules(market)

    async def cancel_now(self, orders: Sequence[RestingOrder]) -> int:
        return await self._parts.direct.cancel(orders)

    async def place_now(self, orders: Sequence[OrderRequest]) -> list[str]:
        return await self._parts.direct.place(orders)
