"""What is noted down while a run is lived through again.

Fills, decisions and settlements are noted one by one. Everything else is sampled: the first turn at or after each
point of a grid of `every_s` seconds. When there are more than `SAMPLES_MAX` samples every other one is dropped and the
grid is doubled, so a run of any length fits into memory; the figures that must not miss a moment (largest drawdown,
counts) are the engine's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import attrs

from hlomm.domain.ids import MarketId, StrategyId, is_outcome, venue_of
from hlomm.domain.inputs import Booted, Input, MarketSettled, OperatorAction, OperatorCommand
from hlomm.domain.orders import direction, yes_px
from hlomm.domain.outputs import Output
from hlomm.domain.report import FillRow
from hlomm.domain.times import NS_PER_S, Now, seconds_to_ns
from hlomm.domain.units import Px
from hlomm.engine.core import Engine
from hlomm.engine.gate import gross_notional
from hlomm.engine.quoting import view_of
from hlomm.engine.report import market_row, pnl
from hlomm.engine.state import MarketState, State
from hlomm.pricing import horizon
from hlomm.research.report.decided import rows_of
from hlomm.research.report.tables import SCHEMAS, Table
from hlomm.strategy.avellaneda import Avellaneda, AvellanedaConfig
from hlomm.strategy.btc_parity import BtcParity, BtcParityConfig
from hlomm.strategy.outlooks import moving_time_s, spot_of

SAMPLES_MAX: Final = 100_000
SETTLED_MAX: Final = 100_000
"""Contracts whose settlement is remembered; a year of five-minute series."""
ModelConfig = AvellanedaConfig | BtcParityConfig


@attrs.frozen
class InForce:
    """Settings of a strategy from a moment on."""

    wall_ns: int
    config: ModelConfig


@attrs.frozen
class Settled:
    wall_ns: int
    yes_px: Px


class Watcher:
    """An onlooker (`hlomm.research.onlooker`) that fills tables."""

    def __init__(
        self,
        *,
        every_s: float,
        decisions: bool,
        admit: Callable[[Booted], None] | None = None,
        samples_max: int = SAMPLES_MAX,
    ) -> None:
        """`admit` raises for a run that must not be looked at, before anything of it is."""
        assert samples_max > 1
        self._admit = admit
        self.every_ns = seconds_to_ns(every_s)
        self.tables = {name: Table(name) for name in SCHEMAS}
        self.boot: Booted | None = None
        self.engine: Engine | None = None
        self.first = self.last = Now(0, 0)
        self.settled: dict[MarketId, Settled] = {}
        self.configs: dict[StrategyId, list[InForce]] = {}
        self.markets: dict[MarketId, MarketState] = {}
        """Every market that was sampled, as last seen."""
        self.alerts: dict[tuple[str, str], int] = {}
        """(level, code) to how often."""
        self.tunes = 0
        self.samples = 0
        self.halvings = 0
        self.dropped = 0
        """Samples taken and dropped again because there were too many."""
        self.fills_missed = 0
        """Fills that came so fast that the engine's own memory of them was over-written."""
        self.markouts_missed = 0
        """Figures of fills that left that memory before a minute was over."""
        self._decisions = decisions
        self._samples_max = samples_max
        self._next_ns = 0
        self._noted = 0
        self._young: dict[int, tuple[FillRow, float | None]] = {}
        """By number: fills that may still get figures, and the time that was left."""
        self._standing = 0

    def fed(self, engine: Engine, item: Input, now: Now) -> None:
        if isinstance(item, Booted):
            if self._admit is not None:
                self._admit(item)
            self.boot, self.first = item, now
        elif isinstance(item, MarketSettled) and len(self.settled) < SETTLED_MAX:
            self.settled.setdefault(item.market, Settled(now.wall_ns, item.yes_px))
        elif isinstance(item, OperatorCommand) and item.action is OperatorAction.TUNE:
            self.tunes += 1
        self.engine, self.last = engine, now
        self._fills(engine.state)

    def turned(self, engine: Engine, outputs: Sequence[Output], now: Now) -> None:
        self.engine, self.last = engine, now
        self._fills(engine.state)
        for output in outputs:
            for row in rows_of(output, now.wall_ns, self.alerts):
                if self._decisions:
                    self.tables["decisions"].add(*row)
        if engine.state.standings.samples != self._standing:
            self._standing = engine.state.standings.samples
            self._standings(engine.state)
        if now.mono_ns >= self._next_ns and engine.state.opened:
            self.sample(engine, now)

    def sample(self, engine: Engine, now: Now) -> None:
        """Take a picture of everything now."""
        self._next_ns = (now.mono_ns // self.every_ns + 1) * self.every_ns
        self.samples += 1
        self._in_force(engine, now)
        self._equity(engine.state)
        for market in engine.state.markets.values():
            if market.is_outcome and _of_interest(engine.state, market):
                self._quote(engine.state, market)
        if self.samples > self._samples_max:
            self._halve()

    def finish(self, *, whole: bool = True) -> None:
        """The last picture, unless the engine broke in the middle of a step, and the fills that wait for figures."""
        if self.engine is None:
            return
        if whole and self.engine.state.opened:
            self.sample(self.engine, self.last)
        self._refresh(self.engine.state)
        for number in list(self._young):
            self._old(number)

    # -- fills

    def _fills(self, state: State) -> None:
        new = state.markouts.noted - self._noted
        if not new:
            return
        self._refresh(state)
        kept = min(new, len(state.recent_fills))
        self.fills_missed += new - kept
        self._noted += new
        for back in range(kept, 0, -1):
            row = state.recent_fills[-back]
            market = state.markets.get(row.market)
            known = None if market is None or market.market.expiry_ns is None else market.market
            tau_s = None if known is None else known.tau_ns(state.now.wall_ns) / NS_PER_S
            self._young[self._noted - back] = (row, tau_s)

    def _refresh(self, state: State) -> None:
        """Take figures that were added since; what has all of them, or will get none any more, is written down."""
        first = state.markouts.noted - len(state.recent_fills)
        for number, (row, tau_s) in list(self._young.items()):
            if number < first:
                self.markouts_missed += any(figure is None for figure in row.markouts)
                self._old(number)
                continue
            now = state.recent_fills[number - first]
            self._young[number] = (now, tau_s)
            if not now.markouts or None not in now.markouts:
                self._old(number)

    def _old(self, number: int) -> None:
        row, tau_s = self._young.pop(number)
        outcome = is_outcome(row.market)
        self.tables["fills"].add(
            row.wall_ms * 1_000_000, row.market, venue_of(row.market), row.ticker, row.kind, row.leg.name,
            row.side.name, row.px, yes_px(row.leg, row.px) if outcome else row.px,
            direction(row.leg, row.side) if outcome else int(row.side), row.qty, row.fee, row.maker, outcome, tau_s,
            row.edge, *(row.markouts or (None,) * 4),
        )  # fmt: skip

    # -- samples

    def _in_force(self, engine: Engine, now: Now) -> None:
        for name, strategy in engine.strategies.items():
            if isinstance(strategy, Avellaneda | BtcParity):
                known = self.configs.setdefault(name, [])
                if not known or known[-1].config != strategy.config:
                    known.append(InForce(now.wall_ns, strategy.config))

    def _equity(self, state: State) -> None:
        books, result, equity = state.portfolio, pnl(state), state.equity()
        at_reference = result.unrealised + books.cost + books.perps.cost
        self.tables["equity"].add(
            state.now.wall_ns, state.halt.value, equity, books.deposits + books.adjustments,
            equity - books.cash - books.perps.raw - at_reference, books.cash, books.perps.raw,
            max(state.high_water - equity, 0), state.max_drawdown, gross_notional(state), result.total, result.spread,
            result.inventory - result.hedge, result.hedge, result.fees, result.rewards, result.settlement,
            result.rounding, result.realised, result.unrealised, books.volume, books.fills, state.orders.live_count,
        )  # fmt: skip

    def _quote(self, state: State, market: MarketState) -> None:
        self.markets[market.market.id] = market
        row, view = market_row(state, market), view_of(state, market)
        tau_s = view.tau_ns / NS_PER_S
        facts = dict(market.desired.facts) if market.desired is not None else {}
        moving_s, p, nu = moving_time_s(market.market, tau_s), _number(facts.get("fair")), _number(facts.get("nu"))
        sigma_p = None
        if moving_s is not None and p is not None and nu is not None and 0.0 < p < 1.0:
            sigma_p = nu * horizon.p_vol(p, moving_s)
        self.tables["quotes"].add(
            state.now.wall_ns, row.id, market.market.venue, row.ticker, row.strategy, tau_s,
            view.bids[0][0] if view.bids else None, view.asks[0][0] if view.asks else None,
            *((None, None) if row.own_bid is None else (row.own_bid.px, row.own_bid.qty)),
            *((None, None) if row.own_ask is None else (row.own_ask.px, row.own_ask.qty)),
            None if market.desired is None else market.desired.fair, row.fair_source, view.net,
            "" if row.bid_note is None else row.bid_note.guard, "" if row.ask_note is None else row.ask_note.guard,
            spot_of(view), _number(facts.get("vol")), _number(facts.get("expected")), _number(facts.get("premium")),
            sigma_p,
        )  # fmt: skip

    def _standings(self, state: State) -> None:
        for event in dict.fromkeys(state.standings.by_market.values()):
            for name, (deviation, threshold) in event.view.now().items():
                market = MarketId(name)
                self.tables["standings"].add(
                    state.now.wall_ns, event.key, venue_of(market), market, deviation, threshold
                )

    def _halve(self) -> None:
        """Every other sample goes, in all tables alike, and from now on they are twice as far apart."""
        self.every_ns *= 2
        self.halvings += 1
        kept = self.tables["equity"].every_other()
        self.tables["quotes"].only(kept)
        self.dropped += self.samples - len(kept)
        self.samples = len(kept)


def _of_interest(state: State, market: MarketState) -> bool:
    if market.gone:
        return False
    quoted = market.desired is not None or state.orders.any_in(market.market.id)
    return quoted or not state.portfolio.position(market.market.id).flat


def _number(fact: float | str | None) -> float | None:
    """A named number of a decision; a dash stands for none."""
    return fact if isinstance(fact, float) else None
