"""News that was read in one piece goes on in one piece; nothing else waits, and nothing is overtaken."""

from __future__ import annotations

from collections.abc import Sequence

from hlomm.domain.ids import HYPERLIQUID, perp_market
from hlomm.domain.inputs import AccountDoubted, BookSnapshot, Input
from hlomm.venues.clock import Clock
from hlomm.venues.counters import Counters
from hlomm.venues.outlet import Outlet

DOUBT = AccountDoubted(HYPERLIQUID, "news")


def book(venue_ms: int) -> BookSnapshot:
    return BookSnapshot(perp_market(HYPERLIQUID, "BTC"), (), (), venue_ms)


class Heard:
    def __init__(self) -> None:
        self.calls: list[tuple[list[Input], int]] = []
        self.outlet = Outlet(Clock(), Counters(), sink=self)

    def __call__(self, items: Sequence[Input], received_ns: int, /) -> None:
        self.calls.append((list(items), received_ns))


def test_what_was_read_together_is_told_together() -> None:
    heard = Heard()
    heard.outlet.gather()
    for ms in (1, 2, 3):
        heard.outlet.emit_at([book(ms)], 7)
    assert heard.calls == []
    heard.outlet.flush(7)
    assert heard.calls == [([book(1), book(2), book(3)], 7)]
    heard.outlet.flush(8)
    heard.outlet.emit_at([book(4)], 9)
    assert heard.calls[1:] == [([book(4)], 9)], "outside a piece nothing waits"


def test_what_is_more_than_news_goes_at_once_with_the_news_before_it() -> None:
    heard = Heard()
    heard.outlet.gather()
    heard.outlet.emit_at([book(1)], 7)
    heard.outlet.emit_at([DOUBT], 7)
    assert heard.calls == [([book(1), DOUBT], 7)]
    heard.outlet.emit_at([book(2)], 7)
    heard.outlet.flush(7)
    assert heard.calls[1:] == [([book(2)], 7)]


def test_without_a_sink_it_is_counted() -> None:
    counters = Counters()
    outlet = Outlet(Clock(), counters)
    outlet.gather()
    outlet.emit_at([book(1), book(2)], 7)
    outlet.flush(7)
    assert counters.get("inputs_without_sink") == 2
