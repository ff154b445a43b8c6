"""A Kalshi session of ours against the simulated Kalshi; the same rig as `conftest` has for Hyperliquid."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import attrs
import trio

from hlomm.domain.ids import KALSHI, ClientIds, MarketId
from hlomm.domain.inputs import (
    AccountState,
    BookSnapshot,
    FillReceived,
    Input,
    MarketListed,
    MarketSettled,
    OrderOpened,
    SessionUp,
)
from hlomm.domain.markets import Leg, Market
from hlomm.domain.orders import AmendRequest, CancelRequest, OrderRequest, Purpose, Side, Tif
from hlomm.domain.outputs import AmendOrders, CancelOrders, PlaceOrders, Subscribe
from hlomm.domain.secret import Secret
from hlomm.domain.times import Now
from hlomm.domain.units import Px, Qty, notional_ceil, notional_floor, parse
from hlomm.sim.config import FlowConfig, SimConfig
from hlomm.sim.config_kalshi import KalshiConfig as SimKalshi
from hlomm.sim.config_kalshi import KalshiFlowConfig, KalshiListingConfig, KalshiRulesConfig
from hlomm.sim.harness import read_host
from hlomm.sim.harness_kalshi import SimulatedKalshi, simulated_kalshi
from hlomm.sim.kalshi.accounts import Account
from hlomm.venues.clock import Clock
from hlomm.venues.kalshi.config import KalshiConfig
from hlomm.venues.kalshi.session import KalshiSession
from hlomm.venues.kalshi.signing import load_private_key
from hlomm.venues.transport import Transport

T = TypeVar("T", bound=Input)
SHARD = 2
_BOOTS = itertools.count()


@attrs.define(eq=False)
class Rig:
    sim: SimulatedKalshi
    session: KalshiSession
    config: KalshiConfig
    clock: Clock
    inputs: list[Input] = attrs.field(factory=list)
    ids: ClientIds = attrs.field(factory=lambda: ClientIds(1_795_000_000_000 + next(_BOOTS)))

    def sink(self, items: Sequence[Input], received_ns: int) -> None:
        assert received_ns >= 0
        self.inputs.extend(items)

    def all(self, kind: type[T], **fields: Any) -> list[T]:
        return [
            item
            for item in self.inputs
            if isinstance(item, kind) and all(getattr(item, name) == value for name, value in fields.items())
        ]

    async def first(self, kind: type[T], within_s: float = 30.0, **fields: Any) -> T:
        with trio.fail_after(within_s):
            while not (found := self.all(kind, **fields)):
                await trio.sleep(0.02)
        return found[0]

    async def until(self, what: Callable[[], Any], within_s: float = 30.0) -> None:
        with trio.fail_after(within_s):
            while not what():
                await trio.sleep(0.02)

    @property
    def markets(self) -> list[Market]:
        return [item.market for item in self.all(MarketListed)]

    @property
    def market(self) -> Market:
        """A threshold in the middle of the longest-lived event."""
        markets = [one for one in self.markets if one.klass == "KXBTCD"]
        last = max(market.expiry_ns or 0 for market in markets)
        event = sorted((one for one in markets if one.expiry_ns == last), key=lambda one: one.strike or 0)
        return event[len(event) // 2]

    async def book(self, market: MarketId | None = None) -> BookSnapshot:
        chosen = self.market.id if market is None else market
        self.session.submit(Subscribe(chosen))
        await self.until(lambda: any(item.bids and item.asks for item in self.all(BookSnapshot, market=chosen)))
        return self.all(BookSnapshot, market=chosen)[-1]

    def order(
        self, side: Side, px: int, qty: str = "10", *, tif: Tif = Tif.ALO, leg: Leg = Leg.YES, **fields: Any
    ) -> OrderRequest:
        return OrderRequest(
            client_id=self.ids.mint(), market=fields.pop("market", self.market.id), leg=leg, side=side, px=Px(px),
            qty=Qty(parse(qty)), tif=tif, purpose=Purpose.QUOTE, **fields,
        )  # fmt: skip

    def place(self, *orders: OrderRequest) -> None:
        self.session.submit(PlaceOrders(KALSHI, orders))

    async def resting(self, px: str = "0.05", qty: str = "10") -> tuple[OrderRequest, OrderOpened]:
        """A post-only bid well below the book, acknowledged."""
        order = self.order(Side.BUY, parse(px), qty)
        self.place(order)
        return order, await self.first(OrderOpened, client_id=order.client_id)

    def amend(self, order: OrderRequest, opened: OrderOpened, px: int, qty: str) -> None:
        request = AmendRequest(
            client_id=order.client_id, venue_order_id=opened.venue_order_id, market=order.market, leg=order.leg,
            side=order.side, px=Px(px), qty=Qty(parse(qty)), tif=Tif.ALO,
        )  # fmt: skip
        self.session.submit(AmendOrders(KALSHI, (request,)))

    def cancel(self, order: OrderRequest) -> None:
        request = CancelRequest(client_id=order.client_id, market=order.market, leg=order.leg)
        self.session.submit(CancelOrders(KALSHI, (request,)))

    # -- the truth

    @property
    def account(self) -> Account:
        account = self.sim.venue.member(self.sim.accounts[0].name)
        assert account is not None
        return account

    @property
    def cash(self) -> int:
        return self.account.cash[SHARD]

    def position(self, market: MarketId) -> int:
        return self.account.lots(market.partition(":")[2]) * 1_000_000

    # -- what an engine would believe

    def believed(self) -> tuple[int, dict[tuple[MarketId, Leg], int]]:
        """Cash and tokens by the first account and what was told since."""
        first = next(place for place, item in enumerate(self.inputs) if isinstance(item, AccountState))
        opening = self.inputs[first]
        assert isinstance(opening, AccountState)
        cash: int = opening.cash
        tokens: dict[tuple[MarketId, Leg], int] = {(row.market, row.leg): row.total for row in opening.tokens}
        for item in self.inputs[first + 1 :]:
            if isinstance(item, FillReceived):
                for fill in item.fills:
                    value = (
                        notional_ceil(fill.px, fill.qty) if fill.side is Side.BUY else notional_floor(fill.px, fill.qty)
                    )
                    cash -= fill.side * value + fill.fee
                    key = (fill.market, fill.leg)
                    tokens[key] = tokens.get(key, 0) + fill.side * fill.qty
            elif isinstance(item, MarketSettled):
                for leg in Leg:
                    held = tokens.pop((item.market, leg), 0)
                    pays = item.yes_px if leg is Leg.YES else 100_000_000 - item.yes_px
                    cash += held * pays // 100_000_000
        return cash, {key: qty for key, qty in tokens.items() if qty}

    def agrees(self) -> bool:
        """Belief against the exchange's own ledger, to the last unit; settled markets are cash on both sides."""
        cash, tokens = self.believed()
        truth = {}
        for ticker, position in self.account.positions.items():
            if position.lots:
                leg = Leg.YES if position.lots > 0 else Leg.NO
                truth[MarketId(f"{KALSHI}:{ticker}"), leg] = abs(position.lots) * 1_000_000
        return (cash, tokens) == (self.cash, truth)


