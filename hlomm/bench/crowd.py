"""Clients of `hlomm metrics`, in a process of their own: `python -m hlomm.bench.crowd PORT CLIENTS EVERY_S`.

Each asks for another page in turn, so many seconds apart, until standard input ends; then it says what became of it.
"""

from __future__ import annotations

import json
import sys
from typing import Final

import attrs
import trio

PAGES: Final = ("/metrics", "/health", "/positions", "/performance", "/decisions")
_PATIENCE_S: Final = 10.0


@attrs.define
class Seen:
    answered: int = 0
    failed: int = 0
    bytes: int = 0


async def ask(port: int, page: str, seen: Seen) -> None:
    """One request and its whole answer."""
    whole = b""
    with trio.move_on_after(_PATIENCE_S):
        try:
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(f"GET {page} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
                async for data in stream:
                    whole += data
        except (OSError, trio.BrokenResourceError):
            whole = b""
    good = whole.startswith(b"HTTP/1.1 200")
    seen.answered, seen.failed, seen.bytes = seen.answered + good, seen.failed + (not good), seen.bytes + len(whole)


async def _client(port: int, number: int, clients: int, every_s: float, seen: Seen) -> None:
    await trio.sleep(every_s * number / clients)
    turn = number
    while True:
        began_s = trio.current_time()
        await ask(port, PAGES[turn % len(PAGES)], seen)
        turn += 1
        await trio.sleep_until(began_s + every_s)


async def main(port: int, clients: int, every_s: float) -> None:
    seen = Seen()
    async with trio.open_nursery() as nursery:
        for number in range(clients):
            nursery.start_soon(_client, port, number, clients, every_s, seen)
        await trio.to_thread.run_sync(sys.stdin.buffer.read)
        nursery.cancel_scope.cancel(reason="the stretch is over")
    sys.stdout.write(json.dumps(attrs.asdict(seen)) + "\n")


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
