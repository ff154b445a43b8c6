"""A session under test, its fake venue and a recording sink."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio

from hlomm.domain.ids import ClientIds, MarketId
from hlomm.domain.inputs import Input, SessionUp
from hlomm.domain.markets import Leg
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import CancelOrders, Output, PlaceOrders
from hlomm.domain.units import Px, Qty, parse
from hlomm.venues.curve import Key
from hlomm.venues.hyperliquid.config import HyperliquidConfig
from hlomm.venues.hyperliquid.session import HyperliquidSession
from hlomm.venues.hyperliquid.signing import Chain
from hlomm.venues.transport import Transport
from tests.unit.venues.fake_hyperliquid import ACCOUNT, KEY, REST_URL, WS_URL, FakeHyperliquid, mock_clock, settle

T = TypeVar("T")

OUTCOME = MarketId("hyperliquid:o900")
PERP = MarketId("hyperliquid:BTC")

IDS = ClientIds(1_785_412_800_000)


def config(**fields: Any) -> HyperliquidConfig:
    defaults: dict[str, Any] = {
        "rest_url": REST_URL,
        "ws_url": WS_URL,
        "chain": Chain.TESTNET,
        "account": ACCOUNT,
        "agent_key": Key(KEY),
    }
    return HyperliquidConfig(**{**defaults, **fields})


def order(
    side: Side = Side.BUY,
    px: str = "0.45",
    qty: str = "100",
    *,
    market: MarketId = OUTCOME,
    leg: Leg = Leg.YES,
    tif: Tif = Tif.ALO,
    **fields: Any,
) -> OrderRequest:
    return OrderRequest(
        client_id=fields.pop("client_id", None) or IDS.mint(),
        market=market,
        leg=leg,
        side=side,
        px=Px(parse(px)),
        qty=Qty(parse(qty)),
        tif=tif,
        purpose=Purpose.QUOTE,
        **fields,
    )


def place(*orders: OrderRequest) -> PlaceOrders:
    from hlomm.domain.ids import HYPERLIQUID

    return PlaceOrders(HYPERLIQUID, orders)


def cancel(*orders: OrderRequest) -> CancelOrders:
    from hlomm.domain.ids import HYPERLIQUID

    return CancelOrders(
        HYPERLIQUID, tuple(CancelRequest(client_id=one.client_id, market=one.market, leg=one.leg) for one in orders)
    )


def amend_of(one: OrderRequest, oid: int, px: str, qty: str) -> AmendRequest:
    from hlomm.domain.ids import VenueOrderId

    return AmendRequest(
        client_id=one.client_id,
        venue_order_id=VenueOrderId(str(oid)),
        market=one.market,
        leg=one.leg,
        side=one.side,
        px=Px(parse(px)),
        qty=Qty(parse(qty)),
        tif=Tif.ALO,
    )


class Recorder:
    """A sink that keeps what it is told and may answer at once, as the engine does."""

    def __init__(self) -> None:
        self.inputs: list[Input] = []
        self.stamps: list[int] = []
        self.react: Callable[[Input], None] | None = None
        self.called = trio.Event()
        self.depth = 0

    def __call__(self, items: Sequence[Input], received_ns: int, /) -> None:
        self.depth += 1
        assert self.depth == 1, "the sink was called from inside itself"
        assert items
        for item in items:
            self.inputs.append(item)
            self.stamps.append(received_ns)
            if self.react is not None:
                self.react(item)
        self.depth -= 1
        self.called.set()
        self.called = trio.Event()

    def of(self, kind: type[T]) -> list[T]:
        return [item for item in self.inputs if isinstance(item, kind)]

    def clear(self) -> None:
        self.inputs.clear()
        self.stamps.clear()


class Harness:
    def __init__(self, venue: FakeHyperliquid, session: HyperliquidSession, recorder: Recorder) -> None:
        self.venue = venue
        self.session = session
        self.seen = recorder

    def counter(self, kind: str) -> int:
        return self.session.statistics().counters.get(kind, 0)

    def submit(self, output: Output) -> None:
        self.session.submit(output)

    async def until(self, kind: type[T], count: int = 1, within_s: float = 120) -> list[T]:
        """Wait until that many inputs of a kind were seen."""
        with trio.fail_after(within_s):
            while len(self.seen.of(kind)) < count:
                await self.seen.called.wait()
        return self.seen.of(kind)

    async def settle(self) -> None:
        await settle()


@asynccontextmanager
async def running(venue: FakeHyperliquid, *, wait_up: bool = True, **fields: Any) -> AsyncIterator[Harness]:
    """A session connected to the venue; cancelled at the end of the block."""
    recorder = Recorder()
    async with trio.open_nursery() as nursery:
        venue.nursery = nursery
        session = HyperliquidSession(config(**fields), transport=Transport(venue.connect), clock=mock_clock())
        harness = Harness(venue, session, recorder)
        if wait_up:
            with trio.fail_after(60):
                await nursery.start(session.run, recorder)
            assert recorder.of(SessionUp)
        else:
            nursery.start_soon(session.run, recorder)
        yield harness
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def idle(venue: FakeHyperliquid, **fields: Any) -> AsyncIterator[HyperliquidSession]:
    """A session that does not run: only its direct requests work."""
    async with trio.open_nursery() as nursery:
        venue.nursery = nursery
        yield HyperliquidSession(config(**fields), transport=Transport(venue.connect), clock=mock_clock())
        nursery.cancel_scope.cancel()