def sim_config(*, flow: bool = True, thursday_pause: bool = False, **fields: Any) -> SimConfig:
    listing = KalshiListingConfig(**fields.pop("listing", {}))
    return SimConfig(
        flow=FlowConfig(enabled=flow),
        kalshi=SimKalshi(
            flow=KalshiFlowConfig(enabled=flow),
            rules=KalshiRulesConfig(thursday_pause=thursday_pause, **fields),
            listing=listing,
        ),
    )


def session_of(
    sim: SimulatedKalshi, *, read: Callable[[], Now] = read_host, **fields: Any
) -> tuple[KalshiSession, KalshiConfig, Clock]:
    """`read` is the host's clocks."""
    keys = sim.accounts[0]
    key = load_private_key(Secret(keys.private_key_pem))
    config = KalshiConfig(
        **{"rest_url": sim.rest, "ws_url": sim.ws, "key_id": keys.key_id, "private_key": key, **fields}
    )
    clock = Clock(sim.clock_map, read)
    return KalshiSession(config, transport=Transport(sim.connect), clock=clock), config, clock


@asynccontextmanager
async def kalshi_rig(
    *, seed: int = 7, speed: float = 1.0, sim: SimConfig | None = None, origin_ns: int | None = None, **fields: Any
) -> AsyncIterator[Rig]:
    """A session that is up, against a simulator of its own."""
    async with (
        simulated_kalshi(seed=seed, config=sim or sim_config(), speed=speed, venue_origin_ns=origin_ns) as venue,
        trio.open_nursery() as nursery,
    ):
        session, config, clock = session_of(venue, **fields)
        rig = Rig(venue, session, config, clock)
        with trio.fail_after(60):
            await nursery.start(session.run, rig.sink)
        assert rig.all(SessionUp)
        yield rig
        nursery.cancel_scope.cancel()
