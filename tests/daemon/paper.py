"""A whole daemon on paper beside a simulated venue in one process: memory streams, mock clock, real files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from hlomm.daemon.app import Daemon
from hlomm.daemon.restart import last_books
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.units import Cash
from hlomm.research.paper.desk import PaperDesk
from hlomm.research.paper.session import PaperSession
from hlomm.research.record.sources import Place
from hlomm.settings.load import Loaded, load
from hlomm.settings.paths import StatePaths
from hlomm.sim.harness import SimulatedVenue, read_host
from hlomm.venues.clock import Clock
from hlomm.venues.transport import Connect
from tests.daemon.conftest import Rig


@attrs.define(eq=False)
class PaperRig(Rig):
    session: PaperSession = attrs.field(kw_only=True)
    loaded: Loaded = attrs.field(kw_only=True)
    session_tag: str = attrs.field(kw_only=True)

    @property
    def books(self) -> tuple[int, dict[str, int]]:
        """Cash and tokens as the engine believes them."""
        portfolio = self.engine.state.portfolio
        legs = ("yes", "no")
        held = {f"{name} {leg}": getattr(one, leg) for name, one in portfolio.positions.items() for leg in legs}
        return portfolio.cash, {name: qty for name, qty in held.items() if qty}

    @property
    def account(self) -> tuple[int, dict[str, int]]:
        """The same as the exchange at home has them."""
        account = self.session.exchange.account(0)
        return account.cash, {f"{one.market} {one.leg.name.lower()}": one.total for one in account.tokens}


@asynccontextmanager
async def on_paper(
    sim: SimulatedVenue, root: Path, sets: tuple[str, ...] = (), connect: Connect | None = None
) -> AsyncIterator[PaperRig]:
    """A daemon on paper that hears `sim`; it is asked to stop when the block is left."""
    loaded = load("paper", (), sets, environ={})
    paths = StatePaths(root)
    paths.prepare()
    clock = Clock(sim.clock_map, read_host)
    place = Place(section=loaded.settings.venue.hyperliquid, rest=sim.rest, ws=sim.ws)
    desk = PaperDesk(
        settings=loaded.settings, place=place, clock=clock, source="test",
        connect=sim.connect if connect is None else connect,
    )  # fmt: skip
    accounts = {HYPERLIQUID: desk.books}
    carried = last_books(paths.journal, accounts)
    session = desk.session(None if carried is None else carried.of(HYPERLIQUID))
    daemon = Daemon(
        loaded, paths, clock, {HYPERLIQUID: session}, armed=Cash(0), seed=None, accounts=accounts, carried=carried,
        fill_model=desk.model.tag,
    )  # fmt: skip
    async with trio.open_nursery() as nursery:
        made = PaperRig(sim, daemon, paths, nursery, session=session, loaded=loaded, session_tag=desk.model.tag)

        async def run() -> None:
            made.result = await daemon.run()
            made.done.set()

        nursery.start_soon(run)
        yield made
        if not made.done.is_set():
            await made.stop()
