"""The daemon's own stages once more, from outside: what its own histograms are held against.

Clocks stand where a stage begins and ends by its definition, around methods of other objects than the pump, which
measures itself. Every turn counts, whatever caused it.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, Final

import attrs

from hlomm.daemon.histogram import Histogram
from hlomm.daemon.journal_writer import JournalWriter
from hlomm.daemon.pump import Pump
from hlomm.domain.latency_rows import Stage
from hlomm.engine.core import Engine
from hlomm.venues.outlet import Outlet
from hlomm.venues.websocket import WebSocketLink

SEEN: Final = (Stage.DECODE, Stage.DECIDE, Stage.RECORD, Stage.SEND, Stage.TOTAL)
Wrap = Callable[[Callable[..., Any], str], Callable[..., Any]]


@attrs.define
class Marks:
    """One turn; 0 where it did not come to that."""

    base_ns: int
    """When its bytes were read, or when the session told of it."""
    begun_ns: int = 0
    decided_ns: int = 0
    recorded_ns: int = 0
    sent_ns: int = 0


class Outside:
    def __init__(self, took: Callable[[], dict[Stage, Histogram]]) -> None:
        """`took`: where turns are counted at the moment."""
        self._took = took
        self._marks: Marks | None = None
        self._told_ns = 0
        """When a session told of what had not come in a frame; 0 when it is not telling."""
        self.read_ns = 0
        """When the stream last gave something; set by whoever taps it."""
        self.wrappers: tuple[tuple[Any, str, Wrap], ...] = (
            (Pump, "_turn", self._turn), (Outlet, "emit", self._told), (Engine, "feed", self._begun),
            (Engine, "turn", self._decided), (JournalWriter, "append", self._after("recorded_ns")),
            (WebSocketLink, "send_nowait", self._after("sent_ns")),
        )  # fmt: skip

    def _turn(self, original: Callable[..., Any], _name: str) -> Callable[..., Any]:
        def call(pump: Pump, items: Any, received_ns: int) -> None:
            outer, marks = self._marks, Marks(self._told_ns or self.read_ns)
            self._marks = marks
            try:
                original(pump, items, received_ns)
            finally:
                self._marks = outer
            self._count(marks, of_a_venue=received_ns > 0)

        return call

    def _count(self, marks: Marks, *, of_a_venue: bool) -> None:
        took = self._took()
        took[Stage.DECIDE].add(marks.decided_ns - marks.begun_ns)
        took[Stage.RECORD].add(marks.recorded_ns - marks.decided_ns)
        if of_a_venue:
            took[Stage.DECODE].add(marks.begun_ns - marks.base_ns)
        if marks.sent_ns:
            took[Stage.SEND].add(marks.sent_ns - marks.recorded_ns)
            if of_a_venue:
                took[Stage.TOTAL].add(marks.sent_ns - marks.base_ns)

    def _told(self, original: Callable[..., Any], _name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self._told_ns = perf_counter_ns()
            try:
                return original(*args)
            finally:
                self._told_ns = 0

        return call

    def _begun(self, original: Callable[..., Any], _name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            marks = self._marks
            if marks is not None and not marks.begun_ns:
                marks.begun_ns = perf_counter_ns()
            return original(*args)

        return call

    def _decided(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        """A turn without inputs begins here."""
        return self._begun(self._after("decided_ns")(original, name), name)

    def _after(self, mark: str) -> Wrap:
        def wrap(original: Callable[..., Any], _name: str) -> Callable[..., Any]:
            def call(*args: Any) -> Any:
                found, marks = original(*args), self._marks
                if marks is not None:
                    setattr(marks, mark, perf_counter_ns())
                return found

            return call

        return wrap
