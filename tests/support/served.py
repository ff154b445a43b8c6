"""Simulated venues on real ports of this machine, in a thread of the test: for commands that open sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import attrs
import trio

from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.sim.app import serve
from hlomm.sim.config import ListingConfig, RulesConfig, SimConfig, SimOptions

READY_S: Final = 20.0
GRID_S: Final = 60
LEAST_S: Final = 30
"""The first contract lives at least that long."""


@attrs.frozen
class Served:
    """What one simulator announced."""

    document: dict[str, Any]

    def venue(self, name: str = "hyperliquid") -> dict[str, Any]:
        found: dict[str, Any] = self.document["venues"][name]
        return found

    def tell(self, name: str = "hyperliquid", **request: Any) -> dict[str, Any]:
        """One request to the venue's switchboard."""
        return said(self.venue(name)["rest"], request)

    def account(self, name: str = "hyperliquid") -> dict[str, Any]:
        """The first account as the venue itself knows it."""
        found: dict[str, Any] = self.tell(name, type="state")["accounts"]["daemon"]
        return found


def said(rest: str, request: dict[str, Any]) -> dict[str, Any]:
    connection = http.client.HTTPConnection(rest.removeprefix("http://").partition("/")[0], timeout=10)
    try:
        connection.request("POST", "/sim", json.dumps(request))
        answer = connection.getresponse()
        body: dict[str, Any] = json.loads(answer.read())
        assert answer.status == 200, (answer.status, body)
        return body
    finally:
        connection.close()


def punctual(
    venues: tuple[str, ...], ahead_s: float = 0, rules: RulesConfig | None = None, speed: float = 1
) -> SimOptions:
    """A simulator whose clock is the host's as of this call, or so far ahead. Contracts expire at full minutes."""
    origin_ns = time.time_ns() // NS_PER_MS * NS_PER_MS + round(ahead_s * NS_PER_S)
    expiry_s = GRID_S - origin_ns % (GRID_S * NS_PER_S) / NS_PER_S
    expiry_s += GRID_S if expiry_s < LEAST_S else 0
    config = SimConfig(listing=ListingConfig(first_expiry_s=expiry_s), rules=rules or RulesConfig())
    return SimOptions(venues=venues, venue_origin_ns=origin_ns, config=config, speed=speed)


@contextmanager
def served(*options: Callable[[], SimOptions]) -> Iterator[list[Served]]:
    """Run all of them for the duration of the block."""
    announced: queue.Queue[tuple[int, dict[str, Any]] | Exception] = queue.Queue()
    stop: list[tuple[trio.lowlevel.TrioToken, trio.CancelScope]] = []

    async def main() -> None:
        with trio.CancelScope() as scope:
            stop.append((trio.lowlevel.current_trio_token(), scope))
            async with trio.open_nursery() as nursery:
                for number, one in enumerate(options):
                    nursery.start_soon(_serve, one, partial(_announce, announced, number))

    def thread() -> None:
        try:
            trio.run(main)
        except Exception as error:  # noqa: BLE001 - raised again where somebody waits
            announced.put(error)

    runner = threading.Thread(target=thread, name="served venues")
    runner.start()
    try:
        found: dict[int, Served] = {}
        while len(found) < len(options):
            heard = announced.get(timeout=READY_S)
            if isinstance(heard, Exception):
                raise heard
            found[heard[0]] = Served(heard[1])
        yield [found[number] for number in range(len(options))]
    finally:
        for token, scope in stop:
            with contextlib.suppress(trio.RunFinishedError):
                token.run_sync_soon(scope.cancel)
        runner.join(READY_S)
    assert not runner.is_alive()


async def _serve(options: Callable[[], SimOptions], announce: Callable[[bytes], None]) -> None:
    """Made at the last moment, so that its clock begins now."""
    await serve(options(), announce)


def _announce(announced: queue.Queue[Any], number: int, document: bytes) -> None:
    announced.put((number, json.loads(document)))
