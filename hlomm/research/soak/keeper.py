"""The guardian's stand-in: what happens to the accounts whose daemon is gone.

Its decisions are the product's (`venues.flatten_plan`); its process, socket and clockwork are tried elsewhere with
real ones. At every venue it cancels until two looks in a row show nothing, then sells by plan, with a key of its own;
a venue that is away keeps no other one waiting.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final

from hlomm.assembly.numbers import scaled
from hlomm.domain.ids import ClientIds, MarketId, is_ours
from hlomm.domain.inputs import AccountState, BookSnapshot, RestingOrder
from hlomm.domain.orders import CancelRequest, OrderRequest
from hlomm.domain.units import Px
from hlomm.research.soak.beside.door import Door
from hlomm.research.soak.front import Front
from hlomm.research.soak.host import HostClock
from hlomm.research.soak.network import Failure, Network
from hlomm.research.soak.rows import PERP_MARKET
from hlomm.research.soak.timeline import S, Timeline
from hlomm.settings.schema import Settings
from hlomm.venues.flatten_plan import FlattenBounds, plan_flatten
from hlomm.venues.hyperliquid.batches import Batch, BatchKind
from hlomm.venues.hyperliquid.limits import SALES
from hlomm.venues.hyperliquid.wire.coins import outcome_number
from hlomm.venues.hyperliquid.wire.errors import EXPIRED, error_code
from hlomm.venues.hyperliquid.wire.replies import ActionRefused
from hlomm.venues.protocol import SaleRules

RETRY_S: Final = 0.5
SALES_MAX: Final = 12
CANCELS_PER_BATCH: Final = 20


class Sweep(ABC):
    """Cancel everything of ours, verify twice, sell by plan; `done` is told once, whatever it takes."""

    def __init__(
        self, timeline: Timeline, rng: random.Random, clock: HostClock, network: Network, settings: Settings,
        signer: str, *, sell: bool, done: Callable[[], None],
    ) -> None:  # fmt: skip
        self._timeline = timeline
        self._rng = rng
        self._clock = clock
        self._network = network
        self._signer = signer
        self._sell = sell
        self._done = done
        self._empty = 0
        self._sales = 0
        self._ids = ClientIds(clock.wall_ms())
        flatten = settings.flatten
        self._bounds = FlattenBounds(
            slippage=Px(scaled(flatten.max_slippage)), slippage_perp=scaled(flatten.max_slippage_perp),
            perps=frozenset({PERP_MARKET}),
        )  # fmt: skip

    def begin(self) -> None:
        self._look()

    def _again(self, run: Callable[[], None]) -> None:
        self._timeline.after(round(self._rng.uniform(0.5, 1.5) * RETRY_S * S), run)

    # -- what a venue does its own way

    @abstractmethod
    def _orders(self) -> tuple[RestingOrder, ...]: ...

    @abstractmethod
    def _account(self) -> AccountState: ...

    @abstractmethod
    def _book(self, market: MarketId) -> BookSnapshot | None: ...

    @abstractmethod
    def _rules(self, market: MarketId) -> SaleRules | None: ...

    @abstractmethod
    def _cancel(self, orders: list[RestingOrder], then: Callable[[], None]) -> None: ...

    @abstractmethod
    def _place(self, order: OrderRequest, then: Callable[[], None]) -> None: ...

    # -- cancelling

    def _look(self) -> None:
        self._network.request(self._orders, self._seen)

    def _seen(self, orders: tuple[RestingOrder, ...] | Failure) -> None:
        if isinstance(orders, Failure):
            self._again(self._look)
            return
        ours = [order for order in orders if is_ours(order.client_id)]
        if ours:
            self._empty = 0
            self._cancel(ours[:CANCELS_PER_BATCH], lambda: self._again(self._look))
            return
        self._empty += 1
        if self._empty < 2:
            self._again(self._look)
        elif self._sell:
            self._weigh()
        else:
            self._done()

    # -- selling

    def _weigh(self) -> None:
        self._network.request(self._account, self._plan)

    def _plan(self, state: AccountState | Failure) -> None:
        if isinstance(state, Failure):
            self._again(self._weigh)
            return
        markets = {token.market for token in state.tokens} | {perp.market for perp in state.perps}
        books = {market: self._book(market) for market in sorted(markets)}
        plan = plan_flatten(state.tokens, books, self._bounds, self._ids.mint, rules=self._rules, perps=state.perps)
        if plan.done or self._sales >= SALES_MAX:
            self._done()
            return
        self._sales += 1
        self._sell_all(list(plan.orders))

    def _sell_all(self, orders: list[OrderRequest]) -> None:
        """One by one, so that one refusal costs nothing else."""
        if not orders:
            self._again(self._look)
            return
        self._place(orders[0], lambda: self._sell_all(orders[1:]))


class HyperliquidSweep(Sweep):
    """Actions that expire, told in the venue's time."""

    def __init__(
        self, timeline: Timeline, rng: random.Random, clock: HostClock, network: Network, front: Front,
        settings: Settings, signer: str, *, sell: bool, done: Callable[[], None],
    ) -> None:  # fmt: skip
        super().__init__(timeline, rng, clock, network, settings, signer, sell=sell, done=done)
        self._front = front
        self._ahead_ms = 0
        self._expires_ms = round(settings.venue.hyperliquid.expires_after_s * 1000)

    def _orders(self) -> tuple[RestingOrder, ...]:
        return self._front.open_orders()

    def _account(self) -> AccountState:
        return self._front.account_state(0)

    def _book(self, market: MarketId) -> BookSnapshot | None:
        return self._front.book(outcome_number(market))

    def _rules(self, market: MarketId) -> SaleRules:
        del market
        return SALES

    def _cancel(self, orders: list[RestingOrder], then: Callable[[], None]) -> None:
        requests = tuple(
            CancelRequest(client_id=order.client_id, market=order.market, leg=order.leg)
            for order in orders
            if order.client_id is not None
        )
        self._act(BatchKind.CANCEL, requests, then)

    def _place(self, order: OrderRequest, then: Callable[[], None]) -> None:
        self._act(BatchKind.PLACE, (order,), then)

    def _act(self, kind: BatchKind, requests: tuple[Any, ...], then: Callable[[], None]) -> None:
        expires_ms = self._clock.wall_ms() + self._ahead_ms + self._expires_ms
        batch = Batch(kind=kind, requests=requests, body=b"", expires_ms=expires_ms)

        def done(reply: object) -> None:
            if isinstance(reply, ActionRefused) and error_code(reply.text) == EXPIRED:
                self._network.request(lambda: self._front.now_ms, self._learn)
            then()

        self._network.request(lambda: self._front.act(batch, self._signer), done)

    def _learn(self, venue_ms: int | Failure) -> None:
        """Our clock is wrong: go by the venue's."""
        if not isinstance(venue_ms, Failure):
            self._ahead_ms = venue_ms - self._clock.wall_ms()


class DoorSweep(Sweep):
    """At a venue beside Hyperliquid. A pause is waited out: nothing can be sold before it is over."""

    def __init__(
        self, timeline: Timeline, rng: random.Random, clock: HostClock, network: Network, door: Door,
        settings: Settings, signer: str, *, sell: bool, done: Callable[[], None],
    ) -> None:  # fmt: skip
        super().__init__(timeline, rng, clock, network, settings, signer, sell=sell, done=done)
        self._door = door

    def _orders(self) -> tuple[RestingOrder, ...]:
        return self._door.resting()

    def _account(self) -> AccountState:
        return self._door.account()

    def _book(self, market: MarketId) -> BookSnapshot | None:
        return self._door.book(market)

    def _rules(self, market: MarketId) -> SaleRules | None:
        return self._door.sale_rules(market)

    def _cancel(self, orders: list[RestingOrder], then: Callable[[], None]) -> None:
        self._network.request(lambda: self._door.cancel(orders), lambda _result: then())

    def _place(self, order: OrderRequest, then: Callable[[], None]) -> None:
        self._network.request(lambda: self._door.sell(order, self._signer), lambda _result: then())
