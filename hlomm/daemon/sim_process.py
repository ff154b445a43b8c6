"""The simulated venues as a process of their own, as real venues would be.

It is started in its own session, so that Ctrl-C reaches only the daemon and the venues are still there to cancel at.
Killed daemons leave it behind; it ends by itself when nobody has been connected for a while.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import trio

from hlomm.domain.exits import ExitCode
from hlomm.domain.faults import ConfigError, VenueUnavailable
from hlomm.domain.secret import Secret, seal
from hlomm.domain.times import ClockMap
from hlomm.settings.schema import Sim

START_S = 20.0
STOP_S = 8.0
MAX_LINE = 1 << 20
LAST_WORDS = 4_096


class SimAccount(msgspec.Struct, frozen=True):
    """A funded account of the simulated Hyperliquid."""

    address: str
    key: Secret
    agent_key: Secret
    agent_address: str
    guardian_key: Secret
    guardian_address: str
    name: str = ""
    sub_address: str = ""


class SimVenue(msgspec.Struct, frozen=True):
    rest: str
    ws: str
    accounts: tuple[SimAccount, ...]
    chain: str = "Testnet"


class PolymarketAccount(msgspec.Struct, frozen=True):
    address: str
    key: Secret
    funder: str
    signature_type: int
    name: str = ""


class SimPolymarket(msgspec.Struct, frozen=True):
    rest: str
    """Of the order book; the others are of public data and the base of both websocket channels."""
    gamma: str
    ws: str
    accounts: tuple[PolymarketAccount, ...]


class KalshiAccount(msgspec.Struct, frozen=True):
    name: str
    key_id: str
    private_key_pem: Secret


class SimKalshi(msgspec.Struct, frozen=True):
    rest: str
    ws: str
    accounts: tuple[KalshiAccount, ...]


class SimVenues(msgspec.Struct, frozen=True):
    """None: not served."""

    hyperliquid: SimVenue | None = None
    polymarket: SimPolymarket | None = None
    kalshi: SimKalshi | None = None

    def __iter__(self) -> Iterator[SimVenue | SimPolymarket | SimKalshi]:
        return (venue for venue in (self.hyperliquid, self.polymarket, self.kalshi) if venue is not None)


class SimClock(msgspec.Struct, frozen=True):
    host_origin_ns: int
    venue_origin_ns: int
    speed: float

    def map(self) -> ClockMap:
        return ClockMap(host_origin_ns=self.host_origin_ns, venue_origin_ns=self.venue_origin_ns, speed=self.speed)


class SimDocument(msgspec.Struct, frozen=True):
    """First line of `hlomm sim --json`."""

    ready: bool
    clock: SimClock
    venues: SimVenues
    seed: int = 0


def parse_document(raw: bytes, where: str) -> SimDocument:
    try:
        document = msgspec.json.decode(raw, type=SimDocument, dec_hook=seal)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{where}: {error} — expected the document that `hlomm sim --json` prints") from None
    served = list(document.venues)
    if not document.ready or not served or not all(venue.accounts for venue in served):
        raise ConfigError(f"{where}: the simulator is not ready or offers no account")
    return document


def read_document(path: Path) -> SimDocument:
    try:
        return parse_document(path.read_bytes().split(b"\n", 1)[0], str(path))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error} — check the path given to --sim") from None


async def start(section: Sim, *, venues: Sequence[str], seed: int, speed: float, log: Path) -> tuple[Any, SimDocument]:
    """Start `hlomm sim` for these venues and wait until it serves; (process, document)."""
    listed = [
        "--first-expiry", str(section.first_expiry_s), "--periods", ",".join(section.periods), "--buckets",
        ",".join(section.buckets), "--templates", ",".join(section.templates),
        "--dislocations" if section.dislocations else "--no-dislocations",
    ]  # fmt: skip
    command = [
        sys.executable, "-P", "-m", "hlomm.cli.main", "sim", "--json", "--venues", ",".join(venues),
        "--seed", str(seed), "--speed", str(speed), "--linger", str(section.linger_s), *listed,
    ]  # fmt: skip
    with log.open("ab") as errors:
        process = await trio.lowlevel.open_process(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
    line = b""
    with trio.move_on_after(START_S) as patience:
        line = await _first_line(process)
    if not line:
        with trio.move_on_after(STOP_S, shield=True):
            refused = process.poll() if patience.cancelled_caught else await process.wait()
            await stop(process)
        if refused == ExitCode.USAGE:
            raise ConfigError(f"the simulator takes none of that: {_last_line(log)}")
        how = f"did not start within {START_S:.0f} s" if refused is None else "ended before it had started"
        raise VenueUnavailable(f"the simulator {how} — see {log}")
    return process, parse_document(line, "hlomm sim")


async def _first_line(process: trio.Process) -> bytes:
    assert process.stdout is not None
    line = bytearray()
    while b"\n" not in line and len(line) < MAX_LINE:
        data = await process.stdout.receive_some(65_536)
        if not data:
            return b""
        line += data
    return bytes(line).split(b"\n", 1)[0]


def _last_line(log: Path) -> str:
    """What the simulator said last."""
    with log.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - LAST_WORDS, 0))
        said = file.read().decode(errors="replace").strip()
    return said.rpartition("\n")[2].removeprefix("hlomm: ")


async def stop(process: trio.Process) -> None:
    """End it; it holds nothing worth waiting for. Bounded by the caller."""
    process.terminate()
    with trio.move_on_after(STOP_S / 2) as patience:
        await process.wait()
    if patience.cancelled_caught:
        process.kill()
        await process.wait()
