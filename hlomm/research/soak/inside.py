"""What every part of one simulated process shares: its life, its way to each venue, and its idea of the time."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from hlomm.domain.inputs import Input
from hlomm.research.soak.front import Front
from hlomm.research.soak.host import HostClock
from hlomm.research.soak.network import Failure, Network
from hlomm.research.soak.timeline import S, Timeline
from hlomm.research.soak.weather import Weather


@attrs.define(eq=False)
class Life:
    """Of one process. After `dead` is set nothing reaches it; while it is stopped, everything does so later."""

    emit: Callable[[Sequence[Input]], None] = attrs.field(default=lambda _items: None)
    dead: bool = False
    frozen_until_ns: int = 0


class Within:
    """One process and its way to one venue."""

    def __init__(
        self, timeline: Timeline, weather: Weather, rng: random.Random, network: Network, clock: HostClock, life: Life
    ) -> None:
        self.timeline = timeline
        self.weather = weather
        self.rng = rng
        self.network = network
        self.clock = clock
        self.life = life
        self.rest_ok: bool | None = None
        """Whether the last request was answered."""
        self.ahead_ms = 0
        """The venue's clock minus ours, as last measured."""

    def emit(self, items: Sequence[Input]) -> None:
        self.life.emit(items)

    def mine(self, run: Callable[..., None]) -> Callable[..., None]:
        """Something that happens inside this process."""
        life = self.life

        def guarded(*args: Any) -> None:
            if life.dead:
                return
            if self.timeline.now_ns < life.frozen_until_ns:
                self.timeline.at(life.frozen_until_ns, lambda: guarded(*args))
            else:
                run(*args)

        return guarded

    def after(self, seconds: float, run: Callable[[], None]) -> None:
        self.timeline.after(round(seconds * S), self.mine(run))

    def request(self, perform: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """`done` is told the result, or the Failure."""

        def answered(result: Any) -> None:
            self.rest_ok = not isinstance(result, Failure) or result is Failure.TURNED_AWAY
            done(result)

        self.network.request(perform, self.mine(answered))

    def say(self, events: list[Input]) -> None:
        """Tell the engine after its turn."""
        if events:
            self.after(0.0, lambda: self.emit(events))

    def venue_ms(self) -> int:
        """The venue's time as well as this process knows it."""
        return self.clock.wall_ms() + self.ahead_ms


class Inside(Within):
    """The same with the front of Hyperliquid."""

    def __init__(
        self, timeline: Timeline, weather: Weather, rng: random.Random, network: Network, front: Front,
        clock: HostClock, life: Life,
    ) -> None:  # fmt: skip
        super().__init__(timeline, weather, rng, network, clock, life)
        self.front = front
