"""One Hyperliquid account: connect, stay connected, carry out outputs, turn what happens into inputs.

Theory of operation. How a session lives is in `hlomm.venues.life`, the life of one connection in `connection.py`.
Frames are handled in the socket's drain task without awaiting, so inputs reach the engine in the order they were read
and nothing lies between socket and decision. Orders travel on the socket: what was in flight when it is lost is told
lost. Settlements, questions and REST fallbacks outlive a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog
import trio

from hlomm.domain.faults import VenueRefused, VenueUnavailable
from hlomm.domain.ids import HYPERLIQUID, MarketId, VenueId, is_outcome
from hlomm.domain.inputs import (
    AccountState,
    BookSnapshot,
    RestingOrder,
)
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
from hlomm.venues.hyperliquid.config import HyperliquidConfig
from hlomm.venues.hyperliquid.connection import RECONCILE_WEIGHT, Connection
from hlomm.venues.hyperliquid.limits import SALES
from hlomm.venues.hyperliquid.parts import assemble
from hlomm.venues.hyperliquid.wire.errors import REFUSES_US, error_code
from hlomm.venues.life import Ended, Life, Stages
from hlomm.venues.protocol import SaleRules, SessionStatistics, Sink
from hlomm.venues.transport import Transport

_log = structlog.get_logger("hlomm.venues.hyperliquid")


class HyperliquidSession:
    """See `hlomm.venues.protocol.VenueSession`. One object is one signer: its nonces are nobody else's."""

    def __init__(
        self, config: HyperliquidConfig, *, transport: Transport | None = None, clock: Clock | None = None
    ) -> None:
        assert_fast_backend()
        self._config = config
        self._clock = Clock() if clock is None else clock
        self._parts = assemble(config, Transport() if transport is None else transport, self._clock)
        self._life = Life(
            venue=HYPERLIQUID,
            pace=config,
            clock=self._clock,
            outlet=self._parts.outlet,
            rest=self._parts.rest,
            rounds=self._parts.rounds,
            markets=lambda: len(self._parts.registry.markets),
            stages=Stages(
                begin=self._begin,
                introduce=self._introduce,
                refresh=self._parts.upkeep.read_outcomes,
                connect=self._connect,
                arrived=self._arrived,
                poll=self._poll,
                farewell=self._farewell,
                end=self._end,
            ),
        )

    @property
    def venue(self) -> VenueId:
        return HYPERLIQUID

    # -- life

    async def run(  # noqa: ASYNC128 - `life` calls it
        self, sink: Sink, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Connect and stay connected until cancelled; `started()` after the first SessionUp.

        VenueRefused if the venue knows neither key nor account, or the key is for the other network.
        """
        await self._life.run(sink, task_status)

    def _begin(self, nursery: trio.Nursery) -> None:
        parts = self._parts
        parts.gateway.attach(nursery)
        parts.upkeep.attach(nursery)
        nursery.start_soon(parts.rest.keep_warm)
        if parts.deadman is not None:
            nursery.start_soon(parts.deadman.run, self._life.is_live)
        # Only a second run knows any yet; its engine may be a new one.
        parts.roll.tell_all()

    def _end(self) -> None:
        self._parts.gateway.detach()
        self._parts.upkeep.detach()

    async def _introduce(self) -> None:
        """Learn markets, account and limits; find out whether the venue accepts our signature."""
        parts = self._parts
        parts.account_feed.start_ms = await parts.upkeep.measure_skew()
        await self._check_signer()
        await parts.upkeep.read_outcomes()
        await parts.upkeep.read_perps()
        await parts.upkeep.read_fees()
        await parts.upkeep.read_budget()
        if self._config.fills_from_ms is None:
            # What is listed now is inside the balances read next; a fill in between is told by that very read.
            parts.account_feed.seed_fills(await parts.rest.user_fills())
        else:
            parts.account_feed.start_ms = self._config.fills_from_ms
        await parts.upkeep.reconcile()

    async def _check_signer(self) -> None:
        """A signed no-op tells at once what the first order would otherwise have to find out."""
        refusal = await self._parts.direct.check_signer()
        if refusal is None:
            return
        if error_code(refusal) in REFUSES_US:
            raise VenueRefused(
                f"{self._config.rest_url} refuses the agent key or account {self._config.account}"
                f" on {self._config.chain.value}: {refusal} — an agent that has expired or was replaced is refused like"
                " this: approve a new one at the venue, then hlomm keys rotate hyperliquid"
            )
        self._parts.counters.add("signer_checks_inconclusive")
        _log.warning("the venue did not say whether it accepts our signature", answer=refusal[:200])

    async def _connect(self, on_up: Callable[[], None]) -> Ended:
        return await Connection(self._parts, on_up).run()

    def _arrived(self) -> None:
        if self._parts.deadman is not None:
            self._parts.deadman.wake()

    async def _farewell(self) -> None:
        if self._parts.deadman is not None:
            await self._parts.deadman.finish()

    async def _poll(self) -> None:
        """The account, and books where something is at stake."""
        await trio.lowlevel.checkpoint()
        parts = self._parts
        weight = RECONCILE_WEIGHT + 2 * len(parts.streams.wanted)
        if parts.rest.affords_again(weight):
            await parts.rounds.attempt(self._read_at_stake, weight)
        else:
            parts.counters.add("rounds_skipped")

    async def _read_at_stake(self) -> None:
        await self._parts.upkeep.reconcile()
        await self._parts.upkeep.read_books()

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
                parts.streams.want(output.market, parts.gateway.send_text, self._clock.now().wall_ns)
            case Unsubscribe():
                parts.streams.unwant(output.market, parts.gateway.send_text)
            case _:
                parts.counters.add("outputs_not_for_venues")

    def statistics(self) -> SessionStatistics:
        parts = self._parts
        liveness = parts.inbox.liveness
        return SessionStatistics(
            state=self._life.state,
            data_age_s=None if liveness is None else self._clock.age_s(liveness.last_data),
            ack_p50_ms=parts.gateway.posts.p50_ms(),
            posts_in_flight=len(parts.gateway.posts),
            reconnects=self._life.reconnects,
            skew_ms=parts.time.ahead_ms,
            counters={
                **parts.counters.counts,
                "writer_queue_peak": parts.gateway.queue_peak(),
                "actions_left": parts.gateway.budget.left,
            },
            fuse="none" if parts.gateway.fuse is None else parts.gateway.fuse.word,
            deadman_until_ms=0 if parts.deadman is None else parts.deadman.until_ms,
        )

    # -- requests only

    async def check_access(self) -> str | None:
        refusal = await self._parts.direct.check_signer()
        if refusal is not None and error_code(refusal) not in REFUSES_US:
            raise VenueUnavailable(f"inconclusive answer to a signed no-op: {refusal[:200]}")
        return refusal

    async def fetch_resting(self) -> list[RestingOrder]:
        return list(await self._parts.account.resting())

    async def fetch_account(self) -> AccountState:
        return await self._parts.account.state()

    async def fetch_book(self, market: MarketId) -> BookSnapshot | None:
        return await self._parts.direct.book(market)

    def sale_rules(self, market: MarketId) -> SaleRules | None:
        return SALES if is_outcome(market) else None

    async def cancel_now(self, orders: Sequence[RestingOrder]) -> int:
        return await self._parts.direct.cancel(orders)

    async def place_now(self, orders: Sequence[OrderRequest]) -> list[str]:
        return await self._parts.direct.place(orders)
