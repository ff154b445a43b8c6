"""A light client of the loopback venue under the clock: read, work, write, whoever frames the socket."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Final

import attrs
import trio

from hlomm.daemon.histogram import Histogram

WAITING_MAX: Final = 65_536
Work = Callable[[str | bytes], str | None]
"""A message in; the text to send for it, None for nothing."""


@attrs.frozen
class _Sent:
    begun_ns: int
    worked_from_ns: int
    worked_to_ns: int


class Woken(trio.abc.Instrument):
    """When the loop last came back from real waiting; a look in between, with work to do, does not count."""

    def __init__(self) -> None:
        self.at_ns = 0
        self._slept = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Inside a trio run: be told when its loop wakes."""
        trio.lowlevel.add_instrument(self)
        try:
            yield
        finally:
            trio.lowlevel.remove_instrument(self)

    def before_io_wait(self, timeout: float) -> None:
        self._slept = timeout > 0

    def after_io_wait(self, timeout: float) -> None:
        del timeout
        if self._slept:
            self.at_ns = perf_counter_ns()


@attrs.define(eq=False)
class Meter:
    """Implements `probes.Listener`. Latencies count where the loop had gone to sleep before: paced feeds."""

    receive: Histogram = attrs.field(factory=Histogram)
    """Readable to message in hand."""
    work: Histogram = attrs.field(factory=Histogram)
    send: Histogram = attrs.field(factory=Histogram)
    """Text in hand to bytes with the kernel."""
    total: Histogram = attrs.field(factory=Histogram)
    messages: int = 0
    orders: int = 0
    last_ns: int = 0
    _waiting: deque[_Sent] = attrs.field(factory=lambda: deque(maxlen=WAITING_MAX))
    woken: Woken = attrs.field(factory=Woken)
    """Shared with the meter that follows."""

    def take(self, text: str | bytes, work: Work) -> str | None:
        """Do the work of one message of the market; what is to be sent now."""
        begun_ns = perf_counter_ns()
        order = work(text)
        self.last_ns = perf_counter_ns()
        self.messages += 1
        if order is not None:
            self.orders += 1
            self._waiting.append(_Sent(self.woken.at_ns, begun_ns, self.last_ns))
        return order

    def has_read(self, called_ns: int) -> None:
        """The wake-up tells when it began."""

    def has_sent(self) -> None:
        if not self._waiting:
            return
        sent, now_ns = self._waiting.popleft(), perf_counter_ns()
        self.receive.add(sent.worked_from_ns - sent.begun_ns)
        self.work.add(sent.worked_to_ns - sent.worked_from_ns)
        self.send.add(now_ns - sent.worked_to_ns)
        self.total.add(now_ns - sent.begun_ns)
