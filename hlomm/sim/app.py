"""The simulator as a process: listens on loopback, announces itself in one line, and ends when nobody needs it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import msgspec
import trio

from hlomm.sim.clock import VenueClock
from hlomm.sim.config import SimOptions
from hlomm.sim.hl.venue import Venue
from hlomm.sim.listing import first_origin
from hlomm.sim.speak_hyperliquid import HyperliquidSpeaker

_LINGER_CHECK_S: Final = 0.5

Announce = Callable[[bytes], None]


async def serve(options: SimOptions, announce: Announce) -> None:
    """Serve until cancelled, or until nobody was connected for `linger_s`.

    Calls `announce` once, with one JSON document, when clients may connect.
    """
    config = options.config
    host_origin_ns = time.time_ns()
    venue_origin_ns = options.venue_origin_ns
    if venue_origin_ns is None:
        venue_origin_ns = first_origin(config.listing, host_origin_ns)
    clock = VenueClock(trio_origin_s=trio.current_time(), venue_origin_ns=venue_origin_ns, speed=options.speed)
    venue = Venue(config, options.seed, venue_origin_ns)
    speaker = HyperliquidSpeaker(venue, clock)
    listeners = await trio.open_tcp_listeners(options.port, host=options.host)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(speaker.run)
        nursery.start_soon(trio.serve_listeners, partial(_serve_socket, speaker), listeners)
        port = int(listeners[0].socket.getsockname()[1])
        announce(msgspec.json.encode(_document(options, venue, clock, host_origin_ns, port)))
        if options.linger_s is not None:
            await _wait_until_orphaned(speaker, options.linger_s)
            nursery.cancel_scope.cancel(reason="no client for linger_s")


async def _serve_socket(speaker: HyperliquidSpeaker, stream: trio.SocketStream) -> None:
    try:
        address = str(stream.socket.getpeername()[0])
    except OSError:  # it left before we looked
        await trio.aclose_forcefully(stream)
        return
    await speaker.serve_stream(stream, address)


async def _wait_until_orphaned(speaker: HyperliquidSpeaker, linger_s: float) -> None:
    """Return when no connection was open for that many host seconds."""
    alone_since = trio.current_time()
    while True:
        await trio.sleep(min(_LINGER_CHECK_S, linger_s))
        if speaker.clients:
            alone_since = trio.current_time()
        elif trio.current_time() - alone_since >= linger_s:
            return


def _document(options: SimOptions, venue: Venue, clock: VenueClock, host_origin_ns: int, port: int) -> dict[str, Any]:
    """What a client needs to attach; `rest` is the base to which `/info` and the like are appended."""
    host = f"[{options.host}]" if ":" in options.host else options.host
    accounts = [
        {
            "address": account.address,
            "key": account.key,
            "agent_key": account.agent_key,
            "agent_address": account.agent_address,
            "guardian_key": account.guardian_key,
            "guardian_address": account.guardian_address,
            "name": account.name,
        }
        for account in venue.accounts
    ]
    return {
        "ready": True,
        "seed": options.seed,
        "clock": {
            "host_origin_ns": host_origin_ns,
            "venue_origin_ns": clock.venue_origin_ns,
            "speed": clock.speed,
        },
        "venues": {
            "hyperliquid": {
                "rest": f"http://{host}:{port}",
                "ws": f"ws://{host}:{port}/ws",
                "chain": venue.chain,
                "accounts": accounts,
            }
        },
    }


if __name__ == "__main__":

    def _print(document: bytes) -> None:
        sys.stdout.write(document.decode() + "\n")
        sys.stdout.flush()

    seed = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else 7
    trio.run(serve, SimOptions(seed=seed), _print)
