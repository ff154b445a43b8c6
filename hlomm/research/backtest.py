"""The engine over a recording of one contract: same object, same turns, a tape instead of a venue; and what it brought.

How time passes is in `driver`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import attrs

from hlomm.domain.desk_rows import MARKOUT_S
from hlomm.domain.fills import FillKind
from hlomm.domain.ids import HYPERLIQUID
from hlomm.domain.inputs import (
    BboUpdate,
    BookSnapshot,
    FillReceived,
    MarketListed,
    MarketSettled,
    SessionUp,
    StopRequested,
)
from hlomm.domain.markets import Market
from hlomm.domain.orders import direction, yes_px
from hlomm.domain.times import NS_PER_MS, NS_PER_S
from hlomm.domain.units import SCALE, Cash, Px, to_float, to_text
from hlomm.engine.payoffs import pays_yes
from hlomm.engine.report import own_quotes, pnl, report
from hlomm.engine.state import MarketState, State
from hlomm.research.backtest_result import BacktestResult, FillPoint, Sample
from hlomm.research.driver import Driver
from hlomm.research.fair_error import FairError, RealisedSoFar, Seen
from hlomm.research.fee_schedule import FeesOf, schedule
from hlomm.research.fill_model import FillModel
from hlomm.research.hedge_overlay import Moment, Overlay, overlay
from hlomm.research.onlooker import Onlooker
from hlomm.research.recording import Recording
from hlomm.research.set_aside import set_aside
from hlomm.research.tape import Lines, Told, lines
from hlomm.research.tape_venue import TapeVenue
from hlomm.settings.load import Loaded
from hlomm.strategy.base import Strategy

START_CASH = Cash(10_000 * SCALE)
SAMPLE_NS = 5 * NS_PER_S
_LEAST_AVERSION = 1e-9
"""A strategy without risk aversion would have an infinite band."""
SETTLE_DELAY_NS = 2 * NS_PER_S
"""From expiry to the settlement news, as recorded live."""


@attrs.frozen(kw_only=True)
class Terms:
    """What a backtest assumes beside the recording."""

    model: FillModel = attrs.field(factory=FillModel)
    fees: FeesOf = FeesOf.RECORDED


@set_aside()
def backtest(
    recording: Recording, loaded: Loaded, terms: Terms | None = None, onlooker: Onlooker | None = None, *,
    cash: Cash = START_CASH, chosen: Sequence[Strategy] | None = None,
) -> BacktestResult:  # fmt: skip
    """Run the engine over all events, through settlement, and measure. `chosen`: as for `build_engine`."""
    return Run(recording, loaded, Terms() if terms is None else terms, onlooker, cash=cash, chosen=chosen).whole()


class Run:
    """One run. `of` replaces the recording's own time lines, for the guard against looking ahead."""

    def __init__(
        self, recording: Recording, loaded: Loaded, terms: Terms, onlooker: Onlooker | None, of: Lines | None = None,
        *, cash: Cash = START_CASH, chosen: Sequence[Strategy] | None = None,
    ) -> None:  # fmt: skip
        self._recording = recording
        self._perp = recording.perp.id
        self._loaded = loaded
        self._terms = terms
        self._lines = lines(recording.events, terms.model.latency.feed) if of is None else of
        self._fees = schedule(recording.outcome, recording.events[0].received_ns, terms.fees)
        self._venue = TapeVenue(
            (recording.outcome,), cash, terms.model, self._lines.tape, {recording.outcome.id: self._fees.rates}
        )
        self._driver = Driver(loaded, self._venue, onlooker, chosen=chosen)
        self._engine = self._driver.engine
        self._samples: list[Sample] = []
        self._fills: list[FillPoint] = []
        self._forecasts: list[tuple[float, float]] = []
        self._seen: list[Seen] = []
        self._moments: list[Moment] = []
        self._so_far = RealisedSoFar()
        self._touch: tuple[float, float] | None = None
        self._next_sample_ns = 0
        self._noted = 0

    def whole(self) -> BacktestResult:
        """To the settlement."""
        self.until(None)
        settled = self._settle(self._lines.feed[-1].at_ns)
        return BacktestResult(
            recording=self._recording, final=report(self._engine.state), settled=settled, samples=self._samples,
            fills=self._fills, markouts=self._markouts(), turns=self._driver.turns, inputs=self._driver.inputs,
            brier=_brier(self._forecasts, 0, settled), brier_market=_brier(self._forecasts, 1, settled),
            filled_from=self._venue.filled_from, digest=self._engine.digest(),
            fair_error=FairError(self._seen, None if settled is None else settled / SCALE),
            hedged=self._hedged(), model=self._terms.model, fees=self._fees, counts=self._venue.counts,
        )  # fmt: skip

    def until(self, end_ns: int | None) -> None:
        """Everything that is told up to and with a time; all that is told if there is none."""
        self._start(self._lines.feed[0].at_ns)
        for told in self._lines.feed:
            if end_ns is not None and told.at_ns > end_ns:
                break
            self._driver.told((told.event.item,), told.at_ns)
            self._collect(told)
        if end_ns is not None:
            self._driver.advance(end_ns + 1)

    # -- time

    def _start(self, at_ns: int) -> None:
        self._driver.boot(at_ns)
        for item in (
            MarketListed(self._recording.perp), MarketListed(self._recording.outcome), self._fees.rates,
            self._venue.account(at_ns), SessionUp(HYPERLIQUID),
        ):  # fmt: skip
            self._driver.feed(item, at_ns)

    # -- the end

    def _settle(self, last_ns: int) -> Px | None:
        """Settle as recorded, else by the mark interpolated around expiry, or the last one known before it."""
        outcome = self._recording.outcome
        assert outcome.expiry_ns is not None
        assert outcome.strike is not None
        if self._recording.settled is not None:
            yes, detail = self._recording.settled, "as recorded"
        elif self._recording.marks:
            yes, detail = settled_by_marks(self._recording.marks, outcome)
        else:
            return None
        at_ns = max(outcome.expiry_ns, last_ns) + SETTLE_DELAY_NS
        self._driver.advance(at_ns)
        for part in self._venue.settle(outcome.id, yes, at_ns):
            self._driver.feed(FillReceived(part), at_ns)
        self._driver.feed(MarketSettled(outcome.id, yes, detail), at_ns)
        self._driver.feed(StopRequested("end of the recording", flatten=False), at_ns)
        for _ in range(100):
            self._driver.advance(at_ns := at_ns + NS_PER_S)
            if self._engine.next_deadline() is None:
                break
        self._sample(at_ns)
        return yes

    # -- what is measured

    def _collect(self, told: Told) -> None:
        item, at_ns, state = told.event.item, told.at_ns, self._engine.state
        if isinstance(item, BookSnapshot):
            market = state.markets[self._recording.outcome.id]
            self._price(item, market.desired.fair if market.desired is not None else None)
            self._forecast(at_ns, item, market)
        elif isinstance(item, BboUpdate) and item.market == self._perp:
            self._touched(at_ns, item)
        if state.markouts.noted != self._noted:
            self._filled(state)
        if at_ns >= self._next_sample_ns:
            self._next_sample_ns = at_ns + SAMPLE_NS
            self._sample(at_ns)

    def _touched(self, at_ns: int, item: BboUpdate) -> None:
        """The underlying's best bid and offer; an outcome has one of its own."""
        if item.bid is not None and item.ask is not None:
            self._touch = bid, ask = item.bid[0] / SCALE, item.ask[0] / SCALE
            self._so_far.update(at_ns / NS_PER_S, 0.5 * (bid + ask))

    def _filled(self, state: State) -> None:
        """Trades since the last look; conversions stand among them in the engine's memory."""
        new, self._noted = state.markouts.noted - self._noted, state.markouts.noted
        for row in islice(state.recent_fills, len(state.recent_fills) - new, None):
            if row.kind == FillKind.TRADE.value:
                px, at_ns = yes_px(row.leg, row.px), row.wall_ms * NS_PER_MS
                self._fills.append(FillPoint(at_ns, direction(row.leg, row.side), px, row.qty, row.maker))

    def _price(self, book: BookSnapshot, fair: Px | None) -> None:
        """Forecasts for the Brier score."""
        mid = (book.bids[0][0] + book.asks[0][0]) / (2 * SCALE) if book.bids and book.asks else None
        if mid is not None and fair is not None:
            self._forecasts.append((fair / SCALE, mid))

    def _forecast(self, at_ns: int, book: BookSnapshot, market: MarketState) -> None:
        """What everybody made of this book; see `hlomm.research.fair_error`."""
        outcome, desired = self._recording.outcome, market.desired
        assert outcome.strike is not None
        tau_s = outcome.tau_ns(at_ns) / NS_PER_S
        if self._touch is None or tau_s <= 0.0:
            return
        bid = book.bids[0][0] / SCALE if book.bids else None
        ask = book.asks[0][0] / SCALE if book.asks else None
        self._seen.append(
            Seen(
                tau_s=tau_s, spot=0.5 * sum(self._touch), strike=to_float(outcome.strike), bid=bid, ask=ask,
                realised=self._so_far.annual, configured=self._loaded.settings.strategy.avellaneda.vol_annual,
                model=None if desired is None else _number(desired.fact("model")),
                expected=None if desired is None else _number(desired.fact("expected")),
                default=None if desired is None or desired.fair is None else desired.fair / SCALE,
            )
        )  # fmt: skip

    def _moment(self, at_ns: int, market: MarketState, net: int, pnl: int) -> None:
        """What a hedge would look at, as often as the paths are sampled."""
        tau_s = self._recording.outcome.tau_ns(at_ns) / NS_PER_S
        if self._touch is None or tau_s <= 0.0:
            return
        said = None if market.desired is None else market.desired.sensitivity
        self._moments.append(
            Moment(
                at_s=at_ns / NS_PER_S, tau_s=tau_s, net=net / SCALE, delta=None if said is None else said.delta * 1e-8,
                gamma=0.0 if said is None else said.gamma * 1e-16, bid=self._touch[0], ask=self._touch[1],
                pnl=pnl / SCALE,
            )
        )  # fmt: skip

    def _hedged(self) -> Overlay:
        aversion = self._loaded.settings.strategy.avellaneda.gamma
        total = report(self._engine.state).pnl.total / SCALE
        return overlay(self._moments, final_pnl=total, risk_aversion=max(aversion, _LEAST_AVERSION))

    def _sample(self, at_ns: int) -> None:
        state = self._engine.state
        market = state.markets[self._recording.outcome.id]
        total, desired = pnl(state).total, market.desired
        own_bid, own_ask = own_quotes(state, market)
        net = state.portfolio.position(market.market.id).net
        self._moment(at_ns, market, net, total)
        self._samples.append(
            Sample(
                at_ns, market.book.best_bid, market.book.best_ask, None if desired is None else desired.fair,
                own_bid.px if own_bid else None, own_ask.px if own_ask else None, net, total,
            )
        )  # fmt: skip

    def _markouts(self) -> dict[int, dict[str, float | int | None]]:
        """Mean maker markout per contract, weighted by size, at each horizon (`hlomm.engine.markouts`)."""
        return {
            horizon_s: {"mean": total.sum2 / (2 * total.qty * SCALE) if total.qty else None, "n": total.fills}
            for horizon_s, total in zip(MARKOUT_S, self._engine.state.markouts.totals, strict=True)
        }


