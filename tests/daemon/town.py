"""A whole daemon at three simulated venues in one process: memory streams, mock clock, real files."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import msgspec
import trio

from hlomm.daemon.app import Daemon, RunResult
from hlomm.daemon.desks import Desk, simulated_desks
from hlomm.daemon.restart import last_books
from hlomm.daemon.sim_process import SimClock, SimDocument, SimVenues
from hlomm.domain.ids import ClientId, MarketId
from hlomm.domain.inputs import BookSnapshot
from hlomm.domain.markets import Leg, Market
from hlomm.domain.orders import OrderRequest, Purpose, Side, Tif
from hlomm.domain.secret import seal
from hlomm.domain.units import Cash, Px, Qty
from hlomm.settings.load import load
from hlomm.settings.paths import StatePaths
from hlomm.sim.harness import read_host
from hlomm.sim.harness_town import SimulatedTown
from hlomm.venues.clock import Clock
from hlomm.venues.transport import Connect, Transport

ALL = ("venue.polymarket.enabled=true", "venue.kalshi.enabled=true")
NAMES = ("hyperliquid", "polymarket", "kalshi")
CENT = 1_000_000


def document_of(town: SimulatedTown, seed: int = 7) -> SimDocument:
    """What the process that serves these venues would have printed."""

    def place(name: str, **more: str) -> dict[str, Any]:
        one = getattr(town, name)
        rest, ws = (re.sub(r"//[^/]*", f"//{name}.invalid:80", url) for url in (one.rest, one.ws))
        return {"rest": rest, "ws": ws, "accounts": [attrs.asdict(account) for account in one.accounts], **more}

    gamma = town.polymarket.gamma
    venues = {
        "hyperliquid": place("hyperliquid"), "polymarket": place("polymarket", gamma=gamma), "kalshi": place("kalshi"),
    }  # fmt: skip
    clock = town.hyperliquid.clock_map
    return SimDocument(
        ready=True, venues=msgspec.convert(venues, SimVenues, dec_hook=seal), seed=seed,
        clock=SimClock(
            host_origin_ns=clock.host_origin_ns, venue_origin_ns=clock.venue_origin_ns, speed=clock.speed
        ),
    )  # fmt: skip


def desks_of(town: SimulatedTown, clock: Clock, *sets: str) -> list[Desk]:
    ways = {name: Transport(connect=getattr(town, name).connect) for name in NAMES}
    return simulated_desks(load("sim", (), (*ALL, *sets), environ={}).settings, document_of(town), clock, ways)


@attrs.define(eq=False)
class TownRig:
    """The daemon, and every venue's own truth."""

    town: SimulatedTown
    daemon: Daemon
    paths: StatePaths
    desks: list[Desk]
    result: RunResult | None = None
    done: trio.Event = attrs.field(factory=trio.Event)

    async def until(self, what: Callable[[], Any], within_s: float = 60.0) -> None:
        """Wait (in mock time) until something holds."""
        with trio.fail_after(within_s):
            while not what():
                await trio.sleep(0.05)

    @property
    def engine(self) -> Any:
        return self.daemon.pump.engine

    @property
    def state(self) -> str:
        return str(self.engine.state.halt.value)

    def up(self, name: str) -> bool:
        venue = self.engine.state.venues.get(name)
        return venue is not None and bool(venue.up)

    def quotes(self) -> int:
        """Orders that rest on Hyperliquid by its own word."""
        return open_orders(self.town, "hyperliquid")

    async def all_up(self) -> None:
        await self.until(lambda: self.state == "running" and all(self.up(name) for name in NAMES) and self.quotes())

    async def stop(self) -> RunResult:
        self.daemon.request_stop("test over")
        with trio.fail_after(150):
            await self.done.wait()
        assert self.result is not None
        return self.result


def open_orders(town: SimulatedTown, name: str) -> int:
    """Of the daemon's account, as the venue itself knows them."""
    account: dict[str, Any] = getattr(town, name).state()["accounts"]["daemon"]
    return len(account["orders"])


def tokens(town: SimulatedTown, name: str) -> list[str]:
    """What the daemon's account holds there, by the venue's own word."""
    account: dict[str, Any] = getattr(town, name).state()["accounts"]["daemon"]
    if name == "kalshi":
        return [ticker for ticker, row in account["positions"].items() if float(row["lots"])]
    return list(account["tokens"])


def roads(town: SimulatedTown) -> Connect:
    """One way to all venues, which are told apart by their hosts."""

    async def connect(host: str, port: int, tls: bool) -> trio.abc.Stream:
        return await getattr(town, host.partition(".")[0]).connect(host, port, tls)  # type: ignore[no-any-return]

    return connect


@asynccontextmanager
async def town_rig(
    town: SimulatedTown, root: Path, *sets: str, duration_s: float | None = None
) -> AsyncIterator[TownRig]:
    loaded, paths = load("sim", (), (*ALL, *sets), environ={}), StatePaths(root)
    paths.prepare()
    clock = Clock(town.hyperliquid.clock_map, read_host)
    desks = desks_of(town, clock, *sets)
    accounts = {desk.venue: desk.books for desk in desks}
    carried = last_books(paths.journal, accounts)
    sessions = {desk.venue: desk.session(None if carried is None else carried.of(desk.venue)) for desk in desks}
    daemon = Daemon(
        loaded, paths, clock, sessions, armed=Cash(0), seed=7, accounts=accounts, carried=carried, guardian=None
    )
    made = TownRig(town, daemon, paths, desks)
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            made.result = await daemon.run(duration_s=duration_s)
            made.done.set()

        nursery.start_soon(run)
        yield made
        if not made.done.is_set():
            await made.stop()


def longest(markets: dict[MarketId, Market], venue: str) -> Market:
    """The listed outcome of a venue that settles last."""
    found = [market for market in markets.values() if market.venue == venue and market.expiry_ns is not None]
    return max(found, key=lambda market: market.expiry_ns or 0)


def bid(client_id: ClientId, market: MarketId, px: int, qty: int, tif: Tif = Tif.ALO) -> OrderRequest:
    """A purchase of YES at `px` cents."""
    return OrderRequest(
        client_id=client_id, market=market, leg=Leg.YES, side=Side.BUY, px=Px(px * CENT), qty=Qty(qty * 10**8), tif=tif,
        purpose=Purpose.QUOTE,
    )  # fmt: skip


def best_ask(book: BookSnapshot) -> int:
    """In whole cents, rounded up."""
    return -(-book.asks[0][0] // CENT)
