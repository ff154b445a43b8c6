"""What lies between one host and the venue: delays, and the ways in which messages are lost, changed or late.

Two channels, as the session has them. A request is carried out (or not) and answered (or not). A line carries posts
one way and news the other, each direction in order, until it breaks.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import Enum
from typing import Final, TypeVar

import attrs

from hlomm.research.soak.timeline import MS, S, Timeline
from hlomm.research.soak.weather import Fault, Weather

T = TypeVar("T")

REQUEST_DEADLINE_S: Final = 5.0
POST_DEADLINE_S: Final = 5.0
NOTICE_S: Final = (10.0, 30.0)
"""How long it takes pings to find out that a connection is only half there."""


class Failure(Enum):
    """Why a request brought no answer."""

    NOT_SENT = "no route to the venue"
    TURNED_AWAY = "429 Too Many Requests"
    LOST = "no usable answer"


class Network:
    """The route of one host. `cut` means nothing passes at all."""

    def __init__(self, timeline: Timeline, weather: Weather, rng: random.Random) -> None:
        self._timeline = timeline
        self._weather = weather
        self._rng = rng
        self.in_flight = 0
        """Messages under way that will still have an effect."""
        self.trouble_ns = -(10**18)
        """When a request was last spoilt."""

    @property
    def cut(self) -> bool:
        return self._weather.strength(Fault.DNS_LOSS) is not None

    def delay_ns(self) -> int:
        return round(self._rng.uniform(20, 150) * MS)

    def later(self, delay_ns: int, run: Callable[[], None]) -> None:
        """A message under way."""
        self.in_flight += 1

        def arrive() -> None:
            self.in_flight -= 1
            run()

        self._timeline.after(delay_ns, arrive)

    def request(self, perform: Callable[[], T], done: Callable[[T | Failure], None]) -> None:
        """One HTTP exchange; `done` is called exactly once."""
        failure, executed, wait_s = self._fate()
        if failure is None:
            self.later(self.delay_ns(), lambda: self._answer(perform, done))
            return
        self.trouble_ns = self._timeline.now_ns
        if executed:
            self.later(self.delay_ns(), lambda: _ignore(perform()))
        self.later(round(wait_s * S), lambda: done(failure))

    def _answer(self, perform: Callable[[], T], done: Callable[[T | Failure], None]) -> None:
        result = perform()
        self.later(self.delay_ns(), lambda: done(result))

    def _fate(self) -> tuple[Failure | None, bool, float]:
        """(failure, carried out all the same, seconds until it is known)."""
        weather, rng = self._weather, self._rng
        if self.cut:
            weather.hit(Fault.DNS_LOSS)
            return Failure.NOT_SENT, False, rng.uniform(0.05, REQUEST_DEADLINE_S)
        for fault, failure, share in (
            (Fault.HTTP_429, Failure.TURNED_AWAY, 0.0),
            (Fault.HTTP_5XX, Failure.LOST, 0.5),
            (Fault.HTML_BODY, Failure.LOST, 0.2),
        ):
            strength = weather.strength(fault)
            if strength is not None and rng.random() < 0.3 + 0.7 * strength:
                weather.take(fault)
                return failure, rng.random() < share, rng.uniform(0.05, 1.0)
        strength = weather.strength(Fault.SLOW_BODY)
        if strength is not None and rng.random() < 0.3 + 0.7 * strength:
            weather.take(Fault.SLOW_BODY)
            return Failure.LOST, True, REQUEST_DEADLINE_S
        return None, False, 0.0


@attrs.frozen
class Missed:
    """Something came unreadable, or nothing came for a while: what a session makes of it."""

    reason: str


class Line:
    """One websocket connection. It is `whole` until something breaks it; who holds its ends learns of it later."""

    def __init__(
        self, timeline: Timeline, weather: Weather, rng: random.Random, network: Network,
        receive: Callable[[object], None], lost: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._timeline = timeline
        self._weather = weather
        self._rng = rng
        self._network = network
        self._receive = receive
        self._lost = lost
        self.whole = True
        """Messages pass."""
        self.closed = False
        """Both ends know that it is over."""
        self._arrives_ns = [0, 0]
        self._held: list[object] = []
        self._stalled = False

    # -- its end

    def drop(self, reason: str) -> None:
        """Closed by one side; the other learns at once."""
        if not self.closed:
            self.whole, self.closed = False, True
            self._lost(reason)

    def half(self) -> None:
        """Nothing passes any more and nobody is told; pings find out."""
        self.whole = False
        self._timeline.after(round(self._rng.uniform(*NOTICE_S) * S), lambda: self.drop("no pong"))

    # -- messages

    def up(self, run: Callable[[], None]) -> None:
        """Something towards the venue."""
        if self.whole and not self._network.cut:
            self._in_order(0, run)

    def down(self, item: object) -> None:
        """A frame from the venue."""
        if not self.whole or self._network.cut:
            return
        weather = self._weather
        if weather.take(Fault.FRAMES_TRUNCATED) is not None:
            self._deliver(Missed("unreadable news (not_json)"))  # the codec refuses half a frame
            return
        if weather.take(Fault.FRAMES_OVERSIZED) is not None:
            self.drop("frame larger than the limit")
            return
        if weather.strength(Fault.STALLED_PING_ALIVE) is not None:
            weather.hit(Fault.STALLED_PING_ALIVE)
            self._stalled = True
            return
        if self._stalled:
            self._stalled = False
            self._deliver(Missed("nothing came for a while"))
        if not self._held and weather.take(Fault.FRAMES_REORDERED) is not None:
            self._held.append(item)
            self._timeline.after(round(self._rng.uniform(0.2, 6.0) * S), self._release)
            return
        self._deliver(item)
        if weather.take(Fault.FRAMES_DUPLICATED) is not None:
            self._deliver(item)

    def _release(self) -> None:
        held, self._held = self._held, []
        for item in held:
            if self.whole:
                self._deliver(item)

    def _deliver(self, item: object) -> None:
        self._in_order(1, lambda: self._receive(item))

    def _in_order(self, way: int, run: Callable[[], None]) -> None:
        self._arrives_ns[way] = max(self._timeline.now_ns + self._network.delay_ns(), self._arrives_ns[way] + 1)
        self._network.later(
            self._arrives_ns[way] - self._timeline.now_ns, lambda: None if self.closed and way else run()
        )


def _ignore(_result: object) -> None:
    """Somebody did it, nobody hears of it."""