def _number(fact: float | str | None) -> float | None:
    """A named number of a decision; a dash stands for none."""
    return fact if isinstance(fact, float) else None


def settled_by_marks(marks: tuple[tuple[int, Px], ...], market: Market) -> tuple[Px, str]:
    """What YES of a dated outcome with a strike pays by its own comparison, and by which mark."""
    assert market.expiry_ns is not None
    mark, detail = settlement_mark(marks, market.expiry_ns)
    return Px(SCALE if pays_yes(market, (mark, False)) else 0), detail


def settlement_mark(marks: tuple[tuple[int, Px], ...], expiry_ns: int) -> tuple[Px, str]:
    """Mark at expiry by linear interpolation of the updates around it (venue sheet 7.3), rounded down."""
    before = [mark for mark in marks if mark[0] <= expiry_ns]
    after = [mark for mark in marks if mark[0] > expiry_ns]
    if before and after:
        (t0, m0), (t1, m1) = before[-1], after[0]
        mark = Px(m0 + (m1 - m0) * (expiry_ns - t0) // (t1 - t0))
        return mark, f"price:{to_text(mark)} interpolated"
    at_ns, mark = before[-1] if before else after[0]
    return mark, f"price:{to_text(mark)}, the recording's nearest mark, {abs(expiry_ns - at_ns) / NS_PER_S:.1f} s away"


def _brier(forecasts: list[tuple[float, float]], column: int, settled: Px | None) -> float | None:
    """Mean squared distance of a forecast from the result, over snapshots with both sides."""
    if settled is None or not forecasts:
        return None
    outcome = settled / SCALE
    return sum((row[column] - outcome) ** 2 for row in forecasts) / len(forecasts)
