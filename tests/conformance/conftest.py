"""A session of ours against the simulated venue, without an engine between: inputs are collected, outputs sent by hand.

Every venue session is to pass this suite against its own simulator; the rig is the only venue-specific part.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import attrs
import pytest
import trio

from hlomm.assembly.venues import hyperliquid_session
from hlomm.domain.ids import HYPERLIQUID, ClientId, ClientIds
from hlomm.domain.inputs import BookSnapshot, Input, MarketListed, OrderAnswer, OrderOpened, SessionUp
from hlomm.domain.markets import Leg, Market, MarketKind
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import AmendOrders, CancelOrders, PlaceOrders, Subscribe
from hlomm.domain.secret import Secret
from hlomm.domain.times import Now
from hlomm.domain.units import Px, Qty, parse
from hlomm.settings.load import load
from hlomm.sim.config import SimConfig
from hlomm.sim.harness import SimulatedVenue, read_host, simulated_hyperliquid
from hlomm.venues.clock import Clock
from hlomm.venues.protocol import VenueSession
from hlomm.venues.transport import Transport

T = TypeVar("T", bound=Input)


@attrs.define(eq=False)
class Rig:
    sim: SimulatedVenue
    session: VenueSession
    inputs: list[Input] = attrs.field(factory=list)
    ids: ClientIds = attrs.field(factory=lambda: ClientIds(1_795_000_000_000))

    def sink(self, items: Sequence[Input], received_ns: int) -> None:
        assert received_ns >= 0
        self.inputs.extend(items)

    # -- what happened

    def all(self, kind: type[T], **fields: Any) -> list[T]:
        return [
            item
            for item in self.inputs
            if isinstance(item, kind) and all(getattr(item, name) == value for name, value in fields.items())
        ]

    async def first(self, kind: type[T], within_s: float = 20.0, **fields: Any) -> T:
        """The first such input, waiting (in mock time) until it comes."""
        with trio.fail_after(within_s):
            while not (found := self.all(kind, **fields)):
                await trio.sleep(0.02)
        return found[0]

    async def until(self, what: Callable[[], Any], within_s: float = 30.0) -> None:
        with trio.fail_after(within_s):
            while not what():
                await trio.sleep(0.02)

    # -- the market and orders in it

    @property
    def market(self) -> Market:
        """The longest-lived outcome."""
        markets = [item.market for item in self.all(MarketListed) if item.market.kind is MarketKind.OUTCOME]
        return max(markets, key=lambda market: market.expiry_ns or 0)

    async def book(self) -> BookSnapshot:
        self.session.submit(Subscribe(self.market.id))
        await self.until(lambda: any(item.bids and item.asks for item in self.all(BookSnapshot, market=self.market.id)))
        return self.all(BookSnapshot, market=self.market.id)[-1]

    def order(self, side: Side, px: int, qty: str = "30", *, tif: Tif = Tif.ALO, leg: Leg = Leg.YES) -> OrderRequest:
        purpose = Purpose.QUOTE if tif is Tif.ALO else Purpose.FLATTEN
        return OrderRequest(
            client_id=self.ids.mint(), market=self.market.id, leg=leg, side=side, px=Px(px), qty=Qty(parse(qty)),
            tif=tif, purpose=purpose,
        )  # fmt: skip

    def place(self, *orders: OrderRequest) -> None:
        self.session.submit(PlaceOrders(HYPERLIQUID, orders))

    async def resting(self, px: int | None = None, qty: str = "400") -> tuple[OrderRequest, OrderOpened]:
        """A post-only bid well below the book, acknowledged."""
        if px is None:
            book = await self.book()
            px = (book.bids[0][0] - 20_000_000) // 1000 * 1000
        order = self.order(Side.BUY, px, qty)
        self.place(order)
        return order, await self.first(OrderOpened, client_id=order.client_id)

    def amend(self, order: OrderRequest, opened: OrderOpened, px: int, qty: str = "400") -> None:
        request = AmendRequest(
            client_id=order.client_id, venue_order_id=opened.venue_order_id, market=order.market, leg=order.leg,
            side=order.side, px=Px(px), qty=Qty(parse(qty)), tif=Tif.ALO,
        )  # fmt: skip
        self.session.submit(AmendOrders(HYPERLIQUID, (request,)))

    def cancel(self, order: OrderRequest) -> None:
        request = CancelRequest(client_id=order.client_id, market=order.market, leg=order.leg)
        self.session.submit(CancelOrders(HYPERLIQUID, (request,)))

    async def answer(self, client_id: ClientId) -> OrderAnswer:
        return await self.first(OrderAnswer, client_id=client_id)

    # -- the truth

    @property
    def truth(self) -> dict[str, Any]:
        accounts: dict[str, Any] = self.sim.state()["accounts"]  # type: ignore[assignment]
        return accounts[self.sim.accounts[0].name]


MakeRig = Callable[..., AbstractAsyncContextManager[Rig]]


@pytest.fixture
def rig() -> MakeRig:
    @asynccontextmanager
    async def make(
        *, seed: int = 5, sets: tuple[str, ...] = (), config: SimConfig | None = None,
        read: Callable[[], Now] = read_host,
    ) -> AsyncIterator[Rig]:  # fmt: skip
        async with simulated_hyperliquid(seed=seed, config=config) as sim:
            settings = load("sim", (), sets, environ={}).settings
            account = sim.accounts[0]
            session = hyperliquid_session(
                settings.venue.hyperliquid, Clock(sim.clock_map, read), limits=settings.limits,
                key=Secret(account.agent_key), rest=sim.rest, ws=sim.ws, account=account.address,
                transport=Transport(connect=sim.connect),
            )  # fmt: skip
            made = Rig(sim, session)
            async with trio.open_nursery() as nursery:
                await nursery.start(session.run, made.sink)
                await made.first(SessionUp)
                yield made
                nursery.cancel_scope.cancel()

    return make
