"""One Hyperliquid account: connect, stay connected, carry out outputs, turn what happens into inputs.

Theory of operation. `run` owns one nursery for the life of the session (settlements, questions, REST fallbacks, the
poll while the stream is down); each connection has one of its own (`connection.py`). Frames are handled in the
socket's drain task without awaiting, so inputs reach the engine in the order they were read and nothing lies between
socket and decision. Whatever ends a connection, the sequence is the same: SessionDown, what was in flight is told
lost, requests poll what matters, and a new connection is tried after a pause.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

import structlog
import trio

from hlomm.domain.faults import VenueRefused, VenueUnavailable
from hlomm.domain.ids import HYPERLIQUID, MarketId, VenueId, is_outcome
from hlomm.domain.inputs import (
    AccountState,
    BookSnapshot,
    Input,
    RestingOrder,
    SessionDown,
    SessionUp,
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
from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.venues.clock import Clock
from hlomm.venues.curve import assert_fast_backend
from hlomm.venues.deadman import FAREWELL_S
from hlomm.venues.hyperliquid.config import HyperliquidConfig
from hlomm.venues.hyperliquid.connection import RECONCILE_WEIGHT, Connection, attempt_round, pause
from hlomm.venues.hyperliquid.limits import SALES
from hlomm.venues.hyperliquid.parts import assemble
from hlomm.venues.hyperliquid.wire.errors import REFUSES_US, error_code
from hlomm.venues.pacing import backoff_s
from hlomm.venues.protocol import SaleRules, SessionStatistics, Sink
from hlomm.venues.transport import Transport

CONNECTING: Final = "connecting"
LIVE: Final = "live"
REST_ONLY: Final = "rest_only"
DOWN: Final = "down"

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
        self._jitter = random.Random(config.jitter_seed)  # noqa: S311 - spreads reconnects, guards nothing
        self._state = DOWN
        self._introduced = False
        self._told_rest: bool | None = None
        """What the last SessionDown said of REST; None while up or before anything was said."""
        self._connections = 0
        self._on_first_up: Callable[[], None] = lambda: None

    @property
    def venue(self) -> VenueId:
        return HYPERLIQUID

    # -- life

    async def run(self, sink: Sink, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Connect and stay connected until cancelled; `started()` after the first SessionUp.

        VenueRefused if the venue knows neither key nor account, or the key is for the other network.
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
                if parts.deadman is not None:
                    nursery.start_soon(parts.deadman.run, self._is_live)
                # Only a second run knows any yet; its engine may be a new one.
                parts.roll.tell_all()
                try:
                    await self._stay_connected()
                except VenueRefused as error:
                    # Kept until the nursery is closed, which would wrap it in a group.
                    refused = error
                nursery.cancel_scope.cancel(reason="the venue refuses us")
        finally:
            if parts.deadman is not None:
                with trio.move_on_after(FAREWELL_S, shield=True):
                    await parts.deadman.finish()
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
                await self._prepare()
                link = await connection.run()
                self._down(f"{link.lost_because}", self._parts.gateway.link_lost(link))
            except VenueUnavailable as error:
                self._down(str(error), [])
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
        """What must be known before a connection: everything the first time, later which outcomes still live."""
        if self._introduced:
            await self._parts.upkeep.read_outcomes()
        else:
            await self._introduce()
            self._introduced = True

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
                f" on {self._config.chain.value}: {refusal}"
            )
        self._parts.counters.add("signer_checks_inconclusive")
        _log.warning("the venue did not say whether it accepts our signature", answer=refusal[:200])

    # -- up and down

    def _up(self) -> None:
        self._connections += 1
        self._state = LIVE
        self._told_rest = None
        _log.info("session up", markets=len(self._parts.registry.markets), connection=self._connections)
        self._parts.outlet.emit([SessionUp(HYPERLIQUID)])
        if self._parts.deadman is not None:
            self._parts.deadman.wake()
        if self._connections == 1:
            self._on_first_up()

    def _down(self, reason: str, lost: list[Input]) -> None:
        """Tell that the session is down if that is news, together with what became of posts in flight."""
        rest = self._parts.rest.ok is not False
        was_up = self._state == LIVE
        self._state = REST_ONLY if rest else DOWN
        if was_up or self._told_rest != rest:
            _log.warning("session down", reason=reason, rest=rest, in_flight_lost=len(lost))
            self._told_rest = rest
            self._parts.outlet.emit([SessionDown(HYPERLIQUID, reason, rest), *lost])
        else:
            self._parts.outlet.emit(lost)

    async def _poll_while_down(self) -> None:
        """While the stream is down, what matters is asked for: the account, and books where something is at stake."""
        parts = self._parts
        while True:
            await pause(parts, self._config.rest_poll_s)
            if self._introduced and self._state in (REST_ONLY, DOWN):
                await attempt_round(parts, self._poll, RECONCILE_WEIGHT + 2 * len(parts.streams.wanted))
                if self._state in (REST_ONLY, DOWN):
                    self._down("requests are answered again" if parts.rest.ok else "requests are not answered", [])

    async def _poll(self) -> None:
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
                parts.upkeep.ask(output.client_id)
            case QueryAccount():
                parts.upkeep.ask_account()
            case Subscribe():
                parts.streams.want(output.market, parts.gateway.send_text, self._clock.now().wall_ns)
            case Unsubscribe():
                parts.streams.unwant(output.market, parts.gateway.send_text)
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
            ack_p50_ms=parts.gateway.posts.p50_ms(),
            posts_in_flight=len(parts.gateway.posts),
            reconnects=max(self._connections - 1, 0),
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
