"""The app on a recording: a link that plays events, a clock that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hlomm.domain.ids import MarketId
from hlomm.domain.inputs import OperatorAction
from hlomm.domain.report import Snapshot
from hlomm.link.protocol import Access
from tests.tui.examples import NOW_S, SOCKET
from tui.app import Terminal
from tui.client import Answered, Event, Lost, Pictured, Rejected, Up
from tui.starting import Starter


class Recording:
    """A link that plays events and notes the orders it is given."""

    def __init__(self, deliver: Callable[[Event], object], events: tuple[Event, ...], *, up: bool = True) -> None:
        self.deliver = deliver
        self.orders: list[tuple[OperatorAction, str]] = []
        self.targets: list[str] = []
        """Of the same orders."""
        self.looks: list[tuple[MarketId | None, bool]] = []
        """What it was asked to show in full."""
        self._events = events
        self._up = up

    async def run(self) -> None:
        for event in self._events:
            self.deliver(event)
        await asyncio.Event().wait()

    def command(self, action: OperatorAction, reason: str = "", target: str = "") -> int | None:
        if not self._up:
            return None
        self.orders.append((action, reason))
        self.targets.append(target)
        return len(self.orders)

    def look(self, market: MarketId | None, *, surfaces: bool = False) -> None:
        self.looks.append((market, surfaces))

    def answer(self, picture: Snapshot) -> None:
        self.deliver(Answered(len(self.orders), picture))
        self.deliver(Pictured(picture))


class Clock:
    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


class Stage:
    """A terminal on a recording, with a clock that stands still until it is moved."""

    def __init__(
        self, *events: Event, up: bool = True, starter: Starter | None = None, access: Access = Access.OPERATOR
    ) -> None:
        self.clock = Clock()
        self.app = Terminal(
            SOCKET, clock=self.clock, starter=starter, access=access,
            link=lambda deliver: Recording(deliver, events, up=up),
        )  # fmt: skip

    @property
    def link(self) -> Recording:
        assert isinstance(self.app.link, Recording)
        return self.app.link


def showing(picture: Snapshot) -> Stage:
    """A terminal whose daemon has just said this."""
    return Stage(Up("sim", 20_709), Pictured(picture))


def viewing(picture: Snapshot) -> Stage:
    """A terminal that only looks."""
    return Stage(Up("sim", 20_709), Pictured(picture), access=Access.VIEWER)


def alone() -> Stage:
    return Stage(Lost("nobody answers"), up=False)


def misunderstood() -> Stage:
    return Stage(Rejected("the daemon speaks link version 2, the client 1: use the same hlomm for both"), up=False)
