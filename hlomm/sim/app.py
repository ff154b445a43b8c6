"""The simulator as a process: listens on loopback, announces itself in one line, and ends when nobody needs it.

Each venue has a port of its own, as it would have a host.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec
import trio

from hlomm.sim.clock import VenueClock
from hlomm.sim.config import SimOptions
from hlomm.sim.listing import first_origin
from hlomm.sim.speaker import Speaker
from hlomm.sim.town import Json, Town

_LINGER_CHECK_S: Final = 0.5

Announce = Callable[[bytes], None]


async def serve(options: SimOptions, announce: Announce) -> None:
    """Serve until cancelled, or until nobody was connected to any venue for `linger_s`.

    Calls `announce` once, with one JSON document, when clients may connect.
    """
    host_origin_ns = time.time_ns()
    venue_origin_ns = options.venue_origin_ns
    if venue_origin_ns is None:
        venue_origin_ns = first_origin(options.config.listing, host_origin_ns)
    clock = VenueClock(trio_origin_s=trio.current_time(), venue_origin_ns=venue_origin_ns, speed=options.speed)
    town = Town(options.config, options.seed, venue_origin_ns, clock)
    town.open(options.venues)
    places: dict[str, Json] = {}
    async with trio.open_nursery() as nursery:
        for number, (name, stand) in enumerate(town.stands.items()):
            port = options.port and options.port + number
            listeners = await trio.open_tcp_listeners(port, host=options.host)
            nursery.start_soon(stand.speaker.run)
            nursery.start_soon(trio.serve_listeners, partial(_serve_socket, stand.speaker), listeners)
            where = _where(options.host, int(listeners[0].socket.getsockname()[1]))
            places[name] = stand.document(f"http://{where}", f"ws://{where}")
        announce(msgspec.json.encode(_document(options, clock, host_origin_ns, places)))
        if options.linger_s is not None:
            await _wait_until_orphaned([stand.speaker for stand in town.stands.values()], options.linger_s)
            nursery.cancel_scope.cancel(reason="no client for linger_s")


def _where(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _serve_socket(speaker: Speaker, stream: trio.SocketStream) -> None:
    try:
        address = str(stream.socket.getpeername()[0])
    except OSError:  # it left before we looked
        await trio.aclose_forcefully(stream)
        return
    await speaker.serve_stream(stream, address)


async def _wait_until_orphaned(speakers: Sequence[Speaker], linger_s: float) -> None:
    """Return when no connection to any of them was open for that many host seconds."""
    alone_since = trio.current_time()
    while True:
        await trio.sleep(min(_LINGER_CHECK_S, linger_s))
        if any(speaker.clients for speaker in speakers):
            alone_since = trio.current_time()
        elif trio.current_time() - alone_since >= linger_s:
            return


def _document(options: SimOptions, clock: VenueClock, host_origin_ns: int, places: dict[str, Json]) -> Json:
    """What clients need to attach; `rest` is the base to which paths are appended."""
    return {
        "ready": True,
        "seed": options.seed,
        "clock": {
            "host_origin_ns": host_origin_ns,
            "venue_origin_ns": clock.venue_origin_ns,
            "speed": clock.speed,
        },
        "venues": places,
    }


if __name__ == "__main__":

    def _print(document: bytes) -> None:
        sys.stdout.write(document.decode() + "\n")
        sys.stdout.flush()

    seed = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else 7
    trio.run(serve, SimOptions(seed=seed), _print)
