"""An engine on a tape: told of what was recorded when it was received, trading on accounts at a tape's venue.

Two lines of time run beside each other: the venue's, in which books, prints and our requests take effect, and the
engine's, which is told of them later. A decision at a time uses what was received by that time and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from hlomm import __version__
from hlomm.assembly.engine import VENUES, build_engine
from hlomm.domain.ids import VenueId
from hlomm.domain.inputs import Booted, Input
from hlomm.domain.times import NS_PER_MS, Now
from hlomm.engine.core import Engine
from hlomm.research.onlooker import Onlooker
from hlomm.research.tape_venue import TapeVenue
from hlomm.settings.load import Loaded
from hlomm.strategy.base import Strategy


class Driver:
    """One engine, one venue, one virtual clock."""

    def __init__(
        self, loaded: Loaded, venue: TapeVenue, onlooker: Onlooker | None, venues: Sequence[VenueId] = VENUES,
        chosen: Sequence[Strategy] | None = None,
    ) -> None:  # fmt: skip
        """Times are wall times; the engine's monotonic clock is as far behind them as `venue.ahead_ns` says.

        `venues`: of which the engine hears; orders for another one than `venue` would reach nobody. `chosen`: what
        quotes instead of the configured strategies.
        """
        self._loaded = loaded
        self._onlooker = onlooker
        self.engine: Engine = build_engine(loaded.settings, venues, chosen=chosen)
        self.venue = venue
        self.turns = 0
        self.inputs = 0

    def boot(self, at_ns: int) -> None:
        booted = Booted(
            epoch_ms=at_ns // NS_PER_MS, profile=self._loaded.profile, version=__version__,
            config=self._loaded.engine_json(), halted=None,
        )  # fmt: skip
        self.feed(booted, at_ns)

    def feed(self, item: Input, at_ns: int) -> None:
        """One input, now, and its turn."""
        now = self._now(at_ns)
        self._take(item, now)
        self._turn(now)

    def told(self, items: Sequence[Input], at_ns: int) -> None:
        """Inputs that came in one piece, at their time, after everything that comes before; decided on once."""
        self.advance(at_ns)
        for news in self.venue.mail.due(at_ns):
            self.feed(news, at_ns)
        now = self._now(at_ns)
        for item in items:
            self._take(item, now)
        self._turn(now)

    def _take(self, item: Input, now: Now) -> None:
        self.inputs += 1
        self.engine.feed(item, now)
        if self._onlooker is not None:
            self._onlooker.fed(self.engine, item, now)

    def advance(self, until_ns: int) -> None:
        """Everything before a time, at the venue and here, in order of time; of the venue also what is then."""
        venue = self.venue
        while True:
            at_ns, venue_ns = self._next_ns(until_ns), venue.next_ns()
            if venue_ns is not None and venue_ns <= at_ns and venue_ns <= until_ns:
                venue.step()  # what it says may come before what was next here
                continue
            if at_ns >= until_ns:
                return
            news = venue.mail.due(at_ns)
            for item in news:
                self.feed(item, at_ns)
            if not news:
                self._turn(self._now(at_ns))

    def _next_ns(self, until_ns: int) -> int:
        """News, or a deadline of the engine's, whichever is first; `until_ns` where there is neither."""
        news_ns, deadline_ns = self.venue.mail.next_news_ns(), self.engine.next_deadline()
        if deadline_ns is None:
            return until_ns if news_ns is None else news_ns
        due_ns = deadline_ns + self.venue.ahead_ns
        return due_ns if news_ns is None or due_ns < news_ns else news_ns

    def _now(self, at_ns: int) -> Now:
        return Now(at_ns - self.venue.ahead_ns, at_ns)

    def _turn(self, now: Now) -> None:
        self.turns += 1
        outputs = self.engine.turn(now)
        if self._onlooker is not None:
            self._onlooker.turned(self.engine, outputs, now)
        for output in outputs:
            self.venue.mail.send(output, now.wall_ns)
