"""Other people: a price, makers around fair value, takers, and how all of them behave when the weather is odd.

Activity is sparse when nothing happens and brisk around a fault: what a day tests are its incidents, and the hours in
between only have to pass.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Final

from hlomm.domain.markets import Leg
from hlomm.domain.orders import Side, Tif
from hlomm.research.soak.front import EPOCH_MS, Front
from hlomm.research.soak.timeline import MS, S, Timeline
from hlomm.research.soak.weather import Fault, Weather
from hlomm.sim.coins import PERP_GRID, WHOLE, round_significant
from hlomm.sim.digital import digital
from hlomm.sim.orders import PERP, NewOrder, Target
from hlomm.sim.path import YEAR_S

CALM_S: Final = 60.0
"""Mean time between two looks of the crowd when nothing happens."""
BRISK_S: Final = 8.0
VOL: Final = 0.45
JUMPS_PER_DAY: Final = 6.0
JUMP_SD: Final = 0.002
PERP_FIGURES: Final = 5


class Crowd:
    """`on_tick` is called after every look: books and mark may have changed."""

    def __init__(self, timeline: Timeline, weather: Weather, rng: random.Random, front: Front) -> None:
        self._timeline = timeline
        self._weather = weather
        self._rng = rng
        self._front = front
        self._price = rng.uniform(72_000.0, 96_000.0)
        self._priced_ns = 0
        self._brisk_until_ns = 0
        self._ticks = 0
        self.on_tick: Callable[[], None] = lambda: None

    def start(self) -> None:
        self._look()

    def stir(self, for_ns: int) -> None:
        """Something happens: be brisk for a while."""
        self._brisk_until_ns = max(self._brisk_until_ns, self._timeline.now_ns + for_ns)
        self._timeline.after(0, self._extra)

    @property
    def price(self) -> float:
        """Of the underlying, now."""
        return self._advance()

    @property
    def mark_ticks(self) -> int:
        """The mark in ticks of the perp grid, to five significant figures."""
        return round_significant(round(self._advance() * 10), PERP_FIGURES)

    # -- the rhythm

    def _look(self) -> None:
        self._extra()
        mean = BRISK_S if self._timeline.now_ns < self._brisk_until_ns else CALM_S
        self._timeline.after(round(self._rng.uniform(0.5, 1.5) * mean * S), self._look)

    def _extra(self) -> None:
        self._ticks += 1
        exchange = self._front.tick()
        exchange.perp.mark_ticks = self.mark_ticks
        self._quote_perp()
        for outcome in list(exchange.outcomes):
            self._quote(outcome)
            if self._rng.random() < 0.35:
                self._take(outcome)
        self._front.flush()
        self.on_tick()

    def withdraw(self, outcome: int | None) -> None:
        """Take all orders out of a book."""
        exchange, crowd = self._front.exchange, self._front.crowd
        for order in [one for one in exchange.open_orders(crowd) if one.target.outcome == outcome]:
            exchange.cancel(crowd, order.target, order.oid)

    def again(self, outcome: int) -> None:
        """Quote anew in one book."""
        exchange = self._front.tick()
        if outcome in exchange.outcomes:
            self._quote(outcome)
            self._front.flush()

    def _advance(self) -> float:
        """The price now: a lognormal path with jumps."""
        elapsed_s = (self._timeline.now_ns - self._priced_ns) / S
        if elapsed_s > 0:
            self._priced_ns = self._timeline.now_ns
            move = VOL * math.sqrt(elapsed_s / YEAR_S)
            shock = move * self._rng.gauss(0.0, 1.0) - 0.5 * move * move
            if self._rng.random() < JUMPS_PER_DAY * elapsed_s / 86_400:
                shock += self._rng.gauss(0.0, JUMP_SD)
            self._price *= math.exp(shock)
        return self._price

    # -- quotes

    def _quote_perp(self) -> None:
        exchange, crowd = self._front.exchange, self._front.crowd
        mark = exchange.perp.mark_ticks
        book = exchange.perp.book
        if book.best_ticks(Side.BUY) == mark - 10 and book.best_ticks(Side.SELL) == mark + 10:
            return
        for order in [o for o in exchange.open_orders(crowd) if o.target.outcome is None]:
            exchange.cancel(crowd, order.target, order.oid)
        for side in Side:
            new = NewOrder(target=PERP, side=side, ticks=mark - 10 * side, lots=5 * 10**8 // PERP_GRID.lot, tif=Tif.GTC)
            exchange.place(crowd, new)

    def fair(self, outcome: int) -> tuple[float, float]:
        """(probability, standard deviation over a second); known while the contract runs."""
        spec = self._front.exchange.outcomes[outcome].spec
        tau_s = (spec.expiry_ns - EPOCH_MS * MS - self._timeline.now_ns) / S
        value = digital(self._price, spec.target / 10**8, VOL, tau_s)
        return value.probability, value.one_second_sd

    def _quote(self, outcome: int) -> None:
        """Replace everything the crowd has in one book: two levels a side around fair value."""
        exchange, crowd = self._front.exchange, self._front.crowd
        for order in [o for o in exchange.open_orders(crowd) if o.target.outcome == outcome]:
            exchange.cancel(crowd, order.target, order.oid)
        spec = exchange.outcomes[outcome].spec
        if spec.expiry_ns <= exchange.tape.now_ns or outcome in self._front.removed:
            return
        if self._weather.take(Fault.BOOK_EMPTY) is not None:
            return
        one_sided = self._weather.take(Fault.BOOK_ONE_SIDED)
        probability, sd = self.fair(outcome)
        centre = probability + self._rng.gauss(0.0, 0.002)
        half = 0.012 * 4 * probability * (1 - probability) + 0.003 + 0.6 * sd
        for level in (1.0, 1.7):
            for side in Side:
                if one_sided is not None and (side is Side.BUY) == (one_sided < 0.5):
                    continue
                ticks = round((centre - side * half * level) * WHOLE)
                self._rest(outcome, side, ticks)

    def _rest(self, outcome: int, side: Side, ticks: int) -> None:
        """A resting wish of the crowd at a price of the YES book; buys of either leg, so that no tokens are needed."""
        ticks = min(max(ticks, 200), WHOLE - 200)
        leg, own = (Leg.YES, ticks) if side is Side.BUY else (Leg.NO, WHOLE - ticks)
        lots = max(round(self._rng.lognormvariate(4.0, 0.8)), -(-10 * WHOLE // own) + 1)
        self._front.exchange.place(
            self._front.crowd,
            NewOrder(target=Target(outcome, leg), side=Side.BUY, ticks=own, lots=lots, tif=Tif.GTC),
        )  # fmt: skip

    def _take(self, outcome: int) -> None:
        """Somebody crosses the spread, a little past the touch."""
        exchange = self._front.exchange
        market = exchange.outcomes[outcome]
        side = Side.BUY if self._rng.random() < 0.5 else Side.SELL
        touch = market.book.best_ticks(Side(-side))
        if touch is None or outcome in self._front.removed:
            return
        ticks = min(max(touch + side * self._rng.randrange(0, 400), 100), WHOLE - 100)
        leg, own = (Leg.YES, ticks) if side is Side.BUY else (Leg.NO, WHOLE - ticks)
        lots = max(round(self._rng.lognormvariate(3.5, 1.0)), -(-10 * WHOLE // own) + 1)
        exchange.place(
            self._front.takers,
            NewOrder(target=Target(outcome, leg), side=Side.BUY, ticks=own, lots=lots, tif=Tif.IOC),
        )  # fmt: skip
