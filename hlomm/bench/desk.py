"""The daemon at venues of our own: the program's own objects, with limits that a measurement never meets."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from hlomm.assembly.venues import hyperliquid_session
from hlomm.bench import apart
from hlomm.bench.peer import Peer
from hlomm.bench.probes import Probes, wrapped
from hlomm.bench.venue import periods
from hlomm.daemon.app import Daemon
from hlomm.daemon.desks import simulated_desks
from hlomm.daemon.sim_process import SimDocument
from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.ids import HYPERLIQUID, VenueId
from hlomm.domain.secret import Secret
from hlomm.domain.units import Cash
from hlomm.settings.load import Loaded, load
from hlomm.settings.paths import StatePaths
from hlomm.strategy.avellaneda import Avellaneda
from hlomm.venues.clock import Clock
from hlomm.venues.hyperliquid import gateway
from hlomm.venues.protocol import VenueSession
from hlomm.venues.socket_stream import open_stream
from hlomm.venues.transport import Address, Transport

ROOM: Final = (
    "limits.max_loss_event=100000", "limits.max_loss_underlying=100000", "limits.max_loss_total=100000",
    "limits.max_order_notional=5000", "limits.max_position=5000", "limits.max_gross_notional=100000",
    "limits.max_orders_per_s=10000", "limits.max_open_orders=10000", "limits.max_notional_per_min=100000000",
    "limits.max_resting_without_deadman=100000", "budget.weight_per_min=1000000", "budget.slow_runway_h=0",
    "budget.slow_below=0", "budget.reserve=0", "hedge.enabled=false", "venue.hyperliquid.deadman_s=0",
    "guardian.enabled=false",
)  # fmt: skip
"""Limits that do not bind. The gate looks at all of them all the same."""
EAGER: Final = (
    "strategy.avellaneda.follow_s=0",
    "strategy.avellaneda.requote_share=0", "strategy.avellaneda.pull_ratio=100",
    "strategy.avellaneda.max_half_spread=0.2", "quotes.min_move=0.00001", "quotes.min_interval_s=0",
)  # fmt: skip
"""Quotes follow every book: an order for each frame is the worst case."""
THREE: Final = (
    "venue.polymarket.enabled=true", "venue.kalshi.enabled=true", "strategy.cross_venue.enabled=true",
    "venue.polymarket.horizon_s=604800", "venue.kalshi.horizon_s=604800",
)  # fmt: skip
"""As `hlomm run` trades at three simulated venues; contracts of ours end in days."""
READY_S: Final = 30.0
_NOT_READY: Final = "the daemon did not get ready at the loopback venue"
_ALLOWED: Final = ("WS_MESSAGES_PER_MIN", "POSTS_IN_FLIGHT_MAX")


@attrs.define(eq=False)
class Desk:
    daemon: Daemon
    sessions: Mapping[VenueId, VenueSession]
    paths: StatePaths

    @property
    def live(self) -> bool:
        return all(session.statistics().state == "live" for session in self.sessions.values())

    @property
    def quoted(self) -> int:
        """Markets that a strategy has."""
        return sum(market.strategy is not None for market in self.daemon.pump.engine.state.markets.values())

    async def until(self, what: Any, within_s: float, why: str) -> None:
        """Look every few milliseconds. VenueUnavailable if it does not come true."""
        with trio.move_on_after(within_s):
            while not what():  # noqa: ASYNC110 - the daemon has no event for a benchmark
                await trio.sleep(0.002)
            return
        raise VenueUnavailable(why)

    async def settled(self) -> None:
        """Wait until everything sent is answered: what follows begins from rest."""
        await self.until(
            lambda: not any(session.statistics().posts_in_flight for session in self.sessions.values()),
            READY_S, "posts stay unanswered",
        )  # fmt: skip


@asynccontextmanager
async def trading(
    peer: Peer, probes: Probes, transport: str, sets: tuple[str, ...] = (), markets: int = 1
) -> AsyncIterator[Desk]:
    """A daemon that is connected to one venue and follows its markets; stopped, flat, when the block ends."""
    of = f"strategy.avellaneda.periods={json.dumps(periods(markets))}"
    chosen = (
        *ROOM, *EAGER, of, f"venue.hyperliquid.transport={transport}", f"daemon.cpus={list(apart.OURS)}", *sets,
    )  # fmt: skip
    loaded = load("sim", (), chosen, environ={})
    settings, clock, account = loaded.settings, Clock(), peer.account["address"]
    with probes.installed(Avellaneda), _venue_without_limits():
        connect = probes.tapping(open_stream, Address.of(peer.ws).port)
        session = hyperliquid_session(
            settings.venue.hyperliquid, clock, limits=settings.limits, key=Secret(peer.account["agent_key"]),
            rest=peer.rest, ws=peer.ws, account=account, transport=Transport(connect=connect),
        )  # fmt: skip
        async with _running(loaded, clock, {HYPERLIQUID: session}, {HYPERLIQUID: account}) as desk:
            await desk.until(lambda: desk.live and markets <= desk.quoted, READY_S, _NOT_READY)
            yield desk


@asynccontextmanager
async def attached(document: SimDocument, sets: tuple[str, ...] = (), markets: int = 1) -> AsyncIterator[Desk]:
    """A daemon at three venues of our own that quotes as it does by default, and follows what is linked."""
    loaded = load("sim", (), (*ROOM, *THREE, *sets), environ={})
    clock = Clock()
    desks = simulated_desks(loaded.settings, document, clock)
    sessions, accounts = {one.venue: one.session(None) for one in desks}, {one.venue: one.books for one in desks}
    async with _running(loaded, clock, sessions, accounts) as desk:
        await desk.until(lambda: desk.live and markets <= desk.quoted, READY_S, _NOT_READY)
        yield desk


@asynccontextmanager
async def _running(
    loaded: Loaded, clock: Clock, sessions: dict[VenueId, VenueSession], accounts: dict[VenueId, str]
) -> AsyncIterator[Desk]:
    """The daemon with a state directory of its own, while the block lasts."""
    with tempfile.TemporaryDirectory(prefix="hlomm-bench-") as folder:
        paths = StatePaths(Path(folder) / "state")
        paths.prepare()
        daemon = Daemon(loaded, paths, clock, sessions, armed=Cash(0), seed=None, accounts=accounts, tidy=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_live, daemon)
            yield Desk(daemon, sessions, paths)
            daemon.request_stop("the measurement is over")


async def _live(daemon: Daemon) -> None:
    await daemon.run()


@contextmanager
def _venue_without_limits() -> Iterator[None]:
    """The session keeps to what the real venue allows an address; this venue allows everything."""
    with ExitStack() as undo:
        for name in _ALLOWED:
            undo.enter_context(wrapped(gateway, name, lambda _limit, _name: 10**9))  # type: ignore[arg-type,return-value]
        yield
