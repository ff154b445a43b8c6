"""Contracts come and go: listings, settlements and rolls, with everything that can go wrong about them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

import attrs

from hlomm.domain.units import SCALE, to_text
from hlomm.research.soak.crowd import Crowd
from hlomm.research.soak.front import EPOCH_MS, Front
from hlomm.research.soak.timeline import MS, S, Timeline
from hlomm.research.soak.weather import Fault, Weather
from hlomm.sim.coins import PERP_GRID
from hlomm.sim.contracts import period_ns
from hlomm.sim.listing import describe, rounded_target
from hlomm.sim.outcome_market import OutcomeSpec
from hlomm.sim.refusals import Status
from hlomm.venues.hyperliquid.wire.outcomes import OutcomeSpec as WireSpec
from hlomm.venues.hyperliquid.wire.outcomes import Settlement, SideSpec

QUOTE: Final = "USDC"
FIRST: Final = 11_800
EPOCH_NS: Final = EPOCH_MS * MS


@attrs.define(eq=False)
class _Series:
    period: str
    length_ns: int
    live: int | None = None


class Contracts:
    """The venue's list of contracts. `on_listed` and `on_ended` are what its stream of metadata would tell."""

    def __init__(
        self, timeline: Timeline, weather: Weather, rng: random.Random, front: Front, crowd: Crowd,
        periods: tuple[str, ...],
    ) -> None:  # fmt: skip
        self._timeline = timeline
        self._weather = weather
        self._rng = rng
        self._front = front
        self._crowd = crowd
        self._number = FIRST
        self._series = [_Series(period, period_ns(period)) for period in periods]
        self.on_listed: Callable[[WireSpec], None] = lambda _spec: None
        self.on_ended: Callable[[int], None] = lambda _outcome: None
        self.on_new: Callable[[OutcomeSpec], None] = lambda _spec: None
        self.settled = 0

    def start(self) -> None:
        for series in self._series:
            self._list(series)

    # -- what the venue answers

    def listing(self) -> tuple[WireSpec, ...]:
        return tuple(
            _wire(market.spec)
            for outcome, market in self._front.exchange.outcomes.items()
            if outcome not in self._front.removed
        )

    def settlement(self, outcome: int) -> Settlement | None:
        known = self._front.exchange.settled.get(outcome)
        return None if known is None else Settlement(outcome, known.fraction, known.details)  # type: ignore[arg-type]

    # -- the life of a contract

    def _list(self, series: _Series) -> None:
        now_ns = EPOCH_NS + self._timeline.now_ns
        expiry_ns = now_ns // series.length_ns * series.length_ns + series.length_ns
        if expiry_ns - now_ns < 120 * S:
            expiry_ns += series.length_ns
        quote = QUOTE if self._weather.take(Fault.COLLATERAL_CHANGED) is None else "USDX"
        target = rounded_target(self._crowd.mark_ticks)
        spec = OutcomeSpec(
            outcome=self._number, underlying="BTC", expiry_ns=expiry_ns, target=target, period=series.period,
            quote_token=quote, description=describe("BTC", expiry_ns, target, series.period),
        )  # fmt: skip
        self._number += 1
        self._front.tick().list_outcome(spec)
        series.live = spec.outcome
        self._timeline.at(expiry_ns - EPOCH_NS, lambda: self._expire(series, spec))
        self.on_listed(_wire(spec))
        self.on_new(spec)

    def _expire(self, series: _Series, spec: OutcomeSpec) -> None:
        if series.live != spec.outcome:
            return  # removed before its time
        late = self._weather.take(Fault.SETTLED_LATE)
        delay_s = self._rng.uniform(1, 6) if late is None else 60 + 1500 * late
        self._timeline.after(round(delay_s * S), lambda: self._settle(series, spec))

    def _settle(self, series: _Series, spec: OutcomeSpec) -> None:
        if series.live != spec.outcome:
            return  # removed while its settlement was late
        price = self._crowd.mark_ticks * PERP_GRID.tick
        fraction, details = (SCALE if price >= spec.target else 0), f"price:{to_text(price)}"
        odd = self._weather.take(Fault.SETTLED_FRACTION)
        if odd is not None:
            fraction, details = round(odd * 100) * SCALE // 100, "void"
        self._pay(spec.outcome, fraction, details)
        self._roll(series)

    def _pay(self, outcome: int, fraction: int, details: str) -> None:
        self._front.tick().settle(outcome, fraction, details)
        self._front.removed.discard(outcome)
        self.settled += 1
        self._front.flush()
        self.on_ended(outcome)

    def _roll(self, series: _Series) -> None:
        series.live = None
        late = self._weather.take(Fault.ROLLED_LATE)
        delay_s = 2.0 if late is None else 120 + 1800 * late
        self._timeline.after(round(delay_s * S), lambda: self._list(series))

    # -- against the rules

    def remove(self) -> bool:
        """A contract vanishes unsettled, and is paid half long after; whether there was one to remove."""
        running = [series for series in self._series if series.live is not None]
        if not running:
            return False
        series = self._rng.choice(running)
        outcome = series.live
        assert outcome is not None
        exchange = self._front.tick()
        for account in (self._front.account, self._front.crowd):
            for order in [o for o in exchange.open_orders(account) if o.target.outcome == outcome]:
                exchange.outcomes[outcome].cancel(order, Status.OUTCOME_SETTLED)
        self._front.removed.add(outcome)
        self._front.flush()
        self.on_ended(outcome)
        self._timeline.after(
            round(self._rng.uniform(600, 2400) * S), lambda: self._pay(outcome, SCALE // 2, "removed by the venue")
        )
        self._roll(series)
        return True


def _wire(spec: OutcomeSpec) -> WireSpec:
    return WireSpec(
        outcome=spec.outcome, name=spec.name, description=spec.description,
        side_specs=[SideSpec(name) for name in spec.side_names], quote_token=spec.quote_token,
    )  # fmt: skip
