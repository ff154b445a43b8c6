"""Our hold on venues of our own in another process: start them, have them feed, ask what they saw, end them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec
import trio

from hlomm.bench import apart
from hlomm.bench.pace import Pace
from hlomm.bench.trust import trusted
from hlomm.daemon.sim_process import SimDocument, parse_document
from hlomm.domain.faults import VenueUnavailable
from hlomm.domain.times import NS_PER_S
from hlomm.rundir import certificate

Json = dict[str, Any]

START_S: Final = 30.0
_STOP_S: Final = 3.0
_GRACE_S: Final = 60.0
"""Beyond the time that a feed should take."""


@attrs.define(eq=False)
class Peer:
    """`rest`, `ws`: where it listens. `account`: address and keys of whoever trades there. `coin`: what is quoted."""

    _process: trio.Process
    rest: str = ""
    ws: str = ""
    account: Json = attrs.field(factory=dict)
    coin: str = ""
    _rest_of_line: bytes = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    async def feed(self, rate: float, frames: int) -> Json:
        """Have so many frames sent to the newest websocket; what was sent and what came back."""
        return await self._ask({"do": "feed", "rate": rate, "frames": frames}, frames / (rate or 1000) + _GRACE_S)

    async def follows(self) -> Json:
        """By venue, how many markets the client follows there."""
        return await self._ask({"do": "follows"}, _GRACE_S)

    async def flood(self, pace: Pace) -> Json:
        """Have book events sent on each lane, and wait for it; what was sent and how late."""
        return await self._ask({"do": "flood", "pace": attrs.asdict(pace)}, pace.span_ns / NS_PER_S * 2 + _GRACE_S)

    async def acted(self) -> Json:
        """Actions that the venue carried out so far, by type, and `orders`: those placed and amended."""
        return await self._ask({"do": "counts"}, _GRACE_S)

    async def verify(self) -> Json:
        """Signatures that were checked, and how many of them were good."""
        return await self._ask({"do": "verify"}, _GRACE_S)

    async def _ask(self, command: Json, within_s: float) -> Json:
        assert self._process.stdin is not None
        await self._process.stdin.send_all(msgspec.json.encode(command) + b"\n")
        return await self.heard(within_s)

    async def heard(self, within_s: float) -> Json:
        """Its next line. VenueUnavailable if it has ended or does not answer."""
        assert self._process.stdout is not None
        with trio.move_on_after(within_s):
            while b"\n" not in self._rest_of_line:
                data = await self._process.stdout.receive_some(65_536)
                if not data:
                    raise VenueUnavailable("the loopback venue has ended")
                self._rest_of_line += data
            line, _, self._rest_of_line = self._rest_of_line.partition(b"\n")
            document: Json = msgspec.json.decode(line)
            return document
        raise VenueUnavailable(f"the loopback venue did not answer within {within_s:g} s")


@asynccontextmanager
async def loopback(markets: int = 1) -> AsyncIterator[Peer]:
    """A venue of so many contracts in a process of its own."""
    async with _running("hlomm.bench.serve", markets) as (peer, where):
        peer.rest, peer.ws, peer.account, peer.coin = (where[name] for name in ("rest", "ws", "account", "coin"))
        yield peer


@asynccontextmanager
async def three_venues(markets: int = 1) -> AsyncIterator[tuple[Peer, SimDocument]]:
    """Three venues of so many contracts, each with a feed, in one process of their own; and where they are."""
    async with _running("hlomm.bench.square", markets) as (peer, where):
        yield peer, parse_document(msgspec.json.encode(where), "three venues")


@asynccontextmanager
async def _running(module: str, markets: int) -> AsyncIterator[tuple[Peer, Json]]:
    """Such a process, and its first line. Default TLS contexts trust it while the block lasts."""
    with tempfile.TemporaryDirectory(prefix="hlomm-bench-") as folder:
        pem, key = certificate.make(Path(folder))
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", module, str(pem), str(key), str(markets)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        apart.send_away(process.pid)
        try:
            peer = Peer(process)
            where = await peer.heard(START_S)
            with trusted(pem):
                yield peer, where
        finally:
            with trio.move_on_after(_STOP_S, shield=True):
                await _end(process)


async def _end(process: trio.Process) -> None:
    """It ends with its standard input; one that does not is killed."""
    assert process.stdin is not None
    await process.stdin.aclose()
    with trio.move_on_after(_STOP_S / 2) as patience:
        await process.wait()
    if patience.cancelled_caught:
        process.kill()
        await process.wait()
