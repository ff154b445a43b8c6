"""What the venue does to its own markets when a fault is armed: pauses, new ticks, fees and rules."""

from __future__ import annotations

from functools import partial
from typing import Final

from hlomm.domain.times import NS_PER_S
from hlomm.sim.faults import FaultName, Faults
from hlomm.sim.kalshi.contracts import CRYPTO_SHARD, Market, Step, eastern
from hlomm.sim.kalshi.events import FeesChanged, Lifecycle, LifecycleKind
from hlomm.sim.kalshi.exchange import Exchange
from hlomm.sim.kalshi.fees import FeeTerms
from hlomm.sim.kalshi.listing import Listing
from hlomm.sim.kalshi.orders import Reason

_THURSDAY: Final = 3
PAUSE_HOURS: Final = (3, 5)
"""Eastern, on Thursdays."""
_OTHER_STRUCTURE: Final = {"linear_cent": "tapered_deci_cent", "tapered_deci_cent": "linear_cent"}


def in_thursday_pause(now_ns: int) -> bool:
    moment = eastern(now_ns)
    return moment.weekday() == _THURSDAY and PAUSE_HOURS[0] <= moment.hour < PAUSE_HOURS[1]


class Misfortunes:
    """Called once per step, before anything trades."""

    def __init__(self, exchange: Exchange, listing: Listing, faults: Faults) -> None:
        self._exchange = exchange
        self._listing = listing
        self._faults = faults
        self._calendar_ns = 0
        self._thursday = False

    def on_step(self, now_ns: int) -> None:
        engine = self._exchange.engines[CRYPTO_SHARD]
        if self._exchange.rules.thursday_pause and now_ns >= self._calendar_ns:
            self._calendar_ns = now_ns // NS_PER_S * NS_PER_S + NS_PER_S
            self._thursday = in_thursday_pause(now_ns)
        armed = self._faults.take(FaultName.TRADING_PAUSED) is not None
        engine.pause(paused=self._thursday or armed)
        engine.halted = self._faults.take(FaultName.EXCHANGE_PAUSED) is not None
        for name, strike in (
            (FaultName.MARKET_PAUSED, self._pause_market),
            (FaultName.LEVELS_CHANGED, self._change_levels),
            (FaultName.FEES_CHANGED, self._change_fees),
            (FaultName.RULES_CHANGED, self._change_rules),
        ):
            victim = self._victim() if self._faults.active(name) is not None else None
            if victim is not None:
                args = self._faults.take(name)
                assert args is not None
                strike(victim, now_ns, int(args.delay_s * NS_PER_S))

    def _victim(self) -> Market | None:
        """The market that trades longest of those whose strike is known."""
        markets = [market for market in self._listing.active() if market.strike is not None]
        return max(markets, key=lambda market: market.close_ns, default=None)

    def _pause_market(self, market: Market, now_ns: int, for_ns: int) -> None:
        market.move(Step.PAUSE, now_ns)
        self._tell(market, LifecycleKind.DEACTIVATED)
        self._exchange.engine_of(market).cancel_pausing(market)
        self._listing.agenda.at(now_ns + for_ns, partial(self._resume, market))

    def _resume(self, market: Market, now_ns: int) -> None:
        if now_ns >= market.close_ns:
            return
        market.move(Step.RESUME, now_ns)
        self._exchange.engine_of(market).cancel_market(market, Reason.HALT)
        self._tell(market, LifecycleKind.ACTIVATED)

    def _change_levels(self, market: Market, now_ns: int, _for_ns: int) -> None:
        market.structure, market.updated_ns = _OTHER_STRUCTURE[market.structure], now_ns
        self._tell(market, LifecycleKind.LEVELS)

    def _change_fees(self, market: Market, now_ns: int, _for_ns: int) -> None:
        event = self._exchange.events[market.event_ticker]
        event.fees = FeeTerms("quadratic_with_maker_fees", market.series.fees.multiplier)
        engine = self._exchange.engine_of(market)
        for sibling in event.markets:
            sibling.updated_ns = now_ns
            for account in self._exchange.accounts.values():
                engine.hold(account, sibling)
                engine.margin_call(account, sibling)
        self._exchange.tape.write(FeesChanged(event.ticker, event.fees.kind, event.fees.multiplier))

    def _change_rules(self, market: Market, now_ns: int, _for_ns: int) -> None:
        market.amended_rules, market.updated_ns = " This text was amended.", now_ns
        self._tell(market, LifecycleKind.METADATA, "rules")

    def _tell(self, market: Market, kind: LifecycleKind, aspect: str = "") -> None:
        self._exchange.tape.write(Lifecycle(kind, market.ticker, aspect))
