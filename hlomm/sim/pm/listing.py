"""Which markets trade: "above" markets beside the other venue's contracts, up/down windows, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.domain.units import Px
from hlomm.sim.config import SimConfig
from hlomm.sim.contracts import period_ns
from hlomm.sim.pm import naming
from hlomm.sim.pm.events import Listed, Resolved
from hlomm.sim.pm.exchange import Exchange
from hlomm.sim.pm.fair import CANDLE_S
from hlomm.sim.pm.faults import PmFault, PmFaults
from hlomm.sim.pm.market import Family, Market, Spec
from hlomm.sim.pm.source import Source
from hlomm.sim.pm.units import WHOLE

_DAY_NS: Final = 86_400 * NS_PER_S
_LOTS_PER_SHARE: Final = 100


@attrs.frozen
class Contract:
    """A contract of another venue that ours may stand beside."""

    period: str
    expiry_ns: int
    strike: Px


Mirror = Callable[[int], list[Contract]]
"""The contracts another venue lists at a venue time."""


@attrs.define(eq=False)
class Series:
    """One recurring family; `end_ns` is that of the next market to list, due at `due_ns`."""

    family: Family
    period: str
    length_ns: int
    end_ns: int = 0
    due_ns: int = 0


class Listing:
    """Lists, closes, resolves and redeems. Called once per step, after the source."""

    def __init__(
        self, exchange: Exchange, source: Source, config: SimConfig, faults: PmFaults, seed: int, mirror: Mirror | None
    ) -> None:
        self._exchange = exchange
        self._source = source
        self._config = config
        self._own = config.polymarket
        self._faults = faults
        self._seed = seed
        self._mirror = mirror
        self._next = 1
        above = config.listing.periods if self._own.above is None else self._own.above
        pairs = [(Family.ABOVE, period) for period in above] + [(Family.UPDOWN, period) for period in self._own.updown]
        self.series = [Series(family, period, period_ns(period)) for family, period in pairs]
        self._results: dict[int, tuple[int, int]] = {}
        """Per ended market when it resolves, and what the first outcome pays."""
        self._redeem_ns: dict[int, int] = {}
        self._closed: list[Market] = []
        self.live: dict[int, Market] = {}
        """Markets that are not paid out yet."""

    def open_first(self, origin_ns: int) -> None:
        """List what would be trading at the origin, up/down windows a window ahead."""
        now_ns = self._exchange.tape.now_ns
        above = [series.length_ns for series in self.series if series.family is Family.ABOVE]
        for series in self.series:
            length = series.length_ns
            if series.family is Family.ABOVE:
                first = origin_ns + seconds_to_ns(self._config.listing.first_expiry_s)
                series.end_ns = first if length == min(above) else self._end_after(series, origin_ns)
                series.due_ns = now_ns
            else:
                series.end_ns = origin_ns // length * length + length
                self._list_window(series, now_ns)
                series.due_ns = now_ns

    def on_step(self, now_ns: int) -> None:
        for series in self.series:
            while now_ns >= series.due_ns:
                if not self._list_due(series, now_ns):
                    break
        for market in list(self.live.values()):
            self._progress(market, now_ns)

    def _end_after(self, series: Series, now_ns: int) -> int:
        if series.length_ns % _DAY_NS == 0:
            return naming.noon_after(now_ns)
        return now_ns // series.length_ns * series.length_ns + series.length_ns

    # -- listing

    def _list_due(self, series: Series, now_ns: int) -> bool:
        if series.family is Family.UPDOWN:
            # The next window is listed when the present one begins.
            series.due_ns = series.end_ns
            series.end_ns += series.length_ns
            self._list_window(series, now_ns)
            return True
        strike = self._strike(series, now_ns)
        if strike is None:
            return False
        self._list_above(series, strike, now_ns)
        series.due_ns = series.end_ns + seconds_to_ns(self._own.list_delay_s)
        series.end_ns = self._end_after(series, series.end_ns)
        return True

    def _strike(self, series: Series, now_ns: int) -> Px | None:
        """The other venue's strike for the same expiry; without one the price now. None while it is not yet known."""
        if self._mirror is not None and series.length_ns % _DAY_NS:
            contracts = self._mirror(now_ns)
            same = [one for one in contracts if one.expiry_ns == series.end_ns and one.period == series.period]
            if same:
                return same[0].strike
            if now_ns < series.end_ns - series.length_ns // 2 and any(one.period == series.period for one in contracts):
                return None
        return naming.rounded_strike(self._source.price)

    def _list_above(self, series: Series, strike: Px, now_ns: int) -> None:
        step = self._own.ladder_step_bp * 1e-4
        for rung in range(-self._own.ladder, self._own.ladder + 1):
            shifted = strike if rung == 0 else naming.rounded_strike(strike / 1e8 * (1.0 + rung * step))
            start_ns = series.end_ns - series.length_ns
            if (series.end_ns, shifted) in {(market.spec.end_ns, market.spec.strike) for market in self.live.values()}:
                continue  # a shorter or longer series has it already
            self._add(naming.above(self._seed, self._next, series.period, start_ns, series.end_ns, shifted, now_ns))

    def _list_window(self, series: Series, now_ns: int) -> None:
        start_ns = series.end_ns - series.length_ns
        self._add(naming.updown(self._seed, self._next, series.period, start_ns, series.end_ns, now_ns))

    def _add(self, spec: Spec) -> None:
        self._next += 1
        market = Market(
            spec=spec,
            tick=self._own.tick,
            min_lots=self._own.min_shares * _LOTS_PER_SHARE,
            fee_rate=self._own.fee_rate,
            rebate_rate=self._own.rebate_rate,
            delayed=self._own.taker_delay_ms > 0,
        )
        self._exchange.list_market(market)
        self.live[market.number] = market
        self._exchange.tape.events.append(Listed(market))

    # -- life

    def _progress(self, market: Market, now_ns: int) -> None:
        spec = market.spec
        if spec.family is Family.UPDOWN and market.beat is None and now_ns >= spec.start_ns:
            market.beat = self._source.average(spec.start_ns)
        if market.accepting and now_ns >= spec.end_ns:
            market.accepting = False
        if now_ns < spec.end_ns:
            return
        if market.open:
            self._end(market, now_ns)
        elif now_ns >= self._redeem_ns[market.number] and not market.pending and not self._held(market):
            self._redeem(market)

    def _held(self, market: Market) -> bool:
        return any(held.new.number == market.number for held in self._exchange.held.values())

    def _end(self, market: Market, now_ns: int) -> None:
        result = self._results.get(market.number)
        if result is None:
            known_ns = market.spec.end_ns + (CANDLE_S * NS_PER_S if market.spec.family is Family.ABOVE else 0)
            if now_ns < known_ns:
                return
            delay_ns = seconds_to_ns(self._own.resolve_delay_s) + self._faults.delay_ns(PmFault.RESOLUTION_LATE)
            self._results[market.number] = (now_ns + delay_ns, self._outcome(market))
        elif now_ns >= result[0]:
            self._resolve(market, result[1], now_ns)

    def _outcome(self, market: Market) -> int:
        """What the first outcome pays. Above is strict; a tie of averages is Up."""
        if market.spec.family is Family.ABOVE:
            assert market.spec.strike is not None
            market.final = self._source.close()
            return WHOLE if market.final > market.spec.strike else 0
        assert market.beat is not None, "a window starts before it ends"
        market.final = self._source.average(market.spec.end_ns)
        return WHOLE if market.final >= market.beat else 0

    def _resolve(self, market: Market, yes_ticks: int, now_ns: int) -> None:
        void = self._faults.take(PmFault.RESOLUTION_VOID) is not None
        del self._results[market.number]
        exchange = self._exchange
        exchange.cancel_all(
            [order for order in exchange.open.values() if order.new.number == market.number],
            "CANCELED_MARKET_RESOLVED",
        )
        market.yes_ticks = WHOLE // 2 if void else yes_ticks
        market.resolved_ms = exchange.tape.now_ms
        self._redeem_ns[market.number] = now_ns + seconds_to_ns(self._own.redeem_delay_s)
        exchange.tape.events.append(Resolved(market))

    def _redeem(self, market: Market) -> None:
        assert market.yes_ticks is not None
        self._exchange.bank.redeem(market.number, market.yes_ticks)
        del self._redeem_ns[market.number]
        del self.live[market.number]
        market.redeemed = True
        self._closed.append(market)
        if len(self._closed) > self._own.closed_kept:
            self._exchange.delist(self._closed.pop(0))
