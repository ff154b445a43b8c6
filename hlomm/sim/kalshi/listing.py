"""What is listed when, and each market's way from listing to payment (venue sheet sections 11 and 12)."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

import attrs

from hlomm.domain.faults import ConfigError
from hlomm.domain.times import NS_PER_S, seconds_to_ns
from hlomm.sim.config import SimConfig
from hlomm.sim.contracts import period_ns
from hlomm.sim.digital import inverse_normal
from hlomm.sim.faults import FaultName, Faults
from hlomm.sim.kalshi.agenda import Agenda
from hlomm.sim.kalshi.contracts import (
    Event,
    Market,
    Phase,
    Series,
    Step,
    StrikeType,
    cents_text,
    threshold_event_ticker,
    window_event_ticker,
)
from hlomm.sim.kalshi.events import BookWiped, Lifecycle, LifecycleKind, Settled
from hlomm.sim.kalshi.exchange import Exchange
from hlomm.sim.kalshi.fees import RATE_SCALE, FeeTerms
from hlomm.sim.kalshi.index import Index
from hlomm.sim.path import YEAR_S

WINDOW_NS: Final = 900 * NS_PER_S
_DAILY_EXPIRY_NS: Final = 6 * 3600 * NS_PER_S
_DAY_NS: Final = 86_400 * NS_PER_S
_NEIGHBOUR_WAIT_NS: Final = 6 * NS_PER_S
_SPACINGS: Final = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500)
_USD: Final = 100

Neighbour = Callable[[int, str], int | None]
"""The strike in cents that another venue of the process lists for an expiry and a period, if it lists one."""
PriceNow = Callable[[], tuple[float, float]]
"""Price in USD and annualised volatility at the step being executed."""


@attrs.frozen
class Period:
    """One recurring threshold event."""

    name: str
    length_ns: int

    def expiry_after(self, now_ns: int) -> int:
        """First expiry strictly later; daily ones are at 06:00 UTC, as on the venue whose expiries are copied."""
        offset = _DAILY_EXPIRY_NS if self.length_ns % _DAY_NS == 0 else 0
        return (now_ns - offset) // self.length_ns * self.length_ns + self.length_ns + offset


class Listing:
    """Creates markets and walks them through their lives by the clock."""

    def __init__(
        self,
        exchange: Exchange,
        index: Index,
        config: SimConfig,
        faults: Faults,
        rng: random.Random,
        price_now: PriceNow,
        neighbour: Neighbour | None,
    ) -> None:
        self._exchange = exchange
        self._index = index
        self._config = config.kalshi.listing
        self._faults = faults
        self._rng = rng
        self._price_now = price_now
        self._neighbour = neighbour
        self._finished: deque[Market] = deque()
        self._awaited: dict[str, int] = {}
        """Periods whose next strike the other venue has not named yet, and until when it is awaited."""
        self.agenda = Agenda()
        self.forgotten: list[str] = []
        """Tickers dropped since somebody last emptied this."""
        rules = config.kalshi.rules
        fees = FeeTerms(rules.fee_type, round(rules.fee_multiplier * RATE_SCALE))
        self.thresholds = Series(
            ticker="KXBTCD",
            frequency="hourly",
            strike_type=StrikeType.GREATER,
            structure="linear_cent",
            timer_s=self._config.threshold_timer_s,
            fees=fees,
            market_title="Bitcoin price",
        )
        self.windows = Series(
            ticker="KXBTC15M",
            frequency="fifteen_min",
            strike_type=StrikeType.GREATER_OR_EQUAL,
            structure="tapered_deci_cent",
            timer_s=self._config.window_timer_s,
            fees=fees,
            market_title="BTC price up in next 15 mins?",
        )
        self._periods = [Period(name, period_ns(name)) for name in config.listing.periods]
        for series in (self.thresholds, self.windows):
            exchange.series[series.ticker] = series

    def start(self, now_ns: int, origin_ns: int, first_expiry_s: float) -> None:
        """List what would be trading at the origin."""
        if self._config.thresholds:
            if not self._periods:
                raise ConfigError("sim.listing.periods: Kalshi's thresholds follow it — name a period such as 3m")
            shortest = min(self._periods, key=lambda period: period.length_ns)
            for period in self._periods:
                expiry_ns = period.expiry_after(origin_ns)
                if period is shortest:
                    expiry_ns = origin_ns + seconds_to_ns(first_expiry_s)
                self._list_thresholds(period, expiry_ns, now_ns)
        if self._config.windows:
            close_ns = now_ns // WINDOW_NS * WINDOW_NS + WINDOW_NS
            market = self._list_window(close_ns, now_ns)
            self._open(market, now_ns)
            if now_ns - market.open_ns > seconds_to_ns(self._config.strike_s):
                self._set_strike(market, self._first_strike((close_ns - now_ns) / 1e9), now_ns)
            else:
                self._strike_at(market)
            self._plan_window(close_ns + WINDOW_NS)

    # -- thresholds

    def _list_thresholds(self, period: Period, expiry_ns: int, now_ns: int) -> None:
        centre = self._centre(period, expiry_ns, now_ns)
        if centre is None or self._faults.take(FaultName.LISTING_MISSING) is not None:
            self.agenda.at(now_ns + 1, partial(self._relist, period, expiry_ns))
            return
        series = self.thresholds
        ticker = threshold_event_ticker(series.ticker, expiry_ns)
        event = self._exchange.events.get(ticker) or Event(ticker=ticker, series=series, close_ns=expiry_ns)
        spacing = self._spacing((expiry_ns - now_ns) / 1e9) * _USD
        count = self._config.strikes
        for rung in range(-(count // 2), count - count // 2):
            strike = centre + rung * spacing - 1
            name = f"{ticker}-T{cents_text(strike)}"
            if name not in self._exchange.markets:
                self._add(event, name, strike, open_ns=now_ns, now_ns=now_ns)
        self.agenda.at(expiry_ns + seconds_to_ns(self._config.relist_s), partial(self._relist, period, None))

    def _relist(self, period: Period, expiry_ns: int | None, now_ns: int) -> None:
        self._list_thresholds(period, period.expiry_after(now_ns) if expiry_ns is None else expiry_ns, now_ns)

    def _centre(self, period: Period, expiry_ns: int, now_ns: int) -> int | None:
        """The middle strike in cents, a whole number of dollars; None while the other venue's is awaited."""
        if self._neighbour is not None:
            strike = self._neighbour(expiry_ns, period.name)
            due_ns = self._awaited.setdefault(period.name, now_ns + _NEIGHBOUR_WAIT_NS)
            if strike is None and now_ns < due_ns:
                return None
            del self._awaited[period.name]
            if strike is not None:
                return strike // _USD * _USD
        return round(self._price_now()[0]) * _USD

    def _spacing(self, tau_s: float) -> int:
        """Whole dollars between strikes: about half of what the price moves until the close."""
        price, vol = self._price_now()
        half = 0.5 * price * vol * math.sqrt(max(tau_s, 1.0) / YEAR_S)
        return next((size for size in _SPACINGS if size >= half), _SPACINGS[-1])

    # -- quarter hours

    def _plan_window(self, close_ns: int) -> None:
        ahead_ns = seconds_to_ns(self._config.ahead_s)
        self.agenda.at(close_ns - WINDOW_NS - ahead_ns, partial(self._next_window, close_ns))

    def _next_window(self, close_ns: int, now_ns: int) -> None:
        market = self._list_window(close_ns, now_ns)
        if market.open_ns > now_ns:
            self.agenda.at(market.open_ns, partial(self._open, market))
        else:
            self._open(market, now_ns)
        self._strike_at(market)
        self._plan_window(close_ns + WINDOW_NS)

    def _list_window(self, close_ns: int, now_ns: int) -> Market:
        series = self.windows
        ticker = window_event_ticker(series.ticker, close_ns)
        event = Event(ticker=ticker, series=series, close_ns=close_ns)
        return self._add(event, f"{ticker}-{ticker[-2:]}", None, open_ns=close_ns - WINDOW_NS, now_ns=now_ns)

    def _open(self, market: Market, now_ns: int) -> None:
        market.move(Step.OPEN, now_ns)

    def _strike_at(self, market: Market) -> None:
        due_ns = market.open_ns + seconds_to_ns(self._config.strike_s)
        self.agenda.at(due_ns, partial(self._strike_known, market))

    def _strike_known(self, market: Market, now_ns: int) -> None:
        average = self._index.average(market.open_ns)
        assert average is not None, "the minute before an opening was printed"
        self._set_strike(market, average, now_ns)

    def _set_strike(self, market: Market, cents: int, now_ns: int) -> None:
        market.strike, market.updated_ns = cents, now_ns
        market.listed_strike_ns = now_ns + seconds_to_ns(self._config.list_strike_s)
        for aspect in ("strike", "title"):
            self._tell(market, LifecycleKind.METADATA, aspect)

    def _first_strike(self, tau_s: float) -> int:
        """Strike of a window that was open before anything was printed: its outcome is still open."""
        price, vol = self._price_now()
        spread = vol * math.sqrt(tau_s / YEAR_S)
        return round(price * (1.0 - inverse_normal(self._rng.uniform(0.25, 0.75)) * spread) * _USD)

    # -- every market

    def _add(self, event: Event, ticker: str, strike: int | None, *, open_ns: int, now_ns: int) -> Market:
        series = event.series
        market = Market(
            ticker=ticker,
            event_ticker=event.ticker,
            series=series,
            created_ns=now_ns,
            open_ns=open_ns,
            close_ns=event.close_ns,
            strike=strike,
            structure=series.structure,
            updated_ns=now_ns,
        )
        self._exchange.list_market(event, market)
        if series.strike_type is StrikeType.GREATER:
            self._open(market, now_ns)
        config = self._config
        self.agenda.at(market.close_ns, partial(self._close, market))
        self.agenda.at(market.close_ns + seconds_to_ns(config.close_cancel_s), partial(self._empty, market))
        self.agenda.at(market.close_ns + seconds_to_ns(config.wipe_s), partial(self._wipe, market))
        self.agenda.at(market.close_ns + seconds_to_ns(config.determine_s), partial(self._determine, market))
        return market

    def _close(self, market: Market, now_ns: int) -> None:
        market.move(Step.CLOSE, now_ns)

    def _empty(self, market: Market, now_ns: int) -> None:
        market.updated_ns = now_ns
        self._exchange.engine_of(market).empty_closed(market)

    def _wipe(self, market: Market, now_ns: int) -> None:
        market.updated_ns = now_ns
        self._exchange.tape.write(BookWiped(market.ticker))

    def _determine(self, market: Market, now_ns: int) -> None:
        if self._faults.take(FaultName.SETTLEMENT_MISSING) is not None:
            self.agenda.at(now_ns + NS_PER_S, partial(self._determine, market))
            return
        late_ns = self._faults.delay_ns(FaultName.SETTLEMENT_LATE)
        if late_ns:
            self.agenda.at(now_ns + late_ns, partial(self._determine, market))
            return
        value = self._index.average(market.close_ns)
        assert value is not None, "the minute before a close was printed"
        market.move(Step.DETERMINE, now_ns)
        market.value, market.result, market.determined_ns = value, market.pays(value), now_ns
        self._tell(market, LifecycleKind.DETERMINED)
        self.agenda.at(now_ns + seconds_to_ns(market.series.timer_s), partial(self._settle, market))

    def _settle(self, market: Market, now_ns: int) -> None:
        exchange, ticker = self._exchange, market.ticker
        assert market.result is not None
        for account in exchange.accounts.values():
            position = account.positions.get(ticker)
            if position is None:
                continue
            payout = exchange.ledger.settle(account, market.shard, ticker, yes=market.result)
            if not account.background:
                exchange.tape.write(
                    Settled(
                        account=account,
                        ticker=ticker,
                        lots=position.lots,
                        cost=position.cost,
                        fees=position.fees,
                        payout=payout,
                    )
                )
        exchange.ledger.settled(ticker)
        market.move(Step.SETTLE, now_ns)
        market.settled_ns = now_ns
        self._tell(market, LifecycleKind.SETTLED)
        self._finished.append(market)
        if len(self._finished) > self._config.kept:
            old = self._finished.popleft()
            exchange.forget_market(old)
            self.forgotten.append(old.ticker)

    def _tell(self, market: Market, kind: LifecycleKind, aspect: str = "") -> None:
        self._exchange.tape.write(Lifecycle(kind, market.ticker, aspect))

    def active(self) -> list[Market]:
        """Markets that trade, in order of listing."""
        return [market for market in self._exchange.markets.values() if market.phase is Phase.ACTIVE]
