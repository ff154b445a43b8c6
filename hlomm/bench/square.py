"""Three venues as one process, with a feed for each: `python -m hlomm.bench.square CERTIFICATE KEY MARKETS`.

Hyperliquid is the one of `venue`; Polymarket and Kalshi are the simulated ones without other traders: they list, answer
and check signatures as ever. What is told of books is made ahead (`frames`, `streams`) and sent by `lanes`. All three
list the same contracts, which end in days. Commands come as with `serve`.
"""

from __future__ import annotations

import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from hlomm.bench import lanes
from hlomm.bench.pace import Pace
from hlomm.bench.serve import Json, Server, listen, obey, say
from hlomm.bench.venue import SEED, SHORT, BenchVenue
from hlomm.domain.ids import HYPERLIQUID, KALSHI, POLYMARKET
from hlomm.domain.times import NS_PER_S
from hlomm.rundir.certificate import HOST
from hlomm.sim.clock import VenueClock
from hlomm.sim.config import BufferConfig, FlowConfig, ListingConfig, PolymarketConfig, SimConfig
from hlomm.sim.config_kalshi import KalshiConfig as KalshiVenueConfig
from hlomm.sim.config_kalshi import KalshiFlowConfig, KalshiLatencyConfig, KalshiListingConfig, KalshiRulesConfig
from hlomm.sim.contracts import period_ns
from hlomm.sim.kalshi.venue import KalshiVenue
from hlomm.sim.pm.listing import Contract
from hlomm.sim.pm.venue import PolymarketVenue
from hlomm.sim.speak_polymarket import GAMMA
from hlomm.sim.speaker import Speaker

LEFT_S: Final = range(86_400, 6 * 86_400)
"""Until a contract ends: long after the measurement, and no later than any venue looks ahead."""
_CENT: Final = 1_000_000
_HOUR_S: Final = 3_600
_MINUTE_S: Final = 60


def series(markets: int, now_s: int) -> tuple[str, ...]:
    """So many periods of hours, of which the present contract ends in `LEFT_S`.

    Whole days end at another hour at each venue, and contracts that end apart are not linked.
    """
    found, hours = list[str](), 0
    while len(found) < markets:
        hours += 1
        length_s = hours * _HOUR_S
        if hours % 24 and length_s - now_s % length_s in LEFT_S:
            found.append(f"{hours}h")
    return tuple(found)


def _config(periods: tuple[str, ...], now_s: int) -> SimConfig:
    """No other traders, nothing that comes and goes but one short contract, and room for all that waits."""
    return SimConfig(
        flow=FlowConfig(enabled=False),
        # The short one ends on a full minute, as its name says.
        listing=ListingConfig(periods=(SHORT, *periods), first_expiry_s=float(2 * _MINUTE_S - now_s % _MINUTE_S)),
        buffers=BufferConfig(outbox_frames=1_000_000, outbox_bytes=1 << 32),
        polymarket=PolymarketConfig(updown=(), feed_ms=0.0, ws_assets=2_000),
        kalshi=KalshiVenueConfig(
            flow=KalshiFlowConfig(enabled=False), listing=KalshiListingConfig(windows=False, strikes=1),
            rules=KalshiRulesConfig(thursday_pause=False), latency=KalshiLatencyConfig(feed_ms=0.0),
        ),
    )  # fmt: skip


@attrs.define(eq=False)
class Square:
    """`lanes` by venue."""

    hyperliquid: Server
    polymarket: lanes.FedPolymarket
    kalshi: lanes.FedKalshi
    lanes: Mapping[str, lanes.Lane]

    async def do(self, command: Json) -> Json:
        match command["do"]:
            case "follows":
                return {name: lane.follows() for name, lane in self.lanes.items()}
            case "flood":
                return await self._flood(Pace(**command["pace"]))
            case _:
                return await self.hyperliquid.do(command)

    async def _flood(self, pace: Pace) -> Json:
        """The same on each lane."""
        told: Json = {}
        cpu_s = time.process_time()

        async def run(name: str, lane: lanes.Lane) -> None:
            told[name] = await lanes.run(lane, pace)

        async with trio.open_nursery() as nursery:
            for name, lane in self.lanes.items():
                nursery.start_soon(run, name, lane)
        return {"lanes": told, "cpu_s": time.process_time() - cpu_s}


