"""What terminals cost: `python -m tests.trials.terminal_cost [SECONDS]`, on a quiet machine; prints one JSON document.

CPU share of a terminal on 50 markets of which every price changes with every snapshot, four times a second; then the
daemon's time from frame to decision, and its own CPU share, with no terminal attached and with three.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from hlomm.domain.units import Cash, Px
from hlomm.link.protocol import VERSION, Frames, Update, Watch, Welcome, decode_to_daemon, encode
from tests.trials.terminal import Terminal, at_terminal
from tests.tui.examples import many, snapshot

SIZES: Final = ((80, 24), (120, 40), (200, 60))
MARKETS: Final = 50
WARM_S: Final = 3.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def pictures(count: int = 16) -> list[bytes]:
    """Snapshots of which no two neighbours have a market row in common."""
    return [
        encode(Update(id=0, snapshot=snapshot(_moved(step), fills=step, equity=Cash(step)))) for step in range(count)
    ]


def _moved(step: int) -> tuple[Any, ...]:
    shift = step * 10_000
    return tuple(
        msgspec.structs.replace(
            row, bids=tuple((px + shift, size) for px, size in row.bids),
            asks=tuple((px + shift, size) for px, size in row.asks), fair=Px((row.fair or 0) + shift),
        )
        for row in many(MARKETS)
    )  # fmt: skip


@asynccontextmanager
async def stand_in(root: Path) -> AsyncIterator[None]:
    """A daemon that has everything prepared, so that it costs next to nothing itself."""
    frames = pictures()

    async def handle(stream: trio.SocketStream) -> None:
        parser = Frames()
        await stream.send_all(encode(Welcome(version=VERSION, pid=os.getpid(), profile="sim")))
        try:
            async for data in stream:
                for message in map(decode_to_daemon, parser.feed(bytes(data))):
                    if isinstance(message, Watch):
                        await push(stream, message.interval_ms / 1000)
        except trio.BrokenResourceError:
            return

    async def push(stream: trio.SocketStream, every_s: float) -> None:
        while True:
            for frame in frames:
                await stream.send_all(frame)
                await trio.sleep(every_s)

    listener = trio.socket.socket(trio.socket.AF_UNIX)
    await listener.bind(str(root / "hlomm.sock"))
    listener.listen(8)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, [trio.SocketListener(listener)])
        yield
        nursery.cancel_scope.cancel()


def cpu_s(pid: int) -> float:
    """Of all its threads so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def terminal_share(root: Path, columns: int, rows: int, seconds: float) -> float:
    async with at_terminal(root, columns=columns, rows=rows) as terminal:
        await terminal.glass.until("QUOTING", "BTC≥", within_s=60)
        await trio.sleep(WARM_S)
        before = cpu_s(terminal.process.pid)
        await trio.sleep(seconds)
        return (cpu_s(terminal.process.pid) - before) / seconds


async def daemon_with(root: Path, terminals: int, seconds: float) -> dict[str, float]:
    """A run of its own against a simulator of its own."""
    command = [
        sys.executable, "-m", "hlomm.cli.main", "run", "--seed", "21", "--state-dir", str(root), "--json",
        "--duration", str(seconds + 15),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # noqa: ASYNC220
    async with AsyncExitStack() as stack:
        while not (root / "hlomm.sock").exists():
            await trio.sleep(0.1)
        seats: list[Terminal] = [await stack.enter_async_context(at_terminal(root)) for _ in range(terminals)]
        for seat in seats:
            await seat.glass.until("QUOTING", within_s=60)
        await trio.sleep(WARM_S)
        before = cpu_s(process.pid)
        await trio.sleep(seconds)
        share = (cpu_s(process.pid) - before) / seconds
    out, _ = await trio.to_thread.run_sync(process.communicate)
    latency = json.loads(out)["latency_us"]
    return {"latency_us_p50": latency["p50"], "latency_us_p99": latency["p99"], "cpu_share": round(share, 4)}


async def main(seconds: float) -> None:
    document: dict[str, Any] = {"markets": MARKETS, "seconds": seconds, "terminal_cpu_share": {}, "daemon": {}}
    with tempfile.TemporaryDirectory(prefix="hlb") as name:
        root = Path(name)
        (root / "seat").mkdir(mode=0o700)
        async with stand_in(root / "seat"):
            for columns, rows in SIZES:
                share = await terminal_share(root / "seat", columns, rows, seconds)
                document["terminal_cpu_share"][f"{columns}x{rows}"] = round(share, 4)
        for terminals in (0, 3):
            run = root / f"with{terminals}"
            run.mkdir(mode=0o700)
            document["daemon"][f"terminals_{terminals}"] = await daemon_with(run, terminals, seconds)
    print(json.dumps(document))  # noqa: T201


if __name__ == "__main__":
    trio.run(main, float(sys.argv[1]) if len(sys.argv) > 1 else 30.0)
