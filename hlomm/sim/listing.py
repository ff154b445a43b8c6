"""The recurring series: which contract trades, when it settles, and what comes after it (venue sheet 7.2 and 7.3)."""

from __future__ import annotations

from typing import Final

import attrs

from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.domain.units import SCALE, Px, to_text
from hlomm.sim import contracts
from hlomm.sim.average import MarkAverage
from hlomm.sim.board import QuestionSpec
from hlomm.sim.coins import PERP_GRID
from hlomm.sim.config import ListingConfig
from hlomm.sim.contracts import Kind, period_ns
from hlomm.sim.exchange import Exchange
from hlomm.sim.faults import FaultName, Faults
from hlomm.sim.naming import describe_binary
from hlomm.sim.outcome_market import OutcomeSpec
from hlomm.sim.path import Mark, settlement_ticks

_DAILY_EXPIRY_S: Final = 6 * 3600
_GRID_MAX_NS: Final = 900 * NS_PER_S


def describe(underlying: str, expiry_ns: int, target: Px, period: str) -> str:
    """The description string of a recurring price binary."""
    return describe_binary(underlying, expiry_ns, target, period)


def first_origin(config: ListingConfig, wall_ns: int) -> int:
    """Venue instant nearest to `wall_ns` at which the shortest series is `first_expiry_s` from its expiry.

    Staying near the host's clock lets clients that know nothing of the venue's use their own for nonces.
    """
    grid = min([_GRID_MAX_NS, *(period_ns(period) for period in config.periods)])
    to_expiry = seconds_to_ns(config.first_expiry_s)
    return (wall_ns + to_expiry + grid // 2) // grid * grid - to_expiry


@attrs.define(eq=False)
class Series:
    """One recurring contract or question. `create_at_ns` is set between a settlement and the next listing."""

    period: str
    length_ns: int
    kind: Kind = Kind.BINARY
    live: OutcomeSpec | QuestionSpec | None = None
    create_at_ns: int | None = None
    next_target: Px | None = None
    postponed_ns: int | None = None
    around: tuple[Mark, Mark] | None = None
    """The mark updates just before and just after the expiry of the live contract, once both are known."""

    def expiry_after(self, now_ns: int) -> int:
        """First expiry strictly later than `now_ns`; daily series expire at 06:00 UTC."""
        offset = _DAILY_EXPIRY_S * NS_PER_S if self.length_ns % (86_400 * NS_PER_S) == 0 else 0
        return (now_ns - offset) // self.length_ns * self.length_ns + self.length_ns + offset


class Listing:
    """Creates, settles and rolls. Called once per block, after the mark was updated."""

    def __init__(self, exchange: Exchange, config: ListingConfig, faults: Faults) -> None:
        self._exchange = exchange
        self._config = config
        self._faults = faults
        self._next = config.first_outcome
        self._next_question = config.first_question
        self._mark: Mark | None = None
        self.average = MarkAverage()
        periods = ((Kind.BINARY, config.periods), (Kind.BUCKET, config.buckets), (Kind.TEMPLATE, config.templates))
        self.series = [Series(period, period_ns(period), kind) for kind, of_kind in periods for period in of_kind]

    def create(self, series: Series, expiry_ns: int, target: Px) -> None:
        """List the next contract of a series; `target` is the reference price of a bucket question."""
        rename = self._faults.take(FaultName.LISTING_RENAMED) is not None
        if series.kind is Kind.BUCKET:
            series.live = self._create_question(series, expiry_ns, target, rename=rename)
        else:
            build = contracts.binary if series.kind is Kind.BINARY else contracts.template
            spec = build(self._config, self._next, expiry_ns, target, series.period)
            self._next += 1
            spec = contracts.renamed(spec) if rename else spec
            self._exchange.list_outcome(spec)
            series.live = spec
        series.create_at_ns, series.postponed_ns, series.around = None, None, None

    def _create_question(self, series: Series, expiry_ns: int, reference: Px, *, rename: bool) -> QuestionSpec:
        number = self._next_question
        spec, legs = contracts.bucket(self._config, number, self._next, expiry_ns, reference, series.period)
        self._next += len(legs)
        self._next_question += 1
        if rename:
            spec, legs = contracts.renamed(spec), [contracts.renamed(leg) for leg in legs]
        self._exchange.list_question(spec, legs)
        return spec

    def on_mark(self, mark: Mark) -> None:
        """Note the pair of updates that encloses each expiry."""
        before, self._mark = self._mark, mark
        self.average.note(mark)
        if before is None:
            return
        for series in self.series:
            if series.live is not None and before.time_ns <= series.live.expiry_ns <= mark.time_ns:
                series.around = series.around or (before, mark)

    def on_block(self, now_ns: int) -> None:
        """Settle what is past expiry and list what is due."""
        for series in self.series:
            if series.live is not None and now_ns >= series.live.expiry_ns:
                self._settle(series, series.live, now_ns)
            due = series.create_at_ns is not None and now_ns >= series.create_at_ns
            if due and self._faults.take(FaultName.LISTING_MISSING) is None:
                assert series.next_target is not None, "a series rolls from a settlement"
                self.create(series, series.expiry_after(now_ns), series.next_target)

    def _settle(self, series: Series, spec: OutcomeSpec | QuestionSpec, now_ns: int) -> None:
        if series.around is None or self._postponed(series, now_ns):
            return
        ticks = settlement_ticks(*series.around, spec.expiry_ns)
        if isinstance(spec, QuestionSpec):
            self._settle_question(spec, ticks * PERP_GRID.tick)
        else:
            self._settle_outcome(spec, ticks * PERP_GRID.tick)
        series.live = None
        delay_ns = seconds_to_ns(self._config.create_delay_s) + self._faults.delay_ns(FaultName.LISTING_LATE)
        series.create_at_ns = now_ns + delay_ns
        series.next_target = rounded_target(ticks)

    def _settle_outcome(self, spec: OutcomeSpec, price: int) -> None:
        if spec.average_s:
            price = self.average.over(spec.expiry_ns, spec.average_s * NS_PER_S)
        fraction, details = (SCALE if spec.pays(price) else 0), f"price:{to_text(price)}"
        if self._faults.take(FaultName.SETTLEMENT_VOID) is not None:
            fraction, details = SCALE // 2, "void"
        self._exchange.settle(spec.outcome, fraction, details)

    def _settle_question(self, spec: QuestionSpec, price: int) -> None:
        """A question cannot be void: exactly one of its outcomes pays."""
        outcomes = self._exchange.outcomes
        winners = [outcome for outcome in spec.live if outcomes[outcome].spec.pays(price)]
        assert len(winners) <= 1, "buckets do not overlap"
        winner = winners[0] if winners else spec.fallback
        self._exchange.settle_question(spec.question, winner, f"price:{to_text(price)}")

    def _postponed(self, series: Series, now_ns: int) -> bool:
        if self._faults.take(FaultName.SETTLEMENT_MISSING) is not None:
            return True
        if series.postponed_ns is None:
            series.postponed_ns = now_ns + self._faults.delay_ns(FaultName.SETTLEMENT_LATE)
        return now_ns < series.postponed_ns


def rounded_target(ticks: int) -> Px:
    """Strike of the next contract: the settlement price to five significant figures."""
    return contracts.target_of(ticks)
