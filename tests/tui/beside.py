"""Several daemons in one terminal, each a recording of its own with figures of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from hlomm.domain.report import Snapshot
from hlomm.link.protocol import Access
from tests.tui.examples import cash, daily, engine, perp, snapshot
from tests.tui.stage import Clock, Recording, Stage
from tui.app import Terminal
from tui.client import Event, Lost, Pictured, Up
from tui.places import Place

NAMES = ("btc", "eth", "sol", "rain", "vol", "long", "short", "a-very-long-name-of-a-daemon")


def places(count: int) -> list[Place]:
    return [Place(Path(f"/srv/{name}/hlomm.sock"), name, f"--state-dir /srv/{name}") for name in NAMES[:count]]


class Beside(Stage):
    """The first of `told` is what the first daemon says; a string is why it cannot be reached."""

    def __init__(self, *told: Snapshot | str, access: Access = Access.OPERATOR) -> None:
        self.clock = Clock()
        waiting = iter(told)

        def link(deliver: Callable[[Event], object]) -> Recording:
            said = next(waiting)
            if isinstance(said, str):
                return Recording(deliver, (Lost(said),))
            return Recording(deliver, (Up(said.profile, said.pid), Pictured(said)))

        self.app = Terminal(places(len(told)), clock=self.clock, access=access, link=link)

    @property
    def links(self) -> list[Recording]:
        found = [each.link for each in self.app._attached]
        assert all(isinstance(each, Recording) for each in found)
        return found  # type: ignore[return-value]


def btc(**changes: object) -> Snapshot:
    """Four markets, 4 orders, pnl +41.82."""
    return msgspec.structs.replace(snapshot(**changes), pid=101)


def eth(**changes: object) -> Snapshot:
    """One market beside the perp, and a result of its own."""
    rows = (daily(ticker="OUT:ETH-3310-2026-11-21T0600", underlying="ETH"), perp())
    values = {"pnl": msgspec.structs.replace(engine(rows).pnl, total=cash("-7.25")), "worst": cash("12.50")} | changes
    return msgspec.structs.replace(snapshot(rows, **values), pid=102)


def two(**options: Access) -> Beside:
    return Beside(btc(), eth(), **options)