def build(markets: int) -> Square:
    """Inside a trio run."""
    wall_ns = time.time_ns()
    now_s = wall_ns // NS_PER_S
    now_ns = now_s * NS_PER_S  # contracts end on full seconds
    periods = series(markets, now_s)
    config, clock = _config(periods, now_s), VenueClock.starting_now(wall_ns)
    first = BenchVenue(periods)
    contracts = first.contracts

    def mirror(_now_ns: int) -> list[Contract]:
        return [Contract(one.period, one.expiry_ns, one.target) for one in contracts]

    def neighbour(expiry_ns: int, period: str) -> int | None:
        same = (one for one in contracts if (one.expiry_ns, one.period) == (expiry_ns, period))
        return next((one.target // _CENT for one in same), None)

    polymarket = lanes.FedPolymarket(PolymarketVenue(config, SEED, now_ns, first.path, mirror=mirror), clock)
    kalshi = lanes.FedKalshi(KalshiVenue(config, SEED, now_ns, first.path, neighbour=neighbour), clock)
    server = Server(first)
    fed: dict[str, lanes.Lane] = {
        HYPERLIQUID: lanes.HyperliquidLane(server),
        POLYMARKET: lanes.PolymarketLane(polymarket, periods),
        KALSHI: lanes.KalshiLane(kalshi, now_ns + period_ns(SHORT) * 100),
    }
    return Square(server, polymarket, kalshi, fed)


async def serve(certificate: Path, key: Path, markets: int) -> None:
    """Until standard input ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    square, now_ns = build(markets), time.time_ns()
    handlers: dict[str, Callable[[trio.abc.Stream], Awaitable[None]]] = {
        HYPERLIQUID: square.hyperliquid.converse,
        POLYMARKET: partial(_converse, square.polymarket),
        KALSHI: partial(_converse, square.kalshi),
    }
    where: dict[str, str] = {}
    async with trio.open_nursery() as nursery:
        for speaker in (square.polymarket, square.kalshi):
            nursery.start_soon(speaker.run)
        for name, handler in handlers.items():
            listeners, port = await listen(context)
            nursery.start_soon(trio.serve_listeners, handler, listeners)
            where[name] = f"{HOST}:{port}"
        say(
            {
                "ready": True, "seed": SEED, "venues": _places(square, where),
                "clock": {"host_origin_ns": now_ns, "venue_origin_ns": now_ns, "speed": 1.0},
            }
        )  # fmt: skip
        await obey(square)
        nursery.cancel_scope.cancel(reason="nobody asks any more")


async def _converse(speaker: Speaker, stream: trio.abc.Stream) -> None:
    with suppress(trio.BrokenResourceError, ssl.SSLError):  # it left in the middle of the handshake
        await speaker.serve_stream(stream)


def _places(square: Square, where: Mapping[str, str]) -> dict[str, Any]:
    """As `hlomm sim --json` says them."""
    first, second, third = (where[name] for name in (HYPERLIQUID, POLYMARKET, KALSHI))
    members = [attrs.asdict(one) for one in square.polymarket.venue.accounts]
    return {
        HYPERLIQUID: {
            "rest": f"https://{first}", "ws": f"wss://{first}/ws", "accounts": [square.hyperliquid.venue.account],
        },
        POLYMARKET: {
            "rest": f"https://{second}", "gamma": f"https://{second}{GAMMA}", "ws": f"wss://{second}/ws",
            "accounts": members,
        },
        KALSHI: square.kalshi.venue.document(f"https://{third}", f"wss://{third}"),
    }  # fmt: skip


if __name__ == "__main__":
    trio.run(serve, Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
