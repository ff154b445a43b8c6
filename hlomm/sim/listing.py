"""The recurring series: which contract trades, when it settles, and what comes after it (venue sheet 7.2 and 7.3)."""

from __future__ import annotations

import re
from typing import Final

import attrs

from hlomm.domain.faults import ConfigError
from hlomm.domain.ticker import civil_from_days
from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.domain.units import SCALE, Px, to_text
from hlomm.sim.coins import PERP_COIN, PERP_GRID, round_significant
from hlomm.sim.config import ListingConfig
from hlomm.sim.exchange import Exchange
from hlomm.sim.faults import FaultName, Faults
from hlomm.sim.outcome_market import OutcomeSpec
from hlomm.sim.path import Mark, settlement_ticks

_UNIT_S: Final = {"m": 60, "h": 3600, "d": 86_400}
_DAILY_EXPIRY_S: Final = 6 * 3600
_FIGURES: Final = 5
_GRID_MAX_NS: Final = 900 * NS_PER_S
_PERIOD: Final = re.compile(r"([1-9][0-9]{0,3})([mhd])", re.ASCII)


def period_ns(period: str) -> int:
    """Length of `3m`, `15m`, `1d`, ...; ConfigError for anything else."""
    match = _PERIOD.fullmatch(period)
    if match is None:
        raise ConfigError(f"sim.listing.periods: expected a period such as 3m, 1h or 1d, was {period!r}")
    return int(match[1]) * _UNIT_S[match[2]] * NS_PER_S


def describe(underlying: str, expiry_ns: int, target: Px, period: str) -> str:
    """The description string of a recurring price binary."""
    days, seconds = divmod(expiry_ns // NS_PER_S, 86_400)
    year, month, day = civil_from_days(days)
    hour, minute = divmod(seconds // 60, 60)
    return (
        f"class:priceBinary|underlying:{underlying}|expiry:{year:04d}{month:02d}{day:02d}-{hour:02d}{minute:02d}"
        f"|targetPrice:{to_text(target)}|period:{period}"
    )


def first_origin(config: ListingConfig, wall_ns: int) -> int:
    """Venue instant nearest to `wall_ns` at which the shortest series is `first_expiry_s` from its expiry.

    Staying near the host's clock lets clients that know nothing of the venue's use their own for nonces.
    """
    grid = min([_GRID_MAX_NS, *(period_ns(period) for period in config.periods)])
    to_expiry = seconds_to_ns(config.first_expiry_s)
    return (wall_ns + to_expiry + grid // 2) // grid * grid - to_expiry


@attrs.define(eq=False)
class Series:
    """One recurring contract. `create_at_ns` is set between a settlement and the next listing."""

    period: str
    length_ns: int
    live: OutcomeSpec | None = None
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
        self._mark: Mark | None = None
        self.series = [Series(period, period_ns(period)) for period in config.periods]

    def create(self, series: Series, expiry_ns: int, target: Px) -> None:
        """List the next contract of a series."""
        spec = OutcomeSpec(
            outcome=self._next,
            underlying=PERP_COIN,
            expiry_ns=expiry_ns,
            target=target,
            period=series.period,
            quote_token=self._config.quote_token,
            description=describe(PERP_COIN, expiry_ns, target, series.period),
        )
        self._next += 1
        self._exchange.list_outcome(spec)
        series.live, series.create_at_ns, series.postponed_ns, series.around = spec, None, None, None

    def on_mark(self, mark: Mark) -> None:
        """Note the pair of updates that encloses each expiry."""
        before, self._mark = self._mark, mark
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
            if series.create_at_ns is not None and now_ns >= series.create_at_ns:
                assert series.next_target is not None, "a series rolls from a settlement"
                self.create(series, series.expiry_after(now_ns), series.next_target)

    def _settle(self, series: Series, spec: OutcomeSpec, now_ns: int) -> None:
        if series.around is None or self._postponed(series, now_ns):
            return
        ticks = settlement_ticks(*series.around, spec.expiry_ns)
        price = ticks * PERP_GRID.tick
        fraction, details = (SCALE if price >= spec.target else 0), f"price:{to_text(price)}"
        if self._faults.take(FaultName.SETTLEMENT_VOID) is not None:
            fraction, details = SCALE // 2, "void"
        self._exchange.settle(spec.outcome, fraction, details)
        series.live = None
        series.create_at_ns = now_ns + seconds_to_ns(self._config.create_delay_s)
        series.next_target = rounded_target(ticks)

    def _postponed(self, series: Series, now_ns: int) -> bool:
        if self._faults.take(FaultName.SETTLEMENT_MISSING) is not None:
            return True
        if series.postponed_ns is None:
            series.postponed_ns = now_ns + self._faults.delay_ns(FaultName.SETTLEMENT_LATE)
        return now_ns < series.postponed_ns


def rounded_target(ticks: int) -> Px:
    """Strike of the next contract: the settlement price to five significant figures."""
    return Px(round_significant(ticks, _FIGURES) * PERP_GRID.tick)
