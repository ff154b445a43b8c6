"""One Kalshi account: connect, stay connected, carry out outputs, turn what happens into inputs.

Theory of operation. How a session lives is in `hlomm.venues.life`, the life of one connection in `connection.py`.
Orders go out as requests, so they outlive a connection: what was under way when the stream was lost is still answered.
So do expiries and the watch on the exchange's state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog
import trio

from hlomm.domain.faults import VenueRefused
from hlomm.domain.ids import KALSHI, MarketId, VenueId, is_ours
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
    ResetBreaker,
    Subscribe,
    Unsubscribe,
)
from hlomm.venues.clock import Clock
from hlomm.venues.kalshi.config import KalshiConfig
from hlomm.venues.kalshi.connection import ROUND, Connection
from hlomm.venues.kalshi.parts import assemble
from hlomm.venues.kalshi.streams import ticker_of
from hlomm.venues.life import Ended, Life, Stages
from hlomm.venues.protocol import SaleRules, SessionStatistics, Sink
from hlomm.venues.transport import Transport

_log = structlog.get_logger("hlomm.venues.kalshi")


class KalshiSession:
    """See `hlomm.venues.protocol.VenueSession`. One object is one API key."""

    def __init__(self, config: KalshiConfig, *, transport: Transport | None = None, clock: Clock | None = None) -> None:
        self._config = config
        self._clock = Clock() if clock is None else clock
        self._parts = assemble(config, Transport() if transport is None else transport, self._clock)
        self._life = Life(
            venue=KALSHI,
            pace=config,
            clock=self._clock,
            outlet=self._parts.outlet,
            rest=self._parts.rest,
            rounds=self._parts.rounds,
            markets=lambda: len(self._parts.registry.markets),
            stages=Stages(
                begin=self._begin,
                introduce=self._introduce,
                refresh=self._parts.roll.read_lists,
                connect=self._connect,
                arrived=self._arrived,
                poll=self._poll,
                end=self._end,
            ),
        )

    @property
    def venue(self) -> VenueId:
        return KALSHI

    # -- life

    async def run(  # noqa: ASYNC128 - `life` calls it
        self, sink: Sink, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Connect and stay connected until cancelled; `started()` after the first SessionUp.

        VenueRefused if the venue does not take the key.
        """
        await self._life.run(sink, task_status)

    def _begin(self, nursery: trio.Nursery) -> None:
        parts = self._parts
        parts.gateway.attach(nursery)
        parts.upkeep.attach(nursery)
        parts.burst.attach(nursery)
        nursery.start_soon(parts.rest.keep_warm)
        nursery.start_soon(self._keep_status)
        nursery.start_soon(parts.expiries.run, self._life.is_live)
        # Only a second run knows any yet; its engine may be a new one.
        parts.roll.tell_all()

    def _end(self) -> None:
        self._parts.gateway.detach()
        self._parts.upkeep.detach()
        self._parts.burst.detach()

    async def _introduce(self) -> None:
        """Learn limits, markets and account; find out whether the venue takes our key."""
        parts = self._parts
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

    async def _sweep(self) -> None:
        """Cancel what an earlier run left, on whichever shard: it would expire, but not before it could fill."""
        left = await self.fetch_resting()
        ours = [order for order in left if is_ours(order.client_id)]
        if ours:
            _log.warning("orders of an earlier run rest: cancelling them", orders=len(ours), of=len(left))
            self._parts.counters.add("swept_orders", await self._parts.direct.cancel(ours))
            self._parts.feed.active(self._parts.time.wall_ms())

    async def _connect(self, on_up: Callable[[], None]) -> Ended:
        return await Connection(self._parts, on_up).run()

    def _arrived(self) -> None:
        self._parts.expiries.tell()

    async def _poll(self) -> None:
        """The account, and books where something is at stake."""
        await self._parts.rounds.attempt(self._read_at_stake, ROUND)

    async def _read_at_stake(self) -> None:
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
            await parts.rounds.pause(self._config.status_every_s)
            if self._life.introduced and await parts.rounds.attempt(parts.upkeep.read_status, 1):
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
                parts.upkeep.asking.order(output.client_id)
            case QueryAccount():
                parts.upkeep.asking.account()
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
        liveness = parts.inbox.liveness
        return SessionStatistics(
            state=self._life.state,
            data_age_s=None if liveness is None else self._clock.age_s(liveness.last_data),
            ack_p50_ms=parts.gateway.ack_p50_ms(),
            posts_in_flight=parts.gateway.under_way,
            reconnects=self._life.reconnects,
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
