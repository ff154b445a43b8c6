"""Looking up names of hosts without depending on it more than must be.

The platform's lookup waits in a thread that nobody can end, for as long as its resolver likes: half a minute and more.
Trio would take that thread from those that sync the journal and write the halt note. So each host has two of its own,
and a venue whose name hangs keeps neither the disk nor another venue waiting. An answer that does not come, or is a
failure, is the last good one: a resolver that is away must not keep a guardian from an address that was known a minute
ago. Whoever answers there still has to show the certificate of the name.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any, Final

import attrs
import trio
import trio.lowlevel

LOOKUPS_MAX: Final = 2
"""Under way for one host, those included that nobody waits for any more."""
KNOWN_S: Final = 1.0
"""Host seconds to wait for an answer where there is an earlier one."""
UNKNOWN_S: Final = 2.5
"""And where there is none: less than what a connection may take."""


@attrs.define(eq=False)
class Names(trio.abc.HostnameResolver):
    """Of one trio run. Hosts are those of the configuration, so that they are few."""

    _ask: Callable[..., Any] = attrs.field(factory=lambda: socket.getaddrinfo)
    _known: dict[tuple[Any, ...], Any] = attrs.field(factory=dict)
    """The last good answer by question."""
    _threads: dict[object, trio.CapacityLimiter] = attrs.field(factory=dict)

    async def getaddrinfo(
        self, host: bytes | None, port: object, family: int = 0, kind: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        """As `socket.getaddrinfo`. OSError if there is no answer and never was one."""
        question = (host, port, family, kind, proto, flags)
        within_s = KNOWN_S if question in self._known else UNKNOWN_S
        try:
            with trio.fail_after(within_s):
                self._known[question] = await self._in_thread(host, self._ask, *question)
        except trio.TooSlowError:
            if question not in self._known:
                name = host.decode(errors="replace") if host else ""
                text = f"the name {name} was not looked up in {within_s:g} s: see to this machine's resolver"
                raise TimeoutError(errno.ETIMEDOUT, text) from None
        except OSError:
            if question not in self._known:
                raise
        return self._known[question]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """As `socket.getnameinfo`."""
        found: tuple[str, str] = await self._in_thread(sockaddr[0], socket.getnameinfo, sockaddr, flags)
        return found

    async def _in_thread(self, host: object, work: Callable[..., Any], *args: object) -> Any:
        threads = self._threads.setdefault(host, trio.CapacityLimiter(LOOKUPS_MAX))
        return await trio.to_thread.run_sync(work, *args, abandon_on_cancel=True, limiter=threads)


_ours: Final = trio.lowlevel.RunVar[Names]("hlomm names")


def use() -> None:
    """Have every lookup of this trio run done so."""
    try:
        _ours.get()
    except LookupError:
        names = Names()
        _ours.set(names)
        trio.socket.set_custom_hostname_resolver(names)
