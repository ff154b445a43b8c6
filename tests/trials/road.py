"""The network between real processes: a relay on loopback that can be unplugged, as a lost route would be.

The daemon is given its address for the venue's, and whoever judges asks the venue past it. The rules are those of
`hlomm.sim.cable`: unplugged, bytes vanish both ways without a word, and connections that lost some stay dead.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import trio

from hlomm.sim.cable import Cable

_CHUNK = 65_536


@attrs.define(eq=False)
class Road:
    """A way to the venue that can be lost."""

    document: Path
    """What `hlomm run --sim` is given to travel by it."""
    cable: Cable


def _read(document: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(document.read_text())
    return told


def _write(document: Path, told: dict[str, Any]) -> Path:
    path = document.with_name("relayed.json")
    path.write_text(json.dumps(told))
    return path


@asynccontextmanager
async def relayed(document: Path) -> AsyncIterator[Road]:
    """Relay to the simulator that `document` tells of."""
    told = _read(document)
    venue = told["venues"]["hyperliquid"]
    port, cable = urlsplit(venue["rest"]).port, Cable()

    async def relay(stream: trio.SocketStream) -> None:
        await cable.hold()
        try:
            inner = await trio.open_tcp_stream("127.0.0.1", port)
        except OSError:  # the simulator has ended
            await trio.aclose_forcefully(stream)
            return
        async with stream, cable.lay(inner) as far, trio.open_nursery() as nursery:
            nursery.start_soon(_copy, stream, far, nursery.cancel_scope)
            nursery.start_soon(_copy, far, stream, nursery.cancel_scope)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    own = f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
    venue["rest"], venue["ws"] = f"http://{own}", f"ws://{own}/ws"
    path = _write(document, told)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, relay, listeners)
        yield Road(path, cable)
        nursery.cancel_scope.cancel(reason="the trial is over")


async def _copy(source: trio.abc.Stream, sink: trio.abc.Stream, over: trio.CancelScope) -> None:
    """Until either end is gone; then neither way goes on."""
    try:
        while data := await source.receive_some(_CHUNK):
            await sink.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    over.cancel(reason="one end is gone")
