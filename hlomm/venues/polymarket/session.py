"""One Polymarket account: connect, stay connected, carry out outputs, turn what happens into inputs.

Theory of operation. How a session lives is in `hlomm.venues.life`, the life of one connection in `connection.py`: it
is around two websockets, and the session is up only while both are. Orders go over HTTP either way; requests,
questions, resolutions and heartbeat outlive a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import trio

from hlomm.domain.faults import VenueRefused
from hlomm.domain.ids import POLYMARKET, MarketId, VenueId
from hlomm.domain.inputs import AccountState, BookSnapshot, RestingOrder
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
from hlomm.venues.clock import Clock
from hlomm.venues.curve import assert_fast_backend
from hlomm.venues.life import Ended, Life, Stages
from hlomm.venues.polymarket.config import PolymarketConfig
from hlomm.venues.polymarket.connection import Connection
from hlomm.venues.polymarket.parts import assemble
from hlomm.venues.polymarket.rest import VERSION
from hlomm.venues.protocol import SaleRules, SessionStatistics, Sink
from hlomm.venues.transport import Transport

_CHASE_EVERY_S: Final = 1.0


class PolymarketSession:
    """See `hlomm.venues.protocol.VenueSession`. One object is one API key, which nobody else may use."""

    def __init__(
        self, config: PolymarketConfig, *, transport: Transport | None = None, clock: Clock | None = None
    ) -> None:
        assert_fast_backend()
        self._config = config
        self._clock = Clock() if clock is None else clock
        self._parts = assemble(config, Transport() if transport is None else transport, self._clock)
        self._life = Life(
            venue=POLYMARKET,
            pace=config,
            clock=self._clock,
            outlet=self._parts.outlet,
            rest=self._parts.rest,
            rounds=self._parts.rounds,
            markets=lambda: len(self._parts.registry.markets),
            stages=Stages(
                begin=self._begin,
                introduce=self._introduce,
                connect=self._connect,
                poll=self._poll,
                end=self._end,
            ),
        )

    @property
    def venue(self) -> VenueId:
        return POLYMARKET

    # -- life

    async def run(  # noqa: ASYNC128 - `life` calls it
        self, sink: Sink, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Connect and stay connected until cancelled; `started()` after the first SessionUp.

        VenueRefused if the venue gives our key no API key or speaks another version of orders.
        """
        await self._life.run(sink, task_status)

    def _begin(self, nursery: trio.Nursery) -> None:
        parts = self._parts
        parts.gateway.attach(nursery)
        parts.upkeep.attach(nursery)
        nursery.start_soon(parts.rest.keep_warm)
        nursery.start_soon(self._chase_ends)
        if parts.heartbeat is not None:
            nursery.start_soon(parts.heartbeat.run, self._life.is_live)
        # Only a second run knows any yet; its engine may be a new one.
        parts.roll.tell_all()

    def _end(self) -> None:
        self._parts.gateway.detach()
        self._parts.upkeep.detach()

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

    async def _connect(self, on_up: Callable[[], None]) -> Ended:
        return await Connection(self._parts, on_up).run()

    async def _poll(self) -> None:
        """The account, and the followed books of what is held."""
        await self._parts.rounds.attempt(self._read_at_stake)

    async def _read_at_stake(self) -> None:
        await self._parts.upkeep.reconcile()
        for market in list(self._parts.streams.wanted):
            if self._parts.account.holds(market):
                await self._parts.upkeep.read_book(market)

    async def _chase_ends(self) -> None:
        """What ended markets paid is asked for through any number of connections."""
        while True:
            await self._parts.rounds.pause(_CHASE_EVERY_S)
            if self._life.introduced:
                await self._parts.rounds.attempt(self._parts.roll.chase)

    # -- outputs

    def submit(self, output: Output) -> None:
        """Carry out one output; returns at once, results come as inputs."""
        parts = self._parts
        match output:
            case PlaceOrders() | AmendOrders() | CancelOrders() | ConvertSet():
                parts.gateway.submit(output)
            case QueryOrder():
                parts.upkeep.asking.order(output.client_id)
            case QueryAccount():
                parts.upkeep.asking.account()
            case Subscribe():
                parts.streams.want(output.market, self._clock.now().wall_ns)
            case Unsubscribe():
                parts.streams.unwant(output.market)
            case _:
                parts.counters.add("outputs_not_for_venues")

    def statistics(self) -> SessionStatistics:
        parts = self._parts
        liveness = parts.inbox.market_liveness
        return SessionStatistics(
            state=self._life.state,
            data_age_s=None if liveness is None else self._clock.age_s(liveness.last_data),
            ack_p50_ms=parts.gateway.p50_ms(),
            posts_in_flight=parts.gateway.in_flight,
            reconnects=self._life.reconnects,
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
