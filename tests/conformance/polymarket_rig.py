"""A Polymarket session of ours against the simulated venue, without an engine between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import attrs
import trio

from hlomm.domain.ids import POLYMARKET, ClientIds, MarketId
from hlomm.domain.inputs import AccountState, BookSnapshot, FillReceived, Input, MarketListed, OrderOpened, SessionUp
from hlomm.domain.markets import Leg, Market
from hlomm.domain.orders import CancelRequest, OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import CancelOrders, PlaceOrders, QueryAccount, Subscribe
from hlomm.domain.units import Px, Qty, parse
from hlomm.sim.config import SimConfig
from hlomm.sim.harness import read_host
from hlomm.sim.harness_polymarket import SimulatedPolymarket, simulated_polymarket
from hlomm.venues.clock import Clock
from hlomm.venues.curve import Key
from hlomm.venues.polymarket.config import PolymarketConfig
from hlomm.venues.polymarket.session import PolymarketSession
from hlomm.venues.polymarket.signing import SignatureType
from hlomm.venues.transport import Transport

T = TypeVar("T", bound=Input)


@attrs.define(eq=False)
class PolymarketRig:
    sim: SimulatedPolymarket
    session: PolymarketSession
    inputs: list[Input] = attrs.field(factory=list)
    ids: ClientIds = attrs.field(factory=lambda: ClientIds(1_795_000_000_000))
    chosen: MarketId | None = None

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

    async def first(self, kind: type[T], within_s: float = 30.0, **fields: Any) -> T:
        """The first such input, waiting (in mock time) until it comes."""
        with trio.fail_after(within_s):
            while not (found := self.all(kind, **fields)):
                await trio.sleep(0.02)
        return found[0]

    async def until(self, what: Callable[[], Any], within_s: float = 60.0) -> None:
        with trio.fail_after(within_s):
            while not what():
                await trio.sleep(0.02)

    def counter(self, kind: str) -> int:
        return self.session.statistics().counters.get(kind, 0)

    # -- the market and orders in it

    @property
    def market(self) -> Market:
        """The longest-lived market that was listed first."""
        listed = [item.market for item in self.all(MarketListed)]
        if self.chosen is None:
            self.chosen = max(listed, key=lambda market: market.expiry_ns or 0).id
        return next(market for market in listed if market.id == self.chosen)

    async def book(self) -> BookSnapshot:
        self.session.submit(Subscribe(self.market.id))
        await self.until(lambda: any(one.bids and one.asks for one in self.all(BookSnapshot, market=self.market.id)))
        return self.all(BookSnapshot, market=self.market.id)[-1]

    def order(self, side: Side, px: int, qty: str = "20", *, tif: Tif = Tif.ALO, leg: Leg = Leg.YES) -> OrderRequest:
        purpose = Purpose.QUOTE if tif is Tif.ALO else Purpose.LEG
        return OrderRequest(
            client_id=self.ids.mint(), market=self.market.id, leg=leg, side=side, px=Px(px), qty=Qty(parse(qty)),
            tif=tif, purpose=purpose,
        )  # fmt: skip

    def place(self, *orders: OrderRequest) -> None:
        self.session.submit(PlaceOrders(POLYMARKET, orders))

    async def resting(self, qty: str = "20") -> tuple[OrderRequest, OrderOpened]:
        """A post-only bid well below the book, acknowledged."""
        await self.book()
        order = self.order(Side.BUY, parse("0.05"), qty)
        self.place(order)
        return order, await self.first(OrderOpened, client_id=order.client_id)

    async def bought(self, qty: str = "20") -> OrderRequest:
        """A purchase that filled at once."""
        book = await self.book()
        order = self.order(Side.BUY, min(book.asks[0][0] + parse("0.05"), parse("0.95")), qty, tif=Tif.IOC)
        self.place(order)
        await self.until(lambda: self.fills_of(order))
        return order

    def fills_of(self, order: OrderRequest) -> list[FillReceived]:
        return [one for one in self.all(FillReceived) if one.fill.client_id == order.client_id]

    def cancel(self, *orders: OrderRequest) -> None:
        requests = tuple(CancelRequest(client_id=one.client_id, market=one.market, leg=one.leg) for one in orders)
        self.session.submit(CancelOrders(POLYMARKET, requests))

    async def account(self) -> AccountState:
        """Read now."""
        before = len(self.all(AccountState))
        self.session.submit(QueryAccount(POLYMARKET))
        await self.until(lambda: len(self.all(AccountState)) > before)
        return self.all(AccountState)[-1]

    # -- the truth

    @property
    def truth(self) -> dict[str, Any]:
        accounts: dict[str, Any] = self.sim.state()["accounts"]  # type: ignore[assignment]
        return accounts[self.sim.accounts[0].name]


@asynccontextmanager
async def polymarket_rig(
    *, seed: int = 5, config: SimConfig | None = None, speed: float = 1.0, **fields: Any
) -> AsyncIterator[PolymarketRig]:
    async with simulated_polymarket(seed=seed, config=config, speed=speed) as sim:
        session = make_session(sim, **fields)
        made = PolymarketRig(sim, session)
        async with trio.open_nursery() as nursery:
            await nursery.start(session.run, made.sink)
            await made.first(SessionUp)
            yield made
            nursery.cancel_scope.cancel()


def make_session(sim: SimulatedPolymarket, **fields: Any) -> PolymarketSession:
    account = sim.accounts[0]
    chosen: dict[str, Any] = {
        "key": Key(bytes.fromhex(account.key.removeprefix("0x"))),
        "signature_type": SignatureType(account.signature_type),
        "funder": account.funder,
    } | fields
    config = PolymarketConfig(clob_url=sim.rest, gamma_url=sim.gamma, ws_url=sim.ws, **chosen)
    return PolymarketSession(config, transport=Transport(sim.connect), clock=Clock(sim.clock_map, read_host))
